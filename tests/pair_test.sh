# SPDX-License-Identifier: ISC
#
# The pair: vmmd and blkd as built, with the test guest, under /dev/kvm.

export VMMD="$VMMD_BUILDDIR/vmmd/vmmd"
export BLKD="$VMMD_BUILDDIR/blkd/blkd"
export VMMCTL="$VMMD_BUILDDIR/vmmd/vmmctl"
double=$VMMD_BUILDDIR/vmmd/child_double
kernel=$VMMD_BUILDDIR/tests/guest/guest.elf
. "$VMMD_SRCDIR/tests/subr/vmmd.subr"

forever="test=loop count=0 progress=50"
at_work="guest: loop at"

# guest ARGUMENTS [OPTION-OF-VMMD_START ...]: the test guest.
guest()
{
	vmmd_start "$kernel" -m 64M -o mmio-cmdline=yes -a "$@"
}

# run STATUS ARGUMENTS [KEY=VALUE ...]: a guest with a disk, to its end.
run()
{
	expected=$1 arguments=$2
	shift 2
	if test -e vda.img; then
		vmmd_disk vda ./vda.img "$@"
	else
		vmmd_disk vda 8M "$@"
	fi
	guest "$arguments"
	ends "$expected"
}

# start ARGUMENTS [KEY=VALUE ...]: one that goes on.
start()
{
	arguments=$1
	shift
	vmmd_disk vda 8M "$@"
	guest "$arguments"
	vmmd_expect "$at_work"
}

# ends STATUS: nothing is left of it.
ends()
{
	vmmd_wait "$1" 30
	image_is_free vda.img
}

image_is_free()
{
	"$double" lock "$1" </dev/null || atf_fail "$1 is still locked"
}

# children: of the monitor.
children()
{
	pgrep -P "$(vmmd_pid)" | sort -n
}

# are_gone PID ...: none of these is left, or will be in a moment.
are_gone()
{
	for p; do
		vmmd_until 5 is_gone "$p"
	done
}

is_gone()
{
	! kill -0 "$1" 2>/dev/null
}

# The guest's own tests that need nothing but a disk.
for name in identify regs rw verify irq poll many reset badreq; do
	vmmd_test_case guest__$name
	eval "guest__${name}_body()
	{
		vmmd_disk vda 8M
		test $name != verify || { guest test=rw; vmmd_wait 0 30; }
		guest test=$name
		vmmd_expect 'guest: $name passed'
		ends 0
	}"
	guest_cases="$guest_cases guest__$name"
done

vmmd_test_case notify__message
notify__message_body()
{
	run 0 test=many "notify=message"
	vmmd_expect "guest: many passed"
}

vmmd_test_case disk__readonly
disk__readonly_body()
{
	truncate -s 8M vda.img
	chmod 0444 vda.img
	run 0 test=readonly readonly=yes
	vmmd_expect "guest: readonly passed"
}

vmmd_test_case disk__block_size_and_queue_size
disk__block_size_and_queue_size_body()
{
	run 0 test=rw block-size=4096 queue-size=16 serial=S-1
	vmmd_expect "queues of 16"
}

# engine_is NAME KEY=VALUE ...: what a disk with these gets, and that it
# serves.
engine_is()
{
	want=$1
	shift
	vmmd_disk vda ./vda.img "$@"
	vmmd_start "$kernel" -m 64M -o mmio-cmdline=yes -o control=./ctl.sock \
	    -a "$forever"
	vmmd_expect "$at_work"
	vmmd_ctl status vda >out || atf_fail "status"
	cat out
	atf_check -o ignore grep "^  engine *$want\$" out
	vmmd_ctl stop
	vmmd_wait 84 30
}

has_uring()
{
	test "$(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null)" != 2
}

vmmd_test_case engine__sync_is_what_auto_takes_on_the_page_cache
engine__sync_is_what_auto_takes_on_the_page_cache_body()
{
	truncate -s 8M vda.img
	engine_is sync
}

vmmd_test_case engine__uring_is_what_auto_takes_past_it
engine__uring_is_what_auto_takes_past_it_body()
{
	has_uring || atf_skip "io_uring is switched off"
	truncate -s 8M vda.img
	dd if=vda.img of=/dev/null count=8 iflag=direct 2>/dev/null ||
	    atf_skip "no O_DIRECT here"
	engine_is uring direct=yes
}

vmmd_test_case engine__uring_is_taken_where_it_is_wanted
engine__uring_is_taken_where_it_is_wanted_body()
{
	has_uring || atf_skip "io_uring is switched off"
	truncate -s 8M vda.img
	engine_is uring engine=uring queues=2
}

vmmd_test_case disk__two
disk__two_body()
{
	vmmd_disk vda 8M
	vmmd_disk vdb 1M serial=second
	guest "test=identify disk=1 serial=second capacity=2048"
	vmmd_expect "2 disks"
	ends 0
	image_is_free vdb.img
}

vmmd_test_case disk__none
disk__none_body()
{
	guest test=shutdown
	vmmd_wait 0 30
}

# What was written and flushed is in the file.
vmmd_test_case disk__written
disk__written_body()
{
	run 0 test=rw
	test "$(tr -d '\0' <vda.img | wc -c)" -gt 0 || atf_fail "no data"
}

vmmd_test_case end__power_off
end__power_off_body()
{
	run 0 test=shutdown
	vmmd_expect -l "ended: power-off"
}

vmmd_test_case end__reset
end__reset_body()
{
	run 80 test=reboot
}

vmmd_test_case end__triple_fault
end__triple_fault_body()
{
	run 81 test=triplefault
	vmmd_expect -l "crashed at rip 0x[1-9a-f]"
}

vmmd_test_case end__debug_exit
end__debug_exit_body()
{
	run 2 test=nosuchtest
}

vmmd_test_case kernel__is_none
kernel__is_none_body()
{
	echo "this is no kernel" >text
	kernel=text run 65 test=rw
	test "$(vmmd_log | grep -c 'error: ')" -eq 1 ||
	    atf_fail "not one sentence"
}

vmmd_test_case stop__sigterm
stop__sigterm_body()
{
	start "$forever"
	pids=$(children)
	kill "$(vmmd_pid)"
	ends 84
	are_gone $pids
}

vmmd_test_case stop__two_signals
stop__two_signals_body()
{
	start "$forever"
	pids=$(children)
	# Frozen, it cannot obey: only the second signal ends it at once.
	for p in $pids; do
		kill -STOP "$p"
	done
	kill "$(vmmd_pid)"
	vmmd_expect -l "the machine is stopped"
	kill -INT "$(vmmd_pid)"
	ends 84
	are_gone $pids
}

vmmd_test_case stop__disobedient
stop__disobedient_body()
{
	start "$forever"
	pids=$(children)
	for p in $pids; do
		kill -STOP "$p"
	done
	kill "$(vmmd_pid)"
	ends 84
	are_gone $pids
}

vmmd_test_case death__of_blkd
death__of_blkd_body()
{
	start "test=loop count=3000 progress=20 timeout=20000"
	for n in 1 2 3 4 5; do
		old=$(vmmd_pid vda) || atf_fail "no blkd"
		vmmd_kill vda
		vmmd_expect -l "attached again after death $n"
		are_gone "$old"
	done
	pids=$(children)
	vmmd_expect "guest: loop passed" 90
	ends 0
	are_gone $pids
}

vmmd_test_case death__of_blkd_with_messages
death__of_blkd_with_messages_body()
{
	start "test=loop count=2000 progress=20 timeout=20000" notify=message
	vmmd_kill vda
	vmmd_expect -l "attached again after death 1"
	vmmd_expect "guest: loop passed" 90
	ends 0
}

# A request that kills each blkd that tries it is given up; others are not.
vmmd_test_case death__of_a_request
death__of_a_request_body()
{
	BLKD=$VMMD_BUILDDIR/tests/torture/poisoned
	vmmd_disk vda 8M
	guest "test=loop count=0 depth=1 timeout=20000"
	vmmd_expect -l "was in flight in 3 deaths: it is answered with an I/O"
	vmmd_until 30 test -e vmmd.d/vm/ended
	vmmd_console >console
	atf_check -o ignore grep "the device answers IOERR" console
	vmmd_log >log
	atf_check -o inline:'3\n' grep -c "blkd ended: exit code 70" log
}

vmmd_test_case hang__of_blkd
hang__of_blkd_body()
{
	start "test=loop count=2000 progress=20 timeout=20000"
	old=$(vmmd_pid vda)
	vmmd_freeze vda
	vmmd_expect -l "it does not answer, and has work to do" 10
	vmmd_expect -l "attached again after death 1"
	are_gone "$old"
	vmmd_expect "guest: loop passed" 90
	ends 0
}

# Its queue thread alone: the other one answers.
vmmd_test_case hang__of_a_queue
hang__of_a_queue_body()
{
	BLKD=$VMMD_BUILDDIR/tests/torture/spinning
	start "test=loop count=100 depth=1 progress=20 timeout=30000"
	old=$(vmmd_pid vda)
	vmmd_expect -l "queue 0 hangs: it runs, and takes no step" 20
	vmmd_expect -l "attached again after death 1"
	are_gone "$old"
	vmmd_expect "guest: loop passed" 90
	ends 0
}

# A thread of its pool alone: the queue's waits for it.
vmmd_test_case hang__of_a_thread
hang__of_a_thread_body()
{
	BLKD=$VMMD_BUILDDIR/tests/torture/spinning-thread
	start "test=loop count=100 depth=1 progress=20 timeout=30000" \
	    engine=sync threads=2 slow-us=0
	old=$(vmmd_pid vda)
	vmmd_expect -l "queue 0, thread [01], hangs: it runs, and takes no" 20
	vmmd_expect -l "attached again after death 1"
	are_gone "$old"
	vmmd_expect "guest: loop passed" 90
	ends 0
}

# is_upgraded NUMBER: so many blkds have been ready.
is_upgraded()
{
	test "$(vmmd_log | grep -c "blkd vda: ready: ")" -ge "$1"
}

vmmd_test_case upgrade__by_sighup
upgrade__by_sighup_body()
{
	start "test=loop count=3000 progress=20 timeout=20000"
	for n in 2 3 4; do
		old=$(vmmd_pid vda)
		kill -HUP "$(vmmd_pid)"
		vmmd_until 20 is_upgraded $n
		are_gone "$old"
	done
	vmmd_expect "guest: loop passed" 90
	ends 0
	vmmd_log >log
	atf_check -s exit:1 grep -E "blkd ended|after death" log
}

vmmd_test_case upgrade__to_no_program
upgrade__to_no_program_body()
{
	cp "$BLKD" blkd-here
	BLKD=$PWD/blkd-here
	start "test=loop count=2000 progress=20 timeout=20000"
	old=$(vmmd_pid vda)
	rm blkd-here
	echo "#! /nonexistent" >blkd-here
	chmod 755 blkd-here
	kill -HUP "$(vmmd_pid)"
	vmmd_expect -l "the new blkd does not start: the old one goes on"
	test "$(vmmd_pid vda)" = "$old" || atf_fail "it was replaced"
	vmmd_expect "guest: loop passed" 90
	ends 0
}

vmmd_test_case death__of_the_vm_process
death__of_the_vm_process_body()
{
	start "$forever"
	pids=$(children)
	kill -9 "$(pgrep -P "$(vmmd_pid)" -f '^vmmd: vm')"
	ends 85
	are_gone $pids
}

vmmd_test_case death__of_the_monitor
death__of_the_monitor_body()
{
	start "$forever"
	pids=$(children)
	kill -9 "$(vmmd_pid)"
	vmmd_wait 137
	are_gone $pids
	image_is_free vda.img
}

vmmd_test_case lock__two_machines
lock__two_machines_body()
{
	start "$forever"
	pid=$(vmmd_pid)
	vmmd_machine second
	vmmd_disk vda ./vda.img
	guest "$forever"
	vmmd_wait 75
	vmmd_expect -l "vda.img is in use by process $pid .vmmd"
	vmmd_machine vm
	vmmd_stop
}

# No other machine gets the image while a blkd is being replaced.
vmmd_test_case lock__between_two_blkds
lock__between_two_blkds_body()
{
	start "$forever"
	kill -9 "$(vmmd_pid vda)"
	! "$double" lock vda.img </dev/null || atf_fail "the image was free"
	vmmd_stop
}

# As a daemon, which the library does not start.
atf_test_case background__and_pid_file cleanup
background__and_pid_file_body()
{
	test -w /dev/kvm || atf_skip "/dev/kvm is missing or refused"
	truncate -s 8M vda.img
	cat >vmmd.conf <<-END
	vm {
		name = pair$$
		memory = 64M
		kernel = $kernel
		cmdline = "$forever"
		mmio-cmdline = yes
		serial = file:$PWD/console
	}
	disk vda {
		path = vda.img
	}
	END
	cp "$BLKD" blkd-here
	# Paths that hold although it changes to /.
	atf_check "$VMMD" -f vmmd.conf -b ./blkd-here -p "$PWD/pid"
	pid=$(cat pid)
	vmmd_until 20 grep -q "$at_work" console
	test "$(readlink "/proc/$pid/cwd")" = / || atf_fail "not in /"
	old=$(pgrep -P "$pid" -f "^blkd: vda")
	kill -9 "$old"
	vmmd_until 20 is_replaced "$old"
	atf_check -s exit:75 -e match:"runs already, as process $pid" \
	    "$VMMD" -f vmmd.conf -b "$BLKD" -p "$PWD/pid"
	pids=$(pgrep -P "$pid")
	kill "$pid"
	are_gone "$pid" $pids
	test ! -e pid || atf_fail "the pid file is left"
	image_is_free vda.img
}

is_replaced()
{
	pgrep -P "$pid" -f "^blkd: vda" | grep -qvx "$1"
}

# A case that fails half-way must not leave the daemon behind.
background__and_pid_file_cleanup()
{
	test ! -s pid || kill "$(cat pid)" || true
}

vmmd_test_case serial__pty
serial__pty_body()
{
	vmmd_disk vda 8M
	guest "$forever" -o serial=pty
	vmmd_expect -l "serial line: /dev/pts/"
	timeout 10 head -n 1 "$(vmmd_log | sed -n 's/.*serial line: //p')" >line
	atf_check -o ignore grep "guest: " line
	vmmd_stop
}

atf_init_test_cases()
{
	for c in $guest_cases notify__message disk__readonly \
	    disk__block_size_and_queue_size disk__two disk__none \
	    engine__sync_is_what_auto_takes_on_the_page_cache \
	    engine__uring_is_what_auto_takes_past_it \
	    engine__uring_is_taken_where_it_is_wanted \
	    disk__written end__power_off end__reset end__triple_fault \
	    end__debug_exit kernel__is_none stop__sigterm \
	    stop__two_signals stop__disobedient death__of_blkd \
	    death__of_blkd_with_messages death__of_a_request \
	    hang__of_blkd hang__of_a_queue hang__of_a_thread \
	    upgrade__by_sighup \
	    upgrade__to_no_program \
	    death__of_the_vm_process \
	    death__of_the_monitor lock__two_machines \
	    lock__between_two_blkds background__and_pid_file serial__pty; do
		atf_add_test_case $c
	done
}
