# SPDX-License-Identifier: ISC
#
# Each layer of the sandbox made to fail in turn, for blkd and for the vm
# process, of a real vmmd with the test guest: with strict the start ends
# with one clear message and its exit code; with best-effort the machine runs
# and the layer is missing in the log, in READY and in the status command,
# for that process alone; the filter, no_new_privs and the capabilities are
# never optional.  As root, as an ordinary user, and as an ordinary user whom
# namespaces are refused.

optional="namespaces root ids nodump landlock rlimits"
never="caps nnp seccomp"

# What status and log call it.
name_of()
{
	case $1 in
	namespaces)	echo "mount, pid, net, ipc, uts namespaces" ;;
	root)		echo "empty root (pivot_root)" ;;
	ids)		echo "own uid and gid" ;;
	caps)		echo "capabilities" ;;
	nnp)		echo "no_new_privs" ;;
	nodump)		echo "not dumpable" ;;
	landlock)	echo "Landlock" ;;
	rlimits)	echo "resource limits" ;;
	mdwe)		echo "memory-deny-write-execute" ;;
	seccomp)	echo "seccomp" ;;
	esac
}

user=65534

# set_up MODE [nothing|USER]
set_up()
{
	test -r /dev/kvm && test -w /dev/kvm ||
	    atf_skip "/dev/kvm is missing or refused"
	mkdir blk vm run
	cp "$VMMD_BUILDDIR/blkd/blkd" blk/real
	cp "$VMMD_BUILDDIR/vmmd/vmmd" vm/real
	truncate -s 1M disk.img
	cat >vm.conf <<-END
	vm {
		name = layers
		memory = 32M
		kernel = "$VMMD_BUILDDIR/tests/guest/guest.elf"
		cmdline = "test=idle"
		mmio-cmdline = yes
		serial = none
		control = "$PWD/run/ctl"
		sandbox = $1
	}
	disk vda {
		path = "$PWD/disk.img"
	}
	END
	prefix=
	[ -z "${2-}" ] || {
		setpriv --reuid=$user test -x "$VMMD_BUILDDIR/." -a -x . ||
		    atf_skip "an ordinary user cannot reach the build tree"
		chown $user disk.img run
		prefix="setpriv --reuid=$user --regid=$user
		    --groups=$(stat -c %g /dev/kvm) --inh-caps=-all"
	}
}

# start PROCESS LAYER: vmmd, one of whose processes lacks it.
start()
{
	case ${SANITIZERS:-no}:$2 in
	no:*)	;;
	*:rlimits | *:caps | *:nnp)
		atf_skip "a sanitizer's run-time makes the refused call itself"
		;;
	esac
	cp "$VMMD_BUILDDIR/tests/sandbox/lack" "$1/lack.$2"
	case $1 in
	blk)
		$prefix "$VMMD_BUILDDIR/vmmd/vmmd" -d -f vm.conf \
		    -b "$PWD/blk/lack.$2" >out 2>log </dev/null &
		;;
	vm)
		# The monitor executes what lies where it does itself: that
		# is another program once this one runs.
		cp vm/real vm/monitor.lack.$2
		# shellcheck disable=SC2086 # words
		unshare -m sh -c 'exec 9<"$1"; mount --bind "$2" "$1" &&
		    shift 2 && exec "$@"' sh "$PWD/vm/monitor.lack.$2" \
		    "$PWD/vm/lack.$2" $prefix /proc/self/fd/9 -d -f vm.conf \
		    -b "$PWD/blk/real" >out 2>log </dev/null &
		;;
	all)
		# shellcheck disable=SC2086 # words
		$prefix "$VMMD_BUILDDIR/tests/sandbox/lack" "$2" \
		    "$VMMD_BUILDDIR/vmmd/vmmd" -d -f vm.conf \
		    -b "$VMMD_BUILDDIR/blkd/blkd" >out 2>log </dev/null &
		;;
	esac
	pid=$!
	echo $pid >pid
}

await_end()
{
	status=0
	wait $pid || status=$?
	cat log
	test $status -eq "$1" || atf_fail "exit code $status, expected $1"
}

await_run()
{
	until grep -q "^vmmd: vm: 1 vcpus, sandbox: " log; do
		kill -0 $pid 2>/dev/null || {
			cat log
			atf_fail "vmmd ended"
		}
		sleep 0.02
	done
}

# Refused: exit code 77, an error that names the process and the layer, and
# nobody is left.
refused()
{
	start "$1" "$2"
	await_end 77
	who="disk vda\|blkd vda"
	[ "$1" = blk ] || who=vm
	grep "^vmmd: error: \($who\)" log >errors || atf_fail "no error of it"
	grep -qF "$(name_of "$2" | sed 's/ (.*//')" errors ||
	    atf_fail "the layer is not named"
	[ ! -S run/ctl ] || atf_fail "the socket is left"
}

# section PROCESS: its part of the status
section()
{
	"$VMMD_BUILDDIR/vmmd/vmmctl" -s run/ctl status >status || {
		cat log
		atf_fail "no status"
	}
	case $1 in
	vm)	sed -n '/^machine/,/^disk/p' status ;;
	blk)	sed -n '/^disk/,$p' status ;;
	esac
}

other()
{
	case $1 in
	vm)	echo blk ;;
	blk)	echo vm ;;
	esac
}

# Runs, and the layer is said to be missing, of that process alone.
runs_without()
{
	start "$1" "$2"
	await_run
	name=$(name_of "$2")
	section "$1" >of
	cat log status
	sed -n '/MISSING/,$p' of | grep -qF "$name" ||
	    atf_fail "not in the status"
	! section "$(other "$1")" | grep MISSING ||
	    atf_fail "the other process lacks something"
	case $1 in
	vm)	grep "^vmmd: vm: 1 vcpus, sandbox: " log ;;
	blk)	grep "^vmmd: disk vda: attached, engine [a-z]*, sandbox: " log ;;
	esac >line
	sed 's/.*; missing: //' line | grep -qF "$name" ||
	    atf_fail "not in the log"
	# Why, in the words of the process itself.
	grep -q "\(vm\|blkd vda\): the sandbox is not whole: " log ||
	    atf_fail "no reason in the log"
	kill $pid
	await_end 84
}

# A container: namespaces are refused to all; what remains holds.
in_container()
{
	start all namespaces
	await_run
	for process in vm blk; do
		section $process >of
		cat of
		for name in "no capabilities" no_new_privs "not dumpable" \
		    Landlock "resource limits" "system call filter"; do
			sed '/MISSING/,$d' of | grep -q "$name" ||
			    atf_fail "$process: not $name"
		done
		sed -n '/MISSING/,$p' of | grep -q namespaces ||
		    atf_fail "$process: namespaces?"
	done
	kill $pid
	await_end 84
}

forget()
{
	! [ -s pid ] || kill -KILL "$(cat pid)" 2>/dev/null || true
}

# add NAME BODY: as root, with a cleanup
add()
{
	eval "
	atf_test_case $1 cleanup
	$1_head() { atf_set require.user root; }
	$1_body() { $2; }
	$1_cleanup() { forget; }
	"
	cases="$cases $1"
}

cases=
for process in blk vm; do
	for layer in $optional $never; do
		add "strict__${process}_without_$layer" \
		    "set_up strict; refused $process $layer"
	done
	for layer in $never; do
		add "best_effort__${process}_without_$layer" \
		    "set_up best-effort; refused $process $layer"
	done
	for layer in $optional; do
		add "best_effort__${process}_without_$layer" \
		    "set_up best-effort; runs_without $process $layer"
	done
	for layer in namespaces root caps nnp nodump landlock rlimits \
	    seccomp; do
		add "user_strict__${process}_without_$layer" \
		    "set_up strict user; refused $process $layer"
	done
	for layer in root nodump landlock rlimits; do
		add "user__${process}_without_$layer" \
		    "set_up best-effort user; runs_without $process $layer"
	done
done

add user__in_container "set_up best-effort user; in_container"
add root__in_container "set_up best-effort; in_container"

atf_init_test_cases()
{
	for c in $cases; do
		atf_add_test_case "$c"
	done
}
