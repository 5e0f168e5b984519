/* SPDX-License-Identifier: ISC */
/*
 * How long a backing takes, for each kind of operation, and so where the
 * synchronous engine carries it out:
 *
 *	mean below `slow`	in the queue thread: a thread more would cost
 *				as much as it gives
 *	from there on		by the pool, where there are several at a time
 *	nearly all from		by the pool, even alone: it shall not keep the
 *	PACE_LONE times that on	queue thread from what comes next
 *
 * Where it is quick, one operation in PACE_EVERY is timed.  Arithmetic alone;
 * belongs to the queue thread.
 */
#ifndef BLKD_PACE_H
#define BLKD_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "blkd/engine.h"

#define PACE_EVERY	8u
#define PACE_LONE	10u
#define PACE_KINDS	(ENGINE_ZERO + 1)

struct pace {
	uint64_t	slow_ns;	/* 0: everything is slow */
	uint64_t	mean_ns[PACE_KINDS];	/* 0: not known yet */
	uint64_t	least_ns[PACE_KINDS];	/* nearly all take so long */
	uint32_t	count;
};

static inline bool
pace_is_slow(const struct pace *p, enum engine_op_type type)
{
	return p->mean_ns[type] >= p->slow_ns;
}

static inline bool
pace_is_slow_alone(const struct pace *p, enum engine_op_type type)
{
	return p->least_ns[type] >= p->slow_ns * PACE_LONE;
}

/* Is this one to be timed? */
static inline bool
pace_wants(struct pace *p, enum engine_op_type type)
{
	return p->count++ % PACE_EVERY == 0 ||
	    p->mean_ns[type] >= p->slow_ns / 2 || p->mean_ns[type] == 0;
}

/* An operation took so long.  Copying `bytes` is not the backing's. */
void	pace_learn(struct pace *, enum engine_op_type, uint64_t bytes,
	    uint64_t took_ns);

#endif /* BLKD_PACE_H */
