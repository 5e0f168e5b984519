# SPDX-License-Identifier: ISC
#
# reduce.awk: whose call it was, and in which stage, from what strace prints.

filter='seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, {len=9}) = 0'
thread='CLONE_VM|CLONE_FILES|CLONE_THREAD'

# program PID ARGV0 [PATH]: PID is a new process of the first one.
program()
{
	echo "1 clone(child_stack=NULL, flags=SIGCHLD) = $1"
	echo "$1 execve(\"${3-/x/blkd/blkd}\", [\"$2\"], 0x7f /* 0 vars */) = 0"
}

# serves PID ARGV0 [PATH]: and it is behind its second filter.
serves()
{
	program "$@"
	echo "$1 $filter"
	echo "$1 $filter"
}

# Whom the kernel could be asked about lies in proc.
reduce()
{
	{ echo '1 execve("/bin/sh", ["sh"], 0x7f /* 0 vars */) = 0'; cat; } \
	    >trace
	awk -v proc="$PWD/proc" -f "$VMMD_SRCDIR/tests/sandbox/reduce.awk" \
	    trace | cut -d' ' -f1-5 | sort >got
	cat got
}

# calls LINE...: these and no others, but for the filters themselves.
calls()
{
	[ $# -eq 0 ] || printf '%s\n' "$@" | sort >want
	[ $# -ne 0 ] || : >want
	grep -v ' seccomp ' got | diff want - || atf_fail "other calls"
}

atf_test_case stage__of_each_call
stage__of_each_call_body()
{
	{
		program 10 "blkd: vda"
		echo '10 open("/x", O_RDONLY) = 3'
		echo "10 $filter"
		echo '10 mmap(NULL, 8192, PROT_READ, MAP_SHARED, 3, 0) = 0x7f'
		echo "10 $filter"
		echo '10 ppoll([{fd=8}], 1, NULL <unfinished ...>'
		echo '10 <... ppoll resumed>) = 1'
	} | reduce
	calls "blkd start mmap PROT_READ,MAP_SHARED 1" "blkd serve ppoll - 1"
}

atf_test_case process__of_each_kind
process__of_each_kind_body()
{
	{
		serves 10 "blkd: (spare vda"
		serves 11 "vmmd: vm" /x/vmmd/vmmd
		serves 12 blkd '/x/blkd/blkd", ["blkd", "-s", "s", "-f'
		program 13 /x/vmmd/vmmd /x/vmmd/vmmd
		echo '13 clone(child_stack=NULL, flags=SIGCHLD) = 14'
		echo "14 $filter"
		for p in 10 11 12 13 14; do
			echo "$p read(3, 0x7f, 8) = 8"
		done
	} | reduce
	calls "blkd serve read - 1" "vm serve read - 1" \
	    "vhost serve read - 1" "sweeper start read - 1"
}

atf_test_case process__of_a_thread
process__of_a_thread_body()
{
	{
		serves 10 blkd
		# Before its parent has returned, and after.
		echo "10 clone(flags=$thread <unfinished ...>"
		echo '11 rseq(0x7f) = 0'
		echo '10 <... clone resumed>) = 11'
		echo '11 preadv(11, 0x7f, 1, 0) = 512'
	} | reduce
	calls "blkd serve clone $thread 1" "blkd serve rseq - 1" \
	    "blkd serve preadv - 1"
}

# A number that is given again has nothing of its last holder's.
atf_test_case number__given_again
number__given_again_body()
{
	{
		serves 10 blkd
		echo "10 clone(flags=$thread) = 11"
		echo '11 rseq(0x7f) = 0'
		echo '11 +++ killed by SIGKILL +++'
		echo '10 +++ killed by SIGKILL +++'
		for p in 10 11; do
			echo "1 clone(child_stack=NULL, flags=SIGCHLD) = $p"
			echo "$p getpid() = $p"
			echo "$p kill(1, SIGKILL) = 0"
		done
	} | reduce
	calls "blkd serve clone $thread 1" "blkd serve rseq - 1"
}

# The call that made a thread returns when that has ended.
atf_test_case number__of_one_that_has_ended
number__of_one_that_has_ended_body()
{
	{
		serves 10 blkd
		echo "10 clone(flags=$thread <unfinished ...>"
		echo '11 rseq(0x7f) = 0'
		mkdir -p proc/11
		printf 'Tgid:\t10\nPPid:\t1\n' >proc/11/status
		echo '11 +++ exited with 0 +++'
		echo '10 <... clone resumed>) = 11'
	} >first
	reduce <first
	rm -r proc
	{
		cat first
		echo '11 getpid() = 11'
		echo "1 clone(child_stack=NULL, flags=SIGCHLD) = 11"
		echo '11 kill(1, SIGKILL) = 0'
	} | reduce
	calls "blkd serve clone $thread 1" "blkd serve rseq - 1"
}

# What strace takes a number of another namespace for may be long dead.
atf_test_case number__the_kernel_knows
number__the_kernel_knows_body()
{
	mkdir -p proc/20 proc/21
	printf 'Tgid:\t20\nPPid:\t1\n' >proc/20/status
	printf 'Tgid:\t10\nPPid:\t1\n' >proc/21/status
	{
		serves 10 blkd
		echo "10 clone(flags=$thread) = 2 /* 20 in strace's PID NS */"
		echo '21 rseq(0x7f) = 0'
		echo '20 getpid() = 20'
		# Gone before anybody could ask.
		echo "10 clone(flags=$thread) = 3 /* 22 in strace's PID NS */"
		echo '22 getpid() = 22'
		echo '22 +++ exited with 0 +++'
	} | reduce
	calls "blkd serve clone $thread 2" "blkd serve rseq - 1"
}

# Others that take a blkd's place do more than it may.
atf_test_case double__is_not_counted
double__is_not_counted_body()
{
	{
		program 10 "blkd: vda" /tmp/kyua/blkd
		echo '10 openat(AT_FDCWD, "/tmp/kyua/blkd.page", O_RDWR) = 4'
		echo "10 $filter"
		echo '10 kill(1, SIGKILL) = 0'
		serves 11 "blkd: vda" /tmp/kyua/evil.flood
		echo '11 socket(AF_INET, SOCK_STREAM, 0) = -1 EPERM'
		serves 12 /x/blkd_test /x/tests/redteam/blkd_test
		echo '12 socket(AF_INET, SOCK_STREAM, 0) = -1 EPERM'
	} | reduce
	calls
}

# Behind a socket that was given, the parent runs what it has open.
atf_test_case vhost__by_descriptor
vhost__by_descriptor_body()
{
	reduce <<-END
	1 clone(child_stack=NULL, flags=SIGCHLD) = 7
	7 execveat(5, "", ["blkd", "--inner", "-f", "image"], 0x7f /* 0 vars */, AT_EMPTY_PATH) = 0
	7 $filter
	7 $filter
	7 accept4(3, NULL, NULL, SOCK_CLOEXEC|SOCK_NONBLOCK) = 4
	END
	grep -q '^vhost serve accept4' got || atf_fail "not of vhost"
	! grep -q '^blkd' got || atf_fail "of blkd"
}

# Of one that was killed strace may print anything.
atf_test_case call__that_never_returns
call__that_never_returns_body()
{
	{
		serves 7 blkd
		echo '7 mount(0x55b0, 0x55b1, 0x55b2, MS_RDONLY, 0x55b3 <unfinished ...>'
		echo '7 +++ killed by SIGKILL +++'
		serves 8 blkd
		echo '8 getpid( <unfinished ...>'
		echo '8 <... getpid resumed>) = ?'
		serves 9 blkd
		echo '9 lseek(3, 0, SEEK_END <unfinished ...>'
		echo '9 <... lseek resumed>) = 512'
		echo '9 exit_group(0) = ?'
	} | reduce
	calls 'blkd serve exit_group - 1' 'blkd serve lseek - 1'
}

atf_init_test_cases()
{
	atf_add_test_case call__that_never_returns
	atf_add_test_case vhost__by_descriptor
	atf_add_test_case stage__of_each_call
	atf_add_test_case process__of_each_kind
	atf_add_test_case process__of_a_thread
	atf_add_test_case number__given_again
	atf_add_test_case number__of_one_that_has_ended
	atf_add_test_case number__the_kernel_knows
	atf_add_test_case double__is_not_counted
}
