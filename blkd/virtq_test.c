/* SPDX-License-Identifier: ISC */
/*
 * The ring: suppression of kicks and interrupts, indirect tables, and every
 * way in which a ring can be corrupt, through a real queue thread.
 */
#include <sys/eventfd.h>

#include <atf-c.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "blkd/ring_engine.h"
#include "blkd/ring_harness.h"
#include "shm/gmem.h"
#include "shm/shared.h"

#define NUM		64u
#define EVENT_IDX	(RING_FEATURES | \
	RING_FEATURE(VIRTIO_RING_F_EVENT_IDX))
#define INDIRECT	(RING_FEATURES | \
	RING_FEATURE(VIRTIO_RING_F_INDIRECT_DESC))

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

/* --- mapping ------------------------------------------------------------ */

#define BAD(n, d, a, u)			\
	{ .num = (n), .desc = (d), .driver = (a), .device = (u) }

CASE(map__outside_memory)
{
	static const struct queue_setup bad[] = {
		BAD(64, RING_MEMORY - 1008, 0x1000, 0x2000),
		BAD(64, 0x3000, RING_MEMORY - 130, 0x2000),
		BAD(64, 0x3000, 0x1000, RING_MEMORY - 512),
		BAD(64, UINT64_MAX - 15, 0x1000, 0x2000),
		BAD(64, 0x3008, 0x1000, 0x2000),	/* alignment */
		BAD(64, 0x3000, 0x1001, 0x2000),
		BAD(64, 0x3000, 0x1000, 0x2002),
		BAD(0, 0x3000, 0x1000, 0x2000),
		BAD(48, 0x3000, 0x1000, 0x2000),
		BAD(128, 0x3000, 0x1000, 0x2000),	/* > queue_size */
	};
	struct ring_harness h;
	size_t i;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		h.setup = bad[i];
		ATF_CHECK_ERRNO(EFAULT, ring_harness_start(&h, false) == -1);
		ATF_CHECK_EQ(QUEUE_PARKED, queue_poll(h.queue));
	}
	ring_harness_free(&h);
}

/* The rings end where memory ends: no used_event to read, so always fire. */
CASE(map__events_outside_memory)
{
	struct ring_harness h;
	uint64_t avail = 4 + 2 * NUM;

	(void)tc;
	ring_harness_make(&h, NUM, EVENT_IDX);
	h.setup.driver = RING_MEMORY - avail;
	h.avail = ring_harness_at(&h, h.setup.driver);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_IN, 0, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, NULL));
	ring_harness_wait_counter(&h, COUNTER_IRQS, 1);
	ring_harness_free(&h);
}

/* --- interrupts --------------------------------------------------------- */

/* Against the driver's own arithmetic, at every place of the event. */
CASE(wants_irq__need_event)
{
	uint16_t used_event, n;
	struct virtq vq = { .num = NUM, .event_idx = true,
	    .used_event = &used_event };
	uint32_t base, event;

	(void)tc;
	for (base = 65500; base < 65536 + 40; base += 3)
		for (n = 1; n <= NUM; n = (uint16_t)(n * 2))
			for (event = base - 70; event < base + 70; event++) {
				vq.used_idx = (uint16_t)(base + n);
				used_event = (uint16_t)event;
				ATF_REQUIRE_EQ(vring_need_event(used_event,
				    vq.used_idx, (uint16_t)base),
				    virtq_wants_irq(&vq, n));
			}
}

CASE(event_idx__wrap)
{
	struct ring_harness h;
	unsigned i;

	(void)tc;
	ring_harness_make(&h, NUM, EVENT_IDX);
	ring_harness_move(&h, 65526);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, true));
	ring_harness_wait_counter(&h, COUNTER_IRQS, 1);
	ring_harness_request(&h, 0, VIRTIO_BLK_T_IN, 0, 512);
	for (i = 0; i < 20; i++) {
		/* Asked for on even turns only. */
		ring_harness_used_event(&h, (uint16_t)(h.used_idx + i % 2));
		ATF_REQUIRE_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, NULL));
		ring_harness_wait_counter(&h, COUNTER_IRQS, 2 + i / 2);
		ring_harness_wait_counter(&h, COUNTER_IRQS_SUPPRESSED,
		    (i + 1) / 2);
	}
	ATF_CHECK_EQ(10, h.used_idx);
	ring_harness_free(&h);
}

CASE(no_event_idx__no_interrupt)
{
	struct ring_harness h;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	h.avail->g_flags = VRING_AVAIL_F_NO_INTERRUPT;
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_IN, 0, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, NULL));
	ring_harness_wait_counter(&h, COUNTER_IRQS_SUPPRESSED, 1);
	ATF_CHECK_EQ(0, ring_harness_irqs(&h));
	shared_store(&h.avail->g_flags, 0);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, NULL));
	ring_harness_wait_counter(&h, COUNTER_IRQS, 1);
	ring_harness_free(&h);
}

/* --- kicks -------------------------------------------------------------- */

/*
 * A driver that kicks only where it is asked to, and sleeps until its
 * interrupt: if either side misses the other, nobody moves any more.
 */
static void
ping_pong(uint64_t features, uint16_t start)
{
	struct pollfd p = { .events = POLLIN };
	struct ring_harness h;
	unsigned i, n, j;

	ring_harness_make(&h, NUM, features);
	ring_harness_move(&h, start);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, true));
	p.fd = h.disk.irqfd;
	for (i = 0; i < NUM / RING_SLOT_DESCS; i++)
		ring_harness_request(&h, i, VIRTIO_BLK_T_IN, i, 512);
	for (i = 0; i < 3000; i++) {
		n = 1 + i % (NUM / RING_SLOT_DESCS);
		for (j = 0; j < n; j++)
			ring_harness_offer(&h, ring_harness_head(j));
		ring_harness_show(&h);
		if (ring_harness_kick_wanted(&h, (uint16_t)n))
			ring_harness_kick(&h);
		while (n > 0) {
			ring_harness_used_event(&h, h.used_idx);
			if (h.used_idx != shared_load_acquire(&h.used->g_idx)) {
				(void)ring_harness_take_used(&h);
				n--;
				continue;
			}
			ATF_REQUIRE_EQ_MSG(1, poll(&p, 1, 10000),
			    "no interrupt in turn %u", i);
			(void)ring_harness_irqs(&h);
		}
	}
	ring_harness_free(&h);
}

CASE(event_idx__no_wakeup_is_lost)
{
	(void)tc;
	ping_pong(EVENT_IDX, 65000);
}

CASE(no_event_idx__no_wakeup_is_lost)
{
	(void)tc;
	ping_pong(RING_FEATURES, 65000);
}

/* Busy: no kicks are wanted; asleep: they are. */
static void
check_suppression(uint64_t features)
{
	struct ring_harness h;

	ring_harness_make(&h, NUM, features);
	h.disk.engine = &ring_engine;
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_IN, 0, 512);
	ring_harness_offer(&h, 0);
	ring_harness_kick(&h);
	ring_engine_wait(1);
	/* It sleeps again, or will: the next head is to be kicked. */
	ring_harness_request(&h, 1, VIRTIO_BLK_T_IN, 0, 512);
	ring_harness_offer(&h, ring_harness_head(1));
	ring_harness_show(&h);
	if (ring_harness_kick_wanted(&h, 1))
		ring_harness_kick(&h);
	ring_engine_wait(2);
	ring_engine_release(1);
	ring_harness_wait_used(&h, 1);
	ATF_CHECK_EQ(ring_harness_head(1), ring_harness_take_used(&h).g_id);
	ring_engine_release(0);
	ring_harness_wait_used(&h, 1);
	ATF_CHECK_EQ(0, ring_harness_take_used(&h).g_id);
	ring_harness_free(&h);
}

CASE(event_idx__kicks_while_in_flight)
{
	(void)tc;
	check_suppression(EVENT_IDX);
}

CASE(no_event_idx__kicks_while_in_flight)
{
	(void)tc;
	check_suppression(RING_FEATURES);
}

/* --- indirect ----------------------------------------------------------- */

/* Slot 0's three descriptors into a table, from descriptor `first` on. */
static struct virtq_desc *
make_table(struct ring_harness *h, unsigned first)
{
	struct virtq_desc *t = ring_harness_at(h, RING_TABLE_GPA);
	unsigned i, n = 3 - first;

	ring_harness_request(h, 0, VIRTIO_BLK_T_IN, 0, 512);
	for (i = 0; i < n; i++) {
		t[i] = h->desc[first + i];
		t[i].g_next = (uint16_t)(i + 1);
	}
	h->desc[first] = (struct virtq_desc) { RING_TABLE_GPA, n * 16u,
	    VRING_DESC_F_INDIRECT, 0 };
	return t;
}

CASE(indirect__whole)
{
	struct ring_harness h;
	uint32_t len;

	(void)tc;
	ring_harness_make(&h, NUM, INDIRECT);
	make_table(&h, 0);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, &len));
	ATF_CHECK_EQ(513, len);
	ring_harness_free(&h);
}

CASE(indirect__after_plain_ones)
{
	struct ring_harness h;
	uint32_t len;

	(void)tc;
	ring_harness_make(&h, NUM, INDIRECT);
	make_table(&h, 1);
	/* Its own WRITE flag means nothing. */
	h.desc[1].g_flags |= VRING_DESC_F_WRITE;
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, &len));
	ATF_CHECK_EQ(513, len);
	ring_harness_free(&h);
}

CASE(indirect__odd_address)
{
	struct ring_harness h;
	uint8_t *at;

	(void)tc;
	ring_harness_make(&h, NUM, INDIRECT);
	at = (uint8_t *)make_table(&h, 0);
	memmove(at + 7, at, 48);
	h.desc[0].g_addr += 7;
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, NULL));
	ring_harness_free(&h);
}

/* Not negotiated, the flag means nothing: a single descriptor, dropped. */
CASE(indirect__not_negotiated)
{
	struct ring_harness h;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	make_table(&h, 0);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_offer(&h, 0);
	ring_harness_kick(&h);
	ring_harness_wait_counter(&h, COUNTER_DROPPED, 1);
	ATF_CHECK_EQ(QUEUE_RUNNING, queue_poll(h.queue));
	ring_harness_free(&h);
}

/* --- poison ------------------------------------------------------------- */

static void
check_poisoned(struct ring_harness *h, uint16_t published)
{
	eventfd_t n;

	ring_harness_wait_for(h, QUEUE_POISONED);
	ATF_CHECK_EQ(1, ring_harness_counter(h, COUNTER_INVALID_RING));
	ATF_CHECK_EQ(1, h->disk.state->queue[0].s_poisoned);
	ATF_CHECK_EQ(published, shared_load(&h->used->g_idx));
	while (eventfd_read(h->eventfd, &n) == -1)
		;	/* written right after */
	/* Nothing is touched any more, whatever comes. */
	queue_resume(h->queue);
	queue_park(h->queue);
	queue_kick(h->queue);
	ATF_CHECK_EQ(QUEUE_POISONED, queue_poll(h->queue));
	ring_harness_stop(h);
	ATF_CHECK_EQ(published, shared_load(&h->used->g_idx));
	/* A successor finds it, and does not count it again. */
	ATF_CHECK_ERRNO(EPROTO, ring_harness_start(h, true) == -1);
	ATF_CHECK_EQ(QUEUE_POISONED, queue_poll(h->queue));
	ATF_CHECK_EQ(1, ring_harness_counter(h, COUNTER_INVALID_RING));
	/* A reset mends it. */
	state_reset(h->disk.state);
	memset(h->avail, 0, 4);
	memset(h->used, 0, 4);
	h->avail_idx = h->used_idx = 0;
	ATF_REQUIRE_EQ(0, ring_harness_start(h, false));
	ring_harness_request(h, 0, VIRTIO_BLK_T_IN, 0, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(h, 0, NULL));
	ring_harness_free(h);
}

#define POISON(name, features, change)					\
	ATF_TC_WITHOUT_HEAD(poison__##name);				\
	ATF_TC_BODY(poison__##name, tc)					\
	{								\
		struct ring_harness h;					\
		struct virtq_desc *t;					\
		uint16_t head = 0;					\
									\
		(void)tc;						\
		ring_harness_make(&h, NUM, features);			\
		t = make_table(&h, 0);					\
		if ((features) == RING_FEATURES)			\
			ring_harness_request(&h, 0,			\
			    VIRTIO_BLK_T_IN, 0, 512);			\
		change;							\
		(void)t;						\
		ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));	\
		ring_harness_offer(&h, head);				\
		ring_harness_kick(&h);					\
		check_poisoned(&h, 0);					\
	}

POISON(head_out_of_range, RING_FEATURES, head = NUM)
POISON(head_far_out_of_range, RING_FEATURES, head = UINT16_MAX)
POISON(next_out_of_range, RING_FEATURES, h.desc[0].g_next = NUM)
POISON(loop, RING_FEATURES, h.desc[1].g_next = 0)
POISON(loop_of_one, RING_FEATURES, h.desc[0].g_next = 0)
POISON(avail_ahead, RING_FEATURES, h.avail_idx = NUM)
POISON(avail_far_ahead, RING_FEATURES, h.avail_idx = UINT16_MAX - 2)
POISON(indirect_empty, INDIRECT, h.desc[0].g_len = 0)
POISON(indirect_torn, INDIRECT, h.desc[0].g_len = 47)
POISON(indirect_unmapped, INDIRECT, h.desc[0].g_addr = GMEM_HIGH_BASE)
POISON(indirect_past_the_end, INDIRECT, h.desc[0].g_addr = RING_MEMORY - 32)
POISON(indirect_overflows, INDIRECT, h.desc[0].g_addr = UINT64_MAX - 15)
POISON(indirect_nested, INDIRECT, t[1].g_flags |= VRING_DESC_F_INDIRECT)
POISON(indirect_with_next, INDIRECT,
    h.desc[0].g_flags |= VRING_DESC_F_NEXT)
POISON(indirect_loop, INDIRECT, t[1].g_next = 0)
POISON(indirect_next_out_of_range, INDIRECT, t[0].g_next = 3)
POISON(indirect_does_not_end, INDIRECT,
    t[2].g_flags |= VRING_DESC_F_NEXT)

/* Still in flight, it is offered again. */
CASE(poison__head_in_flight)
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
	ring_harness_offer(&h, 0);
	ring_harness_kick(&h);
	ring_harness_wait_counter(&h, COUNTER_INVALID_RING, 1);
	/* What is in flight is finished, and published. */
	ATF_CHECK_EQ(QUEUE_RUNNING, queue_poll(h.queue));
	ring_engine_release(0);
	ring_harness_wait_used(&h, 1);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_status(&h, 0));
	ring_harness_wait_for(&h, QUEUE_POISONED);
	ATF_CHECK_EQ(0, ring_harness_counter(&h, COUNTER_IN_FLIGHT));
	ring_harness_free(&h);
}

/* What was taken before the corrupt head is answered. */
CASE(poison__those_before_are_published)
{
	struct ring_harness h;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_IN, 0, 512);
	ring_harness_request(&h, 1, VIRTIO_BLK_T_IN, 0, 512);
	ring_harness_offer(&h, 0);
	ring_harness_offer(&h, ring_harness_head(1));
	ring_harness_offer(&h, NUM);
	ring_harness_kick(&h);
	check_poisoned(&h, 2);
}

static atf_error_t
add_poison(atf_tp_t *tp)
{
	ATF_TP_ADD_TC(tp, poison__head_out_of_range);
	ATF_TP_ADD_TC(tp, poison__head_far_out_of_range);
	ATF_TP_ADD_TC(tp, poison__next_out_of_range);
	ATF_TP_ADD_TC(tp, poison__loop);
	ATF_TP_ADD_TC(tp, poison__loop_of_one);
	ATF_TP_ADD_TC(tp, poison__avail_ahead);
	ATF_TP_ADD_TC(tp, poison__avail_far_ahead);
	ATF_TP_ADD_TC(tp, poison__indirect_empty);
	ATF_TP_ADD_TC(tp, poison__indirect_torn);
	ATF_TP_ADD_TC(tp, poison__indirect_unmapped);
	ATF_TP_ADD_TC(tp, poison__indirect_past_the_end);
	ATF_TP_ADD_TC(tp, poison__indirect_overflows);
	ATF_TP_ADD_TC(tp, poison__indirect_nested);
	ATF_TP_ADD_TC(tp, poison__indirect_with_next);
	ATF_TP_ADD_TC(tp, poison__indirect_loop);
	ATF_TP_ADD_TC(tp, poison__indirect_next_out_of_range);
	ATF_TP_ADD_TC(tp, poison__indirect_does_not_end);
	ATF_TP_ADD_TC(tp, poison__head_in_flight);
	ATF_TP_ADD_TC(tp, poison__those_before_are_published);
	return atf_no_error();
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, map__outside_memory);
	ATF_TP_ADD_TC(tp, map__events_outside_memory);
	ATF_TP_ADD_TC(tp, wants_irq__need_event);
	ATF_TP_ADD_TC(tp, event_idx__wrap);
	ATF_TP_ADD_TC(tp, no_event_idx__no_interrupt);
	ATF_TP_ADD_TC(tp, event_idx__no_wakeup_is_lost);
	ATF_TP_ADD_TC(tp, no_event_idx__no_wakeup_is_lost);
	ATF_TP_ADD_TC(tp, event_idx__kicks_while_in_flight);
	ATF_TP_ADD_TC(tp, no_event_idx__kicks_while_in_flight);
	ATF_TP_ADD_TC(tp, indirect__whole);
	ATF_TP_ADD_TC(tp, indirect__after_plain_ones);
	ATF_TP_ADD_TC(tp, indirect__odd_address);
	ATF_TP_ADD_TC(tp, indirect__not_negotiated);
	return add_poison(tp);
}
