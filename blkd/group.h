/* SPDX-License-Identifier: ISC */
/*
 * A throttle group: disks of one machine that share one limit, each in a
 * process of its own.  What they share is a page with one word a bucket, the
 * tokens spent since an epoch:
 *
 *	earned	= rate * (now - epoch), exactly, as every process finds it
 *	level	= burst + earned - spent, and never above the burst
 *
 * A request runs when there is a token, and leaves the group in debt if it
 * needs more; so the disks get requests alike, of whatever size, and the rate
 * is exact.
 *
 * A word is changed by compare-and-swap: there is no lock that could be held
 * by one who is killed, and no pointer that a hostile peer could bend (both
 * of which a robust mutex has).  Limits and epoch come with ATTACH and are
 * private.  A peer that writes nonsense can delay or unthrottle the disks of
 * its group, and a debt larger than requests in flight can make is forgiven.
 *
 * A request takes from both buckets or gives back; a process that is killed
 * in between loses one request's tokens.
 */
#ifndef BLKD_GROUP_H
#define BLKD_GROUP_H

#include <assert.h>
#include <stdint.h>

#include "proto/proto.h"
#include "blkd/throttle.h"

/* Any process of the group writes; hostile. */
struct group_page {
	/* Operations, bytes; since the epoch that goes with the slot. */
	uint64_t	s_spent[PROTO_GROUP_SLOTS][2];
};
static_assert(sizeof(struct group_page) == PROTO_GROUP_BYTES, "one page");

struct group {
	struct group_page	*page;		/* NULL: no group */
	struct throttle_limits	 limits;	/* checked */
	uint64_t		 epoch;		/* CLOCK_MONOTONIC, ns */
	uint32_t		 slot;		/* < PROTO_GROUP_SLOTS */
};

/*
 * May a request of `bytes` run at `now`?  0: yes, its tokens are taken; else
 * the ns to wait, 1..THROTTLE_WAIT_MAX.  Any thread.
 */
uint64_t	group_take(const struct group *, uint64_t bytes, uint64_t now);
/* A request that was granted does not run after all. */
void		group_give_back(const struct group *, uint64_t bytes);

#endif /* BLKD_GROUP_H */
