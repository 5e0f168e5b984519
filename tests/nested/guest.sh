# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# Read by the jobs of guests that check disks.  Each line that the host looks
# for starts with `guest:`; a check is `guest: ok NAME` or
# `guest: not ok NAME`, with what it said before.  The programs come on a
# read-only disk of their own, mounted on /tools.

guest_failed=0

# guest_check NAME COMMAND...
guest_check()
{
	_check=$1
	shift
	if _said=$("$@" 2>&1); then
		echo "guest: ok $_check"
	else
		guest_failed=1
		echo "$_said"
		echo "guest: not ok $_check"
	fi
}

# guest_tool NAME ARGUMENT...: a program of the disk, with its libraries.
guest_tool()
{
	_tool=$1
	shift
	/tools/ld.so --library-path /tools/lib "/tools/$_tool" "$@"
}

# guest_mount DISK DIRECTORY [OPTION...]: ext4.
guest_mount()
{
	_disk=$1 _dir=$2
	shift 2
	mkdir -p "$_dir"
	mount -t ext4 "$@" "/dev/$_disk" "$_dir"
}

# guest_is WANTED COMMAND...: what it prints.
guest_is()
{
	_wanted=$1
	shift
	_is=$("$@")
	[ "$_is" = "$_wanted" ] && return 0
	echo "$*: is $_is, not $_wanted"
	return 1
}

# guest_refused COMMAND...: it must fail.
guest_refused()
{
	if "$@"; then
		echo "$*: was not refused"
		return 1
	fi
	return 0
}

# guest_zero DISK MIB COUNT: whether these MiB read as zeroes.
guest_zero()
{
	guest_is 0 sh -c "dd if=/dev/$1 bs=1M skip=$2 count=$3 iflag=direct \
	    2>/dev/null | tr -d '\\0' | wc -c"
}

# guest_kernel: it must have seen no error.
guest_kernel()
{
	! dmesg | grep -E 'I/O error|EXT4-fs error|Buffer I/O|hung|timeout'
}
