/* SPDX-License-Identifier: ISC */
/*
 * The engine without system calls: the backing is memory (filemap.h), and a
 * read or a write is a copy.  Runs in blkd, queue thread; touches the mapping
 * and the buffers that it is given.
 *
 * For images that are in memory.  A page that is not waits for its device
 * here, in the queue thread.
 *
 *	submit -> the last few -> a copy ----------------------> reap
 *	             |               |                            ^
 *	             |               +-> a page is missing:       |
 *	             |                   the backing's own call, -+
 *	             +-> what is no copy:  which says why         |
 *	                 the backing's own call ------------------+
 *
 * What is submitted waits for a few more, so that its pages' way into this
 * core's caches is over when the copy begins; kick waits for nothing.  They
 * are carried out in the order in which they come.
 *
 * A copy is not stopped half-way but by the end of the process: then it has
 * written any part of it, as with every engine, but of a sector too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blkd/backing.h"
#include "blkd/engine.h"
#include "blkd/filemap.h"
#include "blkd/sigbus.h"
#include "shm/shared.h"

#define AHEAD		4u	/* a power of two */
#define LINE		64u
#define LINES		4u	/* then the processor goes on by itself */

struct engine {
	struct backing		*backing;
	struct filemap		*map;
	unsigned		 head;		/* carried out so far */
	unsigned		 tail;		/* taken */
	struct engine_op	*ahead[AHEAD];
	struct engine_op	*done;		/* oldest first */
	struct engine_op	**done_last;
};

static struct engine *
mmap_engine_make(const struct engine_setup *setup)
{
	struct engine *e;

	if (setup->map == NULL) {
		errno = ENODEV;
		return NULL;
	}
	if ((e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	e->backing = setup->backing;
	e->map = setup->map;
	e->done_last = &e->done;
	return e;
}

/* --- copies -------------------------------------------------------------- */

static bool
is_copy(const struct engine *e, const struct engine_op *op)
{
	return (op->type == ENGINE_READ || op->type == ENGINE_WRITE) &&
	    op->offset <= e->map->bytes &&
	    op->bytes <= e->map->bytes - op->offset;
}

static void
copy_all(uint8_t *at, const struct engine_op *op)
{
	size_t i;

	for (i = 0; i < op->niov; i++) {
		if (op->type == ENGINE_READ)
			memcpy(op->iov[i].iov_base, at, op->iov[i].iov_len);
		else
			memcpy(at, op->iov[i].iov_base, op->iov[i].iov_len);
		at += op->iov[i].iov_len;
	}
}

/* Returns false where a page is missing; then any part may be copied. */
static bool
copy(struct engine *e, const struct engine_op *op)
{
	struct sigbus_guard guard = { .begin = e->map->at,
	    .bytes = e->map->bytes };
	uint64_t end = op->offset + op->bytes;

	if (sigsetjmp(guard.again, 0) != 0)
		return false;
	sigbus_guard(&guard);
	copy_all(e->map->at + op->offset, op);
	sigbus_unguard();
	if (op->type == ENGINE_WRITE && shared_load(&e->map->written) < end)
		shared_store(&e->map->written, end);
	return true;
}

/*
 * Of a file that somebody made shorter the rest of its last page is still
 * there to be written to, and is in no file: said once, as by fdatasync.
 */
static int
flush(struct engine *e, struct engine_op *op)
{
	int64_t bytes;

	if (engine_run(e->backing, op) == -1 ||
	    (bytes = backing_size(e->backing)) == -1)
		return errno;
	if ((uint64_t)bytes >= shared_load(&e->map->written))
		return 0;
	shared_store(&e->map->written, (uint64_t)bytes);
	return EIO;
}

static void
carry_out(struct engine *e, struct engine_op *op)
{
	op->zeroed = 0;
	op->error = 0;
	if (op->type == ENGINE_FLUSH)
		op->error = flush(e, op);
	else if ((!is_copy(e, op) || !copy(e, op)) &&
	    engine_run(e->backing, op) == -1)
		op->error = errno;
	op->next = NULL;
	*e->done_last = op;
	e->done_last = &op->next;
}

/* --- the interface ------------------------------------------------------- */

/* Hints: a page that is missing is not noticed here. */
static void
fetch(const struct engine *e, const struct engine_op *op)
{
	const uint8_t *from, *to;
	unsigned i;

	if (!is_copy(e, op) || op->niov == 0)
		return;
	from = e->map->at + op->offset;
	to = op->iov->iov_base;
	if (op->type == ENGINE_READ) {
		for (i = 0; i < LINES; i++)
			__builtin_prefetch(from + i * LINE);
		__builtin_prefetch(to, 1);
	} else {
		for (i = 0; i < LINES; i++)
			__builtin_prefetch(to + i * LINE);
		__builtin_prefetch(from, 1);
	}
}

static void
mmap_submit(struct engine *e, struct engine_op *op)
{
	if (e->tail - e->head == AHEAD)
		carry_out(e, e->ahead[e->head++ % AHEAD]);
	fetch(e, op);
	e->ahead[e->tail++ % AHEAD] = op;
}

static void
mmap_kick(struct engine *e)
{
	while (e->head != e->tail)
		carry_out(e, e->ahead[e->head++ % AHEAD]);
}

static struct engine_op *
mmap_reap(struct engine *e)
{
	struct engine_op *op = e->done;

	if (op != NULL && (e->done = op->next) == NULL)
		e->done_last = &e->done;
	return op;
}

static int
mmap_wait_fd(struct engine *e)
{
	(void)e;
	return -1;
}

static void
mmap_engine_free(struct engine *e)
{
	free(e);
}

const struct engine_ops engine_mmap = {
	.name = "mmap",
	.make = mmap_engine_make,
	.submit = mmap_submit,
	.kick = mmap_kick,
	.reap = mmap_reap,
	.wait_fd = mmap_wait_fd,
	.free = mmap_engine_free,
};
