/* SPDX-License-Identifier: ISC */
/* Tests of the histogram: percentiles against counting by hand. */
#include <atf-c.h>
#include <stdlib.h>

#include "tests/bench/load/hist.h"

static struct hist h;

ATF_TC_WITHOUT_HEAD(bucket__every_value_is_in_its_own);
ATF_TC_BODY(bucket__every_value_is_in_its_own, tc)
{
	uint64_t v;
	unsigned b, shift;

	for (v = 0; v < 100000; v++) {
		b = hist_bucket(v);
		ATF_REQUIRE(b < HIST_BUCKETS);
		ATF_REQUIRE(v <= hist_bucket_top(b));
		ATF_REQUIRE(b == 0 || v > hist_bucket_top(b - 1));
	}
	for (shift = 17; shift < 64; shift++) {
		v = UINT64_C(1) << shift;
		b = hist_bucket(v);
		ATF_CHECK_EQ(b - 1, hist_bucket(v - 1));
		ATF_CHECK(v <= hist_bucket_top(b));
		ATF_CHECK_EQ(v - 1, hist_bucket_top(b - 1));
	}
	ATF_CHECK_EQ(HIST_BUCKETS - 1, hist_bucket(UINT64_MAX));
	ATF_CHECK_EQ(UINT64_MAX, hist_bucket_top(HIST_BUCKETS - 1));
}

ATF_TC_WITHOUT_HEAD(bucket__is_no_wider_than_a_64th);
ATF_TC_BODY(bucket__is_no_wider_than_a_64th, tc)
{
	uint64_t low, width;
	unsigned b;

	for (b = 1; b < HIST_BUCKETS; b++) {
		low = hist_bucket_top(b - 1) + 1;
		width = hist_bucket_top(b) - low + 1;
		ATF_CHECK(width == 1 || width <= low / 64);
	}
}

/* 1 to 100: the p-th percentile is p itself, where buckets are exact. */
ATF_TC_WITHOUT_HEAD(percentile__of_small_numbers_is_exact);
ATF_TC_BODY(percentile__of_small_numbers_is_exact, tc)
{
	uint64_t v;

	for (v = 100; v >= 1; v--)
		hist_add(&h, v);
	ATF_CHECK_EQ(100, h.n);
	ATF_CHECK_EQ(5050, h.sum);
	ATF_CHECK_EQ(100, h.max);
	ATF_CHECK_EQ(1, hist_percentile(&h, 0));
	ATF_CHECK_EQ(1, hist_percentile(&h, 1));
	ATF_CHECK_EQ(50, hist_percentile(&h, 50));
	ATF_CHECK_EQ(51, hist_percentile(&h, 50.5));
	ATF_CHECK_EQ(99, hist_percentile(&h, 99));
	ATF_CHECK_EQ(100, hist_percentile(&h, 99.9));
	ATF_CHECK_EQ(100, hist_percentile(&h, 100));
}

ATF_TC_WITHOUT_HEAD(percentile__the_rare_long_one);
ATF_TC_BODY(percentile__the_rare_long_one, tc)
{
	unsigned i;

	for (i = 0; i < 999; i++)
		hist_add(&h, 1000);
	hist_add(&h, 7654321);
	ATF_CHECK(hist_percentile(&h, 99.9) >= 1000);
	ATF_CHECK(hist_percentile(&h, 99.9) < 1016);
	ATF_CHECK_EQ(7654321, hist_percentile(&h, 99.99));
	ATF_CHECK_EQ(7654321, hist_percentile(&h, 100));
}

/* Never more than the maximum, though the bucket goes further. */
ATF_TC_WITHOUT_HEAD(percentile__is_not_above_the_maximum);
ATF_TC_BODY(percentile__is_not_above_the_maximum, tc)
{
	hist_add(&h, 1000001);
	ATF_CHECK_EQ(1000001, hist_percentile(&h, 50));
}

ATF_TC_WITHOUT_HEAD(percentile__of_nothing_is_nothing);
ATF_TC_BODY(percentile__of_nothing_is_nothing, tc)
{
	ATF_CHECK_EQ(0, hist_percentile(&h, 50));
	ATF_CHECK_EQ(0, hist_percentile(&h, 100));
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, bucket__every_value_is_in_its_own);
	ATF_TP_ADD_TC(tp, bucket__is_no_wider_than_a_64th);
	ATF_TP_ADD_TC(tp, percentile__of_small_numbers_is_exact);
	ATF_TP_ADD_TC(tp, percentile__the_rare_long_one);
	ATF_TP_ADD_TC(tp, percentile__is_not_above_the_maximum);
	ATF_TP_ADD_TC(tp, percentile__of_nothing_is_nothing);
	return atf_no_error();
}
