# SPDX-License-Identifier: ISC
#
# Faults on purpose: vmmctl fault against a vmmd and blkd as built, with the
# test guest, under /dev/kvm.

vmmd=$VMMD_BUILDDIR/vmmd/vmmd
blkd=$VMMD_BUILDDIR/blkd/blkd
vmmctl=$VMMD_BUILDDIR/vmmd/vmmctl
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
		echo "name = fault$$"
		echo "memory = 64M"
		echo "kernel = $guest"
		echo "cmdline = \"$arguments\""
		echo "mmio-cmdline = yes"
		echo "control = ctl.sock"
		echo "}"
		echo "disk vda { path = $PWD/vda.img"
		for line in "${@:-faults = yes}"; do
			echo "$line"
		done
		echo "}"
	} >vmmd.conf
}

# start [PATTERN]: in the background, until the console has it.
start()
{
	# Not what the machine before said, while this one's shell starts.
	rm -f console
	"$vmmd" -d -f vmmd.conf -b "$blkd" </dev/null >console 2>log &
	pid=$!
	await "${1:-guest: }" console
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
	tail -n 100 console
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
	test $status -eq "$want" || {
		show
		atf_fail "vmmctl $*: exit code $status, expected $want"
	}
}

# ends STATUS: wait for $pid.
ends()
{
	wait $pid
	status=$?
	show
	test $status -eq "$1" || atf_fail "exit code $status, expected $1"
}

# counter NAME
counter()
{
	"$vmmctl" -s ctl.sock stats vda | awk -v name="$1" \
	    '$1 == name { print $2 }'
}

# struck N AT-LEAST: until fault N has struck so often.
struck()
{
	until "$vmmctl" -s ctl.sock fault vda list | awk -v n="$1" \
	    -v least="$2" '$1 == n && $NF >= least { ok = 1 }
	    END { exit !ok }'; do
		kill -0 $pid 2>/dev/null || {
			show
			atf_fail "vmmd ended"
		}
		sleep 0.05
	done
}

# all_gone PID ...: until none of these is left.
all_gone()
{
	for p; do
		while kill -0 "$p" 2>/dev/null; do
			sleep 0.02
		done
	done
}

rw="test=rw rounds=1000000 timeout=0"

atf_test_case command__is_checked
command__is_checked_body()
{
	conf "$rw"
	start
	ctl 0 fault vda list
	atf_check -o inline:"no faults\n" cat out
	ctl 64 fault vda
	ctl 64 fault vda eio size=1
	ctl 64 fault vda eio p=2
	ctl 64 fault vda eio p=0
	ctl 64 fault vda eio sectors=x
	ctl 64 fault vda eio op=write,sync
	ctl 64 fault vda delay time=10
	ctl 65 fault vda delay
	ctl 65 fault vda eat
	ctl 65 fault vda torn op=read
	ctl 65 fault vda eio when=after
	ctl 66 fault vdx eio
	ctl 66 fault vda clear 7
	ctl 0 fault vda eio op=read,flush sectors=16000-16010 p=0.5% skip=3 \
	    every=2 count=9 seed=42
	atf_check -o ignore grep "^1 eio op=read,flush sectors=16000-16010\
 p=0.005 skip=3 every=2 count=9 seed=42: matched 0, struck 0\$" out
	ctl 0 fault vda delay sectors=16000- time=1.5ms
	atf_check -o ignore grep "^2 delay op=any sectors=16000- .*time=1.5ms" \
	    out
	for n in 3 4 5 6 7 8; do
		ctl 0 fault vda stop sectors=16000 when=after
	done
	ctl 70 fault vda eio sectors=16000
	atf_check -o ignore grep "clear some" err
	ctl 0 fault vda clear 1
	ctl 0 fault vda clear
	atf_check -o inline:"no faults\n" cat out
	ctl 0 stop
	ends 84
	atf_check -o ignore grep "control: uid .*: fault vda eio" log
}

atf_test_case command__needs_the_configuration
command__needs_the_configuration_body()
{
	conf "$rw" "faults = no"
	start
	ctl 65 fault vda eio
	atf_check -o ignore grep "faults = yes" err
	ctl 0 stop
	ends 84
}

# The guest is told the truth: its write fails, and it says so.
atf_test_case eio__reaches_the_guest
eio__reaches_the_guest_body()
{
	conf "$rw"
	start
	ctl 0 fault vda eio op=write count=1
	ends 1
	atf_check -o ignore grep "guest: rw failed" console
	atf_check -o ignore grep "answered with an I/O error" log
}

# What it reads elsewhere is not touched.
atf_test_case eio__of_other_sectors
eio__of_other_sectors_body()
{
	conf "test=rw rounds=50"
	start
	"$vmmctl" -s ctl.sock fault vda eio sectors=16000-
	ends 0
	atf_check -o ignore grep "guest: rw passed" console
}

# The guest does not notice that its disk dies all the time.
atf_test_case kill__every_so_often
kill__every_so_often_body()
{
	conf "test=loop count=4000 progress=20 timeout=30000"
	start "guest: loop at"
	ctl 0 fault vda kill op=write every=150 count=4
	ctl 0 fault vda kill op=read every=150 count=2 when=after
	await "attached again after death 4" log
	ends 0
	atf_check -o ignore grep "guest: loop passed" console
	atf_check -o ignore grep "fault 1: kill" log
}

# The counts are kept over the deaths that they cause.
atf_test_case kill__is_counted_once
kill__is_counted_once_body()
{
	conf "test=loop count=0 progress=20 timeout=0"
	start "guest: loop at"
	ctl 0 fault vda kill op=write skip=20 every=200 count=2
	struck 1 2
	await "attached again after death 2" log
	test "$(counter faults_injected)" -eq 2 ||
	    atf_fail "$(counter faults_injected)"
	test "$(counter respawns)" -eq 2 || atf_fail "$(counter respawns)"
	ctl 0 stop
	ends 84
}

# A hang is found, and mended by another process.
atf_test_case stop__is_replaced
stop__is_replaced_body()
{
	conf "test=loop count=3000 progress=20 timeout=60000"
	start "guest: loop at"
	ctl 0 fault vda stop op=write skip=10
	await "fault 1: stop" log
	await "attached again after death 1" log
	ends 0
	atf_check -o ignore grep "guest: loop passed" console
}

# Delays are as long as they were asked for, and no error.
atf_test_case delay__is_measured
delay__is_measured_body()
{
	conf "$rw"
	start
	ctl 0 fault vda delay op=flush time=200ms count=3
	before=$(date +%s%N)
	ctl 0 fault vda delay op=read time=200ms count=3
	struck 2 3
	struck 1 2
	after=$(date +%s%N)
	test $((after - before)) -ge 400000000 ||
	    atf_fail "$((after - before)) ns"
	test "$(counter io_errors)" -eq 0 || atf_fail "errors"
	ctl 0 stop
	ends 84
}

# hold_flush: the guest writes generations, and flushes each; stop it in a
# flush, so that the image has one, and the guest has written the next.
hold_flush()
{
	ctl 0 fault vda lost-flush
	ctl 0 fault vda delay op=flush skip=1 count=1 time=60s
	struck 2 1
	written=$(sed -n 's/guest: wrote .* generation //p' console | tail -n 1 |
	    tr -d '\r')
	processes=$(pgrep -P $pid)
}

# image_holds GENERATION: all of it, as another machine finds it.
image_holds()
{
	conf "test=verify gen=$1"
	mv console console.1
	"$vmmd" -d -f vmmd.conf -b "$blkd" </dev/null >console 2>log
	status=$?
	show
	test $status -eq 0 || atf_fail "exit code $status: not $1"
}

atf_test_case lost_flush__power_cut
lost_flush__power_cut_body()
{
	conf "$rw"
	start
	hold_flush
	kill -9 $pid
	wait $pid
	all_gone $processes
	image_holds $((written - 1))
}

atf_test_case lost_flush__death_of_the_vm_process
lost_flush__death_of_the_vm_process_body()
{
	conf "$rw"
	start
	hold_flush
	kill -9 "$(pgrep -P $pid -f '^vmmd: vm')"
	ends 85
	all_gone $processes
	image_holds $((written - 1))
}

# example N: the commands of the Nth example of faults in the manual.
example()
{
	sed '1,/^\.Sh EXAMPLES/d' "$VMMD_SRCDIR/vmmd/vmmctl.8" |
	    awk -v n="$1" '/^\.Bd -literal/ { block = ""; next }
	    /^\.Ed/ { if (block ~ /fault/ && ++found == n)
	    printf "%s", block; next }
	    /^# / { block = block substr($0, 3) "\n" }'
}

# hundredth SED: a guest with the first example's fault, changed by SED.
hundredth()
{
	rm -f vda.img
	truncate -s 64M vda.img
	# Sectors where the example has its journal, and no other ones.
	conf "test=loop count=0 progress=20 timeout=0 first=2048"
	start "guest: loop at"
	ctl 0 pause vda
	ctl 0 $(sed -n '1s/^vmmctl -n web //p' commands | sed "$1")
	"$vmmctl" -s ctl.sock resume vda
}

# The first: the guest sees a write fail.  The same writes are struck in each
# run: its 20th is at the same match.
atf_test_case example__a_hundredth_of_writes
example__a_hundredth_of_writes_body()
{
	example 1 >commands
	atf_check_equal 3 "$(wc -l <commands)"
	hundredth ""
	atf_check -o ignore grep "^1 eio .* p=0.01 .* seed=7" out
	ends 1
	atf_check -o ignore grep "the device answers IOERR" console
	for n in 1 2; do
		hundredth "s/eio/delay time=1us count=20/"
		struck 1 20
		ctl 0 $(sed -n '2s/^vmmctl -n web //p' commands)
		mv out listed.$n
		ctl 0 $(sed -n '3s/^vmmctl -n web //p' commands)
		atf_check -o inline:"no faults\n" cat out
		ctl 0 stop
		ends 84
	done
	atf_check -o ignore grep "struck 20" listed.1
	atf_check cmp listed.1 listed.2
}

# The second: cut off in the midst of its writes, started again, looked at.
atf_test_case example__power_cut
example__power_cut_body()
{
	example 2 >commands
	atf_check_equal 4 "$(wc -l <commands)"
	conf "$rw"
	start
	sed -n '1,2s/^vmmctl -n web //p' commands | while read -r line; do
		ctl 0 $line
	done
	ctl 0 fault vda list
	atf_check -o ignore grep "^1 lost-flush op=write" out
	atf_check -o ignore grep "^2 torn op=write p=0.1 .* seed=1" out
	struck 2 3
	processes=$(pgrep -P $pid)
	kill -9 $pid
	wait $pid
	all_gone $processes
	# Of two generations, as nothing but whole sectors are torn.
	od -v -A n -t u4 -w512 vda.img | awk '
	    $1 == 1414743367 { if (!($3 in seen)) n++; seen[$3] = 1 }
	    END { exit n < 1 || n > 2 }' || atf_fail "other than two"
	conf "test=rw"
	"$vmmd" -d -f vmmd.conf -b "$blkd" </dev/null >console 2>log ||
	    atf_fail "it does not start again"
}

# What one queue holds back the other reads, also in the next blkd.
atf_test_case lost_flush__of_two_queues
lost_flush__of_two_queues_body()
{
	conf "test=loop count=4000 progress=20 timeout=60000 queues=2" \
	    "faults = yes" "queues = 2"
	start "guest: loop at"
	ctl 0 fault vda lost-flush
	struck 1 50
	cp vda.img before.img
	kill -9 "$(pgrep -P $pid -f '^blkd: vda')"
	await "attached again after death 1" log
	before=$(counter writes)
	until test "$(counter writes)" -gt "$before"; do sleep 0.05; done
	atf_check cmp before.img vda.img
	# Cleared: it is there at once, though the guest may flush nothing.
	ctl 0 fault vda clear
	until ! cmp -s before.img vda.img; do sleep 0.02; done
	ends 0
	atf_check -o ignore grep "guest: loop passed" console
}

# The death of a disk process is no power cut, nor is an orderly end: what is
# held stays held, is read by the next process, and is in the image at last.
atf_test_case lost_flush__orderly_end
lost_flush__orderly_end_body()
{
	conf "test=loop count=3000 progress=20 timeout=60000"
	start "guest: loop at"
	ctl 0 fault vda lost-flush
	struck 1 1
	cp vda.img before.img
	kill -9 "$(pgrep -P $pid -f '^blkd: vda')"
	await "attached again after death 1" log
	before=$(counter writes)
	until test "$(counter writes)" -gt "$before"; do sleep 0.05; done
	atf_check cmp before.img vda.img
	ends 0
	atf_check -o ignore grep "guest: loop passed" console
	atf_check -s exit:1 -o ignore cmp before.img vda.img
}

atf_init_test_cases()
{
	for c in command__is_checked command__needs_the_configuration \
	    eio__reaches_the_guest eio__of_other_sectors \
	    kill__every_so_often kill__is_counted_once stop__is_replaced \
	    delay__is_measured lost_flush__power_cut \
	    lost_flush__death_of_the_vm_process lost_flush__orderly_end \
	    lost_flush__of_two_queues example__a_hundredth_of_writes \
	    example__power_cut; do
		atf_add_test_case $c
	done
}
