# SPDX-License-Identifier: ISC
#
# vmmd as a whole, where it refuses to start: one sentence on stderr, its
# exit code, nothing left behind.  No case here runs a guest.

vmmd=$VMMD_BUILDDIR/vmmd/vmmd
double=$VMMD_BUILDDIR/vmmd/child_double

# conf [LINE ...]: a configuration whose disk has these lines besides.
conf()
{
	test -e kernel || ln -s "$VMMD_BUILDDIR/tests/guest/guest.elf" kernel
	test -f disk.img || truncate -s 1M disk.img
	# Of this test alone: what is left of it can be told.
	test -x blkd-$$ || cp "$double" blkd-$$
	{
		echo "vm {"
		echo "memory = ${memory:-16M}"
		echo "kernel = ${kernel:-kernel}"
		echo "serial = ${serial:-none}"
		echo "sandbox = best-effort"
		echo "initrd = ${initrd:-}" | grep -v '= $'
		echo "}"
		echo "disk vda {"
		echo "path = ${path:-disk.img}"
		for line; do
			echo "$line"
		done
		echo "}"
	} >vmmd.conf
}

# refuses CODE REGEX: exactly one line, and nothing left.
refuses()
{
	$prefix "$vmmd" -d -f vmmd.conf -b ./blkd-$$ >out 2>err
	status=$?
	cat out err
	test "$status" -eq "$1" || atf_fail "exit code $status, expected $1"
	atf_check -o ignore grep -E "^vmmd: error: $2\$" err
	test "$(wc -l <err)" -eq "${lines:-1}" || atf_fail "not one sentence"
	nothing_is_left
}

nothing_is_left()
{
	! pgrep -f "blkd-$$" >left ||
	    atf_fail "left behind: $(cat left)"
	test ! -s disk.img || "$double" lock disk.img </dev/null ||
	    atf_fail "the image is still locked"
}

atf_test_case image__missing
image__missing_body()
{
	path=nowhere.img conf
	refuses 66 "disk vda: cannot open the image nowhere.img: No such .*"
}

atf_test_case image__unreadable
image__unreadable_body()
{
	prefix=$(without_capabilities) || atf_skip "$prefix"
	conf
	chmod 0 disk.img
	refuses 66 "disk vda: cannot open the image disk.img: Permission .*"
}

# What root may open is decided by capabilities.
without_capabilities()
{
	test "$(id -u)" -eq 0 || return 0
	prefix="setpriv --bounding-set=-all --inh-caps=-all"
	$prefix true 2>/dev/null || {
		echo "setpriv cannot drop capabilities here"
		return 1
	}
	echo "$prefix"
}

atf_test_case image__readonly_file
image__readonly_file_body()
{
	prefix=$(without_capabilities) || atf_skip "$prefix"
	conf
	chmod 0400 disk.img
	refuses 66 ".*Permission denied: .* or set readonly = yes"
}

atf_test_case image__empty
image__empty_body()
{
	: >disk.img
	conf
	refuses 65 "disk vda: the image disk.img is empty: .*"
}

atf_test_case image__odd_size
image__odd_size_body()
{
	truncate -s 1000 disk.img
	conf
	refuses 65 "disk vda: the image disk.img has 1000 bytes, no multiple of\
 the block size 512: .*"
}

atf_test_case image__odd_size_4096
image__odd_size_4096_body()
{
	truncate -s 512 disk.img
	conf "block-size = 4096"
	refuses 65 ".*no multiple of the block size 4096: .*"
}

atf_test_case image__directory
image__directory_body()
{
	path=. conf
	refuses 65 "disk vda: the image \. is a directory: .*"
}

atf_test_case image__locked
image__locked_body()
{
	conf
	mkfifo hold
	"$double" lock disk.img <hold >locked &
	pid=$!
	exec 9>hold
	while ! test -s locked; do
		kill -0 $pid || atf_fail "the lock was not taken"
	done
	lines=1
	"$vmmd" -d -f vmmd.conf -b ./blkd-$$ 2>err
	status=$?
	exec 9>&-
	wait $pid
	cat err
	test $status -eq 75 || atf_fail "exit code $status, expected 75"
	atf_check -o ignore grep -x "vmmd: error: disk vda: the image disk.img\
 is in use by process $pid (child_double): stop that first" err
}

atf_test_case kernel__missing
kernel__missing_body()
{
	kernel=nowhere conf
	refuses 66 "vm: cannot open the kernel nowhere: No such file.*"
}

atf_test_case kernel__directory
kernel__directory_body()
{
	kernel=/ conf
	refuses 65 "vm: the kernel / is a directory: .*"
}

atf_test_case kernel__empty
kernel__empty_body()
{
	: >empty
	kernel=empty conf
	refuses 65 "vm: the kernel empty is empty: .*"
}

atf_test_case initrd__missing
initrd__missing_body()
{
	initrd=nowhere conf
	refuses 66 "vm: cannot open the initrd nowhere: No such file.*"
}

atf_test_case memory__more_than_there_is
memory__more_than_there_is_body()
{
	memory=1T conf
	refuses 71 "vm: memory = 1048576M is more than this host can give,\
 [0-9]+M: lower it"
}

atf_test_case serial__cannot_create
serial__cannot_create_body()
{
	serial=file:/nonexistent/console conf
	refuses 73 "vm: cannot open /nonexistent/console for the serial line:.*"
}

atf_test_case serial__stdio_in_background
serial__stdio_in_background_body()
{
	serial=stdio conf
	atf_check -s exit:78 -e match:'serial = stdio needs .* -d' \
	    "$vmmd" -f vmmd.conf
}

atf_test_case user__unknown
user__unknown_body()
{
	conf
	sed -i 's/^sandbox.*/&\nuser = nosuchuser/' vmmd.conf
	refuses 78 "vm: user = nosuchuser: .*"
}

atf_test_case blkd__missing
blkd__missing_body()
{
	conf
	atf_check -s exit:70 -e match:'cannot execute /nowhere/blkd: No such' \
	    "$vmmd" -d -f vmmd.conf -b /nowhere/blkd
}

# in_own_mounts SCRIPT: vmmd with another /dev/kvm.
in_own_mounts()
{
	unshare -m true 2>/dev/null && set -- "$1" -m || set -- "$1" -rm
	unshare "$2" true || atf_skip "no mount namespaces here"
	cat >mounts <<-END
	#! /bin/sh
	$1
	exec "\$@"
	END
	chmod +x mounts
	prefix="unshare $2 ./mounts"
}

atf_test_case kvm__missing
kvm__missing_body()
{
	test -e /dev/kvm || prefix=
	test ! -e /dev/kvm || in_own_mounts '
		mkdir dev && mount -t tmpfs dev dev && : >dev/null &&
		mount --bind /dev/null dev/null && mount --bind dev /dev ||
		exit 99'
	conf
	refuses 69 "cannot open /dev/kvm: No such file or directory: load .*"
}

atf_test_case kvm__refused
kvm__refused_body()
{
	test -e /dev/kvm || atf_skip "no /dev/kvm to put another in place of"
	in_own_mounts '
		: >kvm && chmod 0 kvm && mount --bind kvm /dev/kvm || exit 99'
	capless=$(without_capabilities) || atf_skip "$capless"
	prefix="$prefix $capless"
	conf
	refuses 69 "cannot open /dev/kvm: Permission denied: join the group .*"
}

atf_test_case kvm__something_else
kvm__something_else_body()
{
	test -e /dev/kvm || atf_skip "no /dev/kvm to put another in place of"
	in_own_mounts 'mount --bind /dev/null /dev/kvm || exit 99'
	conf
	refuses 69 "/dev/kvm is not the KVM of Linux: .*"
}

require_kvm()
{
	test -r /dev/kvm && test -w /dev/kvm ||
	    atf_skip "/dev/kvm is missing or refused"
}

atf_test_case disk__fails
disk__fails_body()
{
	require_kvm
	conf "serial = fail"
	# The double says on stderr that it was attached.
	lines=2 refuses 83 "disk vda: the double was told to fail"
}

atf_test_case disk__dies
disk__dies_body()
{
	require_kvm
	conf "serial = die"
	"$vmmd" -d -f vmmd.conf -b ./blkd-$$ 2>err
	status=$?
	cat err
	test $status -eq 83 || atf_fail "exit code $status, expected 83"
	atf_check -o ignore grep "disk vda: blkd ended: exit code 9" err
	nothing_is_left
}

atf_test_case disk__no_program
disk__no_program_body()
{
	require_kvm
	conf
	echo '#! /nonexistent' >broken
	chmod +x broken
	"$vmmd" -d -f vmmd.conf -b ./broken 2>err
	status=$?
	cat err
	test $status -eq 83 || atf_fail "exit code $status, expected 83"
	atf_check -o ignore grep "cannot execute" err
}

atf_test_case usage__wrong
usage__wrong_body()
{
	atf_check -s exit:64 -e match:'^usage: vmmd' "$vmmd" -x
	atf_check -s exit:64 -e match:'^usage: vmmd' "$vmmd" argument
	atf_check -s exit:64 -e match:'^usage: vmmd' "$vmmd" -f
}

# In the background a failed start is the caller's, like any other.
atf_test_case background__failure_reaches_the_caller
background__failure_reaches_the_caller_body()
{
	path=nowhere.img conf
	atf_check -s exit:66 -e match:'disk vda: cannot open the image' \
	    "$vmmd" -p vmmd.pid -f vmmd.conf -b ./blkd-$$
	test ! -e vmmd.pid || atf_fail "the pid file is left"
}

atf_test_case pidfile__cannot_create
pidfile__cannot_create_body()
{
	conf
	atf_check -s exit:73 -e match:'cannot make the pid file /nonexistent/' \
	    "$vmmd" -p /nonexistent/pid -f vmmd.conf -b ./blkd-$$
}

atf_init_test_cases()
{
	for c in image__missing image__unreadable image__readonly_file \
	    image__empty image__odd_size image__odd_size_4096 \
	    image__directory image__locked kernel__missing \
	    kernel__directory kernel__empty initrd__missing \
	    memory__more_than_there_is serial__cannot_create \
	    serial__stdio_in_background user__unknown blkd__missing \
	    kvm__missing kvm__refused kvm__something_else disk__fails \
	    disk__dies disk__no_program usage__wrong \
	    background__failure_reaches_the_caller pidfile__cannot_create; do
		atf_add_test_case $c
	done
}
