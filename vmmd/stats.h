/* SPDX-License-Identifier: ISC */
/*
 * The statistics of a disk: the counters of its state page, added up over
 * the device and its queues.  The vm process has the page read-only, and
 * believes nothing in it.
 */
#ifndef VMMD_STATS_H
#define VMMD_STATS_H

#include <stdint.h>

#include "shm/counters.h"

struct state;

struct stats {
	uint64_t	value[COUNTER_COUNT];
	uint64_t	latency[COUNTER_LATENCY_COUNT][COUNTER_BUCKETS];
};

/* Each counter is whole; together they are of about the same time. */
void	stats_read(const struct state *, unsigned queues, struct stats *);

/* "read", "write", ...: of the latency histograms. */
const char	*stats_latency_name(enum counter_latency);
/* The longest time in ns that is counted in a bucket but the last. */
uint64_t	 stats_bucket_end(unsigned bucket);

#endif /* VMMD_STATS_H */
