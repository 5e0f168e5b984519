# SPDX-License-Identifier: ISC
#
# The Debian package: built from a clean export of the tree, judged by
# lintian, installed into a root of its own, run there through its init
# script with the test guest, purged.

guest=$VMMD_BUILDDIR/tests/guest/guest.elf

need()
{
	for tool; do
		command -v "$tool" >/dev/null ||
		    atf_skip "$tool is missing (./bootstrap check installs it)"
	done
}

# What git knows, or what a release has; never what was built.
export_tree()
{
	mkdir -p build/src
	if [ -e "$VMMD_SRCDIR/.git" ]; then
		GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory \
		    GIT_CONFIG_VALUE_0='*' git -C "$VMMD_SRCDIR" ls-files -z |
		    tar -C "$VMMD_SRCDIR" -c --null --ignore-failed-read -T - |
		    tar -C build/src -x
	else
		tar -C "$VMMD_SRCDIR" -c --exclude='./_*' --exclude=./build . |
		    tar -C build/src -x
		chmod -R u+w build/src
	fi
}

build_package()
{
	export_tree
	(
		cd build/src &&
		# Not what this build was configured with.
		unset CFLAGS CPPFLAGS LDFLAGS ASAN_OPTIONS UBSAN_OPTIONS &&
		DEB_BUILD_OPTIONS="nocheck parallel=2 noautodbgsym" \
		    dpkg-buildpackage -us -uc -b
	) >log 2>&1 || {
		tail -40 log
		atf_fail "dpkg-buildpackage failed"
	}
}

lint_package()
{
	lintian --fail-on error --allow-root build/*.changes ||
	    atf_fail "lintian found errors"
	dpkg-deb -c build/*.deb >list
	for file in ./etc/init.d/vmmd ./etc/vmmd/ ./usr/sbin/vmmd \
	    ./usr/sbin/blkd ./usr/sbin/vmmctl \
	    ./lib/systemd/system/vmmd@.service \
	    ./usr/lib/sysusers.d/vmmd.conf ./usr/lib/tmpfiles.d/vmmd.conf \
	    ./usr/share/man/man8/vmmd.8.gz; do
		atf_check -o ignore grep " $file\$" list
	done
}

install_package()
{
	status=0
	unshare -mpf --kill-child --propagation private \
	    sh "$VMMD_SRCDIR/tests/package/inside" "$PWD/build"/*.deb \
	    "$guest" "$VMMD_BUILDDIR/tests/package/confine" >inside.log 2>&1 || status=$?
	cat inside.log
	test $status -ne 77 || atf_skip "$(tail -n 1 inside.log)"
	test $status -eq 0 || atf_fail "$(tail -n 1 inside.log)"
}

atf_test_case debian__builds_installs_runs_purges
debian__builds_installs_runs_purges_head()
{
	atf_set require.user root
}
debian__builds_installs_runs_purges_body()
{
	test -w /dev/kvm || atf_skip "/dev/kvm is missing or refused"
	need adduser dpkg-buildpackage dh lintian perl pgrep \
	    systemd-analyze unshare
	build_package
	lint_package
	install_package
}

# The units, as systemd itself judges them: the contract is 2.0 at the most.
atf_test_case unit__exposure
unit__exposure_body()
{
	need systemd-analyze
	for unit in vmmd blkd; do
		sed -e 's,@sbindir@,/usr/sbin,g' -e 's,@sysconfdir@,/etc,g' \
		    -e 's,@runstatedir@,/run,g' -e 's,@localstatedir@,/var,g' \
		    "$VMMD_SRCDIR/etc/systemd/$unit@.service.in" \
		    >$unit@x.service
		atf_check -o save:exposure -e ignore systemd-analyze security \
		    --offline=true --threshold=20 --no-pager \
		    "$PWD/$unit@x.service"
		tail -n 1 exposure
	done
}

atf_init_test_cases()
{
	atf_add_test_case debian__builds_installs_runs_purges
	atf_add_test_case unit__exposure
}
