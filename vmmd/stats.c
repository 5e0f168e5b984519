/* SPDX-License-Identifier: ISC */
/*
 * Statistics of a disk.  Runs in the vm process: what blkd wrote is hostile,
 * and here it is only numbers, which wrap and add up to no harm.
 */
#include <stddef.h>
#include <string.h>

#include "shm/shared.h"
#include "shm/state.h"
#include "vmmd/stats.h"

static void
add(struct stats *stats, const struct state_counters *c)
{
	unsigned i, j;

	for (i = 0; i < COUNTER_COUNT; i++)
		stats->value[i] += shared_load(&c->s_value[i]);
	for (i = 0; i < COUNTER_LATENCY_COUNT; i++) {
		for (j = 0; j < COUNTER_BUCKETS; j++)
			stats->latency[i][j] +=
			    shared_load(&c->s_latency[i][j]);
	}
}

void
stats_read(const struct state *state, unsigned queues, struct stats *stats)
{
	unsigned i;

	memset(stats, 0, sizeof(*stats));
	add(stats, &state->counters);
	for (i = 0; i < queues && i < STATE_QUEUES_MAX; i++)
		add(stats, &state->queue[i].s_counters);
}

const char *
stats_latency_name(enum counter_latency which)
{
	static const char *const names[COUNTER_LATENCY_COUNT] = {
		[COUNTER_LATENCY_READ] = "read",
		[COUNTER_LATENCY_WRITE] = "write",
		[COUNTER_LATENCY_FLUSH] = "flush",
		[COUNTER_LATENCY_DISCARD] = "discard",
	};

	return (unsigned)which < COUNTER_LATENCY_COUNT ? names[which] : NULL;
}

uint64_t
stats_bucket_end(unsigned bucket)
{
	return (UINT64_C(2) << bucket) - 1;
}
