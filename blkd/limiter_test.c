/* SPDX-License-Identifier: ISC */
/*
 * The throttle on a real queue thread: a stall, what it costs, and what ends
 * it.  The clock is simulated where nothing else is said.
 */
#include <atf-c.h>
#include <errno.h>
#include <string.h>

#include "blkd/limiter.h"
#include "blkd/ring_harness.h"
#include "blkd/throttle.h"
#include "shm/shared.h"

#define NUM	64u

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

static uint64_t now_ns = 1000;	/* of the simulated clock */

static uint64_t
simulated(void *arg)
{
	(void)arg;
	return shared_load(&now_ns);
}

static void
tick(struct ring_harness *h, uint64_t ns)
{
	shared_store(&now_ns, shared_load(&now_ns) + ns);
	queue_nudge(h->queue);
}

#define SECOND	UINT64_C(1000000000)

/* One operation a second, and three writes that want to run. */
static void
start_throttled(struct ring_harness *h)
{
	struct throttle_limits l = { .ops = { .rate = 1 } };
	unsigned i;

	ring_harness_make(h, NUM, RING_FEATURES);
	h->disk.limiter = limiter_make(h->disk.state, &l, simulated, NULL);
	ATF_REQUIRE(h->disk.limiter != NULL);
	for (i = 0; i < 3; i++) {
		ring_harness_request(h, i, VIRTIO_BLK_T_OUT, i, 512);
		ring_harness_offer(h, ring_harness_head(i));
	}
	ring_harness_show(h);
	ATF_REQUIRE_EQ(0, ring_harness_start(h, false));
	ring_harness_wait_used(h, 1);
	ring_harness_wait_counter(h, COUNTER_THROTTLED_NOW, 1);
}

CASE(stall__rewinds)
{
	struct ring_harness h;

	(void)tc;
	start_throttled(&h);
	/* One ran, the next is as if it had not been looked at. */
	ATF_CHECK_EQ(1, shared_load(&h.used->g_idx));
	ATF_CHECK_EQ(1, ring_harness_counter(&h, COUNTER_THROTTLED));
	ATF_CHECK_EQ(0, ring_harness_counter(&h, COUNTER_IN_FLIGHT));
	ATF_CHECK_EQ(0, shared_load(
	    &h.disk.state->queue[0].s_inflight[ring_harness_head(1)]));
	ATF_CHECK_EQ(RING_STATUS_UNTOUCHED, ring_harness_status(&h, 1));
	tick(&h, SECOND);
	ring_harness_wait_used(&h, 2);
	ring_harness_wait_counter(&h, COUNTER_THROTTLED, 2);
	tick(&h, SECOND);
	ring_harness_wait_used(&h, 3);
	ring_harness_wait_counter(&h, COUNTER_THROTTLED_NOW, 0);
	ATF_CHECK_EQ(2, ring_harness_counter(&h, COUNTER_THROTTLED));
	ring_harness_free(&h);
}

/* Kicks and nudges meanwhile: no second stall, no kick is even read. */
CASE(stall__kicks_cost_nothing)
{
	struct ring_harness h;
	unsigned i;

	(void)tc;
	start_throttled(&h);
	for (i = 0; i < 100; i++) {
		ring_harness_kick(&h);
		tick(&h, 1);
	}
	queue_park(h.queue);
	ring_harness_wait_for(&h, QUEUE_PARKED);
	ATF_CHECK_EQ(0, ring_harness_counter(&h, COUNTER_KICKS));
	ATF_CHECK_EQ(1, ring_harness_counter(&h, COUNTER_THROTTLED));
	ATF_CHECK_EQ(0, ring_harness_counter(&h, COUNTER_THROTTLED_NOW));
	ring_harness_free(&h);
}

CASE(stall__limits_change)
{
	struct ring_harness h;

	(void)tc;
	start_throttled(&h);
	limiter_set(h.disk.limiter, NULL);
	queue_nudge(h.queue);
	ring_harness_wait_used(&h, 3);
	ATF_CHECK_EQ(1, ring_harness_counter(&h, COUNTER_THROTTLED));
	ring_harness_free(&h);
}

/* What is refused and what is dropped pays nothing, and does not wait. */
CASE(stall__refused_requests_pass)
{
	struct ring_harness h;
	struct throttle_limits l = { .ops = { .rate = 1 } };
	unsigned i;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	h.disk.limiter = limiter_make(h.disk.state, &l, simulated, NULL);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_OUT, UINT64_MAX, 512);
	for (i = 0; i < 20; i++)
		ATF_CHECK_EQ(VIRTIO_BLK_S_IOERR, ring_harness_run(&h, 0, NULL));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_OUT, 0, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, NULL));
	ATF_CHECK_EQ(0, ring_harness_counter(&h, COUNTER_THROTTLED));
	ring_harness_free(&h);
}

/* Neither a reset nor a death refills the buckets. */
CASE(stall__levels_survive)
{
	struct throttle_limits l = { .ops = { .rate = 1 } };
	struct ring_harness h;

	(void)tc;
	start_throttled(&h);
	ring_harness_stop(&h);
	limiter_free(h.disk.limiter);
	h.disk.limiter = limiter_make(h.disk.state, &l, simulated, NULL);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, true));
	ring_harness_wait_counter(&h, COUNTER_THROTTLED, 2);
	queue_park(h.queue);
	ring_harness_wait_for(&h, QUEUE_PARKED);
	ATF_CHECK_EQ(1, shared_load(&h.used->g_idx));
	queue_resume(h.queue);
	tick(&h, SECOND);
	ring_harness_wait_used(&h, 2);
	ring_harness_free(&h);
}

/* On the real clock: the third waits for half a second, and no longer. */
CASE(stall__wakes_up)
{
	struct throttle_limits l = { .ops = { .rate = 2 } };
	struct ring_harness h;
	unsigned i;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	h.disk.limiter = limiter_make(h.disk.state, &l, NULL, NULL);
	for (i = 0; i < 3; i++) {
		ring_harness_request(&h, i, VIRTIO_BLK_T_IN, 0, 512);
		ring_harness_offer(&h, ring_harness_head(i));
	}
	ring_harness_show(&h);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_wait_used(&h, 3);
	ATF_CHECK_EQ(1, ring_harness_counter(&h, COUNTER_THROTTLED));
	ring_harness_free(&h);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, stall__rewinds);
	ATF_TP_ADD_TC(tp, stall__kicks_cost_nothing);
	ATF_TP_ADD_TC(tp, stall__limits_change);
	ATF_TP_ADD_TC(tp, stall__refused_requests_pass);
	ATF_TP_ADD_TC(tp, stall__levels_survive);
	ATF_TP_ADD_TC(tp, stall__wakes_up);
	return atf_no_error();
}
