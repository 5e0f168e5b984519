# SPDX-License-Identifier: ISC
#
# The pair: vmmd and blkd as built, with the test guest, under /dev/kvm.

vmmd=$VMMD_BUILDDIR/vmmd/vmmd
blkd=$VMMD_BUILDDIR/blkd/blkd
double=$VMMD_BUILDDIR/vmmd/child_double
guest=$VMMD_BUILDDIR/tests/guest/guest.elf

# conf GUEST-ARGUMENTS [LINE-OF-DISK ...]
conf()
{
	test -r /dev/kvm && test -w /dev/kvm ||
	    atf_skip "/dev/kvm is missing or refused"
	test -f vda.img || truncate -s 8M vda.img
	arguments=$1
	shift
	{
		echo "vm {"
		echo "name = pair$$"
		echo "memory = 64M"
		echo "kernel = ${kernel:-$guest}"
		echo "cmdline = \"$arguments\""
		echo "mmio-cmdline = yes"
		echo "serial = ${serial:-stdio}"
		echo "}"
		echo "disk vda {"
		echo "path = $PWD/vda.img"
		for line; do
			echo "$line"
		done
		echo "}"
	} >vmmd.conf
}

# run STATUS: the machine to its end, at the most 30 s.
run()
{
	timeout 30 "$vmmd" -d -f vmmd.conf -b "$blkd" </dev/null >console 2>log
	status=$?
	show
	test $status -eq "$1" || atf_fail "exit code $status, expected $1"
	image_is_free vda.img
}

show()
{
	echo "--- console"
	cat console
	echo "--- log"
	cat log
}

image_is_free()
{
	"$double" lock "$1" </dev/null || atf_fail "$1 is still locked"
}

# start: in the background of this shell; its pid is $pid.
start()
{
	"$vmmd" -d -f vmmd.conf -b "$blkd" </dev/null >console 2>log &
	pid=$!
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

children()
{
	pgrep -P "$1" | sort -n
}

# disk_pid NAME: the blkd of a disk, waited for.
disk_pid()
{
	until pgrep -P $pid -f "^blkd: $1"; do
		kill -0 $pid 2>/dev/null || return 1
		sleep 0.01
	done
}

# are_gone PID ...: none of these is left, or will be in a moment.
are_gone()
{
	for p; do
		n=0
		while kill -0 "$p" 2>/dev/null; do
			n=$((n + 1))
			test $n -lt 100 || atf_fail "process $p is left"
			sleep 0.05
		done
	done
}

# ends STATUS: wait for $pid.
ends()
{
	wait $pid
	status=$?
	show
	test $status -eq "$1" || atf_fail "exit code $status, expected $1"
}

# The guest's own tests that need nothing but a disk.
for name in identify regs rw verify irq poll many reset badreq; do
	eval "
	atf_test_case guest__$name
	guest__${name}_body()
	{
		test $name != verify || { conf test=rw; run 0; }
		conf test=$name
		run 0
		atf_check -o ignore grep 'guest: $name passed' console
	}"
	guest_cases="$guest_cases guest__$name"
done

atf_test_case notify__message
notify__message_body()
{
	conf test=many "notify = message"
	run 0
	atf_check -o ignore grep "guest: many passed" console
}

atf_test_case disk__readonly
disk__readonly_body()
{
	conf test=readonly "readonly = yes"
	chmod 0444 vda.img
	run 0
	atf_check -o ignore grep "guest: readonly passed" console
}

atf_test_case disk__block_size_and_queue_size
disk__block_size_and_queue_size_body()
{
	conf test=rw "block-size = 4096" "queue-size = 16" "serial = S-1"
	run 0
	atf_check -o ignore grep "queues of 16" console
}

atf_test_case disk__two
disk__two_body()
{
	conf "test=identify disk=1 serial=second capacity=2048"
	truncate -s 1M vdb.img
	cat >>vmmd.conf <<-END
	disk vdb {
		path = vdb.img
		serial = second
	}
	END
	run 0
	atf_check -o ignore grep "2 disks" console
	image_is_free vdb.img
}

atf_test_case disk__none
disk__none_body()
{
	conf test=shutdown
	sed -i '/^disk/,$d' vmmd.conf
	run 0
}

# What was written and flushed is in the file.
atf_test_case disk__written
disk__written_body()
{
	conf test=rw
	run 0
	test "$(tr -d '\0' <vda.img | wc -c)" -gt 0 || atf_fail "no data"
}

atf_test_case end__power_off
end__power_off_body()
{
	conf test=shutdown
	run 0
	atf_check -o ignore grep "ended: power-off" log
}

atf_test_case end__reset
end__reset_body()
{
	conf test=reboot
	run 80
}

atf_test_case end__triple_fault
end__triple_fault_body()
{
	conf test=triplefault
	run 81
	atf_check -o ignore grep "crashed at rip 0x[1-9a-f]" log
}

atf_test_case end__debug_exit
end__debug_exit_body()
{
	conf test=nosuchtest
	run 2
}

atf_test_case kernel__is_none
kernel__is_none_body()
{
	echo "this is no kernel" >text
	kernel=text conf test=rw
	run 65
	test "$(grep -c 'error: ' log)" -eq 1 || atf_fail "not one sentence"
}

atf_test_case stop__sigterm
stop__sigterm_body()
{
	conf "test=loop count=0 progress=50"
	start
	await "guest: loop at" console
	pids=$(children $pid)
	kill $pid
	ends 84
	are_gone $pids
	image_is_free vda.img
}

atf_test_case stop__two_signals
stop__two_signals_body()
{
	conf "test=loop count=0 progress=50"
	start
	await "guest: loop at" console
	pids=$(children $pid)
	# Frozen, it cannot obey: only the second signal ends it at once.
	for p in $pids; do
		kill -STOP "$p"
	done
	kill $pid
	await "the machine is stopped" log
	kill -INT $pid
	ends 84
	are_gone $pids
	image_is_free vda.img
}

atf_test_case stop__disobedient
stop__disobedient_body()
{
	conf "test=loop count=0 progress=50"
	start
	await "guest: loop at" console
	pids=$(children $pid)
	for p in $pids; do
		kill -STOP "$p"
	done
	kill $pid
	ends 84
	are_gone $pids
}

atf_test_case death__of_blkd
death__of_blkd_body()
{
	conf "test=loop count=3000 progress=20 timeout=20000"
	start
	await "guest: loop at" console
	for n in 1 2 3 4 5; do
		old=$(disk_pid vda) || atf_fail "no blkd"
		kill -9 "$old"
		await "attached again after death $n" log
		are_gone "$old"
	done
	pids=$(children $pid)
	ends 0
	atf_check -o ignore grep "guest: loop passed" console
	are_gone $pids
	image_is_free vda.img
}

atf_test_case death__of_blkd_with_messages
death__of_blkd_with_messages_body()
{
	conf "test=loop count=2000 progress=20 timeout=20000" \
	    "notify = message"
	start
	await "guest: loop at" console
	kill -9 "$(disk_pid vda)"
	await "attached again after death 1" log
	ends 0
	atf_check -o ignore grep "guest: loop passed" console
}

# A request that kills each blkd that tries it is given up; others are not.
atf_test_case death__of_a_request
death__of_a_request_body()
{
	conf "test=loop count=0 depth=1 timeout=20000"
	blkd=$VMMD_BUILDDIR/tests/torture/poisoned
	start
	await "was in flight in 3 deaths: it is answered with an I/O error" \
	    log
	wait $pid
	show
	# It is judged after the third; who logs that first is open.
	sed '/was in flight in 3 deaths/q' log >before
	atf_check -o match:'^[23]$' grep -c "attached again after" before
}

atf_test_case hang__of_blkd
hang__of_blkd_body()
{
	conf "test=loop count=2000 progress=20 timeout=20000"
	start
	await "guest: loop at" console
	begin=$(date +%s)
	old=$(disk_pid vda)
	kill -STOP "$old"
	await "it does not answer, and has work to do" log
	await "attached again after death 1" log
	test $(($(date +%s) - begin)) -le 6 || atf_fail "too late"
	are_gone "$old"
	ends 0
	atf_check -o ignore grep "guest: loop passed" console
}

# upgraded NUMBER: until so many blkds have been ready.
upgraded()
{
	until test "$(grep -c "blkd vda: ready: " log)" -ge "$1"; do
		kill -0 $pid 2>/dev/null || atf_fail "ended before"
		sleep 0.05
	done
}

atf_test_case upgrade__by_sighup
upgrade__by_sighup_body()
{
	conf "test=loop count=3000 progress=20 timeout=20000"
	start
	await "guest: loop at" console
	for n in 2 3 4; do
		old=$(disk_pid vda)
		kill -HUP $pid
		upgraded $n
		are_gone "$old"
	done
	ends 0
	atf_check -o ignore grep "guest: loop passed" console
	atf_check -s exit:1 grep -E "blkd ended|after death" log
	image_is_free vda.img
}

atf_test_case upgrade__to_no_program
upgrade__to_no_program_body()
{
	conf "test=loop count=2000 progress=20 timeout=20000"
	cp "$blkd" blkd-here
	blkd=$PWD/blkd-here
	start
	await "guest: loop at" console
	old=$(disk_pid vda)
	rm blkd-here
	echo "#! /nonexistent" >blkd-here
	chmod 755 blkd-here
	kill -HUP $pid
	await "the new blkd does not start: the old one goes on" log
	test "$(disk_pid vda)" = "$old" || atf_fail "it was replaced"
	ends 0
	atf_check -o ignore grep "guest: loop passed" console
}

atf_test_case death__of_the_vm_process
death__of_the_vm_process_body()
{
	conf "test=loop count=0 progress=50"
	start
	await "guest: loop at" console
	pids=$(children $pid)
	kill -9 "$(pgrep -P $pid -f '^vmmd: vm')"
	ends 85
	are_gone $pids
	image_is_free vda.img
}

atf_test_case death__of_the_monitor
death__of_the_monitor_body()
{
	conf "test=loop count=0 progress=50"
	start
	await "guest: loop at" console
	pids=$(children $pid)
	kill -9 $pid
	ends 137
	are_gone $pids
	image_is_free vda.img
}

atf_test_case lock__two_machines
lock__two_machines_body()
{
	conf "test=loop count=0 progress=50"
	start
	await "guest: loop at" console
	atf_check -s exit:75 -e match:"vda.img is in use by process $pid .vmmd" \
	    "$vmmd" -d -f vmmd.conf -b "$blkd"
	kill $pid
	ends 84
}

# No other machine gets the image while a blkd is being replaced.
atf_test_case lock__between_two_blkds
lock__between_two_blkds_body()
{
	conf "test=loop count=0 progress=50"
	start
	await "guest: loop at" console
	kill -9 "$(disk_pid vda)"
	! "$double" lock vda.img </dev/null || atf_fail "the image was free"
	kill $pid
	ends 84
}

atf_test_case background__and_pid_file cleanup
background__and_pid_file_body()
{
	serial=file:$PWD/console conf "test=loop count=0 progress=50"
	cp "$blkd" blkd-here
	# Paths that hold although it changes to /.
	atf_check "$vmmd" -f vmmd.conf -b ./blkd-here -p "$PWD/pid"
	pid=$(cat pid)
	await "guest: loop at" console
	test "$(readlink "/proc/$pid/cwd")" = / || atf_fail "not in /"
	kill -9 "$(disk_pid vda)"
	disk_pid vda || atf_fail "not replaced"
	atf_check -s exit:75 -e match:"runs already, as process $pid" \
	    "$vmmd" -f vmmd.conf -b "$blkd" -p "$PWD/pid"
	pids=$(children "$pid")
	kill "$pid"
	are_gone "$pid" $pids
	test ! -e pid || atf_fail "the pid file is left"
	image_is_free vda.img
}

# A case that fails half-way must not leave the daemon behind.
background__and_pid_file_cleanup()
{
	test ! -s pid || kill "$(cat pid)" || true
}

atf_test_case serial__pty
serial__pty_body()
{
	serial=pty conf "test=loop count=0 progress=50"
	start
	await "serial line: /dev/pts/" log
	timeout 10 head -n 1 "$(sed -n 's/.*serial line: //p' log)" >line
	atf_check -o ignore grep "guest: " line
	kill $pid
	ends 84
}

atf_init_test_cases()
{
	for c in $guest_cases notify__message disk__readonly \
	    disk__block_size_and_queue_size disk__two disk__none \
	    disk__written end__power_off end__reset end__triple_fault \
	    end__debug_exit kernel__is_none stop__sigterm \
	    stop__two_signals stop__disobedient death__of_blkd \
	    death__of_blkd_with_messages death__of_a_request \
	    hang__of_blkd upgrade__by_sighup upgrade__to_no_program \
	    death__of_the_vm_process \
	    death__of_the_monitor lock__two_machines \
	    lock__between_two_blkds background__and_pid_file serial__pty; do
		atf_add_test_case $c
	done
}
