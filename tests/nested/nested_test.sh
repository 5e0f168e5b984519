# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# The tools of this directory, without vmmd: what they pack, what they answer
# where vmmd does not run Linux, and that the outer guest gives back files and
# status.

tool()
{
	echo "$VMMD_SRCDIR/tests/nested/$1"
}

need()
{
	for _file; do
		[ -e "$_file" ] || atf_skip "$_file: not on this machine"
	done
	set -- /boot/vmlinuz-*-cloud-amd64
	[ -r "$1" ] || atf_skip "no Debian cloud kernel in /boot"
}

# stand_in LINE...: a script in the place of vmmd.
stand_in()
{
	{ echo '#!/bin/sh'; printf '%s\n' "$@"; } >vmmd
	chmod +x vmmd
	export VMMD="$PWD/vmmd" BLKD=/bin/true
}

atf_test_case mkinitramfs__modules_after_what_they_need
mkinitramfs__modules_after_what_they_need_head()
{
	atf_set timeout 30
}
mkinitramfs__modules_after_what_they_need_body()
{
	need /bin/busybox
	: >job
	atf_check "$(tool mkinitramfs)" -m virtio_blk -m kvm-amd -m virtio_blk \
	    -j job -o initrd
	atf_check -e ignore cpio -id etc/modules.load <initrd
	printf '%s\n' virtio_ring virtio virtio_blk irqbypass kvm kvm-amd |
	    sort >want
	atf_check -o file:want sh -c "sed 's/\\.ko//' etc/modules.load | sort"
	grep -n . etc/modules.load >lines
	for pair in virtio_ring:virtio_blk virtio:virtio_blk irqbypass:kvm \
	    kvm:kvm-amd; do
		a=$(sed -n "s/:${pair%:*}\\.ko//p" lines)
		b=$(sed -n "s/:${pair#*:}\\.ko//p" lines)
		[ "$a" -lt "$b" ] || atf_fail "$pair: loaded in that order"
	done
}

atf_test_case mkinitramfs__unknown_module
mkinitramfs__unknown_module_head()
{
	atf_set timeout 30
}
mkinitramfs__unknown_module_body()
{
	need /bin/busybox
	: >job
	atf_check -s exit:1 -e match:'nonesuch: no such module' \
	    "$(tool mkinitramfs)" -m nonesuch -j job -o initrd
	[ ! -e initrd ] || atf_fail "an initramfs was made all the same"
}

atf_test_case mkinitramfs__program_comes_with_its_libraries
mkinitramfs__program_comes_with_its_libraries_head()
{
	atf_set timeout 30
}
mkinitramfs__program_comes_with_its_libraries_body()
{
	need /bin/busybox /sbin/e2fsck
	: >job
	atf_check "$(tool mkinitramfs)" -p /sbin/e2fsck -j job -o initrd
	mkdir root
	atf_check sh -c 'cd root && cpio -id --quiet <../initrd'
	ldd /sbin/e2fsck | grep -o '/[^ ]*' >libs
	while read -r lib; do
		cmp "$lib" "root$lib" || atf_fail "$lib: not packed"
	done <libs
	cmp /sbin/e2fsck root/sbin/e2fsck || atf_fail "e2fsck: not packed"
	cmp /bin/busybox root/bin/busybox || atf_fail "busybox: damaged"
}

atf_test_case level__vmmd_fails
level__vmmd_fails_head()
{
	atf_set timeout 30
}
level__vmmd_fails_body()
{
	need /bin/busybox /dev/kvm
	stand_in 'echo "vmmd: no such luck" >&2' 'exit 70'
	atf_check -o inline:'nested (vmmd ended: vmmd: no such luck)\n' \
	    "$(tool level)" cache
	stand_in 'echo "Linux version"; echo "level: user space"'
	touch -d '1 minute' vmmd
	atf_check -o inline:'direct\n' "$(tool level)" cache
}

atf_test_case level__no_line_in_time
level__no_line_in_time_head()
{
	atf_set timeout 30
}
level__no_line_in_time_body()
{
	need /bin/busybox /dev/kvm
	# shellcheck disable=SC2016 # for the stand-in
	stand_in 'echo $$ >>pids' 'exec sleep 100'
	mkdir tmp
	export TMPDIR="$PWD/tmp"
	atf_check -o match:'^nested .no line from a kernel' "$(tool level)"
	if kill -0 "$(cat pids)" 2>/dev/null; then
		atf_fail "the vmmd that was tried is left behind"
	fi
	rmdir tmp || atf_fail "temporary files are left behind"
}

atf_test_case run__files_and_status_come_back
run__files_and_status_come_back_head()
{
	atf_set timeout 120
}
run__files_and_status_come_back_body()
{
	need /bin/busybox /usr/bin/qemu-system-x86_64
	stand_in 'exit 0'
	mkdir dir
	echo in >dir/in
	cat >script <<-'END'
	[ -c /dev/kvm ] && [ "$(pwd)" = "$DIR" ] && [ -x "$VMMD" ] || exit 1
	[ -r "$KERNEL" ] && [ "$(cat in)" = in ] || exit 2
	printf '%s\n' "$@" >out
	exit 7
	END
	printf '%s\n' "two  words" "it's" '*' >want
	atf_check -s exit:7 -o match:'^run: nested' "$(tool run)" -l nested \
	    -t 100 -d dir script "two  words" "it's" '*'
	atf_check -o file:want cat dir/out
}

atf_test_case run__time_is_over
run__time_is_over_head()
{
	atf_set timeout 120
}
run__time_is_over_body()
{
	need /bin/busybox /usr/bin/qemu-system-x86_64
	stand_in 'exit 0'
	mkdir dir
	echo 'while :; do :; done' >script
	atf_check -s exit:124 -o ignore -e match:'not done after 6 s' \
	    "$(tool run)" -l nested -t 6 -d dir script
}

atf_init_test_cases()
{
	atf_add_test_case mkinitramfs__modules_after_what_they_need
	atf_add_test_case mkinitramfs__unknown_module
	atf_add_test_case mkinitramfs__program_comes_with_its_libraries
	atf_add_test_case level__vmmd_fails
	atf_add_test_case level__no_line_in_time
	atf_add_test_case run__files_and_status_come_back
	atf_add_test_case run__time_is_over
}
