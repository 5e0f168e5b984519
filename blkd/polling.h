/* SPDX-License-Identifier: ISC */
/*
 * How long a queue thread looks at its ring before it goes to sleep.
 *
 * A sleep costs a wake-up on both sides: the driver's kick and this thread's
 * start, tens of microseconds against the two of a request.  So the thread
 * looks on for a window, which follows what the driver does:
 *
 *	woken within `max` of running dry	the window doubles, up to max
 *	slept for longer			no window at all
 *
 * An idle queue, and one whose requests come further apart than `max`, is
 * asleep all the time.  Belongs to the queue thread.
 */
#ifndef BLKD_POLLING_H
#define BLKD_POLLING_H

#include <stdint.h>

#define POLLING_FIRST_NS	4000u	/* the window to begin with */

struct polling {
	uint64_t	max_ns;		/* 0: never look, sleep at once */
	uint64_t	window_ns;	/* now */
};

/* The queue was dry for so long: seen by looking, or slept through. */
void	polling_learn(struct polling *, uint64_t dry_ns);

#endif /* BLKD_POLLING_H */
