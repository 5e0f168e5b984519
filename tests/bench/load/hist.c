/* SPDX-License-Identifier: ISC */
/* A histogram of times.  Runs in the load generator; touches its own. */
#include "tests/bench/load/hist.h"

uint64_t
hist_bucket_top(unsigned bucket)
{
	unsigned shift;
	uint64_t sub;

	if (bucket < 2u << HIST_SUB_BITS)
		return bucket;
	shift = (bucket >> HIST_SUB_BITS) - 1;
	sub = bucket - (shift << HIST_SUB_BITS);
	/* The last one's is one less than 2^64: it wraps to that. */
	return ((sub + 1) << shift) - 1;
}

uint64_t
hist_percentile(const struct hist *h, double percent)
{
	uint64_t rank, seen = 0, top;
	unsigned i;

	if (h->n == 0)
		return 0;
	/* In thousandths, rounded up: 99.9 % of 1000 are 999, not more. */
	rank = (h->n * (uint64_t)(percent * 1000 + .5) + 99999) / 100000;
	if (rank < 1)
		rank = 1;
	for (i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank)
			break;
	}
	if (i == HIST_BUCKETS)
		return h->max;
	top = hist_bucket_top(i);
	return top < h->max ? top : h->max;
}
