/* SPDX-License-Identifier: ISC */
/*
 * Random chains: whatever lies in the rings, each request is answered, or
 * counted as dropped, or the queue says that its ring is corrupt; what no
 * descriptor points to, and what lies past the capacity, never changes.
 */
#include <atf-c.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blkd/ring_harness.h"
#include "shm/doorbell.h"
#include "shm/shared.h"

#define NUM		64u
#define ROUNDS		4000u
#define HEADS		8u	/* offered in a round */
#define CAPACITY	64u	/* sectors; the file is longer */

#define GUARD_GPA	UINT64_C(0x1000000)	/* nothing points here */
#define GUARD_BYTES	(1u << 20)
#define GUARD		0x3c

#define FEATURES	(RING_FEATURES | \
	RING_FEATURE(VIRTIO_BLK_F_DISCARD) | \
	RING_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES) | \
	RING_FEATURE(VIRTIO_RING_F_INDIRECT_DESC))

static bool
one_in(unsigned n)
{
	return (unsigned)random() % n == 0;
}

static uint64_t
random_gpa(void)
{
	static const uint64_t odd[] = {
		RING_MEMORY - 1, RING_MEMORY, UINT64_MAX, UINT64_MAX - 511,
		UINT64_C(1) << 63, RING_MEMORY - 512,
	};

	if (one_in(50))
		return odd[(unsigned)random() % (sizeof(odd) / sizeof(odd[0]))];
	return RING_DATA_GPA + (uint64_t)random() % (1u << 20);
}

static uint32_t
random_len(void)
{
	static const uint32_t usual[] = { 512, 1024, 4096, 16, 1, 20, 32 };

	if (one_in(30))
		return (uint32_t)random() << 1;
	return usual[(unsigned)random() % (sizeof(usual) / sizeof(usual[0]))];
}

static void
random_header(struct ring_harness *h, unsigned slot)
{
	static const uint32_t types[] = {
		VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_FLUSH,
		VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_DISCARD,
		VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_T_SCSI_CMD,
	};

	ring_harness_header(h, slot,
	    types[(unsigned)random() % (sizeof(types) / sizeof(types[0]))],
	    one_in(10) ? (uint64_t)random() << 33 :
	    (uint64_t)random() % (CAPACITY + 4));
}

/* A chain of n descriptors in t: mostly what a driver would write. */
static void
random_chain(struct virtq_desc *t, unsigned first, unsigned n, unsigned slot)
{
	bool in = one_in(2), whole = !one_in(3);
	unsigned i;

	for (i = first; i < first + n; i++)
		t[i] = (struct virtq_desc) { random_gpa(), whole ? 512 :
		    random_len(),
		    (uint16_t)(VRING_DESC_F_NEXT | (in && i > first ?
		    VRING_DESC_F_WRITE : 0)), (uint16_t)(i + 1) };
	if (!one_in(20)) {
		t[first].g_addr = RING_HEADER_GPA + slot * 16;
		t[first].g_len = 16;
	}
	/* Its last byte is the status: not far away, in what is guarded. */
	t[first + n - 1].g_len &= 4095;
	t[first + n - 1].g_flags = VRING_DESC_F_WRITE;
	if (one_in(20))
		t[first + (unsigned)random() % n].g_flags ^=
		    VRING_DESC_F_WRITE;
	if (one_in(400))
		t[first + (unsigned)random() % n].g_flags =
		    (uint16_t)random();
	if (one_in(400))
		t[first + (unsigned)random() % n].g_next = (uint16_t)random();
}

static void
random_request(struct ring_harness *h, unsigned i)
{
	struct virtq_desc *table = ring_harness_at(h, RING_TABLE_GPA);
	unsigned first = i * (NUM / HEADS), n;

	random_header(h, i);
	if (one_in(3)) {
		n = 1 + (unsigned)random() % (one_in(2) ? 300 : 20);
		random_chain(table, i * 300, n, i);
		for (unsigned j = i * 300; j < i * 300 + n; j++)
			table[j].g_next = (uint16_t)(table[j].g_next - i * 300);
		h->desc[first] = (struct virtq_desc) {
			RING_TABLE_GPA + i * 300 * 16,
			one_in(50) ? random_len() : n * 16,
			VRING_DESC_F_INDIRECT, 0,
		};
	} else
		random_chain(h->desc, first,
		    1 + (unsigned)random() % (NUM / HEADS), i);
	ring_harness_offer(h, (uint16_t)first);
}

/* Wait until all are accounted for; true: the queue goes on. */
static bool
settle(struct ring_harness *h, uint64_t dropped_before)
{
	time_t end = time(NULL) + 20;
	uint64_t dropped;

	for (;;) {
		dropped = ring_harness_counter(h, COUNTER_DROPPED) -
		    dropped_before;
		if ((uint16_t)(shared_load_acquire(&h->used->g_idx) -
		    h->used_idx) + dropped == HEADS)
			break;
		if (queue_poll(h->queue) == QUEUE_POISONED)
			return false;
		ATF_REQUIRE_MSG(time(NULL) < end, "a request is missing");
		sched_yield();
	}
	queue_park(h->queue);
	for (;;) {
		if (queue_poll(h->queue) == QUEUE_POISONED)
			return false;
		if (queue_poll(h->queue) == QUEUE_PARKED)
			break;
	}
	h->used_idx = shared_load(&h->used->g_idx);
	return true;
}

static void
check_guards(struct ring_harness *h)
{
	static uint8_t expected[GUARD_BYTES], found[GUARD_BYTES];

	memset(expected, GUARD, sizeof(expected));
	ATF_REQUIRE_EQ(0, memcmp(expected, ring_harness_at(h, GUARD_GPA),
	    GUARD_BYTES));
	ATF_REQUIRE_EQ(GUARD_BYTES, pread(h->backingfd, found, GUARD_BYTES,
	    CAPACITY * 512));
	ATF_REQUIRE_EQ(0, memcmp(expected, found, GUARD_BYTES));
}

static void
check_monotone(struct ring_harness *h, uint64_t before[COUNTER_COUNT])
{
	uint64_t now;
	int i;

	for (i = 0; i < COUNTER_COUNT; i++) {
		now = ring_harness_counter(h, (enum counter)i);
		if (counter_row((enum counter)i)->kind != COUNTER_KIND_GAUGE)
			ATF_REQUIRE(now >= before[i]);
		before[i] = now;
	}
	ATF_REQUIRE_EQ(0, before[COUNTER_IN_FLIGHT]);
}

static void
reset(struct ring_harness *h)
{
	state_reset(h->disk.state);
	memset(h->avail, 0, 4);
	memset(h->used, 0, 4);
	h->avail_idx = h->used_idx = 0;
	ATF_REQUIRE_EQ(0, ring_harness_start(h, false));
}

ATF_TC_WITHOUT_HEAD(chains__random);
ATF_TC_BODY(chains__random, tc)
{
	uint64_t before[COUNTER_COUNT] = { 0 };
	unsigned i, j, resets = 0, seed = (unsigned)(time(NULL) ^ getpid());
	struct ring_harness h;
	uint8_t *guard;

	(void)tc;
	printf("seed %u\n", seed);
	srandom(seed);
	ring_harness_make(&h, NUM, FEATURES);
	h.disk.sectors = CAPACITY;
	guard = ring_harness_at(&h, GUARD_GPA);
	memset(guard, GUARD, GUARD_BYTES);
	ATF_REQUIRE_EQ(GUARD_BYTES, pwrite(h.backingfd, guard, GUARD_BYTES,
	    CAPACITY * 512));
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	for (i = 0; i < ROUNDS; i++) {
		for (j = 0; j < HEADS; j++)
			random_request(&h, j);
		ring_harness_kick(&h);
		if (settle(&h, before[COUNTER_DROPPED]))
			queue_resume(h.queue);
		else {
			reset(&h);
			resets++;
		}
		check_monotone(&h, before);
		if (i % 64 == 0)
			check_guards(&h);
	}
	check_guards(&h);
	printf("%u chains, %u resets, %ju reads, %ju writes, %ju errors,"
	    " %ju dropped\n", ROUNDS * HEADS, resets,
	    (uintmax_t)before[COUNTER_READS], (uintmax_t)before[COUNTER_WRITES],
	    (uintmax_t)before[COUNTER_IO_ERRORS],
	    (uintmax_t)before[COUNTER_DROPPED]);
	ATF_CHECK(before[COUNTER_READS] > 0 && before[COUNTER_WRITES] > 0 &&
	    before[COUNTER_DROPPED] > 0 && resets > 0 && resets < ROUNDS);
	ring_harness_free(&h);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, chains__random);
	return atf_no_error();
}
