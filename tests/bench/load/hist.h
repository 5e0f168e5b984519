/* SPDX-License-Identifier: ISC */
/*
 * A histogram of times, in the manner of HDR: 64 buckets each doubling, so
 * that a percentile is right within 1/64 from 1 ns to centuries, and adding
 * one is a shift and an increment.
 */
#ifndef LOAD_HIST_H
#define LOAD_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS	6u
#define HIST_BUCKETS	((64u - HIST_SUB_BITS + 1u) << HIST_SUB_BITS)

struct hist {
	uint64_t	n;
	uint64_t	sum;
	uint64_t	max;		/* exact */
	uint64_t	bucket[HIST_BUCKETS];
};

/* The bucket of a value, and the largest value of a bucket. */
static inline unsigned
hist_bucket(uint64_t v)
{
	unsigned shift;

	if (v < 1u << HIST_SUB_BITS)
		return (unsigned)v;
	shift = 63u - HIST_SUB_BITS - (unsigned)__builtin_clzll(v);
	return (shift << HIST_SUB_BITS) + (unsigned)(v >> shift);
}
uint64_t hist_bucket_top(unsigned);

static inline void
hist_add(struct hist *h, uint64_t v)
{
	h->n++;
	h->sum += v;
	if (v > h->max)
		h->max = v;
	h->bucket[hist_bucket(v)]++;
}

/*
 * The smallest time that `percent` of all do not exceed: the top of its
 * bucket, and never more than the maximum.  0 where there are none.
 */
uint64_t hist_percentile(const struct hist *, double percent);

#endif /* LOAD_HIST_H */
