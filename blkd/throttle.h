/* SPDX-License-Identifier: ISC */
/*
 * The throttle of a disk: two token buckets, operations and bytes (DESIGN
 * section 6).  Pure arithmetic over a clock that the caller gives, so that
 * tests run days in microseconds.
 *
 * A bucket fills with `rate` tokens a second up to `burst`, in 128-bit
 * integer arithmetic with the remainder kept: over any time the number of
 * tokens given is exact.  A request takes from both buckets or from neither.
 * One that is larger than the burst runs when the bucket is not in debt, and
 * leaves it in debt.
 *
 * Not locked: the caller serialises (one lock a disk).
 */
#ifndef BLKD_THROTTLE_H
#define BLKD_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct state_levels;

struct throttle_limit {
	uint64_t	rate;		/* tokens a second; 0: no limit */
	uint64_t	burst;		/* tokens; >= rate; 0: one second's */
};

struct throttle_limits {
	struct throttle_limit	ops;
	struct throttle_limit	bytes;
	uint64_t		iops_size;	/* a request counts as one
						 * operation for each started
						 * iops_size bytes; 0: one */
};

#define THROTTLE_WAIT_MAX	UINT64_C(1000000000)	/* ns: one second */

struct throttle_bucket {
	struct throttle_limit	limit;
	int64_t			level;		/* tokens; negative: debt */
	uint64_t		remainder;	/* < 1e9: part of a token */
};

struct throttle {
	struct throttle_bucket	ops;
	struct throttle_bucket	bytes;
	uint64_t		iops_size;
	uint64_t		stamp;		/* ns of the last refill */
};

/*
 * Check limits that came from a configuration or a person.  Returns NULL, or
 * a sentence that says what is wrong.
 */
const char	*throttle_check(const struct throttle_limits *);

/* Full buckets at `now` (ns of any monotonic clock). */
void		 throttle_init(struct throttle *,
		    const struct throttle_limits *, uint64_t now);

/*
 * Other limits from `now` on: what has been earned under the old ones is
 * kept, up to the new burst; debt stays.
 */
void		 throttle_limits(struct throttle *,
		    const struct throttle_limits *, uint64_t now);

/*
 * May a request of `bytes` run at `now`?  0: yes, its tokens are taken.
 * Else the wait in ns, 1..THROTTLE_WAIT_MAX, after which to ask again;
 * nothing is taken.  A clock that goes backwards refills nothing.
 */
uint64_t	 throttle_take(struct throttle *, uint64_t bytes, uint64_t now);

/*
 * Levels to and from the state.  What is loaded is hostile: a level above
 * the burst, a remainder out of range or a stamp in the future is cut down,
 * never believed.
 */
void		 throttle_save(const struct throttle *, struct state_levels *);
void		 throttle_load(struct throttle *, const struct state_levels *,
		    uint64_t now);

#endif /* BLKD_THROTTLE_H */
