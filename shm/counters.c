/* SPDX-License-Identifier: ISC */
/* The rows of the counters.  Runs in every process; trusts its arguments. */
#include <stddef.h>

#include "shm/counters.h"

#define ROW(which, n, k, text) \
	[COUNTER_##which] = { .name = n, .kind = COUNTER_KIND_##k, \
	    .meaning = text }

static const struct counter_row rows[COUNTER_COUNT] = {
	ROW(READS, "reads", REQUESTS,
	    "Read requests answered OK."),
	ROW(WRITES, "writes", REQUESTS,
	    "Write requests answered OK."),
	ROW(FLUSHES, "flushes", REQUESTS,
	    "Flush requests answered OK."),
	ROW(GET_IDS, "get_ids", REQUESTS,
	    "Requests for the serial answered OK."),
	ROW(DISCARDS, "discards", REQUESTS,
	    "Discard requests answered OK."),
	ROW(WRITE_ZEROES, "write_zeroes", REQUESTS,
	    "Write-zeroes requests answered OK."),
	ROW(READ_BYTES, "read_bytes", BYTES,
	    "Bytes of the reads answered OK."),
	ROW(WRITE_BYTES, "write_bytes", BYTES,
	    "Bytes of the writes answered OK."),
	ROW(DISCARD_BYTES, "discard_bytes", BYTES,
	    "Bytes of the discards and write-zeroes answered OK."),
	ROW(IO_ERRORS, "io_errors", REQUESTS,
	    "Requests answered IOERR, or dropped."),
	ROW(DROPPED, "dropped", REQUESTS,
	    "Requests with no status byte to write to: not answered."),
	ROW(UNSUPPORTED, "unsupported", REQUESTS,
	    "Requests answered UNSUPP."),
	ROW(THROTTLED, "throttled", EVENTS,
	    "Times that a queue began to wait for tokens."),
	ROW(SHORT_READS, "short_reads", EVENTS,
	    "Reads that were filled with zeroes past the end of the backing."),
	ROW(INVALID_RING, "invalid_ring", EVENTS,
	    "Times that a queue was found corrupt."),
	ROW(KICKS, "kicks", EVENTS,
	    "Kicks received, by eventfd or by message."),
	ROW(IRQS, "irqs", EVENTS,
	    "Interrupts signalled."),
	ROW(IRQS_SUPPRESSED, "irqs_suppressed", EVENTS,
	    "Batches published without an interrupt, as the driver asked."),
	ROW(RESETS, "resets", EVENTS,
	    "Resets of the device."),
	ROW(RESPAWNS, "respawns", EVENTS,
	    "Successors attached after the death of a blkd."),
	ROW(REPLAYED, "replayed", EVENTS,
	    "Requests of a dead blkd that its successor ran again."),
	ROW(FAULTS_INJECTED, "faults_injected", EVENTS,
	    "Faults on purpose, as vmmctl(8) fault asked for them."),
	ROW(READ_NS, "read_ns", TIME,
	    "Time that the reads took, in nanoseconds."),
	ROW(WRITE_NS, "write_ns", TIME,
	    "Time that the writes took."),
	ROW(FLUSH_NS, "flush_ns", TIME,
	    "Time that the flushes took."),
	ROW(DISCARD_NS, "discard_ns", TIME,
	    "Time that the discards and write-zeroes took."),
	ROW(IN_FLIGHT, "in_flight", GAUGE,
	    "Requests taken and not yet answered."),
	ROW(THROTTLED_NOW, "throttled_now", GAUGE,
	    "Queues that wait for tokens now."),
	ROW(GIVEN_UP, "given_up", EVENTS,
	    "Requests in flight in three deaths: not run again, but answered"
	    " IOERR."),
};

const struct counter_row *
counter_row(enum counter which)
{
	return (unsigned)which < COUNTER_COUNT ? &rows[which] : NULL;
}

void
counter_latency(struct state_counters *c, enum counter_latency which,
    uint64_t ns)
{
	unsigned bucket = ns == 0 ? 0 : 63 - (unsigned)__builtin_clzll(ns);
	uint64_t *slot;

	if (bucket >= COUNTER_BUCKETS)
		bucket = COUNTER_BUCKETS - 1;
	slot = &c->s_latency[which][bucket];
	shared_store(slot, shared_load(slot) + 1);
	counter_add(c, (enum counter)(COUNTER_READ_NS + which), (int64_t)ns);
}
