/* SPDX-License-Identifier: ISC */
/* The token buckets, in simulated time: exact over a day, at any rate. */
#include <atf-c.h>
#include <stdint.h>
#include <string.h>

#include "blkd/throttle.h"
#include "shm/state.h"

#define SECOND	UINT64_C(1000000000)
#define DAY	(86400 * SECOND)
#define START	(7 * SECOND)

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

/* Take requests of `bytes` as fast as they come, until `end`; how many? */
static uint64_t
run(struct throttle *t, uint64_t bytes, uint64_t now, uint64_t end)
{
	uint64_t wait, taken = 0;

	while (now <= end) {
		if ((wait = throttle_take(t, bytes, now)) == 0) {
			taken++;
			continue;
		}
		ATF_REQUIRE(wait >= 1 && wait <= THROTTLE_WAIT_MAX);
		now += wait;
	}
	return taken;
}

static void
make(struct throttle *t, uint64_t ops, uint64_t bytes)
{
	struct throttle_limits l = {
		.ops = { .rate = ops }, .bytes = { .rate = bytes },
	};

	ATF_REQUIRE(throttle_check(&l) == NULL);
	throttle_init(t, &l, START);
}

/* --- a day -------------------------------------------------------------- */

CASE(day__3_iops)
{
	struct throttle t;

	(void)tc;
	make(&t, 3, 0);
	ATF_CHECK_EQ(3 + 3 * UINT64_C(86400),
	    run(&t, 4096, START, START + DAY));
}

CASE(day__999_iops)
{
	struct throttle t;

	(void)tc;
	make(&t, 999, 0);
	ATF_CHECK_EQ(999 + 999 * UINT64_C(86400),
	    run(&t, 4096, START, START + DAY));
}

/* Larger than the burst: runs when there is no debt, and makes debt. */
CASE(day__7_bytes_a_second)
{
	struct throttle t;
	uint64_t n;

	(void)tc;
	make(&t, 0, 7);
	n = run(&t, 512, START, START + DAY);
	/* 7 at first, 7 * 86400 in the day; the last one is in debt. */
	ATF_CHECK_EQ((7 + 7 * UINT64_C(86400)) / 512 + 1, n);
}

CASE(day__10_gigabytes_a_second)
{
	const uint64_t rate = UINT64_C(10000000000), size = UINT64_C(1) << 30;
	const struct throttle_limits l = { .bytes = { .rate = rate } };
	struct throttle t;
	uint64_t n;

	(void)tc;
	make(&t, 0, rate);
	n = run(&t, size, START, START + DAY);
	throttle_limits(&t, &l, START + DAY);
	ATF_CHECK_EQ(rate * 86401 / size, n);
	ATF_CHECK_EQ(rate * 86401 - n * size, (uint64_t)t.bytes.level);
}

/* Asked far more often than tokens come: no remainder is lost. */
CASE(day__asked_all_the_time)
{
	struct throttle t;
	uint64_t now, taken = 0;

	(void)tc;
	make(&t, 7, 0);
	for (now = START; now <= START + 100 * SECOND; now += 312500)
		while (throttle_take(&t, 0, now) == 0)
			taken++;
	ATF_CHECK_EQ(7 + 700, taken);
}

/* --- rules -------------------------------------------------------------- */

CASE(take__waits_exactly)
{
	struct throttle t;
	uint64_t wait;

	(void)tc;
	make(&t, 3, 0);
	while (throttle_take(&t, 0, START) == 0)
		;
	wait = throttle_take(&t, 0, START);
	ATF_CHECK_EQ(333333334, wait);
	ATF_CHECK_EQ(1, throttle_take(&t, 0, START + wait - 1));
	ATF_CHECK_EQ(0, throttle_take(&t, 0, START + wait));
}

CASE(take__waits_a_second_at_most)
{
	struct throttle t;

	(void)tc;
	make(&t, 0, 1);
	ATF_CHECK_EQ(0, throttle_take(&t, 1 << 20, START));
	ATF_CHECK_EQ(THROTTLE_WAIT_MAX, throttle_take(&t, 1, START));
}

CASE(take__both_or_neither)
{
	struct throttle t;
	int64_t level;

	(void)tc;
	make(&t, 10, 1000);
	ATF_CHECK_EQ(0, throttle_take(&t, 1000, START));
	level = t.ops.level;
	ATF_CHECK(throttle_take(&t, 1000, START) > 0);
	ATF_CHECK_EQ(level, t.ops.level);
	ATF_CHECK_EQ(0, t.bytes.level);
	/* No bytes: the bucket of bytes does not matter. */
	ATF_CHECK_EQ(0, throttle_take(&t, 0, START));
}

CASE(take__the_slower_bucket_counts)
{
	struct throttle t;

	(void)tc;
	make(&t, 10, 1000);
	/* 100 bytes each: both allow 10 a second. */
	ATF_CHECK_EQ(10 + 100, run(&t, 100, START, START + 10 * SECOND));
	make(&t, 10, 100);
	ATF_CHECK_EQ(1 + 10, run(&t, 100, START, START + 10 * SECOND));
}

CASE(take__no_limits)
{
	struct throttle t;
	int i;

	(void)tc;
	make(&t, 0, 0);
	for (i = 0; i < 1000; i++)
		ATF_REQUIRE_EQ(0, throttle_take(&t, UINT64_MAX, START));
}

CASE(take__larger_than_the_burst_makes_debt)
{
	struct throttle t;

	(void)tc;
	make(&t, 0, 1000);
	ATF_CHECK_EQ(0, throttle_take(&t, 5000, START));
	ATF_CHECK_EQ(-4000, t.bytes.level);
	ATF_CHECK_EQ(SECOND, throttle_take(&t, 5000, START + 3 * SECOND));
	/* In debt no more: it runs, though 5000 will never be there. */
	ATF_CHECK_EQ(0, throttle_take(&t, 5000, START + 4 * SECOND));
	ATF_CHECK_EQ(-5000, t.bytes.level);
}

CASE(take__largest_request)
{
	struct throttle t;

	(void)tc;
	make(&t, 0, 1000);
	ATF_CHECK_EQ(0, throttle_take(&t, UINT64_MAX, START));
	ATF_CHECK(t.bytes.level < 0);
	ATF_CHECK(throttle_take(&t, 1, UINT64_MAX) > 0 ||
	    t.bytes.level <= 1000);
}

CASE(take__burst)
{
	struct throttle_limits l = { .ops = { .rate = 10, .burst = 50 } };
	struct throttle t;

	(void)tc;
	throttle_init(&t, &l, START);
	ATF_CHECK_EQ(50, run(&t, 0, START, START));
	/* Idle for long: 50 again, no more. */
	ATF_CHECK_EQ(50, run(&t, 0, START + DAY, START + DAY));
}

CASE(take__iops_size)
{
	struct throttle_limits l = { .ops = { .rate = 10 }, .iops_size = 4096 };
	struct throttle t;

	(void)tc;
	throttle_init(&t, &l, START);
	ATF_CHECK_EQ(0, throttle_take(&t, 4096, START));
	ATF_CHECK_EQ(9, t.ops.level);
	ATF_CHECK_EQ(0, throttle_take(&t, 4097, START));
	ATF_CHECK_EQ(7, t.ops.level);
	ATF_CHECK_EQ(0, throttle_take(&t, 0, START));
	ATF_CHECK_EQ(6, t.ops.level);
}

CASE(take__clock_goes_backwards)
{
	struct throttle t;

	(void)tc;
	make(&t, 10, 0);
	ATF_CHECK_EQ(10, run(&t, 0, START, START));
	ATF_CHECK(throttle_take(&t, 0, START - SECOND) > 0);
	ATF_CHECK(throttle_take(&t, 0, START) > 0);
	ATF_CHECK_EQ(1, run(&t, 0, START + SECOND / 10, START + SECOND / 10));
}

/* --- limits ------------------------------------------------------------- */

CASE(limits__check)
{
	struct throttle_limits l = { .ops = { .rate = 0, .burst = 1 } };

	(void)tc;
	ATF_CHECK(throttle_check(&l) != NULL);
	l.ops = (struct throttle_limit) { .rate = 10, .burst = 9 };
	ATF_CHECK(throttle_check(&l) != NULL);
	l.ops = (struct throttle_limit) { .rate = UINT64_MAX };
	ATF_CHECK(throttle_check(&l) != NULL);
	l.ops = (struct throttle_limit) { .rate = 10, .burst = 10 };
	ATF_CHECK(throttle_check(&l) == NULL);
	l.bytes.burst = 1;
	ATF_CHECK(throttle_check(&l) != NULL);
}

CASE(limits__change_keeps_what_was_earned)
{
	struct throttle_limits l = { .ops = { .rate = 100 } };
	struct throttle t;

	(void)tc;
	make(&t, 10, 0);
	ATF_CHECK_EQ(10, run(&t, 0, START, START));
	throttle_limits(&t, &l, START + SECOND / 2);
	ATF_CHECK_EQ(5, t.ops.level);
	l.ops.rate = 2;
	throttle_limits(&t, &l, START + SECOND / 2);
	ATF_CHECK_EQ(2, t.ops.level);
}

CASE(limits__change_keeps_debt)
{
	struct throttle_limits l = { .bytes = { .rate = 1000000 } };
	struct throttle t;

	(void)tc;
	make(&t, 0, 1000);
	ATF_CHECK_EQ(0, throttle_take(&t, 5000, START));
	throttle_limits(&t, &l, START);
	ATF_CHECK_EQ(-4000, t.bytes.level);
}

CASE(limits__from_none)
{
	struct throttle_limits l = { .ops = { .rate = 5 } };
	struct throttle t;

	(void)tc;
	make(&t, 0, 0);
	throttle_limits(&t, &l, START);
	ATF_CHECK_EQ(5, run(&t, 0, START, START));
}

/* --- the state ---------------------------------------------------------- */

CASE(load__goes_on)
{
	struct throttle t, successor;
	struct state_levels s;

	(void)tc;
	make(&t, 3, 0);
	(void)run(&t, 0, START, START + 10 * SECOND + 1);
	throttle_save(&t, &s);
	make(&successor, 3, 0);
	throttle_load(&successor, &s, t.stamp);
	ATF_CHECK_EQ(t.ops.level, successor.ops.level);
	ATF_CHECK_EQ(t.ops.remainder, successor.ops.remainder);
}

/* Dying does not refill, but time passes. */
CASE(load__time_in_between_counts)
{
	struct throttle t;
	struct state_levels s;

	(void)tc;
	make(&t, 10, 0);
	ATF_CHECK_EQ(10, run(&t, 0, START, START));
	throttle_save(&t, &s);
	make(&t, 10, 0);
	throttle_load(&t, &s, START + SECOND / 2);
	ATF_CHECK_EQ(5, t.ops.level);
}

CASE(load__nothing_stored)
{
	struct state_levels s = { 0 };
	struct throttle t;

	(void)tc;
	make(&t, 10, 0);
	throttle_load(&t, &s, START);
	ATF_CHECK_EQ(10, t.ops.level);
}

CASE(load__hostile)
{
	static const int64_t level[] = {
		INT64_MIN, INT64_MIN + 1, -1, 0, 1, 11, INT64_MAX,
	};
	static const uint64_t word[] = {
		0, 1, SECOND - 1, SECOND, START + 1, UINT64_MAX - 1, UINT64_MAX,
	};
	struct state_levels s;
	struct throttle t;
	size_t i, j, k;

	(void)tc;
	for (i = 0; i < 7 * 7; i++) for (j = 0; j < 7; j++)
	for (k = 0; k < 7; k++) {
		s = (struct state_levels) {
			level[i % 7], word[j], level[i / 7], word[j], word[k],
		};
		make(&t, 10, 1000);
		throttle_load(&t, &s, START);
		ATF_REQUIRE(t.ops.level <= 10 && t.bytes.level <= 1000);
		ATF_REQUIRE(t.ops.remainder < SECOND);
		ATF_REQUIRE(t.bytes.remainder < SECOND);
		ATF_REQUIRE(t.stamp <= START);
		ATF_REQUIRE(throttle_take(&t, 100, START + 1) <=
		    THROTTLE_WAIT_MAX);
		ATF_REQUIRE(throttle_take(&t, 100, UINT64_MAX) <=
		    THROTTLE_WAIT_MAX);
	}
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, day__3_iops);
	ATF_TP_ADD_TC(tp, day__999_iops);
	ATF_TP_ADD_TC(tp, day__7_bytes_a_second);
	ATF_TP_ADD_TC(tp, day__10_gigabytes_a_second);
	ATF_TP_ADD_TC(tp, day__asked_all_the_time);
	ATF_TP_ADD_TC(tp, take__waits_exactly);
	ATF_TP_ADD_TC(tp, take__waits_a_second_at_most);
	ATF_TP_ADD_TC(tp, take__both_or_neither);
	ATF_TP_ADD_TC(tp, take__the_slower_bucket_counts);
	ATF_TP_ADD_TC(tp, take__no_limits);
	ATF_TP_ADD_TC(tp, take__larger_than_the_burst_makes_debt);
	ATF_TP_ADD_TC(tp, take__largest_request);
	ATF_TP_ADD_TC(tp, take__burst);
	ATF_TP_ADD_TC(tp, take__iops_size);
	ATF_TP_ADD_TC(tp, take__clock_goes_backwards);
	ATF_TP_ADD_TC(tp, limits__check);
	ATF_TP_ADD_TC(tp, limits__change_keeps_what_was_earned);
	ATF_TP_ADD_TC(tp, limits__change_keeps_debt);
	ATF_TP_ADD_TC(tp, limits__from_none);
	ATF_TP_ADD_TC(tp, load__goes_on);
	ATF_TP_ADD_TC(tp, load__time_in_between_counts);
	ATF_TP_ADD_TC(tp, load__nothing_stored);
	ATF_TP_ADD_TC(tp, load__hostile);
	return atf_no_error();
}
