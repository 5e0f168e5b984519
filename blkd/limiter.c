/* SPDX-License-Identifier: ISC */
/*
 * The lock around the throttle.  Runs in blkd, register thread and queue
 * threads; trusts the levels in the state no further than throttle_load.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "blkd/group.h"
#include "blkd/limiter.h"
#include "blkd/throttle.h"
#include "shm/shared.h"
#include "shm/state.h"

struct limiter {
	pthread_mutex_t	 lock;
	struct throttle	 throttle;	/* under the lock */
	uint32_t	 active;	/* there are limits; shared_load */
	struct state	*state;
	struct group	 group;		/* under the lock */
	uint32_t	 grouped;	/* it is in one; shared_load */
	uint64_t	(*clock)(void *);
	void		*arg;
};

static uint64_t
monotonic(void *arg)
{
	struct timespec ts;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint32_t
limits_anything(const struct throttle_limits *l)
{
	return l->ops.rate != 0 || l->bytes.rate != 0;
}

static void
save(struct limiter *l)
{
	struct state_levels levels;

	throttle_save(&l->throttle, &levels);
	state_throttle_store(l->state, &levels);
}

struct limiter *
limiter_make(struct state *state, const struct throttle_limits *limits,
    uint64_t (*clock)(void *), void *arg)
{
	struct limiter *l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return NULL;
	pthread_mutex_init(&l->lock, NULL);
	l->state = state;
	l->clock = clock != NULL ? clock : monotonic;
	l->arg = arg;
	limiter_recover(l, limits);
	return l;
}

void
limiter_recover(struct limiter *l, const struct throttle_limits *limits)
{
	static const struct throttle_limits none;
	struct state_levels levels;
	uint64_t now = l->clock(l->arg);

	if (limits == NULL)
		limits = &none;
	throttle_init(&l->throttle, limits, now);
	state_throttle_load(l->state, &levels);
	throttle_load(&l->throttle, &levels, now);
	l->active = limits_anything(limits);
}

void
limiter_free(struct limiter *l)
{
	if (l == NULL)
		return;
	pthread_mutex_destroy(&l->lock);
	free(l);
}

void
limiter_join(struct limiter *l, const struct group *group)
{
	pthread_mutex_lock(&l->lock);
	l->group = *group;
	shared_store(&l->grouped, group->page != NULL);
	pthread_mutex_unlock(&l->lock);
}

void
limiter_regroup(struct limiter *l, const struct throttle_limits *limits,
    uint64_t epoch, uint32_t slot)
{
	pthread_mutex_lock(&l->lock);
	l->group.limits = *limits;
	l->group.epoch = epoch;
	l->group.slot = slot;
	pthread_mutex_unlock(&l->lock);
}

/* As it is now: it may change while a request is being paid for. */
static struct group
group_now(struct limiter *l)
{
	struct group g = { .page = NULL };

	if (!shared_load(&l->grouped))
		return g;
	pthread_mutex_lock(&l->lock);
	g = l->group;
	pthread_mutex_unlock(&l->lock);
	return g;
}

void
limiter_set(struct limiter *l, const struct throttle_limits *limits)
{
	static const struct throttle_limits none;

	if (limits == NULL)
		limits = &none;
	pthread_mutex_lock(&l->lock);
	throttle_limits(&l->throttle, limits, l->clock(l->arg));
	save(l);
	shared_store(&l->active, limits_anything(limits));
	pthread_mutex_unlock(&l->lock);
}

uint64_t
limiter_take(struct limiter *l, uint64_t bytes)
{
	struct group g = group_now(l);
	uint64_t wait;

	/* From all or none. */
	if (g.page != NULL && (wait = group_take(&g, bytes,
	    l->clock(l->arg))) != 0)
		return wait;
	if (!shared_load(&l->active))
		return 0;
	pthread_mutex_lock(&l->lock);
	wait = throttle_take(&l->throttle, bytes, l->clock(l->arg));
	if (wait == 0)
		save(l);
	pthread_mutex_unlock(&l->lock);
	if (wait != 0)
		group_give_back(&g, bytes);
	return wait;
}
