/* SPDX-License-Identifier: ISC */
/* A queue whose thread is the test.  Tests only. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blkd/disk.h"
#include "blkd/queue.h"
#include "blkd/serve.h"
#include "shm/state.h"
#include "tests/property/still_queue.h"

struct queue {
	uint32_t	condition;
	struct serve	serve;
};

static struct queue *the_queue;		/* the test's handle */

/* --- the engine --------------------------------------------------------- */

struct engine {
	struct engine		*sync;
	struct engine_op	*held[STATE_QUEUE_SIZE_MAX];
	unsigned		 nheld;
};

static struct engine *
still_make(const struct engine_setup *setup)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (e == NULL || (e->sync = engine_sync.make(setup)) == NULL)
		abort();
	return e;
}

static void
still_submit(struct engine *e, struct engine_op *op)
{
	e->held[e->nheld++] = op;
}

/* In order: what runs again must run as it did before. */
static void
still_kick(struct engine *e)
{
	unsigned i, n = (e->nheld + 1) / 2;

	for (i = 0; i < n; i++)
		engine_sync.submit(e->sync, e->held[i]);
	e->nheld -= n;
	memmove(e->held, e->held + n, e->nheld * sizeof(e->held[0]));
}

static struct engine_op *
still_reap(struct engine *e)
{
	return engine_sync.reap(e->sync);
}

static int
still_wait_fd(struct engine *e)
{
	(void)e;
	return -1;
}

static void
still_free(struct engine *e)
{
	engine_sync.free(e->sync);
	free(e);
}

const struct engine_ops still_engine = {
	.name = "still", .make = still_make, .submit = still_submit,
	.kick = still_kick, .reap = still_reap, .wait_fd = still_wait_fd,
	.free = still_free,
};

/* --- the thread --------------------------------------------------------- */

static void
come_to_rest(struct queue *q)
{
	while (!serve_settle(&q->serve))
		;
	q->condition = q->serve.poisoned ? QUEUE_POISONED : QUEUE_PARKED;
}

static enum still
serve_once(struct queue *q, unsigned batch, uint64_t *wait_ns)
{
	q->serve.batch_max = batch;
	switch (serve_round(&q->serve)) {
	case SERVE_STALLED:
		*wait_ns = q->serve.wait_ns;
		return q->serve.running > 0 ? STILL_BUSY : STILL_STALLED;
	case SERVE_DRAINED:
		return virtq_kicks_on(&q->serve.vq) ||
		    q->serve.running > 0 ? STILL_BUSY : STILL_RESTS;
	default:
		come_to_rest(q);
		return STILL_RESTS;
	}
}

enum still
still_queue_turn(unsigned batch, uint64_t *wait_ns)
{
	struct queue *q = the_queue;

	if (q->condition == QUEUE_RUNNING)
		return serve_once(q, batch, wait_ns);
	if (q->condition == QUEUE_PARKING)
		come_to_rest(q);
	return STILL_RESTS;
}

unsigned
still_queue_running(void)
{
	return the_queue->serve.running;
}

/* --- queue.h ------------------------------------------------------------ */

struct queue *
queue_make(const struct disk *disk, unsigned index, int eventfd)
{
	struct queue *q = calloc(1, sizeof(*q));

	(void)eventfd;
	if (q == NULL || serve_init(&q->serve, disk, index,
	    &q->condition) == -1)
		abort();
	q->condition = QUEUE_PARKED;
	return the_queue = q;
}

void
queue_hold(struct queue *q)
{
	(void)q;
}

int
queue_start(struct queue *q, const struct queue_setup *setup, bool recover)
{
	int n = serve_set_up(&q->serve, setup, recover);

	if (n != -1)
		q->condition = QUEUE_RUNNING;
	else if (errno == EPROTO)
		q->condition = QUEUE_POISONED;
	return n;
}

void
queue_park(struct queue *q)
{
	if (q->condition == QUEUE_RUNNING)
		q->condition = QUEUE_PARKING;
}

void
queue_resume(struct queue *q)
{
	if (q->condition != QUEUE_POISONED)
		q->condition = QUEUE_RUNNING;
}

void
queue_kick(struct queue *q)
{
	(void)q;
}

void
queue_nudge(struct queue *q)
{
	(void)q;
}

enum queue_condition
queue_poll(const struct queue *q)
{
	return (enum queue_condition)q->condition;
}

void
queue_free(struct queue *q)
{
	if (q == NULL)
		return;
	serve_free(&q->serve);
	free(q);
	the_queue = NULL;
}
