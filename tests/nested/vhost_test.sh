# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# blkd behind vhost-user, with QEMU for a front-end and Debian's kernel for a
# guest: it verifies what it writes on two queues, also while blkd is killed
# and started again.  QEMU emulates the processor, so any host can run it.

# blkd_start NAME ARGUMENT...: behind dir/NAME.sock; its pid is in NAME.pid.
blkd_start()
{
	_name=$1
	shift
	"$BLKD" -s "dir/$_name.sock" "$@" 2>>"$_name.log" &
	echo $! >"$_name.pid"
	echo $! >>pids
}

# qemu_start: its pid is $qemu.
qemu_start()
{
	_kernel=$(kernel_find)
	qemu-system-x86_64 -M q35 -accel tcg,thread=multi -smp 2 -m 384 \
	    -machine memory-backend=mem -object \
	    memory-backend-memfd,id=mem,size=384M,share=on \
	    -chardev socket,id=vda,path=dir/vda.sock,reconnect=1 \
	    -chardev socket,id=vdb,path=dir/vdb.sock,reconnect=1 \
	    -device vhost-user-blk-pci,chardev=vda,num-queues=2 \
	    -device vhost-user-blk-pci,chardev=vdb,num-queues=1 \
	    -drive file=dir/vdc.img,if=none,id=vdc,format=raw \
	    -device virtio-blk-pci,drive=vdc \
	    -nodefaults -no-reboot -display none -serial file:dir/console \
	    -kernel "$_kernel" -initrd dir/initrd -append \
	    "console=ttyS0 quiet panic=-1 tsc=reliable no_timer_check" \
	    >qemu.log 2>&1 </dev/null &
	qemu=$!
	echo $qemu >>pids
}

said()
{
	grep -q "$1" dir/console
}

# requests: how many vda's blkd has answered; it says so in its log.
requests()
{
	_lines=$(grep -c ' statistics: ' vda.log)
	kill -USR1 "$(cat vda.pid)"
	wait_for 60 $qemu more_lines || return 1
	grep ' statistics: ' vda.log | tail -n 1 |
	    sed 's/.* reads=\([0-9]*\) writes=\([0-9]*\) .*/\1 + \2/'
}

more_lines()
{
	[ "$(grep -c ' statistics: ' vda.log)" -gt "$_lines" ]
}

# connected: as often as a blkd was started.
connected()
{
	[ "$(grep -c 'a front-end has connected' vda.log)" -ge $starts ]
}

# More than can be in flight at a time, so that no request sees three deaths.
worked()
{
	_n=$(requests) && [ $((_n)) -ge 64 ]
}

# again: how many requests were run again.
again()
{
	sed -n 's/.*ring [01]: \([0-9]*\) requests run again/\1/p' vda.log |
	    awk '{ n += $1 } END { print n + 0 }'
}

# kill_often MIN: so often, and on until some had requests in flight.
kill_often()
{
	kills=0
	until [ $kills -ge "$1" ] && [ "$(again)" -ge 2 ]; do
		wait_for 120 $qemu connected ||
		    give_up "QEMU does not connect again"
		wait_for 120 $qemu worked ||
		    give_up "nothing is served after $kills kills"
		kill -9 "$(cat vda.pid)"
		starts=$((starts + 1)) kills=$((kills + 1))
		blkd_start vda -f dir/vda.img -Q 2 -i serial-of-vda
	done
	wait_for 120 $qemu connected || give_up "QEMU does not connect again"
	echo "$kills kills, $(again) requests run again"
}

# give_up SENTENCE: with all that was said.
give_up()
{
	cat dir/console vda.log vdb.log qemu.log
	atf_fail "$1"
}

atf_test_case vhost__stock_guest_and_kills cleanup
vhost__stock_guest_and_kills_head()
{
	atf_set timeout 900
}
vhost__stock_guest_and_kills_body()
{
	[ "${SANITIZERS:-no}" = no ] ||
		atf_skip "under the sanitizers it is blkd/vhost_kill_test"
	# shellcheck source=tests/nested/images.sh
	. "$VMMD_SRCDIR/tests/nested/images.sh"
	pair
	# shellcheck source=tests/nested/common.sh
	. "$nested/common.sh"
	command -v qemu-system-x86_64 >/dev/null ||
	    atf_skip "qemu-system-x86_64 is missing"
	mkdir dir
	tools_image
	random_image vda.img 16
	truncate -s 1M dir/vdc.img
	atf_check "$nested/mkinitramfs" -m virtio_pci -m virtio_blk \
	    -m ext4 -m crc32c_generic -f "$nested/guest.sh:/etc/guest.sh" \
	    -f "$nested/vhost.fio:/etc/vhost.fio" \
	    -j "$nested/vhost-guest" -o dir/initrd
	starts=1
	blkd_start vda -f dir/vda.img -Q 2 -i serial-of-vda
	blkd_start vdb -f dir/tools.img -R
	for _s in vda vdb; do
		wait_for 60 "$(cat $_s.pid)" test -S dir/$_s.sock ||
		    atf_fail "no blkd: $(cat $_s.log)"
	done
	: >dir/console
	qemu_start
	wait_for 400 $qemu said 'guest: wants more' ||
	    give_up "the guest did not get that far"
	truncate -s 20M dir/vda.img
	kill -HUP "$(cat vda.pid)"
	wait_for 400 $qemu said 'guest: begins' ||
	    give_up "the guest did not begin"
	kill_often 4
	printf enough | dd of=dir/vdc.img conv=notrunc status=none
	wait_for 400 $qemu false
	tr -d '\r' <dir/console >console
	cat console vda.log qemu.log
	if grep 'guest: not ok' console >failed; then
		atf_fail "$(tr '\n' ';' <failed)"
	fi
	grep -q 'init: job ended with status 0' console ||
	    atf_fail "the guest did not get to its end"
	passed geometry mount_read_only read_only fio discard cache_mode \
	    resized killed umount kernel
	zero vda.img 12 2
	[ "$(tail -c 512 dir/vda.img | tr -d '\0')" = resized ] ||
		atf_fail "what was written where it grew is not there"
	kill "$(cat vda.pid)" "$(cat vdb.pid)"
	wait "$(cat vda.pid)" || atf_fail "vda's blkd ended with $?"
	wait "$(cat vdb.pid)" || atf_fail "vdb's blkd ended with $?"
	read_only_image_unchanged
	export FIO_VDA=dir/vda.img FIO_DIRECT=0
	atf_check -o ignore fio --verify_only --eta=never "$nested/vhost.fio"
}
vhost__stock_guest_and_kills_cleanup()
{
	[ ! -f pids ] || while read -r _pid; do
		# Only what is still ours.
		case $(tr '\0' ' ' <"/proc/$_pid/cmdline" 2>/dev/null) in
		*blkd*-s*dir/* | *qemu*dir/vda.sock*)	kill -9 "$_pid" ;;
		esac
	done <pids
}

atf_init_test_cases()
{
	atf_add_test_case vhost__stock_guest_and_kills
}
