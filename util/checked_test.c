/* SPDX-License-Identifier: ISC */
/* Tests of util/checked.h. */
#include <atf-c.h>
#include <errno.h>
#include <stdint.h>

#include "util/checked.h"

#define UNTOUCHED	0x5a5a5a5a5a5a5a5aULL

ATF_TC_WITHOUT_HEAD(add_u64__fits);
ATF_TC_BODY(add_u64__fits, tc)
{
	uint64_t	out;

	out = UNTOUCHED;
	ATF_REQUIRE_EQ(0, checked_add_u64(1, 2, &out));
	ATF_REQUIRE_EQ(3, out);
	ATF_REQUIRE_EQ(0, checked_add_u64(UINT64_MAX, 0, &out));
	ATF_REQUIRE_EQ(UINT64_MAX, out);
	ATF_REQUIRE_EQ(0, checked_add_u64(UINT64_MAX - 1, 1, &out));
	ATF_REQUIRE_EQ(UINT64_MAX, out);
}

ATF_TC_WITHOUT_HEAD(add_u64__overflow);
ATF_TC_BODY(add_u64__overflow, tc)
{
	uint64_t	out;

	out = UNTOUCHED;
	ATF_REQUIRE_ERRNO(EOVERFLOW,
	    checked_add_u64(UINT64_MAX, 1, &out) == -1);
	ATF_REQUIRE_ERRNO(EOVERFLOW,
	    checked_add_u64(1ULL << 63, 1ULL << 63, &out) == -1);
	ATF_REQUIRE_EQ(UNTOUCHED, out);
}

ATF_TC_WITHOUT_HEAD(mul_u64__fits);
ATF_TC_BODY(mul_u64__fits, tc)
{
	uint64_t	out;

	out = UNTOUCHED;
	ATF_REQUIRE_EQ(0, checked_mul_u64(6, 7, &out));
	ATF_REQUIRE_EQ(42, out);
	ATF_REQUIRE_EQ(0, checked_mul_u64(UINT64_MAX, 1, &out));
	ATF_REQUIRE_EQ(UINT64_MAX, out);
	ATF_REQUIRE_EQ(0, checked_mul_u64(UINT64_MAX, 0, &out));
	ATF_REQUIRE_EQ(0, out);
}

ATF_TC_WITHOUT_HEAD(mul_u64__overflow);
ATF_TC_BODY(mul_u64__overflow, tc)
{
	uint64_t	out;

	out = UNTOUCHED;
	ATF_REQUIRE_ERRNO(EOVERFLOW,
	    checked_mul_u64(1ULL << 32, 1ULL << 32, &out) == -1);
	ATF_REQUIRE_ERRNO(EOVERFLOW,
	    checked_mul_u64(UINT64_MAX / 512 + 1, 512, &out) == -1);
	ATF_REQUIRE_EQ(UNTOUCHED, out);
}

ATF_TC_WITHOUT_HEAD(align_up_u64__rounds);
ATF_TC_BODY(align_up_u64__rounds, tc)
{
	uint64_t	out;

	out = UNTOUCHED;
	ATF_REQUIRE_EQ(0, checked_align_up_u64(0, 4096, &out));
	ATF_REQUIRE_EQ(0, out);
	ATF_REQUIRE_EQ(0, checked_align_up_u64(1, 4096, &out));
	ATF_REQUIRE_EQ(4096, out);
	ATF_REQUIRE_EQ(0, checked_align_up_u64(4096, 4096, &out));
	ATF_REQUIRE_EQ(4096, out);
	ATF_REQUIRE_EQ(0, checked_align_up_u64(UINT64_MAX, 1, &out));
	ATF_REQUIRE_EQ(UINT64_MAX, out);
	ATF_REQUIRE_EQ(0,
	    checked_align_up_u64(UINT64_MAX - 4095, 4096, &out));
	ATF_REQUIRE_EQ(UINT64_MAX - 4095, out);
}

ATF_TC_WITHOUT_HEAD(align_up_u64__overflow);
ATF_TC_BODY(align_up_u64__overflow, tc)
{
	uint64_t	out;

	out = UNTOUCHED;
	ATF_REQUIRE_ERRNO(EOVERFLOW,
	    checked_align_up_u64(UINT64_MAX - 4094, 4096, &out) == -1);
	ATF_REQUIRE_EQ(UNTOUCHED, out);
}

ATF_TC_WITHOUT_HEAD(align_up_u64__no_power_of_two);
ATF_TC_BODY(align_up_u64__no_power_of_two, tc)
{
	uint64_t	out;

	out = UNTOUCHED;
	ATF_REQUIRE_ERRNO(EINVAL, checked_align_up_u64(1, 0, &out) == -1);
	ATF_REQUIRE_ERRNO(EINVAL, checked_align_up_u64(1, 3, &out) == -1);
	ATF_REQUIRE_EQ(UNTOUCHED, out);
}

ATF_TC_WITHOUT_HEAD(range_end_u64__inside);
ATF_TC_BODY(range_end_u64__inside, tc)
{
	uint64_t	out;

	out = UNTOUCHED;
	ATF_REQUIRE_EQ(0, checked_range_end_u64(10, 5, 15, &out));
	ATF_REQUIRE_EQ(15, out);
	ATF_REQUIRE_EQ(0, checked_range_end_u64(15, 0, 15, &out));
	ATF_REQUIRE_EQ(15, out);
	ATF_REQUIRE_EQ(0,
	    checked_range_end_u64(0, UINT64_MAX, UINT64_MAX, &out));
	ATF_REQUIRE_EQ(UINT64_MAX, out);
}

ATF_TC_WITHOUT_HEAD(range_end_u64__outside);
ATF_TC_BODY(range_end_u64__outside, tc)
{
	static const struct {
		uint64_t	start, len, limit;
	} cases[] = {
		{ 10, 6, 15 },
		{ 16, 0, 15 },
		{ UINT64_MAX, 1, UINT64_MAX },
		{ UINT64_MAX - 511, 1024, 1 << 20 },
		{ 0, 1, 0 },
		{ 1, UINT64_MAX, UINT64_MAX },
	};
	uint64_t	out;
	size_t		i;

	out = UNTOUCHED;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ATF_CHECK_ERRNO(EOVERFLOW, checked_range_end_u64(
		    cases[i].start, cases[i].len, cases[i].limit, &out) == -1);
	ATF_REQUIRE_EQ(UNTOUCHED, out);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, add_u64__fits);
	ATF_TP_ADD_TC(tp, add_u64__overflow);
	ATF_TP_ADD_TC(tp, mul_u64__fits);
	ATF_TP_ADD_TC(tp, mul_u64__overflow);
	ATF_TP_ADD_TC(tp, align_up_u64__rounds);
	ATF_TP_ADD_TC(tp, align_up_u64__overflow);
	ATF_TP_ADD_TC(tp, align_up_u64__no_power_of_two);
	ATF_TP_ADD_TC(tp, range_end_u64__inside);
	ATF_TP_ADD_TC(tp, range_end_u64__outside);

	return atf_no_error();
}
