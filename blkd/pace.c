/* SPDX-License-Identifier: ISC */
/*
 * The pace of a backing.  Runs in blkd, queue thread; arithmetic, touches
 * nothing.
 */
#include "blkd/pace.h"

#define BYTES_PER_NS	4u	/* a copy that is in no cache, or faster */
#define WEIGHT		4u	/* of what was, and 1 of what is */
/*
 * One that took longer counts as this many times slow: enough for the pool,
 * and soon forgotten where the thread was only kept from its CPU.
 */
#define LIMIT		(2 * PACE_LONE)

/* Down at once, up slowly: what is kept from its CPU now and then is not. */
static uint64_t
least(uint64_t before, uint64_t took_ns)
{
	if (before == 0 || took_ns < before)
		return (before + took_ns) / (before == 0 ? 1 : 2);
	return before + (took_ns - before) / (2 * WEIGHT);
}

void
pace_learn(struct pace *p, enum engine_op_type type, uint64_t bytes,
    uint64_t took_ns)
{
	uint64_t *mean = &p->mean_ns[type];
	uint64_t copy = type == ENGINE_READ || type == ENGINE_WRITE ?
	    bytes / BYTES_PER_NS : 0;

	took_ns = took_ns > copy ? took_ns - copy : 0;
	if (took_ns > p->slow_ns * LIMIT)
		took_ns = p->slow_ns * LIMIT;
	if (*mean == 0)
		*mean = took_ns;
	else
		*mean = (*mean * (WEIGHT - 1) + took_ns) / WEIGHT;
	/* 0 is for what nobody knows. */
	*mean += *mean == 0;
	p->least_ns[type] = least(p->least_ns[type], took_ns);
	p->least_ns[type] += p->least_ns[type] == 0;
}
