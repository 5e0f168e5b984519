/* SPDX-License-Identifier: ISC */
/* What CPUID says in the guest. */
#include "config.h"

#include <linux/kvm.h>

#include <atf-c.h>
#include <errno.h>
#include <stdlib.h>

#include "vmmd/cpuid.h"

static const struct kvm_cpuid_entry2 host[] = {
	{ .function = 0, .eax = 0x1f },
	{ .function = 1, .ebx = 0xff100800 },
	{ .function = 4, .index = 0, .eax = 0xffffc121 },	/* L1 */
	{ .function = 4, .index = 3, .eax = 0xffffc163 },	/* L3 */
	{ .function = 7, .ebx = 0x1234 },
	{ .function = 0xb, .index = 0, .edx = 77 },
	{ .function = 0xb, .index = 1, .edx = 77 },
	{ .function = 0x80000001 },
	{ .function = 0x80000008, .eax = 0x3030, .ecx = 0x7001 },
	{ .function = 0x8000001e, .eax = 5 },
};
#define NHOST	(sizeof(host) / sizeof(host[0]))

static struct kvm_cpuid2 *
make(uint32_t index, uint32_t count)
{
	struct kvm_cpuid2 *c, *made;
	uint32_t i;

	c = calloc(1, sizeof(*c) + sizeof(host));
	ATF_REQUIRE(c != NULL);
	c->nent = NHOST;
	for (i = 0; i < NHOST; i++)
		c->entries[i] = host[i];
	made = cpuid_make(c, index, count, true);
	ATF_REQUIRE(made != NULL);
	free(c);
	return made;
}

static const struct kvm_cpuid_entry2 *
leaf(const struct kvm_cpuid2 *c, uint32_t function, uint32_t index)
{
	uint32_t i;

	for (i = 0; i < c->nent; i++) {
		if (c->entries[i].function == function &&
		    c->entries[i].index == index)
			return &c->entries[i];
	}
	atf_tc_fail("no leaf 0x%x.%u", function, index);
}

ATF_TC_WITHOUT_HEAD(cpuid__five_processors);
ATF_TC_BODY(cpuid__five_processors, tc)
{
	struct kvm_cpuid2 *c = make(3, 5);

	(void)tc;
	ATF_CHECK_EQ(0x03050800, leaf(c, 1, 0)->ebx);
	ATF_CHECK_EQ(1u << 31 | 1u << 24, leaf(c, 1, 0)->ecx);
	ATF_CHECK_EQ(1u << 28, leaf(c, 1, 0)->edx);
	/* five need three bits; a first-level cache is a core's own */
	ATF_CHECK_EQ(0x1c000121, leaf(c, 4, 0)->eax);
	ATF_CHECK_EQ(0x1c01c163, leaf(c, 4, 3)->eax);
	ATF_CHECK_EQ(0x1234, leaf(c, 7, 0)->ebx);
	ATF_CHECK_EQ(1, leaf(c, 0xb, 0)->ebx);
	ATF_CHECK_EQ(0x100, leaf(c, 0xb, 0)->ecx);
	ATF_CHECK_EQ(3, leaf(c, 0xb, 1)->eax);
	ATF_CHECK_EQ(5, leaf(c, 0xb, 1)->ebx);
	ATF_CHECK_EQ(0x201, leaf(c, 0xb, 1)->ecx);
	ATF_CHECK_EQ(3, leaf(c, 0xb, 2)->edx);
	ATF_CHECK_EQ(0, leaf(c, 0xb, 2)->ebx);
	ATF_CHECK_EQ(2, leaf(c, 0x80000001, 0)->ecx);
	ATF_CHECK_EQ(0x3004, leaf(c, 0x80000008, 0)->ecx);
	ATF_CHECK_EQ(3, leaf(c, 0x8000001e, 0)->eax);
	free(c);
}

ATF_TC_WITHOUT_HEAD(cpuid__one_processor);
ATF_TC_BODY(cpuid__one_processor, tc)
{
	struct kvm_cpuid2 *c = make(0, 1);

	(void)tc;
	ATF_CHECK_EQ(0x00010800, leaf(c, 1, 0)->ebx);
	ATF_CHECK_EQ(0, leaf(c, 1, 0)->edx);
	ATF_CHECK_EQ(0, leaf(c, 0xb, 1)->eax);
	ATF_CHECK_EQ(1, leaf(c, 0xb, 1)->ebx);
	ATF_CHECK_EQ(0, leaf(c, 0x80000008, 0)->ecx);
	free(c);
}

ATF_TC_WITHOUT_HEAD(cpuid__too_many_leaves);
ATF_TC_BODY(cpuid__too_many_leaves, tc)
{
	struct kvm_cpuid2 c = { .nent = CPUID_ENTRIES_MAX + 1 };

	(void)tc;
	ATF_CHECK(cpuid_make(&c, 0, 1, true) == NULL);
	ATF_CHECK_EQ(E2BIG, errno);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, cpuid__five_processors);
	ATF_TP_ADD_TC(tp, cpuid__one_processor);
	ATF_TP_ADD_TC(tp, cpuid__too_many_leaves);
	return atf_no_error();
}
