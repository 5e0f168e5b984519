/* SPDX-License-Identifier: ISC */
/*
 * The synchronous engine: an operation is finished when submit returns.
 * Runs in blkd, queue thread; touches the backing and the buffers that it
 * is given.  On the page cache nothing is faster.
 */
#include <errno.h>
#include <stdlib.h>

#include "blkd/backing.h"
#include "blkd/engine.h"

struct engine {
	struct backing		*backing;
	struct engine_op	*first;		/* finished, oldest first */
	struct engine_op	**last;
};

static struct engine *
sync_make(const struct engine_setup *setup)
{
	struct engine *e;

	if ((e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	e->backing = setup->backing;
	e->last = &e->first;
	return e;
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

static void
sync_submit(struct engine *e, struct engine_op *op)
{
	op->error = engine_run(e->backing, op) == -1 ? errno : 0;
	op->next = NULL;
	*e->last = op;
	e->last = &op->next;
}

static void
sync_kick(struct engine *e)
{
	(void)e;
}

static struct engine_op *
sync_reap(struct engine *e)
{
	struct engine_op *op = e->first;

	if (op != NULL && (e->first = op->next) == NULL)
		e->last = &e->first;
	return op;
}

static int
sync_wait_fd(const struct engine *e)
{
	(void)e;
	return -1;
}

static void
sync_free(struct engine *e)
{
	free(e);
}

const struct engine_ops engine_sync = {
	.name = "sync",
	.make = sync_make,
	.submit = sync_submit,
	.kick = sync_kick,
	.reap = sync_reap,
	.wait_fd = sync_wait_fd,
	.free = sync_free,
};
