# SPDX-License-Identifier: ISC
#
# Faults on purpose: vmmctl fault against a vmmd and blkd as built, with the
# test guest, under /dev/kvm.

export VMMD="$VMMD_BUILDDIR/vmmd/vmmd"
export BLKD="$VMMD_BUILDDIR/blkd/blkd"
export VMMCTL="$VMMD_BUILDDIR/vmmd/vmmctl"
kernel=$VMMD_BUILDDIR/tests/guest/guest.elf
. "$VMMD_SRCDIR/tests/subr/vmmd.subr"

rw="test=rw rounds=1000000 timeout=0"
loop="test=loop count=0 progress=20 timeout=0"

# disk [KEY=VALUE ...]
disk()
{
	vmmd_disk vda 8M "${@:-faults=yes}"
}

# guest ARGUMENTS
guest()
{
	vmmd_start "$kernel" -m 64M -o mmio-cmdline=yes -a "$1"
}

# busy ARGUMENTS: and until it works.
busy()
{
	guest "$1"
	vmmd_expect "guest: (loop at|wrote)"
}

# ctl STATUS ARGUMENT ...: what it says is in out and err.
ctl()
{
	want=$1
	shift
	vmmd_ctl -s "$want" "$@" >out 2>err
	cat out err
}

# on_console REGEX, in_log REGEX: it was said at some time.
on_console()
{
	vmmd_console >said
	atf_check -o ignore grep "$1" said
}
in_log()
{
	vmmd_log >said
	atf_check -o ignore grep "$1" said
}

# has_struck N AT-LEAST
has_struck()
{
	vmmd_ctl fault vda list >listed && awk -v n="$1" -v least="$2" \
	    '$1 == n && $NF >= least { ok = 1 } END { exit !ok }' listed
}

# struck N AT-LEAST: until fault N has struck so often.
struck()
{
	vmmd_until 60 has_struck "$@"
}

writes_past()
{
	test "$(vmmd_stat vda writes)" -gt "$1"
}

# has_changed: the image, since it was copied.
has_changed()
{
	! cmp -s before.img vda.img
}

# goes_on: the guest has written since now.
goes_on()
{
	vmmd_until 30 writes_past "$(vmmd_stat vda writes)"
}

# passes: the guest has found nothing wrong so far, and ends in order.
passes()
{
	vmmd_moves vda
	ctl 0 stop
	vmmd_wait 84
}

vmmd_test_case command__is_checked
command__is_checked_body()
{
	disk
	busy "$rw"
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
	vmmd_wait 84
	in_log "control: uid .*: fault vda eio"
}

vmmd_test_case command__needs_the_configuration
command__needs_the_configuration_body()
{
	disk faults=no
	busy "$rw"
	ctl 65 fault vda eio
	atf_check -o ignore grep "faults = yes" err
	ctl 0 stop
	vmmd_wait 84
}

# The guest is told the truth: its write fails, and it says so.
vmmd_test_case eio__reaches_the_guest
eio__reaches_the_guest_body()
{
	disk
	busy "$rw"
	ctl 0 fault vda eio op=write count=1
	vmmd_wait 1
	on_console "guest: rw failed"
	in_log "answered with an I/O error"
}

# What it reads elsewhere is not touched.
vmmd_test_case eio__of_other_sectors
eio__of_other_sectors_body()
{
	disk
	busy "$rw"
	ctl 0 fault vda eio sectors=16000-
	goes_on
	atf_check_equal 0 "$(vmmd_stat vda io_errors)"
	ctl 0 fault vda list
	atf_check -o ignore grep "^1 eio .*: matched 0, struck 0" out
	ctl 0 stop
	vmmd_wait 84
}

# The guest does not notice that its disk dies all the time.
vmmd_test_case kill__every_so_often
kill__every_so_often_body()
{
	disk
	busy "$loop"
	ctl 0 fault vda kill op=write every=150 count=4
	ctl 0 fault vda kill op=read every=150 count=2 when=after
	vmmd_expect -l "attached again after death 4"
	passes
	in_log "fault 1: kill"
}

# The counts are kept over the deaths that they cause.
vmmd_test_case kill__is_counted_once
kill__is_counted_once_body()
{
	disk
	busy "$loop"
	ctl 0 fault vda kill op=write skip=20 every=200 count=2
	struck 1 2
	vmmd_expect -l "attached again after death 2"
	test "$(vmmd_stat vda faults_injected)" -eq 2 ||
	    atf_fail "$(vmmd_stat vda faults_injected)"
	test "$(vmmd_stat vda respawns)" -eq 2 || atf_fail "$(vmmd_stat vda respawns)"
	ctl 0 stop
	vmmd_wait 84
}

# A hang is found, and mended by another process.
vmmd_test_case stop__is_replaced
stop__is_replaced_body()
{
	disk
	busy "$loop"
	ctl 0 fault vda stop op=write skip=10
	vmmd_expect -l "fault 1: stop"
	vmmd_expect -l "attached again after death 1"
	passes
}

# Delays are as long as they were asked for, and no error.
vmmd_test_case delay__is_measured
delay__is_measured_body()
{
	disk
	busy "$rw"
	ctl 0 fault vda delay op=flush time=200ms count=3
	before=$(date +%s%N)
	ctl 0 fault vda delay op=read time=200ms count=3
	struck 2 3
	struck 1 2
	after=$(date +%s%N)
	test $((after - before)) -ge 400000000 ||
	    atf_fail "$((after - before)) ns"
	test "$(vmmd_stat vda io_errors)" -eq 0 || atf_fail "errors"
	ctl 0 stop
	vmmd_wait 84
}

# hold_flush: the guest writes generations, and flushes each; stop it in a
# flush, so that the image has one, and the guest has written the next.
hold_flush()
{
	ctl 0 fault vda lost-flush
	ctl 0 fault vda delay op=flush skip=1 count=1 time=60s
	struck 2 1
	written=$(vmmd_console |
	    sed -n 's/guest: wrote .* generation //p' | tail -n 1)
}

# image_holds GENERATION: all of it, as another machine finds it.
image_holds()
{
	guest "test=verify gen=$1"
	vmmd_wait 0
}

vmmd_test_case lost_flush__power_cut
lost_flush__power_cut_body()
{
	disk
	busy "$rw"
	hold_flush
	vmmd_crash
	image_holds $((written - 1))
}

vmmd_test_case lost_flush__death_of_the_vm_process
lost_flush__death_of_the_vm_process_body()
{
	disk
	busy "$rw"
	hold_flush
	kill -9 "$(pgrep -P "$(vmmd_pid)" -f '^vmmd: vm')"
	vmmd_wait 85
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
	busy "$loop first=2048"
	ctl 0 pause vda
	# shellcheck disable=SC2046 # words are wanted
	ctl 0 $(sed -n '1s/^vmmctl -n web //p' commands | sed "$1")
	# The guest may end by it before this is answered.
	(vmmd_ctl resume vda) || :
}

# The first: the guest sees a write fail.  The same writes are struck in each
# run: its 20th is at the same match.
vmmd_test_case example__a_hundredth_of_writes
example__a_hundredth_of_writes_body()
{
	example 1 >commands
	atf_check_equal 3 "$(wc -l <commands)"
	truncate -s 64M vda.img
	vmmd_disk vda vda.img faults=yes
	hundredth ""
	atf_check -o ignore grep "^1 eio .* p=0.01 .* seed=7" out
	vmmd_wait 1
	on_console "the device answers IOERR"
	for n in 1 2; do
		hundredth "s/eio/delay time=1us count=20/"
		struck 1 20
		ctl 0 $(sed -n '2s/^vmmctl -n web //p' commands)
		mv out listed.$n
		ctl 0 $(sed -n '3s/^vmmctl -n web //p' commands)
		atf_check -o inline:"no faults\n" cat out
		ctl 0 stop
		vmmd_wait 84
	done
	atf_check -o ignore grep "struck 20" listed.1
	atf_check cmp listed.1 listed.2
}

# The second: cut off in the midst of its writes, started again, looked at.
vmmd_test_case example__power_cut
example__power_cut_body()
{
	example 2 >commands
	atf_check_equal 4 "$(wc -l <commands)"
	disk
	busy "$rw"
	sed -n '1,2s/^vmmctl -n web //p' commands | while read -r line; do
		ctl 0 $line
	done
	ctl 0 fault vda list
	atf_check -o ignore grep "^1 lost-flush op=write" out
	atf_check -o ignore grep "^2 torn op=write p=0.1 .* seed=1" out
	struck 2 3
	vmmd_crash
	# Of two generations, as nothing but whole sectors are torn.
	od -v -A n -t u4 -w512 vda.img | awk '
	    $1 == 1414743367 { if (!($3 in seen)) n++; seen[$3] = 1 }
	    END { exit n < 1 || n > 2 }' || atf_fail "other than two"
	busy "$rw"
	vmmd_stop
}

# What one queue holds back the other reads, also in the next blkd.
vmmd_test_case lost_flush__of_two_queues
lost_flush__of_two_queues_body()
{
	disk faults=yes queues=2
	busy "$loop queues=2"
	ctl 0 fault vda lost-flush
	struck 1 50
	cp vda.img before.img
	vmmd_kill vda
	goes_on
	atf_check cmp before.img vda.img
	# Cleared: it is there at once, though the guest may flush nothing.
	ctl 0 fault vda clear
	vmmd_until 30 has_changed
	passes
}

# The death of a disk process is no power cut, nor is an orderly end: what is
# held stays held, is read by the next process, and is in the image at last.
vmmd_test_case lost_flush__orderly_end
lost_flush__orderly_end_body()
{
	disk
	busy "$loop"
	ctl 0 fault vda lost-flush
	struck 1 1
	cp vda.img before.img
	vmmd_kill vda
	goes_on
	atf_check cmp before.img vda.img
	passes
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
