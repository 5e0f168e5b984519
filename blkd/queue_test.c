/* SPDX-License-Identifier: ISC */
/*
 * A queue thread with real rings: the way of a request from kick to
 * interrupt, and what is answered, counted and left alone on it.
 */
#include <sys/eventfd.h>

#include <atf-c.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "blkd/ring_engine.h"
#include "blkd/ring_harness.h"
#include "shm/doorbell.h"
#include "shm/shared.h"

#define NUM	64u

/* ATF_TC_WITHOUT_HEAD and its body, in one. */
#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

CASE(request__read)
{
	struct ring_harness h;
	uint8_t expected[512] = { 1, 2, 3 };
	uint32_t len;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	ATF_REQUIRE_EQ(512, pwrite(h.backingfd, expected, 512, 7 * 512));
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_IN, 6, 1024);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, &len));
	ATF_CHECK_EQ(1025, len);
	ATF_CHECK_EQ(0, memcmp(ring_harness_data(&h, 0) + 512, expected, 512));
	ring_harness_wait_counter(&h, COUNTER_IRQS, 1);
	ATF_CHECK_EQ(1, ring_harness_counter(&h, COUNTER_READS));
	ATF_CHECK_EQ(1024, ring_harness_counter(&h, COUNTER_READ_BYTES));
	ATF_CHECK_EQ(0, ring_harness_counter(&h, COUNTER_IN_FLIGHT));
	ATF_CHECK_EQ(DOORBELL_USED, doorbell_pending(h.disk.doorbell));
	ring_harness_free(&h);
}

CASE(request__write)
{
	struct ring_harness h;
	uint8_t found[512];
	uint32_t len;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_OUT, 3, 512);
	memset(ring_harness_data(&h, 0), 0x5a, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, &len));
	ATF_CHECK_EQ(1, len);
	ring_harness_sector(&h, 3, found);
	ATF_CHECK_EQ(0, memcmp(ring_harness_data(&h, 0), found, 512));
	ring_harness_wait_counter(&h, COUNTER_WRITES, 1);
	ATF_CHECK_EQ(512, ring_harness_counter(&h, COUNTER_WRITE_BYTES));
	ring_harness_free(&h);
}

CASE(request__flush)
{
	struct ring_harness h;
	uint32_t len;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_FLUSH, 0, 0);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, &len));
	ATF_CHECK_EQ(1, len);
	ring_harness_wait_counter(&h, COUNTER_FLUSHES, 1);
	ring_harness_free(&h);
}

CASE(request__get_id)
{
	struct ring_harness h;
	uint32_t len;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_GET_ID, 0, 20);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, &len));
	ATF_CHECK_EQ(21, len);
	ATF_CHECK_EQ(0, memcmp(ring_harness_data(&h, 0),
	    "serial-of-20-bytes..", 20));
	ring_harness_wait_counter(&h, COUNTER_GET_IDS, 1);
	ring_harness_free(&h);
}

CASE(request__many_in_flight)
{
	struct ring_harness h;
	unsigned round, i;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	for (round = 0; round < 100; round++) {
		for (i = 0; i < NUM / RING_SLOT_DESCS; i++) {
			ring_harness_request(&h, i, VIRTIO_BLK_T_OUT,
			    i, 512);
			ring_harness_offer(&h, ring_harness_head(i));
		}
		ring_harness_kick(&h);
		ring_harness_wait_used(&h, NUM / RING_SLOT_DESCS);
		for (i = 0; i < NUM / RING_SLOT_DESCS; i++) {
			ATF_REQUIRE_EQ(ring_harness_head(i),
			    ring_harness_take_used(&h).g_id);
			ATF_REQUIRE_EQ(VIRTIO_BLK_S_OK,
			    ring_harness_status(&h, i));
		}
	}
	ring_harness_wait_counter(&h, COUNTER_WRITES, round * i);
	ring_harness_free(&h);
}


CASE(request__finished_out_of_order)
{
	struct ring_harness h;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	h.disk.engine = &ring_engine;
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_OUT, 0, 512);
	ring_harness_request(&h, 1, VIRTIO_BLK_T_OUT, 1, 512);
	ring_harness_offer(&h, 0);
	ring_harness_offer(&h, ring_harness_head(1));
	ring_harness_kick(&h);
	ring_engine_wait(2);
	ATF_CHECK_EQ(2, ring_harness_counter(&h, COUNTER_IN_FLIGHT));
	ring_engine_release(1);
	ring_harness_wait_used(&h, 1);
	ATF_CHECK_EQ(ring_harness_head(1), ring_harness_take_used(&h).g_id);
	ATF_CHECK_EQ(RING_STATUS_UNTOUCHED, ring_harness_status(&h, 0));
	ring_engine_release(0);
	ring_harness_wait_used(&h, 1);
	ATF_CHECK_EQ(0, ring_harness_take_used(&h).g_id);
	ring_harness_wait_counter(&h, COUNTER_WRITES, 2);
	ATF_CHECK_EQ(0, ring_harness_counter(&h, COUNTER_IN_FLIGHT));
	ring_harness_free(&h);
}

CASE(request__past_the_end_of_the_file)
{
	struct ring_harness h;
	uint8_t expected[1024] = { 9 };
	uint32_t len;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	ATF_REQUIRE_EQ(1, pwrite(h.backingfd, expected, 1, 512));
	ATF_REQUIRE_EQ(0, ftruncate(h.backingfd, 512 + 100));
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_IN, 1, 1024);
	memset(ring_harness_data(&h, 0), 0x77, 1024);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, &len));
	ATF_CHECK_EQ(1025, len);
	ATF_CHECK_EQ(0, memcmp(ring_harness_data(&h, 0), expected, 1024));
	ATF_CHECK_EQ(1, ring_harness_counter(&h, COUNTER_SHORT_READS));
	ring_harness_free(&h);
}

/* The range of a discard, in place of slot i's data. */
static void
set_range(struct ring_harness *h, unsigned slot, uint64_t sector,
    uint32_t sectors, uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes range = {
		.sector = sector, .num_sectors = sectors, .flags = flags,
	};

	memcpy(ring_harness_data(h, slot), &range, sizeof(range));
}

static void
check_range(uint32_t type, uint32_t feature, uint32_t flags)
{
	struct ring_harness h;
	uint8_t block[512], zeroes[512] = { 0 };
	uint64_t i;

	ring_harness_make(&h, NUM, RING_FEATURES | RING_FEATURE(feature));
	memset(block, 0x33, sizeof(block));
	for (i = 0; i < 32; i++)
		ATF_REQUIRE_EQ(512, pwrite(h.backingfd, block, 512,
		    (off_t)i * 512));
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, type, 0, 16);
	set_range(&h, 0, 8, 16, flags);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, NULL));
	for (i = 0; i < 32; i++) {
		ring_harness_sector(&h, i, block);
		ATF_CHECK_EQ(i >= 8 && i < 24,
		    memcmp(block, zeroes, 512) == 0);
	}
	ring_harness_wait_counter(&h, COUNTER_DISCARD_BYTES, 16 * 512);
	ring_harness_free(&h);
}

CASE(request__discard)
{
	(void)tc;
	check_range(VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_F_DISCARD, 0);
}

CASE(request__write_zeroes)
{
	(void)tc;
	check_range(VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_F_WRITE_ZEROES, 0);
}

CASE(request__write_zeroes_unmap)
{
	(void)tc;
	check_range(VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_F_WRITE_ZEROES,
	    VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);
}

/* --- commands ----------------------------------------------------------- */

CASE(park__idle)
{
	struct ring_harness h;
	eventfd_t n;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ATF_CHECK_EQ(QUEUE_RUNNING, queue_poll(h.queue));
	queue_park(h.queue);
	ring_harness_wait_for(&h, QUEUE_PARKED);
	while (eventfd_read(h.eventfd, &n) == -1)
		sched_yield();	/* written right after */
	queue_park(h.queue);
	ATF_CHECK_EQ(QUEUE_PARKED, queue_poll(h.queue));
	ring_harness_free(&h);
}

/* A kick while it is parked is seen when it goes on. */
CASE(park__kick_in_between)
{
	struct ring_harness h;
	unsigned i;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_IN, 0, 512);
	for (i = 0; i < 200; i++) {
		queue_park(h.queue);
		ring_harness_wait_for(&h, QUEUE_PARKED);
		ring_harness_offer(&h, 0);
		ring_harness_kick(&h);
		ATF_REQUIRE_EQ(h.used_idx, shared_load(&h.used->g_idx));
		queue_resume(h.queue);
		ring_harness_wait_used(&h, 1);
		(void)ring_harness_take_used(&h);
	}
	ring_harness_free(&h);
}

CASE(park__in_flight)
{
	struct ring_harness h;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	h.disk.engine = &ring_engine;
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_IN, 0, 512);
	ring_harness_offer(&h, 0);
	ring_harness_kick(&h);
	ring_engine_wait(1);
	queue_park(h.queue);
	ATF_CHECK_EQ(QUEUE_PARKING, queue_poll(h.queue));
	ring_harness_request(&h, 1, VIRTIO_BLK_T_IN, 0, 512);
	ring_harness_offer(&h, ring_harness_head(1));
	ring_harness_kick(&h);
	ring_engine_release(0);
	ring_harness_wait_for(&h, QUEUE_PARKED);
	/* What was in flight is answered, what came later is not taken. */
	ATF_CHECK_EQ(1, shared_load(&h.used->g_idx));
	queue_resume(h.queue);
	ring_engine_wait(1);
	ring_engine_release(0);
	ring_harness_wait_used(&h, 2);
	ring_harness_free(&h);
}

CASE(park__taken_back)
{
	struct ring_harness h;
	unsigned i;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_IN, 0, 512);
	for (i = 0; i < 1000; i++) {
		queue_park(h.queue);
		queue_resume(h.queue);
		ATF_REQUIRE_EQ(QUEUE_RUNNING, queue_poll(h.queue));
		ATF_REQUIRE_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, NULL));
	}
	ring_harness_free(&h);
}

CASE(start__again_after_a_reset)
{
	struct ring_harness h;
	unsigned i;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	for (i = 0; i < 50; i++) {
		ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
		ring_harness_request(&h, 1, VIRTIO_BLK_T_IN, 0, 512);
		ATF_REQUIRE_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 1, NULL));
		ATF_REQUIRE_ERRNO(EBUSY, ring_harness_start(&h, false) == -1);
		queue_park(h.queue);
		ring_harness_wait_for(&h, QUEUE_PARKED);
		state_reset(h.disk.state);
		h.setup.num = i % 2 == 0 ? NUM / 2 : NUM;
		memset(h.avail, 0, 4);
		memset(h.used, 0, 4);
		h.avail_idx = h.used_idx = 0;
	}
	ring_harness_free(&h);
}

CASE(free__in_flight)
{
	struct ring_harness h;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_OUT, 0, 512);
	ring_harness_offer(&h, 0);
	ring_harness_kick(&h);
	/* Taken or not, as it happens; what was taken is published. */
	ring_harness_stop(&h);
	ATF_CHECK_EQ(0, ring_harness_counter(&h, COUNTER_IN_FLIGHT));
	ATF_CHECK_EQ(ring_harness_counter(&h, COUNTER_WRITES),
	    shared_load(&h.used->g_idx));
	ring_harness_free(&h);
}

/* --- looking before sleeping -------------------------------------------- */

/* Some way to go for the driver, 0 to about 60 us: around the window's end. */
static void
think(unsigned i)
{
	volatile unsigned left = i * 7919 % 64 * 200;

	while (left > 0)
		left--;
}

/*
 * A driver that kicks only where it is asked to, and comes back at any time
 * before, in and after the look: a lost wake-up would wait for ever.
 */
static void
look_for_lost_kicks(uint64_t features)
{
	struct ring_harness h;
	unsigned i, kicks = 0;

	ring_harness_make(&h, NUM, features);
	h.disk.poll_us = 20;
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_IN, 0, 512);
	for (i = 0; i < 20000; i++) {
		think(i);
		ring_harness_offer(&h, ring_harness_head(0));
		ring_harness_show(&h);
		if (ring_harness_kick_wanted(&h, 1)) {
			kicks++;
			ring_harness_kick(&h);
		}
		ring_harness_wait_used(&h, 1);
		(void)ring_harness_take_used(&h);
	}
	ATF_CHECK(kicks > 0);
	ring_harness_free(&h);
}

CASE(look__no_kick_is_lost)
{
	(void)tc;
	look_for_lost_kicks(RING_FEATURES);
}

CASE(look__no_kick_is_lost_with_event_idx)
{
	(void)tc;
	look_for_lost_kicks(RING_FEATURES |
	    RING_FEATURE(VIRTIO_RING_F_EVENT_IDX));
}

/* It looks with nothing in sight: a command still reaches it. */
CASE(look__parked_meanwhile)
{
	struct ring_harness h;
	uint32_t len;
	unsigned i;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	h.disk.poll_us = PROTO_POLL_US_MAX;
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_IN, 0, 512);
	for (i = 0; i < 200; i++) {
		ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, &len));
		queue_park(h.queue);
		ring_harness_wait_for(&h, QUEUE_PARKED);
		queue_resume(h.queue);
	}
	ring_harness_free(&h);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, request__read);
	ATF_TP_ADD_TC(tp, request__write);
	ATF_TP_ADD_TC(tp, request__flush);
	ATF_TP_ADD_TC(tp, request__get_id);
	ATF_TP_ADD_TC(tp, request__many_in_flight);
	ATF_TP_ADD_TC(tp, request__finished_out_of_order);
	ATF_TP_ADD_TC(tp, request__past_the_end_of_the_file);
	ATF_TP_ADD_TC(tp, request__discard);
	ATF_TP_ADD_TC(tp, request__write_zeroes);
	ATF_TP_ADD_TC(tp, request__write_zeroes_unmap);
	ATF_TP_ADD_TC(tp, park__idle);
	ATF_TP_ADD_TC(tp, park__kick_in_between);
	ATF_TP_ADD_TC(tp, park__in_flight);
	ATF_TP_ADD_TC(tp, park__taken_back);
	ATF_TP_ADD_TC(tp, start__again_after_a_reset);
	ATF_TP_ADD_TC(tp, free__in_flight);
	ATF_TP_ADD_TC(tp, look__no_kick_is_lost);
	ATF_TP_ADD_TC(tp, look__no_kick_is_lost_with_event_idx);
	ATF_TP_ADD_TC(tp, look__parked_meanwhile);
	return atf_no_error();
}
