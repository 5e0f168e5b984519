# SPDX-License-Identifier: ISC
#
# The units under the real systemd: see run and check.

atf_test_case units__under_systemd
units__under_systemd_head()
{
	atf_set require.user root
	atf_set timeout 200
}
units__under_systemd_body()
{
	status=0
	
	case ${SANITIZERS:-no} in
	no)	;;
	*)	atf_skip "a sanitizer's programs do not start under the unit's" \
		    "MemoryDenyWriteExecute and its address space" ;;
	esac
	"$VMMD_SRCDIR/tests/systemd/run" 180 >console 2>&1 || status=$?
	cat console
	test $status -ne 77 || atf_skip "$(tail -n 1 console)"
	test $status -eq 0 || atf_fail "$(grep '^check: ' console || echo \
	    "no verdict")"
}

atf_init_test_cases()
{
	atf_add_test_case units__under_systemd
}
