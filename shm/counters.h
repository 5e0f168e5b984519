/* SPDX-License-Identifier: ISC */
/*
 * The counters of a disk: one row each in counters.c (name, kind, sentence),
 * from which statistics, manual and tests are made.
 *
 * Each queue thread counts in its own queue's set, the register thread in
 * the device's; a reader adds them up.  A counter only grows, over reset and
 * respawn; a gauge is a value of now.  One writer each, so a plain store of
 * a 64-bit word is enough; readers see each word whole.
 */
#ifndef SHM_COUNTERS_H
#define SHM_COUNTERS_H

#include <stdint.h>

#include "shm/shared.h"

enum counter {
	/* requests: once each, when the used element is published with OK */
	COUNTER_READS,
	COUNTER_WRITES,
	COUNTER_FLUSHES,
	COUNTER_GET_IDS,
	COUNTER_DISCARDS,
	COUNTER_WRITE_ZEROES,
	COUNTER_READ_BYTES,
	COUNTER_WRITE_BYTES,
	COUNTER_DISCARD_BYTES,
	/* requests that went wrong: once each */
	COUNTER_IO_ERRORS,	/* IOERR answered, or dropped */
	COUNTER_DROPPED,	/* nothing could be answered */
	COUNTER_UNSUPPORTED,	/* UNSUPP answered */
	/* events: once an event */
	COUNTER_THROTTLED,	/* stalls */
	COUNTER_SHORT_READS,	/* zero-filled past the end of the backing */
	COUNTER_INVALID_RING,	/* a ring was poisoned */
	COUNTER_KICKS,
	COUNTER_IRQS,
	COUNTER_IRQS_SUPPRESSED,
	COUNTER_RESETS,
	COUNTER_RESPAWNS,
	COUNTER_REPLAYED,	/* requests of a dead predecessor run again */
	COUNTER_FAULTS_INJECTED,
	/* time from taken to published, summed up: as in the histograms */
	COUNTER_READ_NS,
	COUNTER_WRITE_NS,
	COUNTER_FLUSH_NS,
	COUNTER_DISCARD_NS,
	/* gauges */
	COUNTER_IN_FLIGHT,
	COUNTER_THROTTLED_NOW,	/* 1 while a queue waits for tokens */
	/* of later versions: each keeps its slot */
	COUNTER_GIVEN_UP,	/* in flight in too many deaths: not run */
	COUNTER_COUNT,
};

#define COUNTER_SLOTS	64	/* room for more without a new layout */
_Static_assert(COUNTER_COUNT <= COUNTER_SLOTS, "every counter has a slot");

/*
 * Latency histograms: bucket n counts requests that took [2^n, 2^(n+1)) ns
 * from their head being taken to their used element being published.
 */
enum counter_latency {
	COUNTER_LATENCY_READ,
	COUNTER_LATENCY_WRITE,
	COUNTER_LATENCY_FLUSH,
	COUNTER_LATENCY_DISCARD,	/* and WRITE_ZEROES */
	COUNTER_LATENCY_COUNT,
};
_Static_assert(COUNTER_DISCARD_NS - COUNTER_READ_NS ==
    COUNTER_LATENCY_DISCARD, "in the order of their histograms");
#define COUNTER_BUCKETS	40	/* the last takes everything longer */

struct state_counters {
	uint64_t	s_value[COUNTER_SLOTS];
	uint64_t	s_latency[COUNTER_LATENCY_COUNT][COUNTER_BUCKETS];
};

enum counter_kind {
	COUNTER_KIND_REQUESTS,	/* once a request */
	COUNTER_KIND_BYTES,
	COUNTER_KIND_EVENTS,	/* once an event */
	COUNTER_KIND_TIME,	/* ns, once a request */
	COUNTER_KIND_GAUGE,
};

struct counter_row {
	const char		*name;		/* as in statistics */
	enum counter_kind	 kind;
	const char		*meaning;	/* one sentence */
};

/* The row of a counter; any thread. */
const struct counter_row *counter_row(enum counter);

/* The one writer adds; a gauge may go down. */
static inline void
counter_add(struct state_counters *c, enum counter which, int64_t n)
{
	shared_store(&c->s_value[which],
	    shared_load(&c->s_value[which]) + (uint64_t)n);
}

static inline void
counter_set(struct state_counters *c, enum counter which, uint64_t v)
{
	shared_store(&c->s_value[which], v);
}

/* The one writer records a latency in ns. */
void	counter_latency(struct state_counters *, enum counter_latency,
	    uint64_t ns);

#endif /* SHM_COUNTERS_H */
