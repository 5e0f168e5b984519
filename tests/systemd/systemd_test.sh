# SPDX-License-Identifier: ISC
#
# The units under the real systemd: see run, check and disks.

# under_systemd CHECK
under_systemd()
{
	status=0
	case ${SANITIZERS:-no} in
	no)	;;
	*)	atf_skip "a sanitizer's programs do not start under the unit's" \
		    "MemoryDenyWriteExecute and its address space" ;;
	esac
	"$VMMD_SRCDIR/tests/systemd/run" 280 "$1" >console 2>&1 || status=$?
	cat console
	test $status -ne 77 || atf_skip "$(tail -n 1 console)"
	test $status -eq 0 || atf_fail "$(grep '^check: ' console || echo \
	    "no verdict")"
}

# case_of NAME CHECK
case_of()
{
	atf_test_case "$1"
	eval "$1_head() {
		atf_set require.user root
		atf_set timeout 300
	}
	$1_body() {
		under_systemd $2
	}"
}

case_of units__under_systemd check
case_of disks__under_systemd disks

atf_init_test_cases()
{
	atf_add_test_case units__under_systemd
	atf_add_test_case disks__under_systemd
}
