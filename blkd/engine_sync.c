/* SPDX-License-Identifier: ISC */
/*
 * The synchronous engine: an operation is one call of the backing.  Runs in
 * blkd, queue thread; touches the backing and the buffers that it is given.
 *
 * On the page cache nothing is faster than the call at once, inside submit.
 * Where the calls turn out to take their time (pace.h), what comes in one
 * batch is handed to the threads of a pool, if there is one (pool.h):
 *
 *	submit -> carried out here -------------------------> reap
 *	   |                                                   ^
 *	   +----> the batch -> (kick) -> carried out by the pool
 *	                          |                            |
 *	                          +-> here: alone, and not so slow
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "blkd/backing.h"
#include "blkd/engine.h"
#include "blkd/pace.h"
#include "blkd/pool.h"

struct list {
	struct engine_op	*first;
	struct engine_op	*tail;		/* if there is a first */
};

struct engine {
	struct backing		*backing;
	struct pool		*pool;		/* NULL: none */
	struct pace		 pace;		/* where there is a pool */
	unsigned		 nbatch;
	struct list		 batch;		/* for the pool */
	struct list		 done;		/* oldest first */
};

static void
list_append(struct list *l, struct engine_op *op)
{
	op->next = NULL;
	if (l->first == NULL)
		l->first = op;
	else
		l->tail->next = op;
	l->tail = op;
}

static struct engine *
sync_make(const struct engine_setup *setup)
{
	const struct pool_setup pool = {
		.backing = setup->backing, .run = engine_run,
		.threads = setup->threads, .queue = setup->queue,
		.fence = setup->fence,
	};
	struct engine *e;

	if ((e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	e->backing = setup->backing;
	e->pace.slow_ns = setup->slow_ns;
	if (setup->threads > 0 && (e->pool = pool_make(&pool)) == NULL) {
		free(e);
		return NULL;
	}
	return e;
}

/* Without a thread to be had it does without. */
static int
sync_enter(struct engine *e)
{
	if (e->pool != NULL && pool_start(e->pool) == -1) {
		pool_free(e->pool);
		e->pool = NULL;
	}
	return 0;
}

int
engine_run(struct backing *b, struct engine_op *op)
{
	op->zeroed = 0;
	switch (op->type) {
	case ENGINE_READ:
		return backing_read(b, op->iov, op->niov, op->offset,
		    &op->zeroed);
	case ENGINE_WRITE:
		return backing_write(b, op->iov, op->niov, op->offset);
	case ENGINE_FLUSH:
		return backing_flush(b);
	case ENGINE_DISCARD:
		return backing_discard(b, op->offset, op->bytes);
	case ENGINE_ZERO:
		return backing_zero(b, op->offset, op->bytes, op->unmap);
	}
	errno = EINVAL;
	return -1;
}

/* --- here ---------------------------------------------------------------- */

static void
run_here(struct engine *e, struct engine_op *op)
{
	op->error = engine_run(e->backing, op) == -1 ? errno : 0;
	list_append(&e->done, op);
}

static uint64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
run_timed(struct engine *e, struct engine_op *op)
{
	uint64_t began = now();

	run_here(e, op);
	pace_learn(&e->pace, op->type, op->bytes, now() - began);
}

/* --- by the pool --------------------------------------------------------- */

static void
hand_over(struct engine *e)
{
	struct engine_op *op = e->batch.first;

	if (e->nbatch == 1 && pool_running(e->pool) == 0 &&
	    !pace_is_slow_alone(&e->pace, op->type)) {
		run_timed(e, op);
	} else {
		pool_hand(e->pool, op, e->batch.tail, e->nbatch);
	}
	e->batch.first = NULL;
	e->nbatch = 0;
}

static void
take_back(struct engine *e)
{
	struct engine_op *op, *next;

	for (op = pool_take(e->pool); op != NULL; op = next) {
		next = op->next;
		pace_learn(&e->pace, op->type, op->bytes, op->took_ns);
		list_append(&e->done, op);
	}
}

/* --- the interface ------------------------------------------------------- */

static void
sync_submit(struct engine *e, struct engine_op *op)
{
	if (e->pool == NULL) {
		run_here(e, op);
		return;
	}
	if (pace_is_slow(&e->pace, op->type)) {
		list_append(&e->batch, op);
		e->nbatch++;
		return;
	}
	/* Quick ones may come without an end: a slow one starts before. */
	if (e->nbatch > 0)
		hand_over(e);
	if (pace_wants(&e->pace, op->type))
		run_timed(e, op);
	else
		run_here(e, op);
}

static void
sync_kick(struct engine *e)
{
	if (e->nbatch > 0)
		hand_over(e);
}

static struct engine_op *
sync_reap(struct engine *e)
{
	struct engine_op *op;

	if (e->done.first == NULL && e->pool != NULL &&
	    pool_running(e->pool) > 0)
		take_back(e);
	op = e->done.first;
	if (op != NULL)
		e->done.first = op->next;
	return op;
}

/* What it has, it has handed over: there is a pool, or nobody asks. */
static int
sync_wait_fd(struct engine *e)
{
	return e->pool != NULL ? pool_wait_fd(e->pool) : -1;
}

static void
sync_free(struct engine *e)
{
	pool_free(e->pool);
	free(e);
}

const struct engine_ops engine_sync = {
	.name = "sync",
	.make = sync_make,
	.enter = sync_enter,
	.submit = sync_submit,
	.kick = sync_kick,
	.reap = sync_reap,
	.wait_fd = sync_wait_fd,
	.free = sync_free,
};
