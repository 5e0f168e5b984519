/* SPDX-License-Identifier: ISC */
/*
 * Claims on ranges.  Runs in blkd, any thread; touches the claims alone.
 * Claims alone are rare, and what shares looks only at those.
 */
#include "blkd/claim.h"

void
claims_init(struct claims *c)
{
	*c = (struct claims) { .waiting = 0 };
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->given, NULL);
}

void
claims_destroy(struct claims *c)
{
	pthread_cond_destroy(&c->given);
	pthread_mutex_destroy(&c->lock);
}

static bool
overlaps(const struct claim *list, const struct claim *claim)
{
	const struct claim *c;

	for (c = list; c != NULL; c = c->next)
		if (c->first < claim->end && claim->first < c->end)
			return true;
	return false;
}

static bool
must_wait(const struct claims *c, const struct claim *claim)
{
	return overlaps(c->list[true], claim) ||
	    (claim->alone && overlaps(c->list[false], claim));
}

void
claim_take(struct claims *c, struct claim *claim, uint64_t first,
    uint64_t end, bool alone)
{
	struct claim **list = &c->list[alone];

	claim->first = first;
	claim->end = end;
	claim->alone = alone;
	claim->taken = true;
	pthread_mutex_lock(&c->lock);
	c->waiting++;
	while (must_wait(c, claim))
		pthread_cond_wait(&c->given, &c->lock);
	c->waiting--;
	claim->next = *list;
	claim->link = list;
	if (*list != NULL)
		(*list)->link = &claim->next;
	*list = claim;
	pthread_mutex_unlock(&c->lock);
}

void
claim_give(struct claims *c, struct claim *claim)
{
	claim->taken = false;
	pthread_mutex_lock(&c->lock);
	*claim->link = claim->next;
	if (claim->next != NULL)
		claim->next->link = claim->link;
	if (c->waiting > 0)
		pthread_cond_broadcast(&c->given);
	pthread_mutex_unlock(&c->lock);
}
