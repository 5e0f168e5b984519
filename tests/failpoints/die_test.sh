# SPDX-License-Identifier: ISC
#
# A blkd that dies at a named point, before or after a store of its journal,
# as the disk of a real vmmd and a real guest that verifies what it reads.

export VMMD="$VMMD_BUILDDIR/vmmd/vmmd"
export VMMCTL="$VMMD_BUILDDIR/vmmd/vmmctl"
product=$VMMD_BUILDDIR/blkd/blkd
dies=$VMMD_BUILDDIR/tests/failpoints/blkd-dies
kernel=$VMMD_BUILDDIR/tests/guest/guest.elf
. "$VMMD_SRCDIR/tests/subr/vmmd.subr"

# padded BYTES TEXT: and NULs after it.
padded()
{
	printf '%s' "$2"
	head -c $(($1 - ${#2})) /dev/zero
}

# page POINT PASSES SOFT: what fail_point.c reads, but the first byte.
page()
{
	padded 63 "$1"
	padded 64 "$2"
	padded 64 ""
	padded 64 "$3"
	padded 3840 ""
}

# mortal [SOFT]: the blkd of this test, with an idle page.
mortal()
{
	[ -x "$dies" ] || atf_skip "built without libfiu"
	cp "$dies" blkd
	{
		printf -
		page "" 0 "${1-}"
	} >blkd.page
	export BLKD="$PWD/blkd"
}

# arm POINT PASSES: in the page as it is mapped.
arm()
{
	page "$1" "$2" "" | head -c 191 |
	    dd of=blkd.page bs=1 seek=1 conv=notrunc status=none
	printf a | dd of=blkd.page conv=notrunc status=none
}

has_struck()
{
	[ "$(head -c 1 blkd.page)" = s ]
}

# has_died N: the successor of the Nth serves.
has_died()
{
	has_struck && _vmmd_serves vda "$1"
}

# answered: requests so far.
answered()
{
	_vmmd_requests vda 2>/dev/null || echo 0
}

# is_past N
is_past()
{
	[ "$(answered)" -gt "$1" ]
}

disk_keys=
guest()
{
	vmmd_disk vda 8M $disk_keys
	vmmd_start "$kernel" -m 64M -o mmio-cmdline=yes -a "$@"
}

# kill_at POINT PASSES [MORE]: and more requests after that than can be in
# flight.
deaths=0
kill_at()
{
	arm "$1" "$2"
	deaths=$((deaths + 1))
	vmmd_until 20 has_died $deaths
	vmmd_until 20 is_past $(($(answered) + ${3-300}))
	echo "died: $1"
}

serving="in-flight status record used-element used-index record-done
    interrupt counter kicks-on"

vmmd_test_case die__while_serving
die__while_serving_body()
{
	mortal
	guest "test=loop count=0 progress=50 timeout=20000"
	vmmd_expect "guest: loop at"
	for point in $serving; do
		for when in before after; do
			[ $point/$when != interrupt/after ] || continue
			kill_at $point/$when 40
		done
	done
	vmmd_moves vda
	atf_check_equal $deaths "$(vmmd_stat vda respawns)"
	atf_check_equal 0 "$(vmmd_stat vda io_errors)"
	atf_check_equal 17 $deaths
	vmmd_stop
	vmmd_console >console
	atf_check -s exit:1 grep -E "failed|IOERR|wrong" console
}

# turns: how often the threads for slow I/O of the disk have been woken.
turns()
{
	for task in /proc/"$(vmmd_pid vda)"/task/*; do
		case $(cat "$task/comm") in
		q0w*)	sed -n 's/^voluntary_ctxt_switches:.//p' \
			    "$task/status" ;;
		esac
	done | awk '{ n += $1 } END { print n + 0 }'
}

# turn_past N
turn_past()
{
	[ "$(turns)" -gt "$1" ]
}

# Every request is carried out by threads beside the queue's.
vmmd_test_case die__with_threads
die__with_threads_body()
{
	mortal
	disk_keys="engine=sync threads=4 slow-us=0"
	guest "test=loop count=0 progress=50 timeout=20000"
	vmmd_expect "guest: loop at"
	for point in $serving; do
		for when in before after; do
			[ $point/$when != interrupt/after ] || continue
			kill_at $point/$when 20 50
			vmmd_until 20 turn_past $(($(turns) + 20))
		done
	done
	vmmd_moves vda
	atf_check_equal $deaths "$(vmmd_stat vda respawns)"
	atf_check_equal 0 "$(vmmd_stat vda io_errors)"
	atf_check_equal 17 $deaths
	vmmd_stop
	vmmd_console >console
	atf_check -s exit:1 grep -E "failed|IOERR|wrong" console
}

# What kills the first recovers in the second.
vmmd_test_case die__in_recovery
die__in_recovery_body()
{
	mortal
	guest "test=loop count=0 progress=50 timeout=20000"
	vmmd_expect "guest: loop at"
	for point in attach/before attach/after in-flight/after \
	    counter/after; do
		old=$(vmmd_pid vda)
		arm $point 0
		kill -9 "$old" 2>/dev/null || :
		deaths=$((deaths + 2))
		vmmd_until 20 has_struck
		vmmd_until 20 has_died 2
		vmmd_until 20 is_past $(($(answered) + 300))
	done
	vmmd_stop
	vmmd_console >console
	atf_check -s exit:1 grep -E "failed|IOERR|wrong" console
}

vmmd_test_case die__while_throttled
die__while_throttled_body()
{
	mortal
	guest "test=loop count=0 progress=50 timeout=20000"
	vmmd_expect "guest: loop at"
	vmmd_ctl throttle vda iops=60
	for point in throttle/before throttle/after in-flight/before \
	    counter/after; do
		kill_at $point 40
	done
	test "$(vmmd_stat vda throttled)" -gt 0 || atf_fail "not throttled"
	vmmd_stop
	vmmd_console >console
	atf_check -s exit:1 grep -E "failed|IOERR|wrong" console
}

# The guest resets its disk under load, again and again.
vmmd_test_case die__in_reset
die__in_reset_body()
{
	mortal
	for point in reset-begun/before reset-begun/after reset-queue/after \
	    reset-device/before reset/before reset/after; do
		vmmd_machine "m$deaths"
		deaths=$((deaths + 1))
		arm $point 0
		vmmd_disk vda$deaths 8M
		vmmd_start "$kernel" -m 64M -o mmio-cmdline=yes -a test=reset
		vmmd_expect "guest: reset passed"
		vmmd_wait 0
		has_struck || atf_fail "$point: it was not there"
		vmmd_expect -l "attached again after death 1"
	done
}

# Calls that are interrupted and that do a part: nobody notices.
vmmd_test_case soft__is_not_seen
soft__is_not_seen_body()
{
	mortal 0.01
	guest "test=loop count=0 progress=50 timeout=20000"
	vmmd_until 60 is_past 2000
	vmmd_stop
	vmmd_console >console
	atf_check -s exit:1 grep -E "failed|IOERR|wrong" console
}

# The program that is installed has no points.
atf_test_case product__has_no_points
product__has_no_points_body()
{
	[ -x "$dies" ] || atf_skip "built without libfiu"
	ldd "$dies" >linked
	atf_check -o ignore grep libfiu linked
	atf_check -o ignore grep -a used-index "$dies"
	for program in "$product" "$VMMD" "$VMMCTL"; do
		ldd "$program" >linked
		atf_check -s exit:1 grep libfiu linked
		atf_check -s exit:1 grep -aE "used-index|fiu_fail" "$program"
	done
}

atf_init_test_cases()
{
	for c in die__while_serving die__with_threads die__in_recovery \
	    die__while_throttled die__in_reset soft__is_not_seen \
	    product__has_no_points; do
		atf_add_test_case $c
	done
}
