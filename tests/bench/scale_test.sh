# SPDX-License-Identifier: ISC
#
# The scale benchmarks run, and an idle disk and the vm of an idle guest sleep.
# Times and memory are of the machine of the day: only printed.

atf_test_case scale__idle_disks_sleep
scale__idle_disks_sleep_body()
{
	atf_check -o save:out "$VMMD_BUILDDIR/tests/bench/scale/scale" \
	    -b "$VMMD_BUILDDIR/blkd/blkd" -s 0.5 1 3
	cat out
	atf_check -o inline:'0.00\n0.00\n' \
	    awk -F' *[|] *' '$2 ~ /^[0-9]/ { print $11 }' out
}

atf_test_case machines__idle_vms_and_disks_sleep
machines__idle_vms_and_disks_sleep_head()
{
	atf_set require.user root
}
machines__idle_vms_and_disks_sleep_body()
{
	test -w /dev/kvm || atf_skip "/dev/kvm is missing or refused"
	atf_check -o save:out "$VMMD_BUILDDIR/tests/bench/scale/machines" \
	    -v "$VMMD_BUILDDIR/vmmd/vmmd" -b "$VMMD_BUILDDIR/blkd/blkd" \
	    -g "$VMMD_BUILDDIR/tests/guest/guest.elf" -s 0.5 1 3
	cat out
	atf_check -o inline:'1 0.00 0.00\n3 0.00 0.00\n' \
	    awk -F' *[|] *' '$2 ~ /^[0-9]/ { print $2, $14, $16 }' out
}

atf_init_test_cases()
{
	atf_add_test_case machines__idle_vms_and_disks_sleep
	atf_add_test_case scale__idle_disks_sleep
}
