# SPDX-License-Identifier: ISC
#
# A real vmmd with a blkd that was taken over (evil.c).  Whatever that does on
# its channel, vmmd does not crash, grow, hang or lose a child: it goes on, or
# ends with an exit code that its manual lists.

WAYS="early_ready garbage empty short_header oversized huge wrong_length
wrong_version wrong_magic wrong_sequence unknown_type monitors_type
machines_type descriptors many_descriptors impossible_layers no_layers
impossible_capacity endless_text escape_text no_errno silence deaf ready_twice
unasked_answers flood replace_loop log_flood crash leave hang_up stop
ignore_everything"

# On the MMIO channel: the vm process notices, and the monitor replaces it.
MMIO_WAYS="mmio_garbage mmio_huge mmio_descriptors mmio_many_descriptors
mmio_wrong_sequence mmio_wrong_type mmio_flood"
# What nobody but the guest can tell, which then ends with a status (1).
MMIO_LIES="mmio_hang_up mmio_lies mmio_unasked"

SECONDS_LIVE=1		# with the evil one
SECONDS_END=12		# after SIGTERM
RSS_MAX=65536		# KiB
FDS_MAX=96

alive()
{
	[ -d "/proc/$1" ] && ! grep -q '^State:.*Z' "/proc/$1/status"
}

# try WAY: the case's body
try()
{
	cp "$VMMD_BUILDDIR/tests/redteam/evil" "evil.$1"
	truncate -s 1M disk.img
	cat >vm.conf <<-END
	vm {
		memory = 64M
		kernel = "$VMMD_BUILDDIR/tests/guest/guest.elf"
		cmdline = "test=rw"
		mmio-cmdline = yes
		serial = none
	}
	disk a {
		path = "$PWD/disk.img"
	}
	END
	[ -w /dev/kvm ] || atf_skip "no /dev/kvm"
	"$VMMD_BUILDDIR/vmmd/vmmd" -d -b "$PWD/evil.$1" -f vm.conf \
	    >out 2>log </dev/null &
	pid=$!
	echo $pid >pid
	sleep $SECONDS_LIVE
	if alive $pid; then
		rss=$(awk '$1 == "VmRSS:" { print $2 }' /proc/$pid/status)
		fds=$(ls /proc/$pid/fd | wc -l)
		[ "${rss:-0}" -lt $RSS_MAX ] || atf_fail "vmmd has $rss KiB"
		[ "$fds" -lt $FDS_MAX ] || atf_fail "vmmd has $fds descriptors"
		kill -TERM $pid
	fi
	n=0
	while alive $pid; do
		[ $n -lt $((SECONDS_END * 10)) ] || atf_fail "vmmd hangs"
		n=$((n + 1))
		sleep 0.1
	done
	wait $pid
	code=$?
	head -c 4000 log
	echo "exit code $code"
	[ $code -lt 126 ] || atf_fail "vmmd ended by signal $((code - 128))"
	case $code in
	70|71|77|8[0-5]|2) ;;
	1)	case $MMIO_LIES in
		*"$1"*)	;;
		*)	atf_fail "exit code 1" ;;
		esac ;;
	*)	atf_fail "exit code $code" ;;
	esac
	# Nothing raw from the other side reaches the log.
	if LC_ALL=C grep -q '[[:cntrl:]]' log; then
		atf_fail "control characters in the log"
	fi
	if grep -q '^vmmd: error: forged' log; then
		atf_fail "a forged line in the log"
	fi
	[ "$(wc -c <log)" -lt 1048576 ] || atf_fail "the log has no bound"
	! grep "vm: the process ended" log || atf_fail "the vm process died"
	for p in /proc/[0-9]*; do
		[ "$(readlink "$p/exe" 2>/dev/null)" != "$PWD/evil.$1" ] ||
		    atf_fail "${p#/proc/} was left"
	done
}

# caught WAY: the same, and the liar is replaced, more than once, and counted.
caught()
{
	try "$1"
	grep -q "disk a: blkd is replaced: a register access" log ||
	    atf_fail "it was not replaced"
	grep -q "blkd ended: signal 9" log || grep -q "attached again" log ||
	    atf_fail "it was not killed"
	grep -q "attached again after death [0-9]" log ||
	    atf_fail "it was not counted"
}

forget()
{
	if [ -s pid ]; then
		kill -KILL "$(cat pid)" 2>/dev/null
	fi
	return 0
}

for way in $WAYS $MMIO_LIES; do
	eval "
	atf_test_case ${way}__vmmd_survives cleanup
	${way}__vmmd_survives_head() { atf_set timeout 40; }
	${way}__vmmd_survives_body() { try $way; }
	${way}__vmmd_survives_cleanup() { forget; }
	"
done

for way in $MMIO_WAYS; do
	eval "
	atf_test_case ${way}__liar_is_replaced cleanup
	${way}__liar_is_replaced_head() { atf_set timeout 40; }
	${way}__liar_is_replaced_body() { caught $way; }
	${way}__liar_is_replaced_cleanup() { forget; }
	"
done

atf_init_test_cases()
{
	for way in $WAYS $MMIO_LIES; do
		atf_add_test_case ${way}__vmmd_survives
	done
	for way in $MMIO_WAYS; do
		atf_add_test_case ${way}__liar_is_replaced
	done
}
