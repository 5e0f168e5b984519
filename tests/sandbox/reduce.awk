# SPDX-License-Identifier: ISC
#
# From what `strace -f` prints of a whole run to the system calls that blkd
# and the vm process made behind their filters: a line each of
#	PROCESS STAGE CALL SIGNATURE
# where STAGE is start (behind the first filter), serve (the second) or
# before, and SIGNATURE has the arguments that the filter looks at.
# A process is what its last execve says, and what it has forked since.


# args(LINE): between the call's name and what follows its arguments
function args(line)
{
	sub(/^[a-z0-9_]+\(/, "", line)
	sub(/ <unfinished \.\.\.>$/, "", line)
	sub(/\) += .*$/, "", line)
	return line
}

# arg(LINE, N): the Nth argument of a call whose first ones are plain
function arg(line, n,    a)
{
	split(args(line), a, ", ")
	gsub(/ /, "", a[n])
	return a[n]
}

function signature(name, line)
{
	if (name == "mmap")
		return arg(line, 3) "," arg(line, 4)
	if (name == "mprotect" || name == "madvise")
		return arg(line, 3)
	if (name == "fcntl" || name == "ioctl" || name == "futex" || \
	    name == "fallocate")
		return arg(line, 2)
	if (name == "prctl")
		return arg(line, 1)
	if (name == "prlimit64" || name == "getsockopt" || \
	    name == "setsockopt")
		return arg(line, 2) "," (name == "prlimit64" ? "" : \
		    arg(line, 3))
	if (name == "seccomp")
		return arg(line, 1) "," arg(line, 2)
	if (name == "tgkill")
		return arg(line, 3)
	if (name == "clone" && match(line, /flags=[A-Z_|0-9a-z]*/))
		return substr(line, RSTART + 6, RLENGTH - 6)
	return "-"
}

# The number that a call returned; of a process, as strace counts it: its own
# pid namespace has another.
function number(result)
{
	if (match(result, /\/\* [0-9]+ in strace/))
		return substr(result, RSTART + 3, RLENGTH - 12) + 0
	return result + 0
}

function stage(p)
{
	return filters[p] >= 2 ? "serve" : filters[p] == 1 ? "start" : "before"
}

# A call has begun: counted as the stage is now.
function begin(p, name, line)
{
	if (role[p] != "" && filters[p] > 0)
		seen[role[p] " " stage(p) " " name " " signature(name, line)]++
}

function fork(parent, child, flags,    n, i, lines)
{
	if (flags ~ /CLONE_THREAD/) {
		leader[child] = parent
	} else {
		leader[child] = child
		role[child] = role[parent]
		filters[child] = filters[parent]
	}
	if (child in waits) {
		n = split(waits[child], lines, "\n")
		delete waits[child]
		for (i = 1; i < n; i++)
			handle(child, lines[i])
	}
}

# The end of a call: RESULT is what it returned.
function finish(p, name, line, result)
{
	if (name ~ /^(clone|clone3|fork|vfork)$/ && result > 0)
		fork(p, result, line)
	else if (name == "seccomp" && result == 0 && \
	    line ~ /SECCOMP_SET_MODE_FILTER/ && line ~ /TSYNC/)
		filters[p]++
	else if (name == "execve" && result == 0) {
		filters[p] = 0
		role[p] = ""
		if (line ~ /\["blkd[^]]*"-s"/ || line ~ /\/blkd", \[[^]]*"-s"/)
			role[p] = "vhost"
		else if (line ~ /\["blkd/)
			role[p] = "blkd"
		else if (line ~ /\["vmmd: vm"|vmmd\/vm_test"/)
			role[p] = "vm"
	}
}

function handle(tid, line,    p, name, result)
{
	p = leader[tid]
	if (line ~ /^<\.\.\. /) {
		name = line
		sub(/^<\.\.\. /, "", name)
		sub(/ resumed.*/, "", name)
		result = line
		if (!sub(/.*\) += /, "", result))
			return
		finish(p, name, open[tid] " " line, number(result))
		return
	}
	if (line !~ /^[a-z0-9_]+\(/)
		return
	name = line
	sub(/\(.*/, "", name)
	begin(p, name, line)
	if (line ~ /<unfinished \.\.\.>$/) {
		open[tid] = line
		return
	}
	result = line
	if (sub(/.*\) += /, "", result))
		finish(p, name, line, number(result))
}

{
	tid = $1
	line = $0
	sub(/^[0-9]+ +/, "", line)
	if (line ~ /^\+\+\+ (exited|killed)/) {
		delete leader[tid]
		delete role[tid]
		delete filters[tid]
		delete open[tid]
		next
	}
	if (first == "") {
		first = tid
		leader[tid] = tid
	}
	# Its parent has not returned from the call that made it.
	if (!(tid in leader)) {
		waits[tid] = waits[tid] line "\n"
		next
	}
	handle(tid, line)
}

END {
	for (key in seen)
		print key, seen[key]
}
