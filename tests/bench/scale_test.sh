# SPDX-License-Identifier: ISC
#
# The scale benchmark runs, and an idle disk sleeps.  Times and memory are of
# the machine of the day: only printed.

atf_test_case scale__idle_disks_sleep
scale__idle_disks_sleep_body()
{
	atf_check -o save:out "$VMMD_BUILDDIR/tests/bench/scale/scale" \
	    -b "$VMMD_BUILDDIR/blkd/blkd" -s 0.5 1 3
	cat out
	atf_check -o inline:'0.00\n0.00\n' \
	    awk -F' *[|] *' '$2 ~ /^[0-9]/ { print $11 }' out
}

atf_init_test_cases()
{
	atf_add_test_case scale__idle_disks_sleep
}
