/* SPDX-License-Identifier: ISC */
/*
 * Faults on purpose.  Runs in blkd, queue thread; touches the backing, the
 * buffers that it is given, and what the faults hold back.
 *
 *	submit -> (delay) -> carry_out -> reap
 *
 * I/O is synchronous, whatever engine the disk has otherwise: a tool for
 * tests has to be exact, not fast.
 */
#include <sys/eventfd.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blkd/backing.h"
#include "blkd/disk.h"
#include "blkd/engine.h"
#include "blkd/engine_fault.h"
#include "blkd/fault_clock.h"
#include "blkd/faults.h"
#include "blkd/overlay.h"
#include "shm/gmem.h"
#include "shm/shared.h"
#include "shm/state.h"
#include "util/log.h"

#define SECTOR	512u

struct waiting {
	struct engine_op	*op;
	struct fault_verdict	 verdict;
	uint64_t		 at;		/* fault_clock_now */
};

struct engine {
	const struct disk	*disk;
	unsigned		 index;		/* of the queue */
	int			 eventfd;	/* a delay is over */
	struct iovec		*iov;		/* scratch */
	struct waiting		*waiting;	/* queue_size of them */
	unsigned		 nwaiting;
	struct engine_op	*first;		/* finished, oldest first */
	struct engine_op	**last;
};

/* --- cutting buffers ---------------------------------------------------- */

/* The first `bytes` of the buffers, in the scratch; returns how many. */
static size_t
cut(const struct engine *e, const struct engine_op *op, uint64_t bytes)
{
	size_t i;

	for (i = 0; i < op->niov && bytes > 0; i++) {
		e->iov[i] = op->iov[i];
		if (e->iov[i].iov_len > bytes)
			e->iov[i].iov_len = (size_t)bytes;
		bytes -= e->iov[i].iov_len;
	}
	return i;
}

static void
zero_rest(const struct engine_op *op, uint64_t skip)
{
	size_t i, at;

	for (i = 0; i < op->niov; i++) {
		at = skip < op->iov[i].iov_len ? (size_t)skip :
		    op->iov[i].iov_len;
		memset((uint8_t *)op->iov[i].iov_base + at, 0,
		    op->iov[i].iov_len - at);
		skip -= at;
	}
}

/* --- the I/O, under the lock of what is held ----------------------------- */

static int
drain(const struct disk *d, struct fault_memory *m)
{
	return overlay_drain(m, d->backing, shared_load(&d->sectors));
}

static int
do_read(struct engine *e, struct fault_memory *m, struct engine_op *op,
    uint64_t bytes)
{
	size_t n = cut(e, op, bytes);

	if (backing_read(e->disk->backing, e->iov, n, op->offset,
	    &op->zeroed) == -1)
		return -1;
	if (overlay_holds(m)) {
		n = cut(e, op, bytes);
		overlay_patch(m, e->iov, n, op->offset / SECTOR);
	}
	zero_rest(op, bytes);
	op->zeroed += op->bytes - bytes;
	return 0;
}

/* Into the file; what is held of it changes, too. */
static int
write_through(struct engine *e, struct fault_memory *m, struct engine_op *op,
    uint64_t bytes)
{
	size_t n = cut(e, op, bytes);

	overlay_update(m, e->iov, n, op->offset / SECTOR);
	return backing_write(e->disk->backing, e->iov, n, op->offset);
}

/* As a cache that is full: it is emptied, and takes more. */
static int
hold(struct engine *e, struct fault_memory *m, struct engine_op *op,
    uint64_t bytes)
{
	size_t n = cut(e, op, bytes);

	if (overlay_put(m, e->iov, n, op->offset / SECTOR) == 0)
		return 0;
	log_warning("%s: no room to hold more writes: those so far are written",
	    e->disk->name);
	if (drain(e->disk, m) == -1)
		return -1;
	return overlay_put(m, e->iov, n, op->offset / SECTOR);
}

/* Without a write cache nothing may be held. */
static bool
is_held(const struct engine *e, const struct fault_verdict *v)
{
	return v->hold && shared_load(&e->disk->writeback);
}

/* Held and torn: the first sectors are in the file when the power goes. */
static int
do_write(struct engine *e, struct fault_memory *m, struct engine_op *op,
    const struct fault_verdict *v, uint64_t bytes)
{
	if (!is_held(e, v))
		return write_through(e, m, op, bytes);
	if (v->action != PROTO_FAULT_TORN)
		return hold(e, m, op, bytes);
	return write_through(e, m, op, bytes) == -1 ? -1 :
	    hold(e, m, op, op->bytes);
}

static int
do_io(struct engine *e, struct fault_memory *m, struct engine_op *op,
    const struct fault_verdict *v, uint64_t bytes)
{
	struct backing *b = e->disk->backing;

	switch (op->type) {
	case ENGINE_READ:
		return do_read(e, m, op, bytes);
	case ENGINE_WRITE:
		return do_write(e, m, op, v, bytes);
	case ENGINE_FLUSH:
		return drain(e->disk, m) == -1 ? -1 : backing_flush(b);
	case ENGINE_DISCARD:
		return drain(e->disk, m) == -1 ? -1 :
		    backing_discard(b, op->offset, op->bytes);
	case ENGINE_ZERO:
		return drain(e->disk, m) == -1 ? -1 :
		    backing_zero(b, op->offset, op->bytes, op->unmap);
	}
	errno = EINVAL;
	return -1;
}

/* No rule holds writes any more, or nothing may be held: let them go. */
static int
let_go(struct engine *e)
{
	bool wanted = faults_hold(e->disk->faults) &&
	    shared_load(&e->disk->writeback);
	struct fault_memory *m = faults_lock(e->disk->faults);
	int error = wanted ? 0 : drain(e->disk, m);

	faults_unlock(e->disk->faults);
	return error;
}

static int
run(struct engine *e, struct engine_op *op, const struct fault_verdict *v)
{
	bool part = v->action == PROTO_FAULT_TORN ||
	    v->action == PROTO_FAULT_SHORT;
	uint64_t bytes = part ? v->cut * SECTOR : op->bytes;
	struct fault_memory *m;
	int error;

	if (let_go(e) == -1)
		return -1;
	m = faults_lock(e->disk->faults);
	error = do_io(e, m, op, v, bytes);
	faults_unlock(e->disk->faults);
	return error;
}

/* --- one operation ------------------------------------------------------- */

static uint32_t
kind_of(enum engine_op_type type)
{
	switch (type) {
	case ENGINE_READ:
		return PROTO_FAULT_READ;
	case ENGINE_WRITE:
		return PROTO_FAULT_WRITE;
	case ENGINE_FLUSH:
		return PROTO_FAULT_FLUSH;
	case ENGINE_DISCARD:
	case ENGINE_ZERO:
		break;
	}
	return PROTO_FAULT_DISCARD;
}

/* KILL and STOP do not return. */
static void
strike_down(const struct engine *e, const struct fault_verdict *v)
{
	if (v->action == PROTO_FAULT_KILL) {
		log_warning("%s: fault %u: kill", e->disk->name, v->id);
		faults_kill();
	}
	if (v->action == PROTO_FAULT_STOP) {
		log_warning("%s: fault %u: stop", e->disk->name, v->id);
		faults_stop(e->disk->faults);
	}
}

static void
carry_out(struct engine *e, struct engine_op *op,
    const struct fault_verdict *v)
{
	faults_hang_if_stopped(e->disk->faults);
	if (!v->after)
		strike_down(e, v);
	op->zeroed = 0;
	op->error = 0;
	if (v->action == PROTO_FAULT_EIO)
		op->error = EIO;
	else if (v->action == PROTO_FAULT_ENOSPC)
		op->error = ENOSPC;
	else if (run(e, op, v) == -1)
		op->error = errno;
	else if (v->action == PROTO_FAULT_TORN && !is_held(e, v))
		op->error = EIO;
	strike_down(e, v);
	op->next = NULL;
	*e->last = op;
	e->last = &op->next;
}

/* --- delays --------------------------------------------------------------- */

/* Carry out what is due, in order; set the alarm for the next. */
static void
wake(struct engine *e)
{
	uint64_t now = fault_clock_now(), next = 0;
	unsigned i, kept = 0, n = e->nwaiting;
	struct waiting w;

	for (i = 0; i < n; i++) {
		w = e->waiting[i];
		if (w.at <= now) {
			carry_out(e, w.op, &w.verdict);
			continue;
		}
		e->waiting[kept++] = w;
		if (next == 0 || w.at < next)
			next = w.at;
	}
	e->nwaiting = kept;
	fault_clock_set(faults_clock(e->disk->faults), e->index, next,
	    e->eventfd);
}

static void
wait_for(struct engine *e, struct engine_op *op,
    const struct fault_verdict *v)
{
	e->waiting[e->nwaiting++] = (struct waiting) {
		.op = op, .verdict = *v,
		.at = fault_clock_now() + v->delay_ns,
	};
	wake(e);
}

/* --- the interface -------------------------------------------------------- */

static void
fault_submit(struct engine *e, struct engine_op *op)
{
	struct fault_operation o = {
		.op = (enum proto_fault_op)kind_of(op->type),
		.sector = op->offset / SECTOR,
		.sectors = op->type == ENGINE_FLUSH ? 0 : op->bytes / SECTOR,
	};
	struct fault_verdict v;
	unsigned struck = faults_judge(e->disk->faults, &o, &v);

	if (struck > 0)
		counter_add(&e->disk->state->queue[e->index].s_counters,
		    COUNTER_FAULTS_INJECTED, struck);
	if (v.delay_ns > 0)
		wait_for(e, op, &v);
	else
		carry_out(e, op, &v);
}

/* Also without a request: a rule that held writes may be gone. */
static void
fault_kick(struct engine *e)
{
	if (let_go(e) == -1)
		log_warning("%s: writes that were held back cannot be written:"
		    " %s: they stay held", e->disk->name, strerror(errno));
}

static struct engine_op *
fault_reap(struct engine *e)
{
	struct engine_op *op;
	eventfd_t n;

	if (e->nwaiting > 0) {
		(void)eventfd_read(e->eventfd, &n);
		wake(e);
	}
	op = e->first;
	if (op != NULL && (e->first = op->next) == NULL)
		e->last = &e->first;
	return op;
}

static int
fault_wait_fd(struct engine *e)
{
	return e->eventfd;
}

/* No operation is left: nor is an alarm. */
static void
fault_free(struct engine *e)
{
	fault_clock_set(faults_clock(e->disk->faults), e->index, 0, -1);
	close(e->eventfd);
	free(e->iov);
	free(e->waiting);
	free(e);
}

const struct engine_ops engine_fault = {
	.name = "fault",
	.submit = fault_submit,
	.kick = fault_kick,
	.reap = fault_reap,
	.wait_fd = fault_wait_fd,
	.free = fault_free,
};

struct engine *
engine_fault_make(const struct disk *disk, unsigned index)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->disk = disk;
	e->index = index;
	e->last = &e->first;
	e->iov = calloc(disk_seg_max(disk) + GMEM_REGIONS_MAX,
	    sizeof(*e->iov));
	e->waiting = calloc(disk->queue_size, sizeof(*e->waiting));
	e->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (e->iov != NULL && e->waiting != NULL && e->eventfd != -1)
		return e;
	if (e->eventfd != -1)
		close(e->eventfd);
	free(e->iov);
	free(e->waiting);
	free(e);
	return NULL;
}

int
engine_fault_settle(const struct disk *d)
{
	struct fault_memory *m = faults_lock(d->faults);
	int error = drain(d, m);

	faults_unlock(d->faults);
	return error;
}
