/* SPDX-License-Identifier: ISC */
/*
 * Throttle groups.  Runs in blkd, queue threads; trusts its limits and epoch,
 * and nothing that is in the page.
 */
#include <stdbool.h>

#include "blkd/group.h"
#include "shm/shared.h"

#define SECOND	1000000000u

/*
 * No debt of requests that can be in flight at once is above this: 16 disks
 * of 8 queues, 1 GiB each.
 */
#define DEBT_MAX	(UINT64_C(128) << 30)

/* Both are below 2^63: the product is below 2^126. */
static uint64_t
earned(const struct throttle_limit *limit, uint64_t ns)
{
	unsigned __int128 tokens = (unsigned __int128)limit->rate * ns /
	    SECOND;

	/* Beyond that it wraps, as the word does. */
	return (uint64_t)tokens;
}

/* The time after which `missing` more tokens are earned. */
static uint64_t
wait_for(const struct throttle_limit *limit, uint64_t ns, uint64_t missing)
{
	unsigned __int128 parts = (unsigned __int128)limit->rate * ns % SECOND;
	unsigned __int128 need = (unsigned __int128)missing * SECOND - parts;
	unsigned __int128 wait = (need + limit->rate - 1) / limit->rate;

	return wait > THROTTLE_WAIT_MAX ? THROTTLE_WAIT_MAX :
	    wait < 1 ? 1 : (uint64_t)wait;
}

/* 0: taken; else the wait. */
static uint64_t
take(uint64_t *word, const struct throttle_limit *limit, uint64_t n,
    uint64_t ns)
{
	uint64_t burst = limit->burst != 0 ? limit->burst : limit->rate;
	uint64_t have = earned(limit, ns), was = shared_load(word), spent;
	uint64_t ahead, free_at;

	if (limit->rate == 0)
		return 0;
	do {
		/* Tokens spent ahead of what is earned; wrapped: none. */
		ahead = was - have;
		if (ahead > burst + DEBT_MAX)
			ahead = 0;
		spent = have + ahead;
		/*
		 * One token is enough, and the rest is debt: who needs many
		 * would never see them while others take each that comes.  A
		 * request larger than the burst needs it without debt.
		 */
		free_at = n > burst ? burst : burst - 1;
		if (ahead > free_at)
			return wait_for(limit, ns, ahead - free_at);
	} while (!__atomic_compare_exchange_n(word, &was, spent + n, false,
	    __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return 0;
}

static uint64_t
operations(const struct group *g, uint64_t bytes)
{
	uint64_t size = g->limits.iops_size;

	return size == 0 || bytes <= size ? 1 : (bytes - 1) / size + 1;
}

static void
give_back(uint64_t *word, const struct throttle_limit *limit, uint64_t n)
{
	if (limit->rate != 0)
		__atomic_fetch_sub(word, n, __ATOMIC_RELAXED);
}

uint64_t
group_take(const struct group *g, uint64_t bytes, uint64_t now)
{
	uint64_t ns, wait, ops = operations(g, bytes);

	if (g->page == NULL)
		return 0;
	/* An epoch in the future is none. */
	ns = now > g->epoch ? now - g->epoch : 0;
	wait = take(&g->page->s_spent[g->slot][0], &g->limits.ops, ops, ns);
	if (wait != 0)
		return wait;
	wait = take(&g->page->s_spent[g->slot][1], &g->limits.bytes, bytes, ns);
	if (wait != 0)
		give_back(&g->page->s_spent[g->slot][0], &g->limits.ops, ops);
	return wait;
}

void
group_give_back(const struct group *g, uint64_t bytes)
{
	if (g->page == NULL)
		return;
	give_back(&g->page->s_spent[g->slot][0], &g->limits.ops, operations(g, bytes));
	give_back(&g->page->s_spent[g->slot][1], &g->limits.bytes, bytes);
}
