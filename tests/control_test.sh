# SPDX-License-Identifier: ISC
#
# The control socket: vmmctl against a vmmd and blkd as built, with the test
# guest, under /dev/kvm.

export VMMD="$VMMD_BUILDDIR/vmmd/vmmd"
export BLKD="$VMMD_BUILDDIR/blkd/blkd"
export VMMCTL="$VMMD_BUILDDIR/vmmd/vmmctl"
kernel=$VMMD_BUILDDIR/tests/guest/guest.elf
. "$VMMD_SRCDIR/tests/subr/vmmd.subr"

forever="test=loop count=0 progress=20 timeout=0"
# Slow enough on any machine not to end before, with slow.
long="test=loop count=2500 progress=20 timeout=30000"
slow="iops=500"
socket=$PWD/vmmd.d/vm/control

# disks [KEY=VALUE ...]: two, the first of these.
disks()
{
	vmmd_disk vda 8M "$@"
	vmmd_disk vdb 8M iops=100
}

# guest ARGUMENTS [OPTION-OF-VMMD_START ...]: and until it works.
guest()
{
	vmmd_start "$kernel" -m 64M -o mmio-cmdline=yes -a "$@"
	vmmd_expect "${at_work:-guest: loop at}"
}

# ctl STATUS ARGUMENT ...
ctl()
{
	want=$1
	shift
	vmmd_ctl -s "$want" "$@" >out 2>err
	cat out err
	test "$want" -eq 0 || test "$(wc -l <err)" -eq 1 ||
	    atf_fail "vmmctl $*: not one sentence"
}

# stop: nothing is left behind.
stop()
{
	ctl 0 stop
	vmmd_wait 84
	test ! -e $socket || atf_fail "the socket is left"
}

# counter NAME: of vda.
counter()
{
	vmmd_stat vda "$1"
}

# requests: reads and writes of vda so far.
requests()
{
	echo $(($(counter reads) + $(counter writes)))
}

# counts NAME OPERATOR NUMBER
counts()
{
	test "$(counter "$1")" "$2" "$3"
}

vmmd_test_case socket__mode_and_end
socket__mode_and_end_body()
{
	disks
	guest "$forever" -o control-mode=0640
	test "$(stat -c '%a %F' $socket)" = "640 socket" ||
	    atf_fail "$(stat -c '%a %F' $socket)"
	stop
	vmmd_expect -l "control: uid $(id -u), .*: stop"
	ctl 69 status
}

vmmd_test_case socket__group
socket__group_head()
{
	atf_set require.user root
}
socket__group_body()
{
	disks
	guest "$forever" -o control-mode=0660 -o control-group=daemon
	test "$(stat -c '%a %G' $socket)" = "660 daemon" ||
	    atf_fail "$(stat -c '%a %G' $socket)"
	chmod 0755 .
	command -v setpriv >/dev/null || atf_skip "setpriv is missing"
	setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$VMMCTL" \
	    -a -x . || atf_skip "the build directory is root's alone"
	setpriv --reuid=65534 --regid=65534 --clear-groups \
	    "$VMMCTL" -s "$socket" status
	test $? -eq 77 || atf_fail "nobody may"
	setpriv --reuid=65534 --regid=daemon --clear-groups \
	    "$VMMCTL" -s "$socket" stop ||
	    atf_fail "the group may not"
	vmmd_wait 84
	vmmd_expect -l "control: uid 65534, .*: stop"
}

vmmd_test_case socket__wrong_place
socket__wrong_place_body()
{
	disks
	vmmd_start "$kernel" -o control=missing/control
	vmmd_wait 73
	vmmd_expect -l "cannot make the control socket"
	echo "data" >"$socket"
	vmmd_start "$kernel"
	vmmd_wait 73
	vmmd_expect -l "File exists"
	atf_check -o inline:"data\n" cat "$socket"
}

vmmd_test_case socket__none
socket__none_body()
{
	disks
	guest "$forever" -o control=none
	test ! -e "$socket" || atf_fail "there is one"
	ctl 69 status
	vmmd_stop
}

# One whom nobody serves any more gives way; one that is served does not.
vmmd_test_case socket__stale
socket__stale_body()
{
	disks
	guest "$forever"
	vmmd_machine second
	vmmd_disk vea 8M
	vmmd_start "$kernel" -o control="$socket"
	vmmd_wait 73
	vmmd_expect -l "Address already in use"
	vmmd_machine vm
	ctl 0 status
	# Without it nobody removes what a killed monitor leaves.
	kill -9 "$(pgrep -P "$(vmmd_pid)" -f '^vmmd: sweeper')"
	vmmd_crash
	test -S "$socket" || atf_fail "gone"
	guest "$forever"
	stop
}

vmmd_test_case status__of_machine_and_disks
status__of_machine_and_disks_body()
{
	disks
	guest "$forever"
	ctl 0 status
	atf_check -o ignore grep "monitor *$(vmmd_pid)\$" out
	for line in "state *running" "capacity *16384 sectors, 8.0 MiB" \
	    "limits *iops=100" "limits *none" "sandbox *[a-z]" \
	    "engine *sync" "respawns *0" "hangs *0"; do
		atf_check -o ignore grep "^  $line" out
	done
	ctl 0 status -j vdb
	atf_check -o ignore grep '"name": "vdb"' out
	atf_check -s exit:1 grep '"name": "vda"' out
	ctl 66 status vdx
	ctl 69 console
	"$VMMCTL" -s $socket top -n 2 -i 0.1 >out || atf_fail "top"
	test "$(grep -c ^vda out)" -eq 2 || atf_fail "top: $(cat out)"
	stop
}

# While nothing moves, everything that counts requests says the same.
vmmd_test_case stats__add_up
stats__add_up_body()
{
	disks
	guest "$forever"
	ctl 0 pause
	ctl 0 stats vda
	mv out first
	ctl 0 stats vda
	atf_check cmp first out
	test "$(counter in_flight)" -eq 0 || atf_fail "in flight"
	test "$(counter io_errors)" -eq 0 || atf_fail "errors"
	test "$(counter kicks)" -gt 0 || atf_fail "no kicks"
	test "$(counter irqs)" -gt 0 || atf_fail "no interrupts"
	reads=$(counter reads)
	writes=$(counter writes)
	ctl 0 stats --metrics vda
	atf_check -o ignore grep \
	    "^vmmd_disk_read_latency_seconds_count{.*} $reads\$" out
	atf_check -o ignore grep "^vmmd_disk_writes_total{.*} $writes\$" out
	atf_check -o inline:"# EOF\n" tail -n 1 out
	ctl 0 resume
	vmmd_moves vda
	stop
}

vmmd_test_case throttle__live
throttle__live_body()
{
	disks
	guest "$forever"
	ctl 0 throttle vda iops=1 iops-burst=1
	ctl 0 status vda
	atf_check -o ignore grep "limits *iops=1 iops-burst=1" out
	# It waits a second for each; lifting the limit wakes it at once.
	vmmd_until 20 counts throttled_now -eq 1
	ctl 0 throttle vda iops=0 iops-burst=0
	vmmd_moves vda
	atf_check -o ignore test "$(counter throttled)" -gt 0
	ctl 65 throttle vda iops=10 iops-burst=5
	ctl 64 throttle vda iops=x
	# More than a bucket holds: refused here, not by each blkd in turn.
	ctl 65 throttle vda bps=4000000000000000000
	ctl 64 throttle vda speed=1
	ctl 66 throttle vdx iops=1
	ctl 0 throttle vda bps=1Mi iops-size=4Ki
	vmmd_expect -l "throttle vda bps=1048576 iops-size=4096"
	# They hold for the next blkd.
	old=$(vmmd_pid vda)
	kill -9 "$old"
	vmmd_expect -l "attached again after death 1"
	ctl 0 status vda
	atf_check -o ignore grep "limits *bps=1048576 iops-size=4096" out
	stop
}

# affinity: the CPUs of the thread of queue 0 of vda.
affinity()
{
	for t in /proc/"$(vmmd_pid vda)"/task/*; do
		if test "$(cat "$t/comm")" = q0; then
			sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' \
			    "$t/status"
		fi
	done
}

vmmd_test_case disk__cpus
disk__cpus_body()
{
	disks cpus=0
	guest "$forever"
	test "$(affinity)" = 0 || atf_fail "runs on $(affinity)"
	stop
	rm vda.img vdb.img
	vmmd_machine second
	disks cpus=1023
	guest "$forever"
	test "$(affinity)" != 1023 || atf_fail "runs on 1023"
	vmmd_expect -l "CPU 1023 is not there"
	vmmd_stop
}

# Limits that a group shares hold the disk, too.
vmmd_test_case throttle__group
throttle__group_body()
{
	disks group=slow
	vmmd_group slow iops=20
	at_work="guest: loop of" guest "$forever"
	vmmd_until 20 counts throttled -ge 3
	ctl 0 status vda
	atf_check -o ignore grep "limits *none" out
	# What is not there goes on: a blkd of the same group.
	kill -9 "$(vmmd_pid vda)"
	vmmd_expect -l "attached again after death 1"
	vmmd_moves vda
	stop
}

# Two loaded disks of a group; its limits change for both, and for successors.
vmmd_test_case throttle__group_live
throttle__group_live_body()
{
	vmmd_disk vda 8M group=both
	vmmd_disk vdb 1M
	vmmd_group both iops=20
	at_work="guest: loop of" guest "$forever"
	vmmd_until 20 counts throttled -ge 3
	ctl 0 status vda
	atf_check -o ignore grep "limits *none" out
	atf_check -o ignore grep "group *both: iops=20\$" out
	ctl 0 throttle vda group iops=0
	atf_check -o ignore grep "group *both: none" out
	before=$(requests)
	vmmd_until 20 counts throttled_now -eq 0
	vmmd_until 20 is_past $((before + 200))
	ctl 0 throttle vda group iops=30 bps=1M
	atf_check -o ignore grep "group *both: iops=30 bps=1000000" out
	vmmd_until 20 counts throttled_now -eq 1
	kill -9 "$(vmmd_pid vda)"
	vmmd_expect -l "attached again after death 1"
	vmmd_until 20 counts throttled_now -eq 1
	ctl 0 status -j vda
	atf_check -o ignore grep '"name": "both"' out
	ctl 65 throttle vdb group iops=30
	atf_check -o ignore grep "is in no group" err
	ctl 65 throttle vda group iops-burst=1
	ctl 65 throttle vda group
	atf_check -o ignore grep "throttle vda group iops=30" vmmd.d/vm/log
	stop
}

is_past()
{
	test "$(requests)" -gt "$1"
}

# No kick is lost: the guest gets every answer, and ends well.
vmmd_test_case pause__and_resume
pause__and_resume_body()
{
	disks $slow
	guest "$long"
	for n in 1 2 3 4 5 6 7 8; do
		ctl 0 pause vda
		atf_check -o ignore grep "state *running, paused" out
		before=$(requests)
		ctl 0 pause vda
		test "$(counter in_flight)" -eq 0 || atf_fail "in flight"
		test "$(requests)" -eq "$before" || atf_fail "it goes on"
		ctl 0 resume vda
	done
	vmmd_wait 0 90
	vmmd_expect "guest: loop passed"
}

# A blkd that is killed while paused is followed by one that is paused.
vmmd_test_case pause__survives_death
pause__survives_death_body()
{
	disks $slow
	guest "$long"
	ctl 0 pause vda
	before=$(requests)
	for n in 1 2; do
		kill -9 "$(vmmd_pid vda)"
		vmmd_expect -l "attached again after death $n"
		ctl 0 status vda
		atf_check -o ignore grep "state *running, paused" out
	done
	test "$(requests)" -eq "$before" || atf_fail "it went on"
	ctl 0 resume vda
	vmmd_moves vda
	kill -9 "$(vmmd_pid vda)"
	vmmd_wait 0 90
	vmmd_expect "guest: loop passed"
}

vmmd_test_case upgrade__vda
upgrade__vda_body()
{
	cp "$BLKD" blkd-here
	export BLKD="$PWD/blkd-here"
	disks
	guest "$forever"
	old=$(vmmd_pid vda)
	ctl 0 upgrade vda
	new=$(vmmd_pid vda)
	test "$old" != "$new" || atf_fail "it is the old one"
	rm blkd-here
	ctl 70 upgrade
	atf_check -o ignore grep "old one goes on" err
	test "$new" = "$(vmmd_pid vda)" || atf_fail "it was replaced"
	stop
}

vmmd_test_case resize__grows
resize__grows_body()
{
	disks
	at_work="waits for another capacity" guest "test=resize capacity=20480"
	ctl 0 resize vda
	atf_check -o ignore grep "16384 sectors" out
	truncate -s 10M vda.img
	"$VMMCTL" -s $socket resize vda || test $? -eq 69 ||
	    atf_fail "resize"
	vmmd_wait 0
	vmmd_expect "guest: resize passed"
}

# A block device: its size is asked for in another way.
atf_test_case resize__of_a_block_device cleanup
resize__of_a_block_device_head()
{
	atf_set require.user root
}
resize__of_a_block_device_body()
{
	truncate -s 8M under.img
	losetup --show -f under.img >device 2>err ||
	    atf_skip "no loop device: $(cat err)"
	vmmd_disk vda "$(cat device)"
	at_work="waits for another capacity" guest "test=resize capacity=20480"
	ctl 0 resize vda
	atf_check -o ignore grep "16384 sectors" out
	truncate -s 10M under.img
	atf_check losetup -c "$(cat device)"
	"$VMMCTL" -s $socket resize vda || test $? -eq 69 ||
	    atf_fail "resize"
	vmmd_wait 0
	vmmd_expect "guest: resize passed"
}
resize__of_a_block_device_cleanup()
{
	vmmd_cleanup
	test ! -s device || losetup -d "$(cat device)"
}

vmmd_test_case resize__grows_while_paused
resize__grows_while_paused_body()
{
	disks
	at_work="waits for another capacity" guest "test=resize capacity=20480"
	ctl 0 pause
	truncate -s 10M vda.img
	ctl 0 resize vda
	atf_check -o ignore grep "running, paused" out
	vmmd_expect "capacity 20480"
	# The guest may end before the answer.
	"$VMMCTL" -s $socket resume vda || test $? -eq 69 ||
	    atf_fail "resume"
	vmmd_wait 0
	vmmd_expect "guest: resize passed"
}

vmmd_test_case resize__shrinks
resize__shrinks_body()
{
	disks
	at_work="waits for another capacity" guest "test=resize capacity=8192"
	truncate -s 4M vda.img
	"$VMMCTL" -s $socket resize vda || test $? -eq 69 ||
	    atf_fail "resize"
	vmmd_wait 0
	vmmd_expect "guest: resize passed"
}

# 20 connect, 8 are served; whoever hangs up makes room for the next.
vmmd_test_case clients__wait_for_their_turn
clients__wait_for_their_turn_body()
{
	disks
	guest "$forever"
	all=
	for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		"$VMMCTL" -s $socket top -n 2 -i 0.2 >top.$n 2>&1 &
		all="$all $!"
	done
	for p in $all; do
		wait $p || atf_fail "one failed: $(cat top.*)"
	done
	stop
}

atf_init_test_cases()
{
	atf_add_test_case socket__mode_and_end
	atf_add_test_case socket__group
	atf_add_test_case socket__wrong_place
	atf_add_test_case socket__none
	atf_add_test_case socket__stale
	atf_add_test_case status__of_machine_and_disks
	atf_add_test_case stats__add_up
	atf_add_test_case throttle__live
	atf_add_test_case throttle__group
	atf_add_test_case throttle__group_live
	atf_add_test_case disk__cpus
	atf_add_test_case pause__and_resume
	atf_add_test_case pause__survives_death
	atf_add_test_case upgrade__vda
	atf_add_test_case resize__grows
	atf_add_test_case resize__of_a_block_device resize__grows_while_paused
	atf_add_test_case resize__shrinks
	atf_add_test_case clients__wait_for_their_turn
}
