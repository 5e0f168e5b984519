/* SPDX-License-Identifier: ISC */
/*
 * The throttle of a disk, as its queue threads share it: a lock, the
 * buckets, the clock, and the copy of the levels in the state.
 */
#ifndef BLKD_LIMITER_H
#define BLKD_LIMITER_H

#include <stdint.h>

struct group;
struct limiter;
struct state;
struct throttle_limits;

/*
 * Make one with these limits (checked; NULL: none) and the levels that the
 * state remembers.  `clock` gives ns; NULL is CLOCK_MONOTONIC.  Returns NULL
 * and errno on failure.  Register thread.
 */
struct limiter	*limiter_make(struct state *, const struct throttle_limits *,
		    uint64_t (*clock)(void *), void *arg);
/*
 * The same again, for one that was made while a predecessor still changed
 * the levels.  Before any queue runs.
 */
void		 limiter_recover(struct limiter *,
		    const struct throttle_limits *);
void		 limiter_free(struct limiter *);	/* NULL is accepted */

/* A limit that is shared with other disks, too; its page outlives us. */
void		 limiter_join(struct limiter *, const struct group *);
/* Its limits have changed: they are of this epoch, and spent in this slot. */
void		 limiter_regroup(struct limiter *,
		    const struct throttle_limits *, uint64_t epoch,
		    uint32_t slot);

/*
 * Other limits (checked; NULL: none) from now on.  Queues that wait ask
 * again when they are nudged (queue_nudge).  Register thread.
 */
void		 limiter_set(struct limiter *, const struct throttle_limits *);

/*
 * May a request of `bytes` run now?  0: yes, it is paid for and the levels
 * are stored.  Else the ns to wait.  Any queue thread; without limits this
 * is one load.
 */
uint64_t	 limiter_take(struct limiter *, uint64_t bytes);

#endif /* BLKD_LIMITER_H */
