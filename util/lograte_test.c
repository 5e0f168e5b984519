/* SPDX-License-Identifier: ISC */
/* Lines in a row, lines that come back, and what is left out. */
#include <atf-c.h>

#include "util/lograte.h"

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

#define BEGIN	UINT64_C(5000000000)

static unsigned
say(struct lograte *r, unsigned n, uint64_t now_ns)
{
	unsigned said = 0;

	while (n-- > 0)
		said += lograte_may_say(r, now_ns);
	return said;
}

CASE(row__is_free_and_bounded)
{
	struct lograte r = { 0 };

	(void)tc;
	ATF_CHECK_EQ(LOGRATE_LINES, say(&r, LOGRATE_LINES, BEGIN));
	ATF_CHECK_EQ(0, lograte_take_unsaid(&r));
	ATF_CHECK_EQ(0, say(&r, 7, BEGIN));
	ATF_CHECK_EQ(7, lograte_take_unsaid(&r));
	ATF_CHECK_EQ(0, lograte_take_unsaid(&r));
}

CASE(time__brings_lines_back)
{
	struct lograte r = { 0 };

	(void)tc;
	(void)say(&r, LOGRATE_LINES, BEGIN);
	ATF_CHECK_EQ(0, say(&r, 9, BEGIN + LOGRATE_NS - 1));
	ATF_CHECK_EQ(1, say(&r, 9, BEGIN + LOGRATE_NS));
	ATF_CHECK_EQ(2, say(&r, 9, BEGIN + 3 * LOGRATE_NS));
	/* What was left of a second is not lost, nor is it there twice. */
	ATF_CHECK_EQ(1, say(&r, 9, BEGIN + 4 * LOGRATE_NS + 1));
	ATF_CHECK_EQ(1, say(&r, 9, BEGIN + 5 * LOGRATE_NS));
}

CASE(time__brings_no_more_than_a_row)
{
	struct lograte r = { 0 };

	(void)tc;
	(void)say(&r, LOGRATE_LINES, BEGIN);
	ATF_CHECK_EQ(LOGRATE_LINES, say(&r, 2 * LOGRATE_LINES,
	    UINT64_MAX / 2));
}

/* One a second, as a flood of any length has it in the end. */
CASE(flood__is_one_line_a_second)
{
	struct lograte r = { 0 };
	unsigned said = 0, i;

	(void)tc;
	for (i = 0; i < 100000; i++)
		said += lograte_may_say(&r, BEGIN + i * UINT64_C(10000000));
	ATF_CHECK(said >= LOGRATE_LINES + 999);
	ATF_CHECK(said <= LOGRATE_LINES + 1000);
	ATF_CHECK_EQ(100000 - said, lograte_take_unsaid(&r));
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, row__is_free_and_bounded);
	ATF_TP_ADD_TC(tp, time__brings_lines_back);
	ATF_TP_ADD_TC(tp, time__brings_no_more_than_a_row);
	ATF_TP_ADD_TC(tp, flood__is_one_line_a_second);
	return atf_no_error();
}
