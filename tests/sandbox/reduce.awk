# SPDX-License-Identifier: ISC
#
# From what `strace -f --decode-pids=pidns` prints of a whole run to the
# system calls that the processes behind a filter of ours made: a line each of
#	PROCESS STAGE CALL SIGNATURE COUNT EXAMPLE
# where STAGE is start (behind the first filter) or serve (the second), and
# SIGNATURE has the arguments that the filter looks at.  EXAMPLE, for people:
# a number, what that process last executed, and the line.
#
# To be run while the trace is made: it asks /proc (-v proc=DIR).  Numbers
# come again within minutes, so the end of each process has to be in it.
#
# A process is what its last execve says, and what it has forked since: blkd,
# vhost (blkd -s), vm; the sweeper is what the monitor forks and shuts in.
# Not counted, since they are not ours but take a blkd's place: the one of
# tests/failpoints, which maps a page beside its program to hear where to die
# (fail_point.c), and evil of tests/redteam.

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

# The number that a call returned.  Not one of another pid namespace: what
# strace takes it for may be one long dead.
function number(result)
{
	return result ~ /in strace's PID NS/ ? 0 : result + 0
}

# A call has begun: of the stage that it is now.  Counted once it returns, for
# then the filter has let it pass: one that never does is of a process that was
# killed, whose number may be another's by now, or does not return at all.
function begin(tid, p, name, line,    key)
{
	delete begun[tid]
	if (name == "openat" && line ~ /blkd[^"\/]*\.page"/)
		role[p] = ""
	if (role[p] == "" || filters[p] == 0)
		return
	# What strace makes of a call that another filter has refused.
	if (name ~ /^syscall_0x/)
		return
	key = role[p] " " (filters[p] == 1 ? "start" : "serve") " " name \
	    " " signature(name, line)
	if (!(key in seen) && !(key in example))
		example[key] = tid " " program[p] " " line
	begun[tid] = key
	if (name ~ /^exit(_group)?$/)
		count(tid)
}

function count(tid)
{
	if (tid in begun)
		seen[begun[tid]]++
	delete begun[tid]
}

# Whose is this new number?  The kernel knows, while it lives.
function ask(tid,    command, line, got, f)
{
	# By cat: awk would end with a process that ends while it is read.
	command = "exec cat " proc "/" tid "/status 2>/dev/null"
	while ((command | getline line) > 0) {
		split(line, f)
		got[f[1]] = f[2]
	}
	close(command)
	if (!("Tgid:" in got))
		return 0
	if (got["Tgid:"] != tid)
		belongs(got["Tgid:"], tid, 1)
	else
		belongs(got["PPid:"], tid, 0)
	return 1
}

function belongs(parent, child, thread)
{
	leader[child] = thread ? parent : child
	if (!thread) {
		role[child] = role[parent]
		filters[child] = filters[parent]
		program[child] = program[parent]
	}
	replay(child)
}

# For those who are gone before the kernel can be asked.  A call may return
# after its child's end: then there is nothing to be told.
function fork(parent, child, flags,    thread)
{
	thread = flags ~ /CLONE_THREAD/
	if (child in waits)
		belongs(parent, child, thread)
	else if (!(child in leader) && !(child in ended))
		hint[child] = parent " " thread
	delete ended[child]
}

# What CHILD did before it was known whose it is.
function replay(child,    n, i, lines)
{
	if (!(child in waits))
		return
	n = split(waits[child], lines, "\n")
	delete waits[child]
	for (i = 1; i < n; i++)
		handle(child, lines[i])
}

# Nobody's, as far as one can tell: what it executed says what it is.
function adopt(tid)
{
	leader[tid] = tid
	role[tid] = program[tid] = ""
	filters[tid] = 0
	replay(tid)
}

# Its parent may not have returned from the call that made it.  Of one that
# has ended it never will: the number is another's now.
function meet(tid,    f)
{
	if (waits[tid] ~ /\n\+\+\+ (exited|killed)[^\n]*\n$/)
		adopt(tid)
	if (waits[tid] == "")
		delete waits[tid]
	if (first == "") {
		first = tid
		adopt(tid)
	} else if (!(tid in waits) && !ask(tid) && tid in hint) {
		split(hint[tid], f)
		belongs(f[1], tid, f[2])
	}
	delete hint[tid]
	delete ended[tid]
}

function forget(tid)
{
	delete leader[tid]
	delete role[tid]
	delete filters[tid]
	delete program[tid]
	delete open[tid]
	delete begun[tid]
	ended[tid] = 1
}

function role_of(line)
{
	if (line ~ /^execve\("[^"]*\/evil[^"\/]*", /)
		return ""
	if (line ~ /\["[^]]*"--inner"/ || line ~ /\["blkd[^]]*"-s"/ || \
	    line ~ /\/blkd", \[[^]]*"-s"/)
		return "vhost"
	if (line ~ /\["blkd[":]/)
		return "blkd"
	if (line ~ /\["vmmd: vm"|vmmd\/vm_test"/)
		return "vm"
	if (line ~ /^execve\("([^"]*\/)?vmmd", /)
		return "sweeper"
	return ""
}

# The end of a call: RESULT is what it returned.
function finish(tid, p, name, line, result)
{
	if (name ~ /^(clone|clone3|fork|vfork)$/ && result > 0)
		fork(p, result, line)
	else if (name == "seccomp" && result == 0 && \
	    line ~ /SECCOMP_SET_MODE_FILTER/ && line ~ /TSYNC/)
		filters[p]++
	else if (name ~ /^execve(at)?$/ && result == 0) {
		leader[tid] = p = tid
		filters[p] = 0
		role[p] = role_of(line)
		program[p] = arg(line, 1)
	}
}

function handle(tid, line,    p, name, result)
{
	if (line ~ /^\+\+\+ (exited|killed)/) {
		forget(tid)
		return
	}
	p = leader[tid]
	if (line ~ /^<\.\.\. /) {
		name = line
		sub(/^<\.\.\. /, "", name)
		sub(/ resumed.*/, "", name)
		result = line
		if (!sub(/.*\) += /, "", result) || result ~ /^\?/)
			return
		count(tid)
		finish(tid, p, name, open[tid] " " line, number(result))
		return
	}
	if (line !~ /^[a-z0-9_]+\(/)
		return
	name = line
	sub(/\(.*/, "", name)
	begin(tid, p, name, line)
	if (line ~ /<unfinished \.\.\.>$/) {
		open[tid] = line
		return
	}
	result = line
	if (sub(/.*\) += /, "", result) && result !~ /^\?/) {
		count(tid)
		finish(tid, p, name, line, number(result))
	}
}

BEGIN {
	if (proc == "")
		proc = "/proc"
}

{
	tid = $1
	line = $0
	sub(/^[0-9]+ +/, "", line)
	if (!(tid in leader))
		meet(tid)
	if (tid in leader)
		handle(tid, line)
	else
		waits[tid] = waits[tid] line "\n"
}

END {
	for (tid in waits)
		orphans[tid] = 1
	for (tid in orphans)
		adopt(tid)
	for (key in seen)
		print key, seen[key], example[key]
}
