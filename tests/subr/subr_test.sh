# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# vmmd.subr(3), by use: the example of the manual as it is printed there, and
# small suites whose cases fail, run by a kyua of their own.

VMMD=$VMMD_BUILDDIR/vmmd/vmmd
BLKD=$VMMD_BUILDDIR/blkd/blkd
VMMCTL=$VMMD_BUILDDIR/vmmd/vmmctl
VMMD_SUBR=$VMMD_SRCDIR/tests/subr/vmmd.subr
export VMMD BLKD VMMCTL VMMD_SUBR
# shellcheck source=tests/subr/vmmd.subr
. "$VMMD_SUBR"

kernel=$VMMD_BUILDDIR/tests/guest/guest.elf
manual=$VMMD_SRCDIR/tests/subr/vmmd.subr.3
forever="test=loop count=0 progress=20 timeout=0"

# guest ARGUMENTS [OPTION ...]: the test guest, with one disk.
guest()
{
	[ -e vda.img ] || vmmd_disk vda 8M
	vmmd_start "$kernel" -m 64M -o mmio-cmdline=yes -a "$@"
}

need_kvm()
{
	[ -w /dev/kvm ] || atf_skip "/dev/kvm is missing or refused"
}

# kyua_inner ARGUMENT...: another kyua, whose files stay here.
kyua_inner()
{
	env HOME="$PWD" kyua -c none --logfile=kyua.log \
	    -v test_suites.my-kernel.kernel="$kernel" "$@"
}

# suite TIMEOUT: a Kyuafile, and a program disk_test whose one case has the
# standard input as its body.
suite()
{
	printf 'syntax(2)\ntest_suite("my-kernel")\n%s\n' \
	    "atf_test_program{name=\"disk_test\", timeout=$1}" >Kyuafile
	{
		cat <<-'END'
		#! /usr/bin/env atf-sh
		. "$VMMD_SUBR"
		machine()
		{
			vmmd_disk vda 8M
			vmmd_start "$(atf_config_get kernel)" -m 64M \
			    -o mmio-cmdline=yes -a "$1"
		}
		atf_test_case inner cleanup
		inner_body()
		{
		END
		cat
		cat <<-'END'
		}
		inner_cleanup()
		{
			vmmd_cleanup
		}
		atf_init_test_cases()
		{
			atf_add_test_case inner
		}
		END
	} >disk_test
	chmod +x disk_test
}

# reports RESULT: the inner case ends so, with all that it is to leave.
reports()
{
	need_kvm
	kyua_inner test -r r.db >out 2>err &&
	    atf_fail "the inner test did not fail"
	kyua_inner report -r r.db --verbose --results-filter=failed,broken \
	    >report || atf_fail "no report: $(cat err)"
	sed -n '/^Standard output/,/^===> /p' report
	for line in "^Result:  *$1" "^=== machine vm: " "^--- console" \
	    "^guest: loop of 0 requests" "^--- log of vmmd" \
	    "^vmmd: .*disk vda: attached" "^--- status and statistics" \
	    "^  state  *running" "^disk  *vda" "^kicks  *[1-9]" \
	    "^=== end of machine vm"; do
		atf_check -o ignore grep "$line" report
	done
	# Said once, though body and cleanup are both able to.
	atf_check_equal 1 "$(grep -c '^--- console' report)"
	leaves_nothing
}

# The processes that its statistics name.
leaves_nothing()
{
	are_gone $(sed -n -e 's/^  monitor  *//p' -e 's/^  vm  *//p' \
	    -e 's/^  blkd  *//p' report)
}

are_gone()
{
	test $# -ne 0 || atf_fail "no processes"
	for p; do
		if _vmmd_born "$p" >/dev/null; then
			atf_fail "process $p is left"
		fi
	done
}

# fails REGEX COMMAND...: it fails the test case, which goes on here.
fails()
{
	want=$1
	shift
	if (trap - EXIT; Results_File=reason; "$@"); then
		atf_fail "$*: it should have failed"
	fi
	atf_check -o ignore grep -E "^failed: .*$want" reason
}

# example N: the Nth literal block of the manual's examples.
example()
{
	sed '1,/^\.Sh EXAMPLES/d' "$manual" | awk -v n="$1" '
	    /^\.Bd -literal/ { block++; next }
	    /^\.Ed/ { if (block == n) exit; next }
	    block == n { print }' | sed -e 's/\\&//g' -e 's/\\e/\\/g'
}

atf_test_case example__of_the_manual
example__of_the_manual_body()
{
	need_kvm
	example 1 >disk_test
	example 2 >Kyuafile
	cat disk_test
	chmod +x disk_test
	kyua_inner test -r r.db >out || {
		kyua_inner report -r r.db --verbose
		atf_fail "the example fails"
	}
	cat out
	atf_check -o ignore grep "^1/1 passed" out
	atf_check -o ignore grep "disk_test:disk_dies  ->  passed" out
}

# ... and it can fail: here the kernel is none.
atf_test_case example__of_the_manual_fails
example__of_the_manual_fails_body()
{
	need_kvm
	example 1 >disk_test
	example 2 >Kyuafile
	chmod +x disk_test
	echo "no kernel" >text
	kernel=$PWD/text
	atf_check -s exit:1 -o match:"vmmd ended with status 65, before" \
	    -e ignore env HOME="$PWD" kyua -c none --logfile=kyua.log \
	    -v test_suites.my-kernel.kernel="$kernel" test -r r.db
}

atf_test_case failure__is_in_the_report
failure__is_in_the_report_body()
{
	suite 60 <<-END
		machine "$forever"
		vmmd_expect "loop at"
		vmmd_expect "never said" 1
	END
	reports "failed: vmmd.subr: not in time: on the console: never said"
}

# One that the library knows nothing of.
atf_test_case failure__of_the_test_itself
failure__of_the_test_itself_body()
{
	suite 60 <<-END
		machine "$forever"
		vmmd_expect "loop at"
		vmmd_until 5 test -s vmmd.d/vm/stats
		atf_check false
	END
	reports "failed: atf-check failed"
}

# The body is killed: the cleanup part says it.
atf_test_case failure__timeout
failure__timeout_body()
{
	suite 4 <<-END
		machine "$forever"
		vmmd_expect "never said" 50
	END
	reports "broken: Test case body timed out"
}

# What was seen last of a machine that has ended.
atf_test_case failure__after_the_end
failure__after_the_end_body()
{
	suite 60 <<-END
		machine "$forever"
		vmmd_expect "loop at"
		vmmd_expect "never said" 2 &
		wait \$!
		vmmd_stop
		vmmd_wait 0
	END
	reports "failed: vmmd: exit status 84, expected 0"
	atf_check -o ignore grep "=== machine vm: vmmd ended with status 84" \
	    report
}

vmmd_test_case disk__names_and_values
disk__names_and_values_body()
{
	mkdir "a b\"c\$HOME 'd'#"
	cd "a b\"c\$HOME 'd'#" || atf_fail "cd"
	vmmd_disk vda 8M "serial=a \"\${b}\\ c#"
	truncate -s 1M 1M
	vmmd_disk vdb ./1M iops=100 readonly=yes
	cp "$kernel" "a kernel"
	kernel="a kernel"
	guest "test=identify serial=a disk=0" || :
	vmmd_expect "2 disks"
	atf_check -o match:"path = .*a b.*/1M\"" cat ../vmmd.d/vm/vmmd.conf
	fails "x.img is missing" vmmd_disk vdc ./x.img
	fails "vda.img exists" vmmd_disk vda 4M
}

vmmd_test_case wait__status
wait__status_body()
{
	guest "test=shutdown"
	vmmd_wait 0
	fails "exit status 0, expected 80" vmmd_wait 80
	guest "test=reboot"
	vmmd_wait 80
	guest "test=nosuchtest"
	vmmd_wait 2
}

vmmd_test_case wait__not_in_time
wait__not_in_time_body()
{
	guest "$forever"
	fails "not in time: the end of vmmd" vmmd_wait 0 1
	fails "not a number of seconds" vmmd_wait 0 1.5
	fails "runs already" vmmd_start "$kernel"
}

vmmd_test_case expect__lines
expect__lines_body()
{
	guest "test=loop count=300 progress=20"
	vmmd_expect "^guest: loop of 300 "
	vmmd_expect "^guest: loop at [0-9]+$"
	# It has been gone past.
	fails "(not in time|status 0, before): on the console: loop of 300" \
	    vmmd_expect "loop of 300" 1
	fails "not a regular expression" vmmd_expect "loop ("
	vmmd_expect -l "vda: attached"
	vmmd_expect "loop passed" 60
	fails "vmmd ended with status 0, before: on the console: x y" \
	    vmmd_expect "x y"
	vmmd_wait 0
	# What was written last is there although vmmd has ended.
	test "$(vmmd_console | grep -c 'loop passed')" -eq 1 ||
	    atf_fail "the console is not complete"
}

vmmd_test_case kill__and_freeze
kill__and_freeze_body()
{
	guest "$forever"
	old=$(vmmd_pid vda)
	vmmd_kill vda 3
	test "$(vmmd_stat vda respawns)" -eq 3 || atf_fail "respawns"
	vmmd_moves vda
	vmmd_freeze vda
	grep -q "^State:.T" "/proc/$(vmmd_pid vda)/status" ||
	    atf_fail "it is not stopped"
	vmmd_thaw vda
	vmmd_moves vda
	fails "not frozen" vmmd_thaw vda
	fails "no answer" vmmd_kill vdx
	vmmd_stop
	fails "no answer" vmmd_kill vda
}

vmmd_test_case ctl__status
ctl__status_body()
{
	guest "$forever"
	vmmd_ctl pause vda >out
	vmmd_ctl status vda >out
	atf_check -o ignore grep "running, paused" out
	fails "not in time: disk vda answers" vmmd_moves vda 1
	vmmd_ctl resume
	vmmd_moves vda
	vmmd_ctl -s 66 status vdx
	fails "vmmctl status vdx: exit status 66, expected 0" \
	    vmmd_ctl status vdx
	atf_check_equal "" "$(vmmd_stat vda no_such_counter)"
}

vmmd_test_case fault__strikes
fault__strikes_body()
{
	vmmd_disk vda 8M faults=yes
	guest "$forever"
	vmmd_fault vda kill count=2
	vmmd_expect -l "attached again after death 2"
	vmmd_moves vda
	vmmd_fault vda clear
	vmmd_fault vda delay time=100ms
	vmmd_until 20 struck 3
	vmmd_stop
}

# struck NUMBER: so many operations.
struck()
{
	test "$(vmmd_stat vda faults_injected)" -ge "$1"
}

vmmd_test_case crash__and_start_again
crash__and_start_again_body()
{
	guest "$forever"
	vmmd_expect "loop at"
	family="$(vmmd_pid) $(vmmd_pid vda)"
	vmmd_crash
	are_gone $family
	atf_check -s exit:1 -o ignore -e ignore test -n "$(vmmd_pid)"
	# The image is free, and what the first one said is gone past.
	guest "test=shutdown"
	fails "before: on the console: loop at" vmmd_expect "loop at" 20
	vmmd_wait 0
}

vmmd_test_case machine__two
machine__two_body()
{
	guest "$forever"
	vmmd_machine second
	truncate -s 1M second.img
	vmmd_disk vda second.img
	guest "test=loop count=40 progress=20"
	vmmd_expect "loop of 40"
	vmmd_wait 0
	vmmd_machine vm
	vmmd_expect "loop of 0"
	vmmd_moves vda
	vmmd_stop
}

atf_test_case cleanup__other_process
cleanup__other_process_body()
{
	# A process id that has been given to another process since.
	mkfifo never
	cat <never &
	pid=$!
	mkdir -p vmmd.d/vm
	echo "$pid 1" >vmmd.d/vm/pid
	vmmd_cleanup
	kill -0 $pid || atf_fail "somebody else's process was killed"
	# And one that is the same.
	sed 's/.*) //' "/proc/$pid/stat" | cut -d ' ' -f 20 >born
	echo "$pid $(cat born)" >vmmd.d/vm/pid
	vmmd_cleanup
	wait $pid
	atf_check_equal 137 $?
}

atf_test_case programs__missing
programs__missing_body()
{
	fails "VMMD=/nowhere: cannot execute" env_start VMMD=/nowhere
	fails "VMMCTL=/dev/null: cannot execute" env_start VMMCTL=/dev/null
	(
		trap - EXIT
		unset VMMD
		# shellcheck disable=SC2034 # of atf-sh
		Results_File=reason
		_vmmd_program VMMD nosuchvmmd
	)
	atf_check -o match:"^skipped: nosuchvmmd: not in PATH: .* or set VMMD" \
	    cat reason
}

env_start()
{
	eval "$1"
	vmmd_start "$kernel"
}

# Each function that does not begin with _ is in the manual, and no other.
atf_test_case manual__functions
manual__functions_body()
{
	sed -n 's/^\(vmmd_[a-z_]*\)()$/\1/p' "$VMMD_SUBR" | sort >functions
	sed '/^\.Sh DESCRIPTION/,$d' "$manual" |
	    sed -n 's/^\.Ic \(vmmd_[a-z_]*\).*/\1/p' | sort >synopsis
	atf_check cmp functions synopsis
	sed '1,/^\.Sh DESCRIPTION/d' "$manual" |
	    sed -n -e 's/^\.It Ic \(vmmd_[a-z_]*\).*/\1/p' \
	    -e '/^\.It Xo/{n;s/^\.Ic \(vmmd_[a-z_]*\).*/\1/p;}' |
	    sort >described
	atf_check cmp functions described
	test -s functions || atf_fail "no functions"
}

atf_init_test_cases()
{
	for c in example__of_the_manual example__of_the_manual_fails \
	    failure__is_in_the_report failure__of_the_test_itself \
	    failure__timeout failure__after_the_end \
	    disk__names_and_values wait__status wait__not_in_time \
	    expect__lines kill__and_freeze ctl__status fault__strikes \
	    crash__and_start_again machine__two cleanup__other_process \
	    programs__missing manual__functions; do
		atf_add_test_case $c
	done
}
