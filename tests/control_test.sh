# SPDX-License-Identifier: ISC
#
# The control socket: vmmctl against a vmmd and blkd as built, with the test
# guest, under /dev/kvm.

vmmd=$VMMD_BUILDDIR/vmmd/vmmd
blkd=$VMMD_BUILDDIR/blkd/blkd
vmmctl=$VMMD_BUILDDIR/vmmd/vmmctl
guest=$VMMD_BUILDDIR/tests/guest/guest.elf

# conf GUEST-ARGUMENTS [LINE-OF-VM ...]
conf()
{
	test -r /dev/kvm && test -w /dev/kvm ||
	    atf_skip "/dev/kvm is missing or refused"
	for image in vda.img vdb.img; do
		test -f $image || truncate -s 8M $image
	done
	arguments=$1
	shift
	{
		echo "vm {"
		echo "name = control$$"
		echo "memory = 64M"
		echo "kernel = $guest"
		echo "cmdline = \"$arguments\""
		echo "mmio-cmdline = yes"
		echo "control = ctl.sock"
		for line; do
			echo "$line"
		done
		echo "}"
		echo "disk vda { path = $PWD/vda.img"
		echo "$vda"
		echo "}"
		echo "disk vdb { path = $PWD/vdb.img"
		echo "iops = 100"
		echo "}"
	} >vmmd.conf
}

# start [PATTERN]: in the background, until the console has it.
start()
{
	"$vmmd" -d -f vmmd.conf -b "$blkd" </dev/null >console 2>log &
	pid=$!
	await "${1:-guest: loop at}" console
}

# await PATTERN FILE: until it is there; a test's timeout bounds it.
await()
{
	until grep -q "$1" "$2" 2>/dev/null; do
		kill -0 $pid 2>/dev/null || {
			show
			atf_fail "vmmd ended before: $1"
		}
		sleep 0.05
	done
}

show()
{
	echo "--- console"
	cat console
	echo "--- log"
	cat log
}

# ctl STATUS ARGUMENT ...
ctl()
{
	want=$1
	shift
	status=0
	"$vmmctl" -s ctl.sock "$@" >out 2>err || status=$?
	cat out err
	test $status -eq "$want" ||
	    atf_fail "vmmctl $*: exit code $status, expected $want"
	test $status -eq 0 || test "$(wc -l <err)" -eq 1 ||
	    atf_fail "vmmctl $*: not one sentence"
}

# ends STATUS: wait for $pid; nothing is left behind.
ends()
{
	wait $pid
	status=$?
	show
	test $status -eq "$1" || atf_fail "exit code $status, expected $1"
	test ! -e ctl.sock || atf_fail "the socket is left"
}

# counter NAME: of vda.
counter()
{
	"$vmmctl" -s ctl.sock stats vda | awk -v name="$1" \
	    '$1 == name { print $2 }'
}

# requests: reads and writes of vda so far.
requests()
{
	"$vmmctl" -s ctl.sock stats vda | awk \
	    '$1 == "reads" || $1 == "writes" { n += $2 } END { print n }'
}

# moves: until vda answers requests.
moves()
{
	before=$(requests)
	until test "$(requests)" -gt "$before"; do
		kill -0 $pid 2>/dev/null || atf_fail "vmmd ended"
		sleep 0.05
	done
}

vda=
loop="test=loop count=0 progress=20 timeout=0"

atf_test_case socket__mode_and_end
socket__mode_and_end_body()
{
	conf "$loop" "control-mode = 0640"
	start
	test "$(stat -c '%a %F' ctl.sock)" = "640 socket" ||
	    atf_fail "$(stat -c '%a %F' ctl.sock)"
	ctl 0 stop
	ends 84
	atf_check -o ignore grep "control: uid $(id -u), .*: stop" log
	ctl 69 status
}

atf_test_case socket__group
socket__group_head()
{
	atf_set require.user root
}
socket__group_body()
{
	conf "$loop" "control-mode = 0660" "control-group = daemon"
	start
	test "$(stat -c '%a %G' ctl.sock)" = "660 daemon" ||
	    atf_fail "$(stat -c '%a %G' ctl.sock)"
	chmod 0755 .
	command -v setpriv >/dev/null || atf_skip "setpriv is missing"
	setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$vmmctl" \
	    -a -x . || atf_skip "the build directory is root's alone"
	setpriv --reuid=65534 --regid=65534 --clear-groups \
	    "$vmmctl" -s "$PWD/ctl.sock" status
	test $? -eq 77 || atf_fail "nobody may"
	setpriv --reuid=65534 --regid=daemon --clear-groups \
	    "$vmmctl" -s "$PWD/ctl.sock" stop ||
	    atf_fail "the group may not"
	ends 84
	atf_check -o ignore grep "control: uid 65534, .*: stop" log
}

atf_test_case socket__wrong_place
socket__wrong_place_body()
{
	conf "$loop"
	sed -i 's|ctl.sock|missing/ctl.sock|' vmmd.conf
	atf_check -s exit:73 -e match:"cannot make the control socket" \
	    "$vmmd" -d -f vmmd.conf -b "$blkd"
	conf "$loop"
	echo "data" >ctl.sock
	atf_check -s exit:73 -e match:"File exists" \
	    "$vmmd" -d -f vmmd.conf -b "$blkd"
	atf_check -o inline:"data\n" cat ctl.sock
}

atf_test_case socket__none
socket__none_body()
{
	conf "$loop"
	sed -i 's|control = .*|control = none|' vmmd.conf
	start
	test ! -e ctl.sock || atf_fail "there is one"
	ctl 69 status
	kill $pid
	ends 84
}

# One whom nobody serves any more gives way; one that is served does not.
atf_test_case socket__stale
socket__stale_body()
{
	conf "$loop"
	start
	sed 's|/vd|/ve|' vmmd.conf >other.conf
	truncate -s 8M vea.img veb.img
	atf_check -s exit:73 -e match:"Address already in use" \
	    "$vmmd" -d -f other.conf -b "$blkd"
	ctl 0 status
	children=$(pgrep -P $pid)
	kill -9 $pid
	wait $pid
	for p in $children; do
		while kill -0 $p 2>/dev/null; do sleep 0.02; done
	done
	test -S ctl.sock || atf_fail "gone"
	start
	ctl 0 stop
	ends 84
}

atf_test_case status__of_machine_and_disks
status__of_machine_and_disks_body()
{
	conf "$loop"
	start
	ctl 0 status
	atf_check -o ignore grep "monitor *$pid\$" out
	for line in "state *running" "capacity *16384 sectors, 8.0 MiB" \
	    "limits *iops=100" "limits *none" "sandbox *[a-z]" "respawns *0"; do
		atf_check -o ignore grep "^  $line" out
	done
	ctl 0 status -j vdb
	atf_check -o ignore grep '"name": "vdb"' out
	atf_check -s exit:1 grep '"name": "vda"' out
	ctl 66 status vdx
	ctl 69 console
	"$vmmctl" -s ctl.sock top -n 2 -i 0.1 >out || atf_fail "top"
	test "$(grep -c ^vda out)" -eq 2 || atf_fail "top: $(cat out)"
	ctl 0 stop
	ends 84
}

# While nothing moves, everything that counts requests says the same.
atf_test_case stats__add_up
stats__add_up_body()
{
	conf "$loop"
	start
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
	moves
	ctl 0 stop
	ends 84
}

atf_test_case throttle__live
throttle__live_body()
{
	conf "$loop"
	start
	ctl 0 throttle vda iops=1 iops-burst=1
	ctl 0 status vda
	atf_check -o ignore grep "limits *iops=1 iops-burst=1" out
	# It waits a second for each; lifting the limit wakes it at once.
	until test "$(counter throttled_now)" -eq 1; do sleep 0.05; done
	ctl 0 throttle vda iops=0 iops-burst=0
	moves
	atf_check -o ignore test "$(counter throttled)" -gt 0
	ctl 65 throttle vda iops=10 iops-burst=5
	ctl 64 throttle vda iops=x
	# More than a bucket holds: refused here, not by each blkd in turn.
	ctl 65 throttle vda bps=4000000000000000000
	ctl 64 throttle vda speed=1
	ctl 66 throttle vdx iops=1
	ctl 0 throttle vda bps=1Mi iops-size=4Ki
	# They hold for the next blkd.
	old=$(pgrep -P $pid -f "^blkd: vda")
	kill -9 "$old"
	await "attached again after death 1" log
	ctl 0 status vda
	atf_check -o ignore grep "limits *bps=1048576 iops-size=4096" out
	ctl 0 stop
	ends 84
	atf_check -o ignore grep "throttle vda bps=1048576 iops-size=4096" log
}

# affinity: the CPUs of the thread of queue 0 of vda.
affinity()
{
	for t in /proc/"$(pgrep -P $pid -f '^blkd: vda')"/task/*; do
		if test "$(cat "$t/comm")" = q0; then
			sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' \
			    "$t/status"
		fi
	done
}

atf_test_case disk__cpus
disk__cpus_body()
{
	vda='cpus = "0"'
	conf "$loop"
	start
	test "$(affinity)" = 0 || atf_fail "runs on $(affinity)"
	ctl 0 stop
	ends 84
	vda='cpus = "1023"'
	conf "$loop"
	start
	test "$(affinity)" != 1023 || atf_fail "runs on 1023"
	await "CPU 1023 is not there" log
	ctl 0 stop
	ends 84
}

# Limits that a group shares hold the disk, too.
atf_test_case throttle__group
throttle__group_body()
{
	vda="group = slow"
	conf "$loop"
	printf 'group slow {\niops = 20\n}\n' >>vmmd.conf
	start "guest: loop of"
	until test "$(counter throttled)" -ge 3; do sleep 0.05; done
	ctl 0 status vda
	atf_check -o ignore grep "limits *none" out
	# What is not there goes on: a blkd of the same group.
	kill -9 "$(pgrep -P $pid -f '^blkd: vda')"
	await "attached again after death 1" log
	moves
	ctl 0 stop
	ends 84
}

# No kick is lost: the guest gets every answer, and ends well.
atf_test_case pause__and_resume
pause__and_resume_body()
{
	# Slow enough on any machine not to end before.
	vda="iops = 500"
	conf "test=loop count=2500 progress=20 timeout=30000"
	start
	for n in 1 2 3 4 5 6 7 8; do
		ctl 0 pause vda
		atf_check -o ignore grep "state *running, paused" out
		before=$(requests)
		ctl 0 pause vda
		test "$(counter in_flight)" -eq 0 || atf_fail "in flight"
		test "$(requests)" -eq "$before" || atf_fail "it goes on"
		ctl 0 resume vda
	done
	ends 0
	atf_check -o ignore grep "guest: loop passed" console
}

# A blkd that is killed while paused is followed by one that is paused.
atf_test_case pause__survives_death
pause__survives_death_body()
{
	# Slow enough on any machine not to end before.
	vda="iops = 500"
	conf "test=loop count=2500 progress=20 timeout=30000"
	start
	ctl 0 pause vda
	before=$(requests)
	for n in 1 2; do
		kill -9 "$(pgrep -P $pid -f '^blkd: vda')"
		await "attached again after death $n" log
		ctl 0 status vda
		atf_check -o ignore grep "state *running, paused" out
	done
	test "$(requests)" -eq "$before" || atf_fail "it went on"
	ctl 0 resume vda
	moves
	kill -9 "$(pgrep -P $pid -f '^blkd: vda')"
	ends 0
	atf_check -o ignore grep "guest: loop passed" console
}

atf_test_case resize__grows
resize__grows_body()
{
	conf "test=resize capacity=20480"
	start "waits for another capacity"
	ctl 0 resize vda
	atf_check -o ignore grep "16384 sectors" out
	truncate -s 10M vda.img
	"$vmmctl" -s ctl.sock resize vda || test $? -eq 69 ||
	    atf_fail "resize"
	ends 0
	atf_check -o ignore grep "guest: resize passed" console
}

atf_test_case resize__grows_while_paused
resize__grows_while_paused_body()
{
	conf "test=resize capacity=20480"
	start "waits for another capacity"
	ctl 0 pause
	truncate -s 10M vda.img
	ctl 0 resize vda
	atf_check -o ignore grep "running, paused" out
	await "capacity 20480" console
	# The guest may end before the answer.
	"$vmmctl" -s ctl.sock resume vda || test $? -eq 69 ||
	    atf_fail "resume"
	ends 0
	atf_check -o ignore grep "guest: resize passed" console
}

atf_test_case resize__shrinks
resize__shrinks_body()
{
	conf "test=resize capacity=8192"
	start "waits for another capacity"
	truncate -s 4M vda.img
	"$vmmctl" -s ctl.sock resize vda || test $? -eq 69 ||
	    atf_fail "resize"
	ends 0
	atf_check -o ignore grep "guest: resize passed" console
}

# 20 connect, 8 are served; whoever hangs up makes room for the next.
atf_test_case clients__wait_for_their_turn
clients__wait_for_their_turn_body()
{
	conf "$loop"
	start
	all=
	for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		"$vmmctl" -s ctl.sock top -n 2 -i 0.2 >top.$n 2>&1 &
		all="$all $!"
	done
	for p in $all; do
		wait $p || atf_fail "one failed: $(cat top.*)"
	done
	ctl 0 stop
	ends 84
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
	atf_add_test_case disk__cpus
	atf_add_test_case pause__and_resume
	atf_add_test_case pause__survives_death
	atf_add_test_case resize__grows
	atf_add_test_case resize__grows_while_paused
	atf_add_test_case resize__shrinks
	atf_add_test_case clients__wait_for_their_turn
}
