# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# Read by the tests of disks (disks_test, vhost_test): images to start from,
# and what a guest should have left in them.  They work on the images in dir,
# on copies of some in before, and on what the guest said, in console.

# pair: the programs under test, where the scripts look for them.
pair()
{
	_b=$VMMD_BUILDDIR
	export VMMD="$_b/vmmd/vmmd" BLKD="$_b/blkd/blkd"
	export VMMCTL="$_b/vmmd/vmmctl"
	export DEBUGEXIT="$_b/tests/nested/debugexit"
	export TSCKHZ="$_b/tests/nested/tsckhz"
	export LEVEL_CACHE="$_b/tests/nested/level.cache"
	PATH=$PATH:/sbin:/usr/sbin
	set -- /boot/vmlinuz-*-cloud-amd64
	[ -r "$1" ] || atf_skip "no Debian cloud kernel in /boot"
	for _tool in fio fstrim blkdiscard resize2fs mke2fs e2fsck; do
		command -v $_tool >/dev/null || atf_skip "$_tool is missing"
	done
	nested=$VMMD_SRCDIR/tests/nested
}

# tools_image: dir/tools.img: programs in /, their libraries in /lib.
tools_image()
{
	mkdir -p tools/lib
	for _tool in fio fstrim blkdiscard resize2fs; do
		_path=$(command -v $_tool)
		cp -L "$_path" tools/
		ldd "$_path" | grep -o '/[^ ]*' | while read -r _lib; do
			cp -L "$_lib" tools/lib/
		done
	done
	mv tools/lib/ld-linux-x86-64.so.2 tools/ld.so
	truncate -s $(($(du -sm tools | cut -f1) + 16))M dir/tools.img
	atf_check mke2fs -q -F -t ext4 -b 4096 -m 0 -O ^has_journal -d tools \
	    dir/tools.img
	tools=$(sha256sum <dir/tools.img)
}

# random_image NAME MIB: every block of it is there, none is zero.
random_image()
{
	dd if=/dev/urandom of="dir/$1" bs=1M count="$2" status=none
}

ext4_image()
{
	random_image "$1" "$2"
	atf_check mke2fs -q -F -t ext4 -E nodiscard "dir/$1"
}

# passed NAME ...: these checks were made, and were all.
passed()
{
	printf 'guest: ok %s\n' "$@" | sort >want
	grep '^guest: ok ' console | sort >is
	diff -u want is || atf_fail "other checks than expected"
}

# part IMAGE MIB COUNT: so much of an image.
part()
{
	dd if="$1" bs=1M skip="$2" count="$3" status=none
}

# same IMAGE MIB COUNT: as before the guest.
same()
{
	part "before/$1" "$2" "$3" >a
	part "dir/$1" "$2" "$3" >b
	cmp a b || atf_fail "$1: $3 MiB at $2 MiB changed"
}

# zero IMAGE MIB COUNT: nothing but zeroes.
zero()
{
	part "dir/$1" "$2" "$3" | tr -d '\0' >b
	[ ! -s b ] || atf_fail "$1: $3 MiB at $2 MiB: not zero"
}

# freed IMAGE MIB: the image occupied at least so much more before.
freed()
{
	_before=$(sed -n "s,^\\./$1 ,,p" dir/blocks.before)
	_after=$(sed -n "s,^\\./$1 ,,p" dir/blocks.after)
	echo "$1: $_before blocks before, $_after after"
	[ $((_after + $2 * 2048)) -le "$_before" ] ||
	    atf_fail "$1: $_before blocks before, $_after after"
}

read_only_image_unchanged()
{
	[ "$(sha256sum <dir/tools.img)" = "$tools" ] ||
	    atf_fail "tools.img: changed, though read-only"
}
