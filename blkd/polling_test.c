/* SPDX-License-Identifier: ISC */
/* The window of a queue thread's looking: arithmetic, no clock. */
#include <atf-c.h>

#include "blkd/polling.h"

#define US	1000u

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

/* From a window of `before`, dry for `dry`: the window after it. */
static const struct row {
	const char	*what;
	uint64_t	 max, before, dry, after;
} row[] = {
	{ "off, and busy", 0, 0, 0, 0 },
	{ "off, and slept", 0, 0, 1, 0 },
	{ "a first short sleep", 50 * US, 0, 20 * US, 4 * US },
	{ "longer than the window", 50 * US, 4 * US, 20 * US, 8 * US },
	{ "up to max and no further", 50 * US, 32 * US, 40 * US, 50 * US },
	{ "seen by looking", 50 * US, 16 * US, 16 * US, 16 * US },
	{ "max, just", 50 * US, 32 * US, 50 * US, 50 * US },
	{ "over max", 50 * US, 50 * US, 50 * US + 1, 25 * US },
	{ "over max, small window", 50 * US, 4 * US, UINT64_MAX, 0 },
	{ "over max, no window", 50 * US, 0, UINT64_MAX, 0 },
	{ "max below the first window", 1 * US, 0, 1 * US, 1 * US },
};

CASE(learn__rows)
{
	struct polling p;
	size_t i;

	(void)tc;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		p = (struct polling) { row[i].max, row[i].before };
		polling_learn(&p, row[i].dry);
		ATF_REQUIRE_EQ_MSG(row[i].after, p.window_ns,
		    "%s: %ju, not %ju", row[i].what, (uintmax_t)p.window_ns,
		    (uintmax_t)row[i].after);
	}
}

/* Requests that come steadily closer than max are soon all looked for. */
CASE(learn__steady_driver)
{
	struct polling p = { .max_ns = 50 * US };
	unsigned sleeps = 0, i;

	(void)tc;
	for (i = 0; i < 1000; i++) {
		sleeps += p.window_ns < 30 * US;
		polling_learn(&p, 30 * US);
	}
	ATF_REQUIRE(sleeps <= 4);
}

/* A driver that comes once a millisecond costs nothing but its first looks. */
CASE(learn__rare_driver)
{
	struct polling p = { .max_ns = 50 * US, .window_ns = 50 * US };
	uint64_t looked = 0;
	unsigned i;

	(void)tc;
	for (i = 0; i < 1000; i++) {
		looked += p.window_ns;
		polling_learn(&p, 1000 * US);
	}
	ATF_REQUIRE(looked <= 100 * US);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, learn__rows);
	ATF_TP_ADD_TC(tp, learn__steady_driver);
	ATF_TP_ADD_TC(tp, learn__rare_driver);
	return atf_no_error();
}
