# SPDX-License-Identifier: ISC
#
# What the monitor can still do while its machine runs, and that it is
# enough: vmmd and blkd as built, with the test guest, under /dev/kvm.

export VMMD="$VMMD_BUILDDIR/vmmd/vmmd"
export BLKD="$VMMD_BUILDDIR/blkd/blkd"
export VMMCTL="$VMMD_BUILDDIR/vmmd/vmmctl"
kernel=$VMMD_BUILDDIR/tests/guest/guest.elf
. "$VMMD_SRCDIR/tests/subr/vmmd.subr"

# KILL SETGID SETUID SETPCAP SYS_CHROOT SYS_ADMIN; DAC_OVERRIDE.
needed=$((1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 18 | 1 << 21 | 1 << 23))
override=$((1 << 1))

# by COMMAND ...: vmmd is started by that.
by()
{
	printf '#! /bin/sh\nexec %s "%s" "$@"\n' "$*" "$VMMD" >by
	chmod 0755 by
	VMMD=$PWD/by
}

start()
{
	vmmd_start "$kernel" -m 64M -o mmio-cmdline=yes \
	    -o sandbox="${sandbox:-strict}" "$@" \
	    -a "test=loop count=0 progress=50 timeout=20000"
}

# works: the machine, until it does.
works()
{
	vmmd_expect "guest: loop at"
	pid=$(vmmd_pid)
}

# kill_disk: as often as it likes; a successor works.
kill_disk()
{
	vmmd_kill vda "${1:-1}"
	vmmd_moves vda
}

# field NAME: of /proc/PID/status
field()
{
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$pid/status"
}

# holds MASK: these capabilities, in all that counts, and no way to more.
holds()
{
	want=$(printf %016x "$1")
	for set in CapPrm CapEff ${bounds-CapBnd}; do
		test "$(field $set)" = "$want" ||
		    atf_fail "$set is $(field $set), expected $want"
	done
	for set in CapInh CapAmb; do
		test "$(field $set)" = 0000000000000000 ||
		    atf_fail "$set is $(field $set)"
	done
	test "$(field NoNewPrivs)" = 1 || atf_fail "NoNewPrivs"
}

root()
{
	atf_set require.user root
}

vmmd_test_case root__keeps_what_it_needs
root__keeps_what_it_needs_head() { root; }
root__keeps_what_it_needs_body()
{
	vmmd_disk vda 8M
	start
	works
	holds $needed
	vmmd_stop
}

# As a child of root's gets what is in the bounding set.
vmmd_test_case root__respawns_and_backs_off
root__respawns_and_backs_off_head() { root; }
root__respawns_and_backs_off_body()
{
	vmmd_disk vda 8M
	start
	works
	kill_disk 4
	vmmd_expect -l "the next blkd waits 10 ms"
	vmmd_expect -l "the next blkd waits 40 ms"
	holds $needed
	vmmd_stop
}

# An image that root can open as root only: that right stays.
vmmd_test_case root__image_of_another
root__image_of_another_head() { root; }
root__image_of_another_body()
{
	vmmd_disk vda 8M
	chown 12345 vda.img
	chmod 0600 vda.img
	start
	works
	holds $((needed | override))
	kill_disk
	vmmd_stop
}

vmmd_test_case root__nothing_to_spare
root__nothing_to_spare_head() { root; }
root__nothing_to_spare_body()
{
	vmmd_disk vda 8M
	built=$VMMD
	for cap in setuid setgid; do
		VMMD=$built
		by setpriv --bounding-set=-$cap
		start
		vmmd_wait 77
	done
}

# Root of a container: user namespaces instead.
vmmd_test_case root__without_sys_admin
root__without_sys_admin_head() { root; }
root__without_sys_admin_body()
{
	vmmd_disk vda 8M
	by setpriv --bounding-set=-sys_admin
	sandbox=best-effort start
	works
	test $((0x$(field CapEff) & 1 << 21)) -eq 0 || atf_fail "SYS_ADMIN"
	vmmd_expect -l "disk vda: .*user namespace"
	kill_disk
	vmmd_stop
}

# What a user was given beyond a user's rights is not needed.
vmmd_test_case user__keeps_nothing
user__keeps_nothing_head() { root; }
user__keeps_nothing_body()
{
	setpriv --reuid=65534 test -x "$VMMD_BUILDDIR/." -a -x . || {
		atf_skip "an ordinary user cannot reach the build tree"
	}
	vmmd_disk vda 8M
	chown 65534 vda.img
	bounds=
	by setpriv --reuid=65534 --regid=65534 \
	    --groups="$(stat -c %g /dev/kvm)" \
	    --inh-caps=+net_admin,+sys_admin \
	    --ambient-caps=+net_admin,+sys_admin
	mkdir user
	chown 65534 user
	sandbox=best-effort start -o control=../../user/control
	works
	holds 0
	kill_disk
	holds 0
	vmmd_stop
}

atf_init_test_cases()
{
	atf_add_test_case root__keeps_what_it_needs
	atf_add_test_case root__respawns_and_backs_off
	atf_add_test_case root__image_of_another
	atf_add_test_case root__nothing_to_spare
	atf_add_test_case root__without_sys_admin
	atf_add_test_case user__keeps_nothing
}
