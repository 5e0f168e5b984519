# SPDX-License-Identifier: ISC
#
# Tests: blkd killed at random instants under full load.  What is asserted is
# that nothing is lost, repeated or corrupt; the outage is only printed, for
# this machine may be busy.

torture=$VMMD_BUILDDIR/tests/torture/torture
blkd=$VMMD_BUILDDIR/blkd/blkd

atf_test_case kill__at_random_instants
kill__at_random_instants_body()
{
	atf_check -o save:out -e save:err \
	    "$torture" -k 500 -s 120 "$blkd" image
	cat out
	atf_check -o match:'lost 0, duplicated 0, corrupt 0, failed 0' cat out
}

atf_init_test_cases()
{
	atf_add_test_case kill__at_random_instants
}
