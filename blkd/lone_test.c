/* SPDX-License-Identifier: ISC */
/*
 * The last run of a request that is suspected to kill blkd: no other request
 * of the disk runs beside it, of whatever queue.  Two queues, in an engine
 * that finishes when it is told to.
 */
#include <sys/eventfd.h>

#include <atf-c.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "blkd/engine.h"
#include "blkd/lone.h"
#include "blkd/ring_harness.h"
#include "shm/shared.h"
#include "shm/state.h"

#define NUM		64u
#define WRITES		3u	/* requests of a queue: slot i, sector i */
#define SUSPECTS	8u	/* the first sector that is of none */

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

/* One a queue. */
struct engine {
	struct engine_op	*first;
	uint32_t		 n;		/* shared_load */
	uint32_t		 held;		/* it finishes nothing; same */
	int			 fd;
};

static struct {
	struct lone		*lone;
	struct ring_harness	 h[2];
	struct engine		 engine[2];
	uint32_t		 running;	/* of all */
	uint32_t		 suspects;	/* of those */
	uint32_t		 crowded;	/* one of them was not alone */
} t;

static bool
is_suspect(const struct engine_op *op)
{
	return op->offset < SUSPECTS * 512;
}

static struct engine *
held_make(const struct engine_setup *setup)
{
	return &t.engine[setup->queue];
}

static void
held_submit(struct engine *e, struct engine_op *op)
{
	op->error = 0;
	op->zeroed = 0;
	op->next = e->first;
	e->first = op;
	__atomic_add_fetch(&t.suspects, is_suspect(op), __ATOMIC_SEQ_CST);
	if (__atomic_add_fetch(&t.running, 1, __ATOMIC_SEQ_CST) > 1 &&
	    __atomic_load_n(&t.suspects, __ATOMIC_SEQ_CST) > 0)
		shared_store(&t.crowded, 1);
	shared_store(&e->n, e->n + 1);
}

static void
held_kick(struct engine *e)
{
	(void)e;
}

static struct engine_op *
held_reap(struct engine *e)
{
	struct engine_op *op = e->first;
	eventfd_t n;

	(void)eventfd_read(e->fd, &n);
	if (op == NULL || shared_load(&e->held) != 0)
		return NULL;
	e->first = op->next;
	if (is_suspect(op))
		__atomic_sub_fetch(&t.suspects, 1, __ATOMIC_SEQ_CST);
	__atomic_sub_fetch(&t.running, 1, __ATOMIC_SEQ_CST);
	shared_store(&e->n, e->n - 1);
	return op;
}

static int
held_wait_fd(struct engine *e)
{
	return e->fd;
}

static void
held_free(struct engine *e)
{
	(void)e;
}

static const struct engine_ops held_ops = {
	.name = "held",
	.make = held_make,
	.submit = held_submit,
	.kick = held_kick,
	.reap = held_reap,
	.wait_fd = held_wait_fd,
	.free = held_free,
};

static void
hold(unsigned queue)
{
	shared_store(&t.engine[queue].held, 1);
}

static void
let_go(unsigned queue)
{
	shared_store(&t.engine[queue].held, 0);
	(void)eventfd_write(t.engine[queue].fd, 1);
}

static void
set_up(void)
{
	unsigned i;

	memset(&t, 0, sizeof(t));
	ATF_REQUIRE((t.lone = lone_make()) != NULL);
	for (i = 0; i < 2; i++) {
		t.engine[i].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ATF_REQUIRE(t.engine[i].fd != -1);
		ring_harness_make_of_two(&t.h[i], NUM, RING_FEATURES, i,
		    t.lone);
		t.h[i].disk.engine = &held_ops;
	}
}

static void
tear_down(void)
{
	unsigned i;

	for (i = 0; i < 2; i++) {
		ring_harness_free(&t.h[i]);
		close(t.engine[i].fd);
	}
	lone_free(t.lone);
}

/* Writes from this sector on, each in flight in so many deaths; 0: new. */
static void
put(unsigned queue, uint64_t sector, unsigned deaths)
{
	struct ring_harness *h = &t.h[queue];
	unsigned i;

	for (i = 0; i < WRITES; i++) {
		ring_harness_request(h, i, VIRTIO_BLK_T_OUT, sector + i, 512);
		ring_harness_offer(h, ring_harness_head(i));
		if (deaths > 0)
			shared_store(&h->disk.state->queue[queue].s_inflight[
			    ring_harness_head(i)],
			    state_inflight_word(i + 1, deaths - 1, 1));
	}
	ring_harness_show(h);
}

static void
start(unsigned queue, unsigned replayed)
{
	ATF_REQUIRE_EQ((int)replayed,
	    ring_harness_start(&t.h[queue], replayed > 0));
}

static void
wait_running(unsigned queue, unsigned n)
{
	while (shared_load(&t.engine[queue].n) != n)
		sched_yield();
}

static void
check_done(unsigned queue)
{
	unsigned i;

	ring_harness_wait_used(&t.h[queue], WRITES);
	for (i = 0; i < WRITES; i++) {
		(void)ring_harness_take_used(&t.h[queue]);
		ATF_CHECK_EQ(VIRTIO_BLK_S_OK,
		    ring_harness_status(&t.h[queue], i));
	}
	ATF_CHECK_EQ(0, shared_load(&t.crowded));
}

/* The other queue was there first, and has begun. */
static void
test_beside(unsigned deaths)
{
	set_up();
	hold(1);
	put(1, SUSPECTS, deaths);
	start(1, deaths > 0 ? WRITES : 0);
	wait_running(1, WRITES);
	put(0, 0, 2);
	start(0, WRITES);
	while (!lone_is_asked(t.lone))
		sched_yield();
	let_go(1);
	check_done(1);
	check_done(0);
	tear_down();
}

CASE(lone__waits_for_new_requests)
{
	(void)tc;
	test_beside(0);
}

CASE(lone__waits_for_replays)
{
	(void)tc;
	test_beside(1);
}

CASE(lone__suspects_of_two_queues)
{
	unsigned round;

	(void)tc;
	for (round = 0; round < 200; round++) {
		set_up();
		hold(0);
		put(0, 0, 2);
		put(1, WRITES, 2);
		start(0, WRITES);
		wait_running(0, 1);
		start(1, WRITES);
		let_go(0);
		check_done(0);
		check_done(1);
		tear_down();
	}
}

/* Kicks meanwhile are heard afterwards. */
CASE(lone__others_wait_and_go_on)
{
	(void)tc;
	set_up();
	start(1, 0);
	hold(0);
	put(0, 0, 2);
	start(0, WRITES);
	wait_running(0, 1);
	put(1, SUSPECTS, 0);
	ring_harness_kick(&t.h[1]);
	let_go(0);
	check_done(0);
	check_done(1);
	put(0, SUSPECTS, 0);
	ring_harness_kick(&t.h[0]);
	check_done(0);
	tear_down();
}

/* A pause of either queue ends when what runs has ended. */
CASE(lone__pause_while_it_waits)
{
	(void)tc;
	set_up();
	hold(1);
	put(1, SUSPECTS, 0);
	start(1, 0);
	wait_running(1, WRITES);
	put(0, 0, 2);
	start(0, WRITES);
	while (!lone_is_asked(t.lone))
		sched_yield();
	queue_park(t.h[0].queue);
	queue_park(t.h[1].queue);
	ATF_CHECK_EQ(QUEUE_PARKING, queue_poll(t.h[0].queue));
	let_go(1);
	ring_harness_wait_for(&t.h[1], QUEUE_PARKED);
	ring_harness_wait_for(&t.h[0], QUEUE_PARKED);
	check_done(0);
	check_done(1);
	tear_down();
}

/* One that is kept out has nothing to finish. */
CASE(lone__pause_while_another_is_alone)
{
	(void)tc;
	set_up();
	start(1, 0);
	hold(0);
	put(0, 0, 2);
	start(0, WRITES);
	wait_running(0, 1);
	queue_park(t.h[1].queue);
	ring_harness_wait_for(&t.h[1], QUEUE_PARKED);
	queue_resume(t.h[1].queue);
	put(1, SUSPECTS, 0);
	ring_harness_kick(&t.h[1]);
	let_go(0);
	check_done(0);
	check_done(1);
	tear_down();
}

/* A corrupt ring is no reason to wait for it. */
CASE(lone__the_other_is_poisoned)
{
	(void)tc;
	set_up();
	put(1, 0, 2);
	t.h[1].desc[ring_harness_head(0)].g_next = UINT16_MAX;
	start(1, WRITES);
	ring_harness_wait_for(&t.h[1], QUEUE_POISONED);
	put(0, WRITES, 2);
	start(0, WRITES);
	check_done(0);
	tear_down();
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, lone__waits_for_new_requests);
	ATF_TP_ADD_TC(tp, lone__waits_for_replays);
	ATF_TP_ADD_TC(tp, lone__suspects_of_two_queues);
	ATF_TP_ADD_TC(tp, lone__others_wait_and_go_on);
	ATF_TP_ADD_TC(tp, lone__pause_while_it_waits);
	ATF_TP_ADD_TC(tp, lone__pause_while_another_is_alone);
	ATF_TP_ADD_TC(tp, lone__the_other_is_poisoned);
	return atf_no_error();
}
