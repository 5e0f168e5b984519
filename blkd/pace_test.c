/* SPDX-License-Identifier: ISC */
/* How long a backing takes, and what follows: arithmetic, no clock. */
#include <atf-c.h>

#include "blkd/pace.h"

#define US	UINT64_C(1000)
#define SLOW	(20 * US)

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

/* After `n` operations of `took` each: slow, slow even alone? */
static const struct row {
	const char	*what;
	uint64_t	 slow, took;
	unsigned	 n;
	bool		 is_slow, alone;
} row[] = {
	{ "the page cache", SLOW, 2 * US, 100, false, false },
	{ "just below", SLOW, SLOW - 1, 100, false, false },
	{ "just there", SLOW, SLOW, 1, true, false },
	{ "a good disk", SLOW, 80 * US, 100, true, false },
	{ "a bad one, at once", SLOW, 10000 * US, 1, true, true },
	{ "everything", 0, 0, 1, true, true },
	{ "everything, before the first", 0, 0, 0, true, true },
	{ "not known yet", SLOW, 0, 0, false, false },
	{ "in no time", SLOW, 0, 100, false, false },
	{ "for ever", SLOW, UINT64_MAX, 100, true, true },
};

CASE(pace__table)
{
	struct pace p;
	unsigned i, j;

	(void)tc;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		p = (struct pace) { .slow_ns = row[i].slow };
		for (j = 0; j < row[i].n; j++)
			pace_learn(&p, ENGINE_READ, 0, row[i].took);
		ATF_CHECK_EQ_MSG(row[i].is_slow, pace_is_slow(&p, ENGINE_READ),
		    "%s", row[i].what);
		ATF_CHECK_EQ_MSG(row[i].alone,
		    pace_is_slow_alone(&p, ENGINE_READ), "%s", row[i].what);
	}
}

CASE(pace__each_kind_for_itself)
{
	struct pace p = { .slow_ns = SLOW };

	(void)tc;
	pace_learn(&p, ENGINE_FLUSH, 0, 5000 * US);
	ATF_CHECK(pace_is_slow(&p, ENGINE_FLUSH));
	ATF_CHECK(!pace_is_slow(&p, ENGINE_READ));
	ATF_CHECK(!pace_is_slow(&p, ENGINE_WRITE));
}

/* 1 MiB from the page cache takes its time, and a thread would not help. */
CASE(pace__copying_is_not_the_backing)
{
	struct pace p = { .slow_ns = SLOW };

	(void)tc;
	pace_learn(&p, ENGINE_READ, 1u << 20, 200 * US);
	ATF_CHECK(!pace_is_slow(&p, ENGINE_READ));
	pace_learn(&p, ENGINE_DISCARD, 1u << 20, 200 * US);
	ATF_CHECK(pace_is_slow(&p, ENGINE_DISCARD));
}

/* One that was kept from its CPU does not say much about the file. */
CASE(pace__an_outlier_is_soon_forgotten)
{
	struct pace p = { .slow_ns = SLOW };
	unsigned n = 0;

	(void)tc;
	pace_learn(&p, ENGINE_READ, 0, 2 * US);
	pace_learn(&p, ENGINE_READ, 0, UINT64_C(1000000) * US);
	ATF_CHECK(pace_is_slow(&p, ENGINE_READ));
	for (; pace_is_slow(&p, ENGINE_READ); n++)
		pace_learn(&p, ENGINE_READ, 0, 2 * US);
	ATF_CHECK_MSG(n <= 16, "after %u", n);
}

/* One in four loses its CPU: no reason for a lone one to change threads. */
CASE(pace__alone_is_for_what_is_always_slow)
{
	struct pace p = { .slow_ns = SLOW };
	unsigned i;

	(void)tc;
	for (i = 0; i < 1000; i++) {
		pace_learn(&p, ENGINE_READ, 0, i % 4 == 0 ? 5000 * US :
		    60 * US);
		ATF_CHECK(pace_is_slow(&p, ENGINE_READ));
		ATF_CHECK(i < 8 || !pace_is_slow_alone(&p, ENGINE_READ));
	}
	for (i = 0; i < 32; i++)
		pace_learn(&p, ENGINE_READ, 0, 1000 * US);
	ATF_CHECK(pace_is_slow_alone(&p, ENGINE_READ));
}

CASE(pace__quick_ones_are_timed_now_and_then)
{
	struct pace p = { .slow_ns = SLOW };
	unsigned i, n = 0;

	(void)tc;
	ATF_CHECK(pace_wants(&p, ENGINE_WRITE));
	pace_learn(&p, ENGINE_WRITE, 0, US);
	for (i = 0; i < 100 * PACE_EVERY; i++)
		n += pace_wants(&p, ENGINE_WRITE);
	ATF_CHECK_EQ(100, n);
	pace_learn(&p, ENGINE_WRITE, 0, 100 * US);
	ATF_CHECK(pace_wants(&p, ENGINE_WRITE));
	ATF_CHECK(pace_wants(&p, ENGINE_WRITE));
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, pace__table);
	ATF_TP_ADD_TC(tp, pace__each_kind_for_itself);
	ATF_TP_ADD_TC(tp, pace__copying_is_not_the_backing);
	ATF_TP_ADD_TC(tp, pace__an_outlier_is_soon_forgotten);
	ATF_TP_ADD_TC(tp, pace__alone_is_for_what_is_always_slow);
	ATF_TP_ADD_TC(tp, pace__quick_ones_are_timed_now_and_then);
	return atf_no_error();
}
