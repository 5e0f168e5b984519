# SPDX-License-Identifier: ISC
#
# What the monitor can still do while its machine runs, and that it is
# enough: vmmd and blkd as built, with the test guest, under /dev/kvm.

vmmd=$VMMD_BUILDDIR/vmmd/vmmd
blkd=$VMMD_BUILDDIR/blkd/blkd
guest=$VMMD_BUILDDIR/tests/guest/guest.elf

# KILL SETGID SETUID SETPCAP SYS_CHROOT SYS_ADMIN; DAC_OVERRIDE.
needed=$((1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 18 | 1 << 21 | 1 << 23))
override=$((1 << 1))

conf()
{
	test -r /dev/kvm && test -w /dev/kvm ||
	    atf_skip "/dev/kvm is missing or refused"
	test -f vda.img || truncate -s 8M vda.img
	cat >vmmd.conf <<-END
	vm {
		name = privilege
		memory = 64M
		kernel = $guest
		cmdline = "test=loop count=0 progress=50 timeout=20000"
		mmio-cmdline = yes
		serial = stdio
		control = none
		sandbox = ${sandbox:-strict}
	}
	disk vda {
		path = $PWD/vda.img
	}
	END
}

# start [COMMAND ...]: vmmd by that command, until the guest works.
start()
{
	"$@" "$vmmd" -d -f vmmd.conf -b "$blkd" </dev/null >console 2>log &
	pid=$!
	await "guest: loop at" console
}

await()
{
	until grep -q "$1" "$2" 2>/dev/null; do
		kill -0 $pid 2>/dev/null || {
			cat console log
			atf_fail "vmmd ended before: $1"
		}
		sleep 0.05
	done
}

# kill_disk N: for the Nth time, and its successor works.
kill_disk()
{
	kill -9 "$(pgrep -P $pid -f '^blkd: vda')"
	await "attached again after death $1" log
}

stop()
{
	kill $pid
	status=0
	wait $pid || status=$?
	cat log
	test $status -eq 84 || atf_fail "exit code $status"
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

atf_test_case root__keeps_what_it_needs
root__keeps_what_it_needs_head() { root; }
root__keeps_what_it_needs_body()
{
	conf
	start
	holds $needed
	stop
}

# As a child of root's gets what is in the bounding set.
atf_test_case root__respawns_and_backs_off
root__respawns_and_backs_off_head() { root; }
root__respawns_and_backs_off_body()
{
	conf
	start
	for n in 1 2 3 4; do
		kill_disk $n
	done
	atf_check -o ignore grep "the next blkd waits 10 ms" log
	atf_check -o ignore grep "the next blkd waits 40 ms" log
	holds $needed
	stop
}

# An image that root can open as root only: that right stays.
atf_test_case root__image_of_another
root__image_of_another_head() { root; }
root__image_of_another_body()
{
	conf
	chown 12345 vda.img
	chmod 0600 vda.img
	start
	holds $((needed | override))
	kill_disk 1
	stop
}

atf_test_case root__nothing_to_spare
root__nothing_to_spare_head() { root; }
root__nothing_to_spare_body()
{
	conf
	for cap in setuid setgid; do
		status=0
		timeout 20 setpriv --bounding-set=-$cap "$vmmd" -d \
		    -f vmmd.conf -b "$blkd" </dev/null >console 2>log ||
		    status=$?
		cat log
		test $status -eq 77 ||
		    atf_fail "exit code $status without $cap"
	done
}

# Root of a container: user namespaces instead.
atf_test_case root__without_sys_admin
root__without_sys_admin_head() { root; }
root__without_sys_admin_body()
{
	sandbox=best-effort conf
	start setpriv --bounding-set=-sys_admin
	test $((0x$(field CapEff) & 1 << 21)) -eq 0 || atf_fail "SYS_ADMIN"
	atf_check -o ignore grep "disk vda: .*user namespace" log
	kill_disk 1
	stop
}

# What a user was given beyond a user's rights is not needed.
atf_test_case user__keeps_nothing
user__keeps_nothing_head() { root; }
user__keeps_nothing_body()
{
	sandbox=best-effort conf
	setpriv --reuid=65534 test -x "$VMMD_BUILDDIR/." -a -x . || {
		atf_skip "an ordinary user cannot reach the build tree"
	}
	chown 65534 vda.img
	bounds=
	start setpriv --reuid=65534 --regid=65534 \
	    --groups="$(stat -c %g /dev/kvm)" --inh-caps=+net_admin,+sys_admin \
	    --ambient-caps=+net_admin,+sys_admin
	holds 0
	kill_disk 1
	holds 0
	stop
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
