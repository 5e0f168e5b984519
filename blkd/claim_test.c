/* SPDX-License-Identifier: ISC */
/* Claims on ranges: who waits for whom. */
#include <atf-c.h>
#include <pthread.h>
#include <sched.h>

#include "blkd/claim.h"
#include "shm/shared.h"

/* A second claimant, in a thread of its own. */
struct second {
	struct claims	*claims;
	struct claim	 claim;
	bool		 alone;
	uint32_t	 has;		/* shared_load */
	pthread_t	 thread;
};

static void *
second_main(void *arg)
{
	struct second *s = arg;

	claim_take(s->claims, &s->claim, 100, 200, s->alone);
	shared_store_release(&s->has, 1);
	claim_give(s->claims, &s->claim);
	return NULL;
}

static void
start(struct second *s, struct claims *claims, bool alone)
{
	*s = (struct second) { .claims = claims, .alone = alone };
	ATF_REQUIRE_EQ(0, pthread_create(&s->thread, NULL, second_main, s));
}

static unsigned
waiting(struct claims *c)
{
	unsigned n;

	pthread_mutex_lock(&c->lock);
	n = c->waiting;
	pthread_mutex_unlock(&c->lock);
	return n;
}

static const struct {
	const char	*what;
	uint64_t	 first, end;	/* of the one that has it */
	bool		 alone;
	bool		 second_alone;	/* which wants 100..200 */
	bool		 waits;
} table[] = {
	{ "both share", 100, 200, false, false, false },
	{ "one alone, the other shares", 100, 200, true, false, true },
	{ "one shares, the other alone", 100, 200, false, true, true },
	{ "both alone", 100, 200, true, true, true },
	{ "alone, right before", 0, 100, true, true, false },
	{ "alone, right behind", 200, 300, true, true, false },
	{ "alone, one byte of the first", 0, 101, true, true, true },
	{ "alone, one byte of the last", 199, 300, true, true, true },
	{ "alone, around", 0, 1000, true, false, true },
};

ATF_TC_WITHOUT_HEAD(claim__waits_for_what_overlaps);
ATF_TC_BODY(claim__waits_for_what_overlaps, tc)
{
	struct claims claims;
	struct claim first;
	struct second s;
	size_t i;

	(void)tc;
	claims_init(&claims);
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		claim_take(&claims, &first, table[i].first, table[i].end,
		    table[i].alone);
		start(&s, &claims, table[i].second_alone);
		while (table[i].waits && waiting(&claims) == 0)
			sched_yield();
		if (!table[i].waits)
			pthread_join(s.thread, NULL);
		ATF_CHECK_EQ_MSG(!table[i].waits, shared_load(&s.has), "%s",
		    table[i].what);
		claim_give(&claims, &first);
		if (table[i].waits)
			pthread_join(s.thread, NULL);
		ATF_CHECK_EQ(1, shared_load_acquire(&s.has));
	}
	claims_destroy(&claims);
}

ATF_TC_WITHOUT_HEAD(claim__given_in_any_order);
ATF_TC_BODY(claim__given_in_any_order, tc)
{
	struct claims claims;
	struct claim c[3];
	size_t i;

	(void)tc;
	claims_init(&claims);
	for (i = 0; i < 3; i++)
		claim_take(&claims, &c[i], i * 10, i * 10 + 10, false);
	claim_give(&claims, &c[1]);
	claim_give(&claims, &c[2]);
	claim_give(&claims, &c[0]);
	claim_take(&claims, &c[0], 0, 100, true);
	claim_give(&claims, &c[0]);
	claims_destroy(&claims);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, claim__waits_for_what_overlaps);
	ATF_TP_ADD_TC(tp, claim__given_in_any_order);
	return atf_no_error();
}
