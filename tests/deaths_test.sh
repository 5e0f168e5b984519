# SPDX-License-Identifier: ISC
#
# The deaths of the monitor and of the vm process: nothing is left.  No
# process, no namespace, no lock on an image, no name in the run directory;
# and in the images what the guest was told is there.

export VMMD="$VMMD_BUILDDIR/vmmd/vmmd"
export BLKD="$VMMD_BUILDDIR/blkd/blkd"
export VMMCTL="$VMMD_BUILDDIR/vmmd/vmmctl"
double=$VMMD_BUILDDIR/vmmd/child_double
kernel=$VMMD_BUILDDIR/tests/guest/guest.elf
. "$VMMD_SRCDIR/tests/subr/vmmd.subr"

# start quiet|loaded: two disks, a spare for each.
start()
{
	mkdir run
	vmmd_disk vda 8M
	vmmd_disk vdb 1M
	case $1 in
	quiet)	arguments=test=idle said="guest: idle" ;;
	loaded)	arguments="test=rw rounds=1000000 timeout=0"
		said="guest: flushed" ;;
	esac
	vmmd_start "$kernel" -m 64M -o mmio-cmdline=yes \
	    -o "control=$PWD/run/control" -a "$arguments"
	vmmd_expect "$said"
	monitor=$(vmmd_pid)
	vmmd_until 10 has_spares
	family="$monitor $(pgrep -P "$monitor" | tr '\n' ' ')"
	namespaces >ns
	# Of those processes, where the host gives them any.
	if unshare -m true 2>/dev/null; then
		test "$(wc -l <ns)" -ge 5 || atf_fail "$(wc -l <ns) namespaces"
	fi
}

# The vm process, two disks, two spares.
has_spares()
{
	test "$(pgrep -c -P "$monitor" -f '^blkd')" -eq 4
}

# namespaces: of the family, but not of this process.
namespaces()
{
	readlink /proc/self/ns/* | sort -u >own
	for p in $family; do
		readlink "/proc/$p/ns"/* 2>/dev/null
	done | sort -u | comm -13 own -
}

# no_namespace: none of those that were is anybody's now.
no_namespace()
{
	! readlink /proc/[0-9]*/ns/* 2>/dev/null | grep -qxFf ns &&
	    ! grep -qFf ns /proc/self/mountinfo
}

nobody()
{
	for p in $family; do
		! _vmmd_born "$p" >/dev/null || return 1
	done
}

run_is_empty()
{
	test -z "$(ls -A run)"
}

# nothing_is_left
nothing_is_left()
{
	vmmd_until 10 nobody
	vmmd_until 10 run_is_empty
	test ! -s ns || vmmd_until 10 no_namespace
	for image in vda.img vdb.img; do
		"$double" lock $image </dev/null ||
		    atf_fail "$image is still locked"
	done
}

# holds: the generation that was flushed last, or parts of the next.
holds()
{
	flushed=$(vmmd_console | grep -c "guest: flushed")
	od -v -A n -t u4 -w512 vda.img | awk -v g="$flushed" '
	    $1 == 1414743367 { n++; if ($3 < g || $3 > g + 1) bad++ }
	    END { print n + 0, "sectors,", bad + 0, "wrong, flushed", g
	    exit n < 64 || bad > 0 }' || atf_fail "the image is not consistent"
}

vm_process()
{
	pgrep -P "$monitor" -f '^vmmd: vm'
}

# death quiet|loaded vm|monitor|both
death()
{
	start "$1"
	case $2 in
	vm)	kill -9 "$(vm_process)" && vmmd_wait 85 ;;
	monitor) kill -9 "$monitor" && vmmd_wait 137 ;;
	both)	kill -9 "$(vm_process)" "$monitor" && vmmd_wait 137 ;;
	esac
	nothing_is_left
	test "$1" = quiet || holds
	# Nobody is in the way of the next.
	vmmd_start "$kernel" -m 64M -o mmio-cmdline=yes \
	    -o "control=$PWD/run/control" -a test=rw
	vmmd_wait 0
	run_is_empty || atf_fail "run is not empty after an orderly end"
}

for load in quiet loaded; do
	for whose in vm monitor both; do
		vmmd_test_case death__of_${whose}_$load
		eval "death__of_${whose}_${load}_body()
		{
			death $load $whose
		}"
		cases="$cases death__of_${whose}_$load"
	done
done

# A daemon has a pid file, too.
atf_test_case death__of_a_daemon cleanup
death__of_a_daemon_body()
{
	test -w /dev/kvm || atf_skip "/dev/kvm is missing or refused"
	mkdir run
	cat >vmmd.conf <<-END
	vm {
		name = deaths$$
		memory = 64M
		kernel = $kernel
		cmdline = "test=idle"
		mmio-cmdline = yes
		serial = file:$PWD/console
		control = $PWD/run/control
	}
	END
	for round in 1 2 3; do
		atf_check "$VMMD" -f vmmd.conf -b "$BLKD" -p run/pid
		pid=$(cat run/pid)
		kill -9 "$pid"
		# At once, while the last one's names are being removed.
		test $round -eq 1 || continue
		vmmd_until 10 run_is_empty
	done
	vmmd_until 10 run_is_empty
	rm -f run/pid
}
death__of_a_daemon_cleanup()
{
	test ! -s run/pid || kill -9 "$(cat run/pid)" || true
}

# What is somebody else's stays: another's socket, another's file.
vmmd_test_case death__sweeps_no_others
death__sweeps_no_others_body()
{
	start quiet
	pids=$family
	rm run/control
	vmmd_machine second
	vmmd_start "$kernel" -m 64M -o mmio-cmdline=yes \
	    -o "control=$PWD/run/control" -a test=idle
	vmmd_expect "guest: idle"
	kill -9 "$monitor"
	vmmd_until 10 nobody
	vmmd_ctl status >out
	vmmd_stop
	run_is_empty || atf_fail "run is not empty"
}

# A child that the monitor has just forked has its descriptors, too.
vmmd_test_case death__leaves_a_child
death__leaves_a_child_body()
{
	start quiet
	pids=$family
	mkfifo end
	"$double" share "$monitor" <end >shared &
	sharer=$!
	exec 8>end
	until grep -q "shared" shared; do
		sleep 0.01
	done
	atf_check -o inline:"shared 1\n" cat shared
	kill -9 "$monitor"
	# For a moment more.
	sleep 0.2
	exec 8>&-
	wait $sharer
	vmmd_until 10 run_is_empty
}

atf_init_test_cases()
{
	for c in $cases death__leaves_a_child death__of_a_daemon death__sweeps_no_others; do
		atf_add_test_case $c
	done
}
