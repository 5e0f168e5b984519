# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# Debian's kernel under the real pair, on this host or inside QEMU: the demo,
# and how a job's status gets out.

# pair: the programs under test, where the scripts look for them.
pair()
{
	_b=$VMMD_BUILDDIR
	export VMMD="$_b/vmmd/vmmd" BLKD="$_b/blkd/blkd"
	export DEBUGEXIT="$_b/tests/nested/debugexit"
	export TSCKHZ="$_b/tests/nested/tsckhz"
	export LEVEL_CACHE="$_b/tests/nested/level.cache"
	if [ ! -x "$VMMD" ] || [ ! -x "$BLKD" ]; then
		atf_skip "vmmd, blkd: not built"
	fi
	set -- /boot/vmlinuz-*-cloud-amd64
	[ -r "$1" ] || atf_skip "no Debian cloud kernel in /boot"
	nested=$VMMD_SRCDIR/tests/nested
}

atf_test_case demo__passes
demo__passes_head()
{
	atf_set timeout 900
}
demo__passes_body()
{
	pair
	atf_check -o save:out "$VMMD_SRCDIR/tests/demo"
	cat out
	atf_check_equal "demo: passed" "$(tail -n 1 out)"
}

atf_test_case guest__status_of_the_job
guest__status_of_the_job_head()
{
	atf_set timeout 700
}
guest__status_of_the_job_body()
{
	pair
	mkdir dir
	echo 'exit 42' >job
	atf_check "$nested/mkinitramfs" -f "$DEBUGEXIT:/sbin/debugexit" \
	    -j job -o dir/initrd
	cat >script <<-'END'
	cat >conf <<-CONF
	vm {
		name = "status"
		memory = "256M"
		kernel = "$KERNEL"
		initrd = "$DIR/initrd"
		cmdline = "console=ttyS0 tsc=reliable quiet panic=-1"
		serial = "stdio"
	}
	CONF
	exec "$VMMD" -d -f conf -b "$BLKD"
	END
	atf_check -s exit:42 -o match:'job ended with status 42' -e ignore \
	    "$nested/run" -t 600 -d dir script
}

atf_init_test_cases()
{
	atf_add_test_case demo__passes
	atf_add_test_case guest__status_of_the_job
}
