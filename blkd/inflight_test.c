/* SPDX-License-Identifier: ISC */
/*
 * Recovery.  The state of a blkd that was killed is built by hand for each
 * place between two stores; then a real queue thread takes it over, and the
 * driver counts: every request exactly once.
 */
#include <atf-c.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blkd/inflight.h"
#include "blkd/ring_harness.h"
#include "shm/shared.h"

#define NUM	64u
#define WRITES	3u	/* requests: slot i writes sector i */

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

static struct state_queue *
journal(struct ring_harness *h)
{
	return &h->disk.state->queue[0];
}

/* Slot i is the n-th request, from 0, that was ever taken after `base`. */
static void
mark(struct ring_harness *h, unsigned slot, unsigned n, unsigned deaths,
    int marked)
{
	shared_store(&journal(h)->s_inflight[ring_harness_head(slot)],
	    state_inflight_word(UINT64_C(65536) + h->used_idx + n + 1, deaths,
	    marked));
}

/* The record of a batch: slots 0..n-1. */
static void
record(struct ring_harness *h, uint16_t n, int pending)
{
	uint16_t i;

	for (i = 0; i < n; i++) {
		journal(h)->s_batch[i].s_id = ring_harness_head(i);
		journal(h)->s_batch[i].s_len = 1;
	}
	shared_store(&journal(h)->s_publish, state_publish_word(h->used_idx,
	    (uint16_t)(h->used_idx + n), pending));
}

/* What a blkd does when it publishes slots 0..n-1. */
static void
fill_used(struct ring_harness *h, uint16_t n, int visible)
{
	uint16_t i;

	for (i = 0; i < n; i++) {
		h->used->g_ring[(h->used_idx + i) & (NUM - 1)] =
		    (struct virtq_used_elem) { ring_harness_head(i), 1 };
		*(uint8_t *)ring_harness_at(h, RING_STATUS_GPA + i) = 0;
	}
	if (visible)
		shared_store(&h->used->g_idx, (uint16_t)(h->used_idx + n));
}

static void
set_up(struct ring_harness *h, uint16_t base)
{
	unsigned i;

	ring_harness_make(h, NUM, RING_FEATURES);
	ring_harness_move(h, base);
	/* Not a slot of ours carries the cursor. */
	shared_store(&journal(h)->s_inflight[NUM - 1],
	    shared_load(&journal(h)->s_inflight[0]));
	shared_store(&journal(h)->s_inflight[0], 0);
	for (i = 0; i < WRITES; i++) {
		ring_harness_request(h, i, VIRTIO_BLK_T_OUT, i, 512);
		memset(ring_harness_data(h, i), (int)i + 1, 512);
		ring_harness_offer(h, ring_harness_head(i));
	}
	ring_harness_show(h);
}

/* Take over; `replays` of them again; then all three, once, in order. */
static void
finish(struct ring_harness *h, int replays, unsigned written)
{
	uint8_t sector[512];
	uint16_t base = h->used_idx;
	unsigned i;

	ATF_REQUIRE_EQ(replays, ring_harness_start(h, true));
	ring_harness_wait_used(h, WRITES);
	for (i = 0; i < WRITES; i++) {
		ATF_CHECK_EQ(ring_harness_head(i),
		    ring_harness_take_used(h).g_id);
		ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_status(h, i));
		ring_harness_sector(h, i, sector);
		if (i >= WRITES - written)
			ATF_CHECK_EQ(i + 1, sector[511]);
	}
	ring_harness_wait_counter(h, COUNTER_WRITES, written);
	ring_harness_wait_counter(h, COUNTER_REPLAYED, (uint64_t)replays);
	ATF_CHECK(ring_harness_counter(h, COUNTER_IRQS) >= 1);
	queue_park(h->queue);
	ring_harness_wait_for(h, QUEUE_PARKED);
	ATF_CHECK_EQ((uint16_t)(base + WRITES), shared_load(&h->used->g_idx));
	ATF_CHECK_EQ(0, ring_harness_counter(h, COUNTER_IN_FLIGHT));
	for (i = 0; i < WRITES; i++)
		ATF_CHECK_EQ(0, shared_load(&journal(h)->s_inflight[
		    ring_harness_head(i)]) & STATE_INFLIGHT_MARK);
	/* And it goes on from there. */
	queue_resume(h->queue);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(h, 0, NULL));
	ring_harness_free(h);
}

/* Each at a harmless place of the ring, and where its index wraps. */
#define CRASH(name, state, replays, written)				\
	ATF_TC_WITHOUT_HEAD(crash__##name);				\
	ATF_TC_BODY(crash__##name, tc)					\
	{								\
		static const uint16_t bases[] = { 0, 100, 65534, 65535 }; \
		struct ring_harness h;					\
		size_t i;						\
									\
		(void)tc;						\
		for (i = 0; i < 4; i++) {				\
			set_up(&h, bases[i]);				\
			state;						\
			finish(&h, replays, written);			\
		}							\
	}

static void
mark_all(struct ring_harness *h)
{
	unsigned i;

	for (i = 0; i < WRITES; i++)
		mark(h, i, i, 0, 1);
}

static void
publish_two(struct ring_harness *h)
{
	mark_all(h);
	record(h, 2, 1);
	fill_used(h, 2, 1);
}

CRASH(before_mark, , 0, 3)
CRASH(after_mark, mark(&h, 0, 0, 0, 1), 1, 3)
CRASH(after_all_marks, mark_all(&h), 3, 3)
CRASH(executed_not_recorded, (mark_all(&h), fill_used(&h, 0, 0),
    memset(ring_harness_at(&h, RING_STATUS_GPA), 0, WRITES)), 3, 3)
CRASH(batch_stored_not_recorded,
    (mark_all(&h), record(&h, 2, 0),
    shared_store(&journal(&h)->s_publish,
    state_publish_word(0, h.used_idx, 0))), 3, 3)
CRASH(recorded, (mark_all(&h), fill_used(&h, 2, 0), record(&h, 2, 1),
    memset(&h.used->g_ring, 0, sizeof(h.used->g_ring[0]) * NUM)), 1, 1)
CRASH(recorded_one_element, (mark_all(&h), fill_used(&h, 2, 0),
    record(&h, 2, 1),
    h.used->g_ring[(h.used_idx + 1) & (NUM - 1)].g_id = 99), 1, 1)
CRASH(recorded_all_elements, (mark_all(&h), record(&h, 2, 1),
    fill_used(&h, 2, 0)), 1, 1)
CRASH(published, publish_two(&h), 1, 1)
CRASH(half_freed, (publish_two(&h), mark(&h, 0, 0, 0, 0)), 1, 1)
CRASH(freed, (publish_two(&h), mark(&h, 0, 0, 0, 0), mark(&h, 1, 1, 0, 0)),
    1, 1)
CRASH(record_cleared, (publish_two(&h), mark(&h, 0, 0, 0, 0),
    mark(&h, 1, 1, 0, 0), record(&h, 2, 0)), 1, 1)

/* Killed while it recovers, before it has run anything: nothing is lost. */
CASE(crash__during_recovery)
{
	struct inflight f;
	struct virtq vq;
	struct ring_harness h;
	uint16_t replay[NUM];

	(void)tc;
	set_up(&h, 65534);
	publish_two(&h);
	shared_store(&h.used->g_idx, h.used_idx);
	ATF_REQUIRE_EQ(0, virtq_map(&vq, h.disk.gmem, &h.setup));
	ATF_REQUIRE_EQ(1, inflight_recover(&f, journal(&h), &vq, replay));
	ATF_CHECK_EQ(ring_harness_head(2), replay[0]);
	ATF_CHECK_EQ(1, inflight_deaths(&f, replay[0]));
	finish(&h, 1, 1);
}

/* Deaths count from when the request is run, not from recoveries. */
CASE(crash__before_it_runs)
{
	struct inflight f;
	struct virtq vq;
	struct ring_harness h;
	uint16_t replay[NUM];
	unsigned i;

	(void)tc;
	set_up(&h, 0);
	mark_all(&h);
	ATF_REQUIRE_EQ(0, virtq_map(&vq, h.disk.gmem, &h.setup));
	for (i = 0; i < 5; i++) {
		ATF_REQUIRE_EQ(3, inflight_recover(&f, journal(&h), &vq,
		    replay));
		ATF_CHECK_EQ(1 + i, inflight_deaths(&f, replay[0]));
		ATF_CHECK_EQ(1, inflight_deaths(&f, replay[1]));
		inflight_again(&f, replay[0]);
	}
	ring_harness_free(&h);
}

/* Three writes to one sector: the newest wins, in the order of taking. */
CASE(replay__in_order)
{
	struct ring_harness h;
	uint8_t sector[512];
	static const unsigned order[WRITES] = { 2, 0, 1 };
	unsigned i;

	(void)tc;
	set_up(&h, 5);
	h.avail_idx = 5;
	for (i = 0; i < WRITES; i++) {
		ring_harness_header(&h, i, VIRTIO_BLK_T_OUT, 0);
		ring_harness_offer(&h, ring_harness_head(order[i]));
		mark(&h, order[i], i, 0, 1);
	}
	ATF_REQUIRE_EQ(3, ring_harness_start(&h, true));
	ring_harness_wait_used(&h, WRITES);
	for (i = 0; i < WRITES; i++)
		ATF_CHECK_EQ(ring_harness_head(order[i]),
		    ring_harness_take_used(&h).g_id);
	ring_harness_sector(&h, 0, sector);
	ATF_CHECK_EQ(order[2] + 1, sector[0]);
	ring_harness_free(&h);
}

CASE(replay__third_death)
{
	struct ring_harness h;
	uint8_t sector[512];

	(void)tc;
	set_up(&h, 0);
	mark(&h, 0, 0, 2, 1);
	mark(&h, 1, 1, 1, 1);
	ATF_REQUIRE_EQ(2, ring_harness_start(&h, true));
	ring_harness_wait_used(&h, WRITES);
	ATF_CHECK_EQ(VIRTIO_BLK_S_IOERR, ring_harness_status(&h, 0));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_status(&h, 1));
	ring_harness_sector(&h, 0, sector);
	ATF_CHECK_EQ(0, sector[0]);
	ring_harness_sector(&h, 1, sector);
	ATF_CHECK_EQ(2, sector[0]);
	ring_harness_free(&h);
}

/* The guest has changed its mind about where the status is. */
CASE(replay__judged_afresh)
{
	struct ring_harness h;

	(void)tc;
	set_up(&h, 0);
	mark_all(&h);
	h.desc[0 + 2].g_flags = 0;
	ATF_REQUIRE_EQ(3, ring_harness_start(&h, true));
	ring_harness_wait_used(&h, 2);
	ring_harness_wait_counter(&h, COUNTER_DROPPED, 1);
	ATF_CHECK_EQ(0, ring_harness_counter(&h, COUNTER_IN_FLIGHT));
	ring_harness_free(&h);
}

CASE(replay__corrupt_chain)
{
	struct ring_harness h;

	(void)tc;
	set_up(&h, 0);
	mark_all(&h);
	h.desc[ring_harness_head(1)].g_next = NUM;
	ATF_REQUIRE_EQ(3, ring_harness_start(&h, true));
	ring_harness_wait_for(&h, QUEUE_POISONED);
	/* The one before it was run, and is published. */
	ATF_CHECK_EQ(1, shared_load(&h.used->g_idx));
	ring_harness_free(&h);
}

/* Nothing in flight: the interrupt may be what was lost. */
CASE(recover__one_interrupt)
{
	struct ring_harness h;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	h.avail->g_flags = VRING_AVAIL_F_NO_INTERRUPT;
	ring_harness_move(&h, 7);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, true));
	ring_harness_wait_counter(&h, COUNTER_IRQS, 1);
	queue_park(h.queue);
	ring_harness_wait_for(&h, QUEUE_PARKED);
	ATF_CHECK_EQ(1, ring_harness_irqs(&h));
	ring_harness_free(&h);
}

CASE(recover__fresh_state)
{
	struct ring_harness h;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, true));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_IN, 0, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, NULL));
	ring_harness_free(&h);
}

/* --- contradictions ----------------------------------------------------- */

static void
expect_corrupt(struct ring_harness *h)
{
	uint16_t idx = shared_load(&h->used->g_idx);
	uint64_t publish = shared_load(&journal(h)->s_publish);

	ATF_CHECK_ERRNO(EPROTO, ring_harness_start(h, true) == -1);
	ATF_CHECK_EQ(QUEUE_POISONED, queue_poll(h->queue));
	ATF_CHECK_EQ(1, ring_harness_counter(h, COUNTER_INVALID_RING));
	ATF_CHECK_EQ(1, shared_load(&journal(h)->s_poisoned));
	ATF_CHECK_EQ(idx, shared_load(&h->used->g_idx));
	ATF_CHECK_EQ(publish, shared_load(&journal(h)->s_publish));
	ring_harness_free(h);
}

#define CORRUPT(name, state)						\
	ATF_TC_WITHOUT_HEAD(corrupt__##name);				\
	ATF_TC_BODY(corrupt__##name, tc)				\
	{								\
		struct ring_harness h;					\
									\
		(void)tc;						\
		set_up(&h, 65535);					\
		mark_all(&h);						\
		state;							\
		expect_corrupt(&h);					\
	}

#define WORD(h, head)	journal(&(h))->s_inflight[head]

CORRUPT(order_twice, mark(&h, 1, 0, 0, 1))
CORRUPT(order_twice_unmarked, mark(&h, 1, 0, 0, 0))
CORRUPT(order_zero, WORD(h, 0) = STATE_INFLIGHT_MARK)
CORRUPT(order_absurd, WORD(h, 0) = UINT64_MAX)
CORRUPT(order_ahead_of_avail, mark(&h, 2, 3, 0, 1))
CORRUPT(order_behind_avail, h.avail->g_idx += NUM + 1)
CORRUPT(head_out_of_ring, WORD(h, NUM) = state_inflight_word(1, 0, 1))
CORRUPT(used_idx_moved, h.used->g_idx++)
CORRUPT(used_idx_between, (record(&h, 2, 1), h.used->g_idx++))
CORRUPT(used_idx_beyond, (record(&h, 2, 1), h.used->g_idx += 3))
CORRUPT(batch_empty, record(&h, 0, 1))
CORRUPT(batch_too_long, (record(&h, 3, 1), journal(&h)->s_publish =
    state_publish_word(h.used_idx, (uint16_t)(h.used_idx + NUM + 1), 1)))
CORRUPT(batch_head_out_of_range, (record(&h, 2, 1),
    journal(&h)->s_batch[1].s_id = NUM))
CORRUPT(batch_head_twice, (record(&h, 2, 1),
    journal(&h)->s_batch[1].s_id = 0))
CORRUPT(batch_head_not_in_flight, (record(&h, 2, 1), mark(&h, 1, 1, 0, 0)))
CORRUPT(publish_word_unknown_bits,
    journal(&h)->s_publish |= UINT64_C(1) << 33)

/* Whatever is in the state: an answer, and no crash. */
CASE(corrupt__random)
{
	struct ring_harness h;
	struct inflight f;
	struct virtq vq;
	uint16_t replay[NUM];
	unsigned seed = (unsigned)getpid();
	int i, j, n, sound = 0;

	(void)tc;
	printf("seed %u\n", seed);
	srandom(seed);
	set_up(&h, 65530);
	for (i = 0; i < 100000; i++) {
		state_reset(h.disk.state);
		h.used->g_idx = (uint16_t)(random() % 4);
		h.avail->g_idx = (uint16_t)(random() % 8);
		journal(&h)->s_publish = state_publish_word(
		    (uint16_t)(random() % 4), (uint16_t)(random() % 4),
		    random() % 2);
		for (j = random() % 4; j > 0; j--)
			WORD(h, random() % (NUM + 1)) = state_inflight_word(
			    (uint64_t)random() % 8, (unsigned)random() % 128,
			    random() % 2);
		for (j = 0; j < 4; j++)
			journal(&h)->s_batch[j].s_id =
			    (uint32_t)random() % (NUM + 2);
		ATF_REQUIRE_EQ(0, virtq_map(&vq, h.disk.gmem, &h.setup));
		n = inflight_recover(&f, journal(&h), &vq, replay);
		ATF_REQUIRE(n >= -1 && n <= (int)NUM);
		sound += n >= 0;
	}
	printf("%d of %d were sound\n", sound, i);
	ATF_CHECK(sound > 0 && sound < i);
	ring_harness_free(&h);
}

static atf_error_t
add_corrupt(atf_tp_t *tp)
{
	ATF_TP_ADD_TC(tp, corrupt__order_twice);
	ATF_TP_ADD_TC(tp, corrupt__order_twice_unmarked);
	ATF_TP_ADD_TC(tp, corrupt__order_zero);
	ATF_TP_ADD_TC(tp, corrupt__order_absurd);
	ATF_TP_ADD_TC(tp, corrupt__order_ahead_of_avail);
	ATF_TP_ADD_TC(tp, corrupt__order_behind_avail);
	ATF_TP_ADD_TC(tp, corrupt__head_out_of_ring);
	ATF_TP_ADD_TC(tp, corrupt__used_idx_moved);
	ATF_TP_ADD_TC(tp, corrupt__used_idx_between);
	ATF_TP_ADD_TC(tp, corrupt__used_idx_beyond);
	ATF_TP_ADD_TC(tp, corrupt__batch_empty);
	ATF_TP_ADD_TC(tp, corrupt__batch_too_long);
	ATF_TP_ADD_TC(tp, corrupt__batch_head_out_of_range);
	ATF_TP_ADD_TC(tp, corrupt__batch_head_twice);
	ATF_TP_ADD_TC(tp, corrupt__batch_head_not_in_flight);
	ATF_TP_ADD_TC(tp, corrupt__publish_word_unknown_bits);
	ATF_TP_ADD_TC(tp, corrupt__random);
	return atf_no_error();
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, crash__before_mark);
	ATF_TP_ADD_TC(tp, crash__after_mark);
	ATF_TP_ADD_TC(tp, crash__after_all_marks);
	ATF_TP_ADD_TC(tp, crash__executed_not_recorded);
	ATF_TP_ADD_TC(tp, crash__batch_stored_not_recorded);
	ATF_TP_ADD_TC(tp, crash__recorded);
	ATF_TP_ADD_TC(tp, crash__recorded_one_element);
	ATF_TP_ADD_TC(tp, crash__recorded_all_elements);
	ATF_TP_ADD_TC(tp, crash__published);
	ATF_TP_ADD_TC(tp, crash__half_freed);
	ATF_TP_ADD_TC(tp, crash__freed);
	ATF_TP_ADD_TC(tp, crash__record_cleared);
	ATF_TP_ADD_TC(tp, crash__during_recovery);
	ATF_TP_ADD_TC(tp, crash__before_it_runs);
	ATF_TP_ADD_TC(tp, replay__in_order);
	ATF_TP_ADD_TC(tp, replay__third_death);
	ATF_TP_ADD_TC(tp, replay__judged_afresh);
	ATF_TP_ADD_TC(tp, replay__corrupt_chain);
	ATF_TP_ADD_TC(tp, recover__one_interrupt);
	ATF_TP_ADD_TC(tp, recover__fresh_state);
	return add_corrupt(tp);
}
