/* SPDX-License-Identifier: ISC */
/*
 * Behind vhost-user: a request that blkd dies of is given up, and none of
 * those in another ring that are suspected as well, and run beside it if
 * nobody sees to it.  The blkd is one that dies of a write to the start of
 * its disk (tests/torture/poison.c).
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include <poll.h>

#include "blkd/vhost_harness.h"
#include "shm/shared.h"

#define SLOTS		(HARNESS_NUM / RING_SLOT_DESCS)
#define SECTOR		64u	/* the innocents', poison is below */
#define SECOND_GPA	UINT64_C(0x100000)	/* the other ring is there */
#define BLKDS		40u	/* at most: one dies of one request */

static struct vhost_harness h;
static struct ring_harness second;

/* Slot 0 is the first ring's, the others are the second's. */
static void
make_second(void)
{
	second = h.ring;
	second.setup.desc += SECOND_GPA;
	second.setup.driver += SECOND_GPA;
	second.setup.device += SECOND_GPA;
	second.desc = ring_harness_at(&h.ring, second.setup.desc);
	second.avail = ring_harness_at(&h.ring, second.setup.driver);
	second.used = ring_harness_at(&h.ring, second.setup.device);
}

/* In flight in two deaths. */
static void
suspect(struct state_queue *q, struct ring_harness *r, unsigned slot,
    uint64_t order)
{
	shared_store(&q->s_inflight[ring_harness_head(slot)],
	    state_inflight_word(order, 1, 1));
	ring_harness_offer(r, ring_harness_head(slot));
	ring_harness_show(r);
	shared_store(&q->s_ready, 1);
}

static void
make_journal(void)
{
	struct state *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
	    MAP_SHARED, h.inflightfd, 0);
	unsigned i;

	ATF_REQUIRE(s != MAP_FAILED);
	ring_harness_request(&h.ring, 0, VIRTIO_BLK_T_OUT, 0, 4096);
	suspect(&s->queue[0], &h.ring, 0, 1);
	for (i = 1; i < SLOTS; i++) {
		ring_harness_request(&second, i, VIRTIO_BLK_T_OUT,
		    SECTOR + i * 8, 4096);
		suspect(&s->queue[1], &second, i, i);
	}
	munmap(s, sizeof(*s));
}

/* The second ring first: the other one would not leave it the time. */
static void
connect_both(void)
{
	struct queue_setup first = h.ring.setup;

	harness_connect(&h);
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	if (h.inflightfd == -1) {
		harness_get_inflight(&h);
		make_journal();
	}
	harness_set_inflight(&h);
	harness_memory(&h);
	h.ring.setup = second.setup;
	harness_ring(&h, 1, 0);
	h.ring.setup = first;
	harness_ring(&h, 0, 0);
}

static bool
is_done(void)
{
	return shared_load_acquire(&h.ring.used->g_idx) == 1 &&
	    shared_load_acquire(&second.used->g_idx) == SLOTS - 1;
}

/* Returns true when all is answered, and false when that blkd is dead. */
static bool
watch(void)
{
	const struct pollfd irq = {
		.fd = h.ring.disk.irqfd, .events = POLLIN
	};
	struct pollfd p = irq;
	int status;

	while (!is_done()) {
		if (waitpid(h.pid, &status, WNOHANG) == h.pid)
			return false;
		(void)poll(&p, 1, 2);
		(void)ring_harness_irqs(&h.ring);
	}
	return true;
}

static void
run(void)
{
	static const char *const more[] = {
		"-e", "sync", "-Q", "2", "-t", "8,0", NULL
	};
	unsigned i, blkds = 0;

	harness_make(&h);
	h.program = "tests/torture/poisoned";
	make_second();
	for (;;) {
		ATF_REQUIRE(++blkds < BLKDS);
		harness_spawn(&h, more);
		connect_both();
		if (watch())
			break;
		harness_killed(&h);
		harness_disconnect(&h);
	}
	ATF_CHECK_EQ(VIRTIO_BLK_S_IOERR, ring_harness_status(&h.ring, 0));
	for (i = 1; i < SLOTS; i++)
		ATF_CHECK_EQ_MSG(VIRTIO_BLK_S_OK,
		    ring_harness_status(&second, i), "innocent %u", i);
	harness_free(&h);
}

ATF_TC_WITHOUT_HEAD(lone__spares_other_rings);
ATF_TC_BODY(lone__spares_other_rings, tc)
{
	unsigned round;

	(void)tc;
	for (round = 0; round < 10; round++)
		run();
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, lone__spares_other_rings);
	return atf_no_error();
}
