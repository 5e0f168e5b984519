/* SPDX-License-Identifier: ISC */
/*
 * How many requests of dead predecessors run at a time: in an engine that
 * finishes none before it is kicked.
 */
#include <sys/eventfd.h>

#include <atf-c.h>
#include <unistd.h>

#include "blkd/engine.h"
#include "blkd/ring_harness.h"
#include "shm/shared.h"
#include "shm/state.h"

#define NUM	64u
#define WRITES	3u	/* requests: slot i writes sector i */

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

/* An engine that finishes at a kick, and knows how many it had at once. */
struct engine {
	struct engine_op	*first;
	unsigned		 n, most;
	bool			 kicked;
	int			 fd;
};

static struct engine crowd;

static struct engine *
crowd_make(const struct engine_setup *setup)
{
	(void)setup;
	crowd = (struct engine) { .fd = eventfd(0, EFD_CLOEXEC) };
	return crowd.fd == -1 ? NULL : &crowd;
}

static void
crowd_submit(struct engine *e, struct engine_op *op)
{
	op->error = 0;
	op->zeroed = 0;
	op->next = e->first;
	e->first = op;
	if (++e->n > e->most)
		e->most = e->n;
	(void)eventfd_write(e->fd, 1);
}

static void
crowd_kick(struct engine *e)
{
	e->kicked = e->first != NULL;
}

static struct engine_op *
crowd_reap(struct engine *e)
{
	struct engine_op *op = e->kicked ? e->first : NULL;

	if (op == NULL)
		return NULL;
	e->first = op->next;
	e->kicked = --e->n > 0;
	return op;
}

static int
crowd_wait_fd(struct engine *e)
{
	return e->fd;
}

static void
crowd_free(struct engine *e)
{
	close(e->fd);
}

static const struct engine_ops crowd_ops = {
	.name = "crowd",
	.make = crowd_make,
	.submit = crowd_submit,
	.kick = crowd_kick,
	.reap = crowd_reap,
	.wait_fd = crowd_wait_fd,
	.free = crowd_free,
};

/* All at once, or each alone if it would be given up after another death. */
static void
test_crowd(unsigned deaths, unsigned most)
{
	struct ring_harness h;
	unsigned i;

	ring_harness_make(&h, NUM, RING_FEATURES);
	h.disk.engine = &crowd_ops;
	for (i = 0; i < WRITES; i++) {
		ring_harness_request(&h, i, VIRTIO_BLK_T_OUT, i, 512);
		ring_harness_offer(&h, ring_harness_head(i));
		shared_store(&h.disk.state->queue[0].s_inflight[
		    ring_harness_head(i)],
		    state_inflight_word(i + 1, deaths - 1, 1));
	}
	ring_harness_show(&h);
	ATF_REQUIRE_EQ(WRITES, ring_harness_start(&h, true));
	ring_harness_wait_used(&h, WRITES);
	ATF_CHECK_EQ(most, crowd.most);
	for (i = 0; i < WRITES; i++)
		ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_status(&h, i));
	ring_harness_free(&h);
}

CASE(replay__together)
{
	(void)tc;
	test_crowd(1, WRITES);
}

CASE(replay__last_run_is_alone)
{
	(void)tc;
	test_crowd(2, 1);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, replay__together);
	ATF_TP_ADD_TC(tp, replay__last_run_is_alone);
	return atf_no_error();
}
