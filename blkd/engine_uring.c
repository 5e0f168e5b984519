/* SPDX-License-Identifier: ISC */
/*
 * The engine on io_uring: many operations in flight, one system call a
 * batch.  Runs in blkd, queue thread; touches its ring, the backing and the
 * buffers that it is given.
 *
 *	submit -> SQE -> (kick) -> CQE -> reap
 *	   |               ^        |
 *	   |               +--------+  short, interrupted: the rest again
 *	   +-> the backing's own calls, in this thread: what O_DIRECT does not
 *	       take as it is, discards, and what the kernel refused to do
 *
 * An operation has at most one request in the ring, which names it by its
 * address.
 *
 * A device that gets a batch as a whole answers it as a whole, and it and we
 * take turns at waiting for each other.  So what is prepared is handed over
 * in parts, while the rest of the batch is read: tests/bench/RESULTS.md.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "blkd/backing.h"
#include "blkd/backing_iov.h"
#include "blkd/engine.h"
#include "blkd/uring.h"
#include "util/log.h"

/* A part: so much of what the kernel has, and at least one. */
#define PART		8u

struct engine {
	struct io_uring		*ring;
	struct backing		*backing;
	bool			 claims;	/* the backing wants them */
	unsigned		 running;	/* in the ring */
	struct engine_op	*here;		/* for us to do */
	struct engine_op	*first;		/* finished, oldest first */
	struct engine_op	**last;
};

static struct engine *
uring_engine_make(const struct engine_setup *setup)
{
	struct engine *e;

	if (setup->ring == NULL) {
		errno = ENOSYS;
		return NULL;
	}
	if ((e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	e->ring = setup->ring;
	e->backing = setup->backing;
	e->claims = backing_is_direct(e->backing);
	e->last = &e->first;
	return e;
}

static int
uring_engine_enter(struct engine *e)
{
	return uring_enable(e->ring);
}

static bool
is_change(const struct engine_op *op)
{
	return op->type != ENGINE_READ && op->type != ENGINE_FLUSH;
}

static void
finish(struct engine *e, struct engine_op *op, int error)
{
	if (e->claims && is_change(op))
		backing_unclaim(e->backing, &op->claim);
	op->error = error;
	op->next = NULL;
	*e->last = op;
	e->last = &op->next;
}

/* --- into the ring ------------------------------------------------------ */

/*
 * Hand over what is prepared; with completions that the kernel holds back
 * for us.  What it cannot take now, for lack of memory, it can take when
 * something has finished; else soon.
 */
static void
hand_over(struct engine *e)
{
	const struct timespec soon = { .tv_nsec = 1000000 };
	int n;

	while (io_uring_sq_ready(e->ring) > 0) {
		n = io_uring_submit_and_get_events(e->ring);
		if (n >= 0 || n == -EINTR)
			continue;
		if (n != -EAGAIN && n != -EBUSY && n != -ENOMEM) {
			/* The successor does what is in flight. */
			log_error("cannot submit to io_uring: %s: blkd ends",
			    strerror(-n));
			_exit(EX_OSERR);
		}
		(void)ppoll(NULL, 0, &soon, NULL);
	}
}

static void
hand_over_part(struct engine *e)
{
	unsigned ready = io_uring_sq_ready(e->ring);

	if (ready > (e->running - ready) / PART)
		hand_over(e);
}

static struct io_uring_sqe *
next_sqe(struct engine *e)
{
	struct io_uring_sqe *sqe;

	while ((sqe = io_uring_get_sqe(e->ring)) == NULL)
		hand_over(e);
	e->running++;
	return sqe;
}

static void
prepare_transfer(struct engine *e, struct engine_op *op)
{
	struct io_uring_sqe *sqe = next_sqe(e);
	unsigned n = op->niov > IOV_MAX ? IOV_MAX : (unsigned)op->niov;
	bool read = op->type == ENGINE_READ;
	int fd = backing_fd(e->backing);

	if (n == 1 && read)
		io_uring_prep_read(sqe, fd, op->iov->iov_base,
		    (unsigned)op->iov->iov_len, op->offset);
	else if (n == 1)
		io_uring_prep_write(sqe, fd, op->iov->iov_base,
		    (unsigned)op->iov->iov_len, op->offset);
	else if (read)
		io_uring_prep_readv(sqe, fd, op->iov, n, op->offset);
	else
		io_uring_prep_writev(sqe, fd, op->iov, n, op->offset);
	io_uring_sqe_set_data(sqe, op);
}

static void
prepare_flush(struct engine *e, struct engine_op *op)
{
	struct io_uring_sqe *sqe = next_sqe(e);

	io_uring_prep_fsync(sqe, backing_fd(e->backing),
	    IORING_FSYNC_DATASYNC);
	io_uring_sqe_set_data(sqe, op);
}

/* --- out of it ---------------------------------------------------------- */

/* For the backing's own calls: as soon as the ring has what it gets. */
static void
do_here_later(struct engine *e, struct engine_op *op)
{
	op->next = e->here;
	e->here = op;
}

/* What is left of its buffers, after `done` bytes. */
static void
advance(struct engine_op *op, size_t done)
{
	struct backing_iov v = { op->iov, op->niov };

	backing_iov_skip(&v, done);
	op->iov = v.iov;
	op->niov = v.n;
	op->offset += done;
}

static void
transfer_done(struct engine *e, struct engine_op *op, int res)
{
	struct backing_iov rest;

	if (res > 0) {
		advance(op, (size_t)res);
		if (op->niov == 0)
			finish(e, op, 0);
		else if (backing_fits(e->backing, op->iov, op->niov,
		    op->offset)) {
			prepare_transfer(e, op);
			hand_over(e);
		} else
			do_here_later(e, op);
	} else if (res < 0) {
		finish(e, op, -res);
	} else if (op->type == ENGINE_READ) {
		rest = (struct backing_iov) { op->iov, op->niov };
		op->zeroed = backing_iov_zero(&rest);
		finish(e, op, 0);
	} else
		finish(e, op, EIO);
}

/* No worker, no memory, interrupted: it was not done, and here it can be. */
static bool
is_refusal(int res)
{
	return res == -EAGAIN || res == -ECANCELED || res == -EINTR ||
	    res == -ENOMEM;
}

static void
completed(struct engine *e, struct engine_op *op, int res)
{
	e->running--;
	if (is_refusal(res)) {
		do_here_later(e, op);
		return;
	}
	switch (op->type) {
	case ENGINE_READ:
	case ENGINE_WRITE:
		transfer_done(e, op, res);
		return;
	default:
		finish(e, op, res < 0 ? -res : 0);
		return;
	}
}

/*
 * Is there a completion?  The kernel keeps them back until it is entered:
 * the batch that is being prepared does that soon.
 */
static bool
has_completed(struct engine *e)
{
	unsigned flags;

	if (io_uring_cq_ready(e->ring) > 0)
		return true;
	if (e->running == 0 || io_uring_sq_ready(e->ring) > 0)
		return false;
	flags = __atomic_load_n(e->ring->sq.kflags, __ATOMIC_RELAXED);
	if ((flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) == 0)
		return false;
	(void)io_uring_get_events(e->ring);
	return io_uring_cq_ready(e->ring) > 0;
}

static bool
take_one(struct engine *e)
{
	struct io_uring_cqe *cqe;
	struct engine_op *op;
	int res;

	if (!has_completed(e) || io_uring_peek_cqe(e->ring, &cqe) != 0)
		return false;
	op = io_uring_cqe_get_data(cqe);
	res = cqe->res;
	io_uring_cqe_seen(e->ring, cqe);
	completed(e, op, res);
	return true;
}

/* Until nothing is in the ring any more. */
static void
await_all(struct engine *e)
{
	struct pollfd pfd = { .fd = e->ring->ring_fd, .events = POLLIN };

	hand_over(e);
	while (e->running > 0) {
		if (!take_one(e))
			(void)ppoll(&pfd, 1, NULL, NULL);
	}
}

/* By the backing's own calls, in this thread, to the end. */
static void
do_here(struct engine *e)
{
	struct engine_op *op;
	uint64_t zeroed;
	int error;

	while ((op = e->here) != NULL) {
		e->here = op->next;
		/* It makes a claim of its own, and ours are in its way. */
		if (is_change(op) && e->claims) {
			backing_unclaim(e->backing, &op->claim);
			await_all(e);
		}
		zeroed = op->zeroed;
		error = engine_run(e->backing, op) == -1 ? errno : 0;
		op->zeroed += zeroed;
		finish(e, op, error);
	}
}

/* --- the interface ------------------------------------------------------ */

static void
uring_submit(struct engine *e, struct engine_op *op)
{
	op->zeroed = 0;
	op->error = 0;
	op->claim.taken = false;
	switch (op->type) {
	case ENGINE_READ:
	case ENGINE_WRITE:
		advance(op, 0);
		if (op->niov == 0 || !backing_fits(e->backing, op->iov,
		    op->niov, op->offset)) {
			do_here_later(e, op);
			return;
		}
		if (op->type == ENGINE_WRITE)
			backing_claim(e->backing, &op->claim, op->offset,
			    op->bytes);
		prepare_transfer(e, op);
		hand_over_part(e);
		return;
	case ENGINE_FLUSH:
		prepare_flush(e, op);
		return;
	/* A ring with fallocate would have all its modes: blkd/uring.c. */
	case ENGINE_DISCARD:
	case ENGINE_ZERO:
		do_here_later(e, op);
		return;
	}
}

static void
uring_kick(struct engine *e)
{
	hand_over(e);
	do_here(e);
}

static struct engine_op *
uring_reap(struct engine *e)
{
	struct engine_op *op;

	while (e->first == NULL && take_one(e))
		;
	/* Not before the batch is on its way. */
	if (e->first == NULL && io_uring_sq_ready(e->ring) == 0)
		do_here(e);
	op = e->first;
	if (op != NULL && (e->first = op->next) == NULL)
		e->last = &e->first;
	return op;
}

static int
uring_wait_fd(struct engine *e)
{
	return e->ring->ring_fd;
}

static void
uring_engine_free(struct engine *e)
{
	await_all(e);
	free(e);
}

const struct engine_ops engine_uring = {
	.name = "uring",
	.make = uring_engine_make,
	.enter = uring_engine_enter,
	.submit = uring_submit,
	.kick = uring_kick,
	.reap = uring_reap,
	.wait_fd = uring_wait_fd,
	.free = uring_engine_free,
};
