# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# Disks of each kind under Debian's kernel, with fio and the tools of
# util-linux and e2fsprogs: one guest a case, as starting one is what costs.
# The guest checks from inside, then the host checks the images.

initrd()
{
	atf_check "$nested/mkinitramfs" -m virtio_ring -m virtio \
	    -m virtio_mmio -m virtio_blk -m ext4 -m crc32c_generic \
	    -f "$nested/guest.sh:/etc/guest.sh" \
	    -f "$nested/disks.fio:/etc/disks.fio" \
	    -f "$DEBUGEXIT:/sbin/debugexit" -j "$nested/$1" -o dir/initrd
}

# machine MIDDLE ARGUMENT...: every check that its guest makes passed.
machine()
{
	_middle=$1
	shift
	atf_check -o save:out -e save:err -s ignore "$nested/run" -t 800 \
	    -d dir -f "$nested/machine.sh" "$nested/$_middle" "$nested" "$@"
	cat out err
	tr -d '\r' <dir/console >console
	[ -s console ] || atf_fail "there is no console"
	if grep 'guest: not ok' console >failed; then
		atf_fail "$(tr '\n' ';' <failed)"
	fi
	if grep -E 'runtime error|Sanitizer' dir/log >failed; then
		atf_fail "$(head -n 1 failed)"
	fi
}

# guest MIDDLE ARGUMENT...: to its end, too.
guest()
{
	machine "$@"
	grep -q 'init: job ended with status 0' console ||
	    atf_fail "the guest did not get to its end"
	grep -q 'ended: power-off, exit code 0' dir/log ||
	    atf_fail "vmmd did not end with the guest"
}

atf_test_case disks__of_every_kind
disks__of_every_kind_head()
{
	atf_set timeout 900
}
disks__of_every_kind_body()
{
	# shellcheck source=tests/nested/images.sh
	. "$VMMD_SRCDIR/tests/nested/images.sh"
	pair
	mkdir dir before
	tools_image
	ext4_image vda.img 8
	random_image vdb.img 12
	random_image vdc.img 8
	cp dir/vdb.img dir/vdc.img before
	initrd disks-guest
	guest disks-vmm
	passed clock geometry queues mount_read_only mount read_only \
	    resize fio_ends fio_ext4 fio_raw_4096_queue0 fio_raw_4096_queue1 \
	    fio_raw_message fstrim discard discard_part write_zeroes umount \
	    kernel

	read_only_image_unchanged
	atf_check_equal $((16 << 20)) "$(stat -c %s dir/vda.img)"
	atf_check -o ignore -e ignore e2fsck -fn dir/vda.img
	freed vda.img 4
	freed vdb.img 4
	zero vdb.img 8 4
	same vdb.img 2 2
	freed vdc.img 1
	same vdc.img 0 1
	zero vdc.img 1 1
	same vdc.img 2 1
	zero vdc.img 3 1
	same vdc.img 6 2
	# What fio wrote is in the files, as seen without the guest.
	export FIO_EXT4=none FIO_VDB=dir/vdb.img FIO_VDC=dir/vdc.img
	export FIO_DIRECT=0
	atf_check -o ignore fio --verify_only --eta=never \
	    --section=raw_4096_queue0 --section=raw_4096_queue1 \
	    --section=raw_message "$nested/disks.fio"
}

atf_test_case disks__killed_under_fio
disks__killed_under_fio_head()
{
	atf_set timeout 900
}
disks__killed_under_fio_body()
{
	# shellcheck source=tests/nested/images.sh
	. "$VMMD_SRCDIR/tests/nested/images.sh"
	pair
	mkdir dir
	tools_image
	ext4_image vda.img 16
	random_image vdc.img 1
	initrd kill-guest
	machine kill-vmm 5 8
	[ -s dir/kills ] || atf_fail "the machine did not outlive it"
	passed mount_read_only mount fio remount kernel umount
	read -r kills replayed upgrades loops <dir/kills
	if [ "$kills" -lt 15 ] || [ "$replayed" -lt 2 ] ||
	    [ "$upgrades" -ne 4 ] || [ "$loops" -ne 8 ]; then
		atf_fail "$kills kills, $replayed requests run again," \
		    "$upgrades upgrades, $loops deaths in a loop"
	fi
	grep -q "attached again after death $kills\$" dir/log ||
	    atf_fail "$kills kills, and the log does not say so"
	atf_check_equal 2 "$(grep -c 'does not answer, and has' dir/log)"
	atf_check -o match:'^io_errors  *0' cat dir/stats.end
	read_only_image_unchanged
	was_flushed
}

# What the guest was told of is in the image of a machine that was killed.
was_flushed()
{
	# The journal is played back, and that is all there is to do.
	e2fsck -p dir/vda.img || [ $? -eq 1 ] || atf_fail "e2fsck -p: $?"
	atf_check -o ignore -e ignore e2fsck -fn dir/vda.img
	sed -n 's/^guest: flushed \(f[0-9]* [0-9a-f]\{64\}\)$/\1/p' console |
	    tail -n 40 >flushed
	# The last of eight lines may be cut off.
	[ "$(wc -l <flushed)" -ge 7 ] || atf_fail "$(wc -l <flushed) flushed"
	while read -r name sum; do
		atf_check -e ignore debugfs -R "dump /$name out" dir/vda.img
		is=$(sha256sum <out)
		[ "$sum" = "${is%% *}" ] || atf_fail "$name is not there"
	done <flushed
}

atf_init_test_cases()
{
	atf_add_test_case disks__of_every_kind
	# A minute that finds nothing there: deaths and recovery run under the
	# sanitizers in blkd/kill_test and tests/property.
	[ "${SANITIZERS:-no}" != no ] ||
		atf_add_test_case disks__killed_under_fio
}
