/* SPDX-License-Identifier: ISC */
/*
 * The way of a request, from avail to interrupt.  Runs in blkd, queue
 * thread; trusts nothing in guest memory; touches the rings, the buffers and
 * the status bytes of its requests, its part of the state, the doorbell.
 *
 * No allocation here, and no system call but the I/O itself and one write
 * for an interrupt.
 */
#include <linux/virtio_blk.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blkd/backing.h"
#include "blkd/disk.h"
#include "blkd/engine.h"
#include "blkd/engine_fault.h"
#include "blkd/exec.h"
#include "blkd/lone.h"
#include "blkd/queue.h"
#include "blkd/request.h"
#include "blkd/serve_impl.h"
#include "blkd/uring.h"
#include "shm/gmem.h"
#include "shm/shared.h"
#include "util/log.h"

#define LOOKS		64u	/* at the ring, between two at the clock */

static inline void
cpu_relax(void)
{
	__builtin_ia32_pause();
}

/* --- setting up --------------------------------------------------------- */

/* Faults on purpose come with an engine of their own. */
static void
make_engine(struct serve *s, unsigned index)
{
	const struct disk *disk = s->disk;
	struct engine_setup setup;

	if (disk->faults != NULL) {
		s->ops = &engine_fault;
		s->engine = engine_fault_make(disk, index);
		return;
	}
	s->ops = disk->engine != NULL ? disk->engine : &engine_sync;
	setup = (struct engine_setup) {
		.backing = disk->backing, .depth = disk->queue_size,
		.ring = uring_ring(disk->uring, index, disk->queue_size),
		.map = disk->map, .threads = disk->threads,
		.slow_ns = disk->slow_us * UINT64_C(1000),
		.queue = index, .fence = disk->state->thread_fence[index],
	};
	s->engine = s->ops->make(&setup);
}

int
serve_init(struct serve *s, const struct disk *disk, unsigned index,
    const uint32_t *condition)
{
	size_t i, iovs = disk_seg_max(disk) + GMEM_REGIONS_MAX;

	*s = (struct serve) {
		.disk = disk, .index = index, .condition = condition,
		.counters = &disk->state->queue[index].s_counters,
		.beat = &disk->state->queue[index].s_beat,
		.callfd = disk->callfd != NULL ? &disk->callfd[index] :
		    &disk->irqfd,
		.gates = { .disk = disk, .limiter = disk->limiter,
		    .iov_max = iovs },
	};
	s->request = calloc(disk->queue_size, sizeof(*s->request));
	/* Untouched pages of this one cost nothing. */
	s->iovs = calloc(disk->queue_size, iovs * sizeof(*s->iovs));
	make_engine(s, index);
	if (s->request == NULL || s->iovs == NULL || s->engine == NULL)
		return -1;
	for (i = 0; i < disk->queue_size; i++) {
		s->request[i].head = (uint16_t)i;
		s->request[i].iov = s->iovs + i * iovs;
	}
	return 0;
}

int
serve_enter(struct serve *s)
{
	return s->ops->enter == NULL ? 0 : s->ops->enter(s->engine);
}

void
serve_free(struct serve *s)
{
	if (s->engine != NULL)
		s->ops->free(s->engine);
	free(s->iovs);
	free(s->request);
}

void
serve_poison(struct serve *s)
{
	/* First the mark: a successor that finds it does not count again. */
	shared_store_release(&s->state->s_poisoned, 1);
	s->poisoned = true;
	serve_count(s, COUNTER_INVALID_RING, 1);
}

static int
recover(struct serve *s)
{
	int n;

	if (shared_load(&s->state->s_poisoned) != 0) {
		s->poisoned = true;
		errno = EPROTO;
		return -1;
	}
	n = inflight_recover(&s->inflight, s->state, &s->vq, s->replay);
	if (n == -1)
		serve_poison(s);
	return n;
}

int
serve_set_up(struct serve *s, const struct queue_setup *setup, bool again)
{
	struct state *journal = s->disk->journal != NULL ?
	    s->disk->journal : s->disk->state;
	int n = 0;

	if (setup->num > s->disk->queue_size) {
		errno = EFAULT;
		return -1;
	}
	if (s->disk->gmem == NULL ||
	    virtq_map(&s->vq, s->disk->gmem, setup) == -1) {
		errno = EFAULT;
		return -1;
	}
	s->state = &journal->queue[s->index];
	s->gates.features = setup->features;
	s->done = NULL;
	s->done_last = &s->done;
	s->ndone = 0;
	s->batch_max = 1;
	s->nreplay = s->replayed = 0;
	s->stalled = s->poisoned = s->taking = s->owed = s->alone = false;
	counter_set(s->counters, COUNTER_THROTTLED_NOW, 0);
	if (again)
		n = recover(s);
	else if (setup->used)
		inflight_begin(&s->inflight, s->state, &s->vq, setup->base);
	else
		inflight_init(&s->inflight, s->state, setup->num);
	if (n == -1)
		return -1;
	inflight_count_in(&s->inflight, s->counters);
	s->nreplay = (unsigned)n;
	/* The predecessor may have died just before its interrupt. */
	s->fire = again;
	return n;
}

/* --- running ------------------------------------------------------------ */

static void
finished(struct serve *s, struct request *r)
{
	r->next = NULL;
	*s->done_last = r;
	s->done_last = &r->next;
	if (++s->ndone >= s->batch_max)
		serve_publish(s);
}

static struct engine_op *
reap(struct serve *s)
{
	struct engine_op *op;

	if (s->running == 0)
		return NULL;
	serve_beat(s, STATE_BEAT_IN_IO);
	op = s->ops->reap(s->engine);
	serve_beat(s, STATE_BEAT_RUNS);
	return op;
}

void
serve_kick(struct serve *s)
{
	serve_beat(s, STATE_BEAT_IN_IO);
	s->ops->kick(s->engine);
	serve_beat(s, STATE_BEAT_RUNS);
}

static bool
start(struct serve *s, struct request *r)
{
	bool done;

	serve_beat(s, STATE_BEAT_IN_IO);
	done = exec_start(r, s->disk, s->ops, s->engine);
	serve_beat(s, STATE_BEAT_RUNS);
	return done;
}

void
serve_collect(struct serve *s)
{
	struct engine_op *op;
	struct request *r;

	while ((op = reap(s)) != NULL) {
		s->running--;
		r = request_of_op(op);
		r->running = false;
		exec_finish(r);
		if (r->answer == VIRTIO_BLK_S_IOERR)
			serve_complain(s, exec_name(r), op->error);
		if (op->zeroed > 0)
			serve_count(s, COUNTER_SHORT_READS, 1);
		finished(s, r);
	}
}

static int
status_of(enum gates_verdict verdict)
{
	switch (verdict) {
	case GATES_OK:
		return VIRTIO_BLK_S_OK;
	case GATES_UNSUPP:
		return VIRTIO_BLK_S_UNSUPP;
	default:
		return VIRTIO_BLK_S_IOERR;
	}
}

void
serve_run(struct serve *s, struct request *r, enum gates_verdict verdict)
{
	r->taken_ns = s->now_ns;
	if (verdict != GATES_PASS) {
		exec_answer(r, status_of(verdict));
		finished(s, r);
		return;
	}
	if (exec_is_long(r)) {
		serve_publish(s);
		serve_settle_interrupt(s);
	}
	if (start(s, r)) {
		finished(s, r);
		return;
	}
	r->running = true;
	s->running++;
	serve_collect(s);
}

void
serve_count_drop(struct serve *s)
{
	serve_count(s, COUNTER_DROPPED, 1);
	serve_count(s, COUNTER_IO_ERRORS, 1);
}

/* --- taking ------------------------------------------------------------- */

static void
stall(struct serve *s, uint64_t wait_ns)
{
	s->wait_ns = wait_ns;
	if (s->stalled)
		return;
	s->stalled = true;
	serve_count(s, COUNTER_THROTTLED, 1);
	counter_set(s->counters, COUNTER_THROTTLED_NOW, 1);
}

static void
unstall(struct serve *s)
{
	if (!s->stalled)
		return;
	s->stalled = false;
	counter_set(s->counters, COUNTER_THROTTLED_NOW, 0);
}

/*
 * While this request is carried out, bring the lines of the next ones from
 * the driver's core: the descriptors of the one after the next, and the
 * header of the next, whose status byte is near it in most drivers.  Hints
 * all of them: nothing that is read here is used for anything else.
 */
static inline void
look_ahead(const struct serve *s)
{
	uint16_t next = virtq_hint(&s->vq, 1), after = virtq_hint(&s->vq, 2);
	const void *header;

	if (after < s->vq.num)
		__builtin_prefetch(&s->vq.desc[after]);
	if (next >= s->vq.num)
		return;
	header = gmem_at(s->disk->gmem,
	    shared_load(&s->vq.desc[next].g_addr), 1);
	if (header != NULL)
		__builtin_prefetch(header, 1);
}

/* Returns true if a head was taken; else why not is in *why. */
static bool
take(struct serve *s, enum serve_result *why)
{
	enum gates_verdict verdict;
	struct request *r;
	uint16_t head;
	int some;

	*why = SERVE_DRAINED;
	serve_beat(s, STATE_BEAT_RUNS);
	if ((some = virtq_peek(&s->vq, &head)) == 0)
		return false;
	if (some == -1 || head >= s->vq.num ||
	    inflight_has(&s->inflight, head) ||
	    chain_read(&s->chain, &s->vq, s->disk->gmem, head) == -1) {
		serve_poison(s);
		*why = SERVE_POISONED;
		return false;
	}
	r = &s->request[head];
	look_ahead(s);
	verdict = gates_check(&s->gates, &s->chain, r, 1);
	if (verdict == GATES_WAIT) {
		/* Not taken: the cursor stays, nothing is written. */
		stall(s, r->wait_ns);
		*why = SERVE_STALLED;
		return false;
	}
	unstall(s);
	virtq_advance(&s->vq);
	if (verdict == GATES_DROP) {
		inflight_drop(&s->inflight, head);
		serve_count_drop(s);
	} else {
		inflight_mark(&s->inflight, head);
		serve_run(s, r, verdict);
	}
	return true;
}

/* --- rounds ------------------------------------------------------------- */

/* Another queue is alone, or is about to be: we are woken after it. */
static enum serve_result
keep_out(struct serve *s)
{
	serve_settle_interrupt(s);
	return shared_load(s->condition) == QUEUE_RUNNING ? SERVE_REPLAYING :
	    SERVE_STOPPED;
}

enum serve_result
serve_round(struct serve *s)
{
	enum serve_result why = SERVE_STOPPED;

	s->now_ns = serve_clock();
	if (!lone_may_run(s->disk->lone, s->index))
		return keep_out(s);
	s->taking = true;
	serve_collect(s);
	serve_replay(s);
	virtq_kicks_off(&s->vq);
	while (!s->poisoned &&
	    shared_load(s->condition) == QUEUE_RUNNING) {
		if (serve_replays_left(s) || lone_is_asked(s->disk->lone)) {
			why = SERVE_REPLAYING;
			break;
		}
		if (!take(s, &why))
			break;
	}
	serve_kick(s);
	/* What a replay waits for would be missed here. */
	if (why != SERVE_REPLAYING)
		serve_collect(s);
	serve_publish(s);
	s->taking = false;
	serve_settle_interrupt(s);
	if (why == SERVE_REPLAYING && s->running == 0 &&
	    !serve_replays_left(s))
		lone_leave(s->disk->lone, s->index);
	return s->poisoned ? SERVE_POISONED : why;
}

bool
serve_look(struct serve *s, uint64_t ns)
{
	uint64_t begin = s->now_ns;
	unsigned i;

	while (ns > 0) {
		for (i = 0; i < LOOKS; i++) {
			if (virtq_ahead(&s->vq) != 0 ||
			    lone_is_asked(s->disk->lone) ||
			    shared_load(s->condition) != QUEUE_RUNNING)
				return true;
			cpu_relax();
		}
		serve_collect(s);
		if (s->done != NULL || serve_clock() - begin >= ns)
			break;
	}
	return s->done != NULL;
}

bool
serve_settle(struct serve *s)
{
	s->now_ns = serve_clock();
	if (!lone_may_run(s->disk->lone, s->index))
		return !serve_replays_left(s);
	serve_replay(s);
	serve_kick(s);
	if (!serve_replays_left(s))
		serve_collect(s);
	serve_publish(s);
	unstall(s);
	return s->running == 0 && !serve_replays_left(s);
}

void
serve_rest(struct serve *s)
{
	lone_leave(s->disk->lone, s->index);
}
