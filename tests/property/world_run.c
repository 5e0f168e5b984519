/* SPDX-License-Identifier: ISC */
/* A disk, a guest and their doubles: running them.  Runs in tests only. */
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shm/doorbell.h"
#include "shm/gmem.h"
#include "shm/shared.h"
#include "shm/state.h"
#include "tests/property/world.h"

#define ROUNDS_MAX	100000u
#define DEATHS_MAX	3u	/* DESIGN section 1, 6 */

static bool
has(const struct world *w, unsigned feature)
{
	return (w->setup.features >> feature & 1) != 0;
}

static void *
real_at(const struct world *w, uint64_t gpa, uint64_t len)
{
	return gmem_at(w->disk.gmem, gpa, len);
}

void
world_put(struct world *w, uint64_t gpa, const void *from, size_t len)
{
	memcpy(real_at(w, gpa, len), from, len);
	memcpy(model_at(&w->model, gpa, len), from, len);
}

static void
put16(struct world *w, uint64_t gpa, uint16_t v)
{
	world_put(w, gpa, &v, sizeof(v));
}

void
world_set_up(struct world *w, uint16_t num, uint64_t features)
{
	state_reset(w->disk.state);
	w->setup = (struct queue_setup) { .num = num, .desc = WORLD_DESC,
	    .driver = WORLD_AVAIL, .device = WORLD_USED,
	    .features = features };
	w->model.num = num;
	w->model.features = features;
	w->avail_idx = w->used_idx = 0;
	put16(w, WORLD_AVAIL + 2, 0);
	put16(w, WORLD_USED + 2, 0);
	w->condition = QUEUE_RUNNING;
	if (serve_set_up(&w->serve, &w->setup, false) != 0)
		world_fail(w, "a sound ring was refused");
}

void
world_offer(struct world *w, uint16_t head)
{
	struct model_request *r = &w->offered[w->noffered];

	model_judge(&w->model, head, r);
	if (head < w->setup.num)
		w->by_head[head] = (int)w->noffered;
	put16(w, WORLD_AVAIL + 4 + UINT64_C(2) *
	    (w->avail_idx++ & (w->setup.num - 1)), head);
	w->noffered++;
}

void
world_show(struct world *w, uint16_t extra)
{
	uint16_t flags = (uint16_t)rng_below(w->rng, 2);
	uint16_t event = (uint16_t)(w->used_idx + rng_below(w->rng, 12) - 2);

	/* Does it want an interrupt, and for which element? */
	put16(w, WORLD_AVAIL, flags);
	put16(w, WORLD_AVAIL + 4 + UINT64_C(2) * w->setup.num, event);
	put16(w, WORLD_AVAIL + 2, (uint16_t)(w->avail_idx + extra));
	w->poison = extra != 0;
}

/* --- running ------------------------------------------------------------ */

/* PAUSE between two rounds: nothing is taken until RESUME. */
static void
pause_a_while(struct world *w)
{
	uint16_t cursor = w->serve.vq.cursor;

	w->condition = QUEUE_PARKING;
	if (serve_round(&w->serve) == SERVE_DRAINED)
		world_fail(w, "taken while pausing");
	while (!serve_settle(&w->serve))
		;
	if (w->serve.vq.cursor != cursor)
		world_fail(w, "taken while pausing");
	w->condition = QUEUE_RUNNING;
}

void
world_rest(struct world *w)
{
	unsigned rounds, max = w->lawless ? 1000 : ROUNDS_MAX;
	enum serve_result why;

	for (rounds = 0; rounds < max; rounds++) {
		if (rng_once_in(w->rng, 64))
			pause_a_while(w);
		why = serve_round(&w->serve);
		if (why == SERVE_POISONED)
			break;
		if (why == SERVE_STALLED) {
			if (w->serve.wait_ns == 0)
				world_fail(w, "a stall of no time");
			w->clock_ns += w->serve.wait_ns;
		}
		if (why == SERVE_DRAINED && w->serve.running == 0 &&
		    !virtq_kicks_on(&w->serve.vq))
			return;
	}
	if (rounds == max && !w->lawless)
		world_fail(w, "no end after %u rounds", rounds);
	while (!serve_settle(&w->serve))
		;
}

/* --- what came of it ---------------------------------------------------- */

/* The requests that must be answered now; the rest were dropped or not. */
static unsigned
count_taken(struct world *w)
{
	unsigned i;

	for (i = 0; i < w->noffered && !w->poison; i++)
		if (w->offered[i].verdict == MODEL_POISON)
			return i;
	return w->poison ? 0 : i;
}

static void
expect_counters(struct world *w, const struct model_request *r)
{
	static const enum counter by_type[][2] = {
		[VIRTIO_BLK_T_IN] = { COUNTER_READS, COUNTER_READ_BYTES },
		[VIRTIO_BLK_T_OUT] = { COUNTER_WRITES, COUNTER_WRITE_BYTES },
		[VIRTIO_BLK_T_FLUSH] = { COUNTER_FLUSHES, COUNTER_COUNT },
		[VIRTIO_BLK_T_GET_ID] = { COUNTER_GET_IDS, COUNTER_COUNT },
		[VIRTIO_BLK_T_DISCARD] =
		    { COUNTER_DISCARDS, COUNTER_DISCARD_BYTES },
		[VIRTIO_BLK_T_WRITE_ZEROES] =
		    { COUNTER_WRITE_ZEROES, COUNTER_DISCARD_BYTES },
	};

	if (r->verdict == MODEL_DROP)
		w->expected[COUNTER_DROPPED]++;
	if (r->verdict == MODEL_DROP || r->status == VIRTIO_BLK_S_IOERR) {
		w->expected[COUNTER_IO_ERRORS]++;
	} else if (r->status == VIRTIO_BLK_S_UNSUPP) {
		w->expected[COUNTER_UNSUPPORTED]++;
	} else {
		w->expected[by_type[r->type][0]]++;
		if (by_type[r->type][1] != COUNTER_COUNT)
			w->expected[by_type[r->type][1]] += r->bytes;
		w->expected[COUNTER_SHORT_READS] += r->short_read;
	}
}

/* The story of a request, for a message. */
static const char *
tell(const struct model_request *r)
{
	static char text[200];

	snprintf(text, sizeof(text), "head %u (verdict %d, type %u, %u "
	    "descriptors, the last %u bytes%s at %#llx)", r->head, r->verdict,
	    r->type, r->nsegs, r->last.len, r->last.writable ?
	    ", writable," : "", (unsigned long long)r->last.gpa);
	return text;
}

/*
 * A request in whose flight too many a blkd has died may be answered with an
 * error; whether a serial was copied before is open.
 */
static void
give_up(struct world *w, struct model_request *r)
{
	uint32_t i;

	r->status = VIRTIO_BLK_S_IOERR;
	r->used_len = 1;
	for (i = 1; r->type == VIRTIO_BLK_T_GET_ID &&
	    r->verdict == MODEL_RUN && i + 1 < r->nsegs; i++)
		if (r->seg[i].len > 0)
			memcpy(model_at(&w->model, r->seg[i].gpa,
			    r->seg[i].len), real_at(w, r->seg[i].gpa,
			    r->seg[i].len), r->seg[i].len);
}

static void
take_used(struct world *w, const struct virtq_used_elem *e, unsigned taken)
{
	int i = e->g_id < STATE_QUEUE_SIZE_MAX ? w->by_head[e->g_id] : -1;
	struct model_request *r;
	uint8_t *status;

	if (i == -1 || (unsigned)i >= taken)
		world_fail(w, "used element of head %u, which is not due",
		    e->g_id);
	r = &w->offered[i];
	if (r->verdict == MODEL_DROP || r->answered)
		world_fail(w, "%s is answered, before: %d", tell(r),
		    r->answered);
	status = real_at(w, r->status_gpa, 1);
	if (r->deaths >= DEATHS_MAX && *status == VIRTIO_BLK_S_IOERR)
		give_up(w, r);
	/* GET_ID needs no engine: nobody has told the model yet. */
	else if (r->verdict == MODEL_RUN && r->type == VIRTIO_BLK_T_GET_ID)
		model_run(&w->model, r, VIRTIO_BLK_S_OK);
	if (e->g_len != r->used_len || *status != r->status)
		world_fail(w, "%s: status %u len %u, not %u and %u", tell(r),
		    *status, e->g_len, r->status, r->used_len);
	*model_at(&w->model, r->status_gpa, 1) = r->status;
	r->answered = true;
}

/*
 * Compare the used ring, element by element, then bring the copy up to it:
 * first the statuses, then the elements, as the device does.
 */
static uint16_t
check_used(struct world *w, unsigned taken)
{
	const struct virtq_used *used = real_at(w, WORLD_USED, 4);
	struct virtq_used *copy = (struct virtq_used *)(void *)
	    model_at(&w->model, WORLD_USED, 4);
	uint16_t n = (uint16_t)(used->g_idx - w->used_idx), mask, i;

	mask = (uint16_t)(w->setup.num - 1);
	if (n > taken)
		world_fail(w, "%u used elements for %u chains", n, taken);
	for (i = 0; i < n; i++)
		take_used(w, &used->g_ring[(w->used_idx + i) & mask], taken);
	for (i = 0; i < n; i++)
		copy->g_ring[(w->used_idx + i) & mask] =
		    used->g_ring[(w->used_idx + i) & mask];
	w->used_idx = used->g_idx;
	if (n > 0)
		copy->g_idx = used->g_idx;
	if (!has(w, VIRTIO_RING_F_EVENT_IDX))
		copy->g_flags = w->serve.poisoned ? VRING_USED_F_NO_NOTIFY : 0;
	else if (!w->serve.poisoned)
		memcpy(model_at(&w->model, WORLD_USED + 4 +
		    UINT64_C(8) * w->setup.num, 2), &w->avail_idx, 2);
	return n;
}

static void
check_irq(struct world *w, uint16_t n)
{
	uint16_t event = w->serve.vq.avail->g_ring[w->setup.num];
	uint32_t raised = doorbell_pending(w->disk.doorbell);
	eventfd_t irqs = 0;
	bool wanted;

	(void)eventfd_read(w->disk.irqfd, &irqs);
	doorbell_ack(w->disk.doorbell, DOORBELL_BITS);
	if (has(w, VIRTIO_RING_F_EVENT_IDX))
		wanted = (uint16_t)(w->used_idx - 1 - event) < n;
	else
		wanted = n > 0 && (w->serve.vq.avail->g_flags &
		    VRING_AVAIL_F_NO_INTERRUPT) == 0;
	/* A successor rings in any case. */
	wanted |= w->deaths > 0;
	if ((irqs > 0) != wanted || (raised != 0) != wanted)
		world_fail(w, "%u interrupts, status %#x, wanted %d",
		    (unsigned)irqs, raised, wanted);
}

static void
check_memory(struct world *w)
{
	uint64_t at;
	size_t i;

	for (i = 0; i < w->nwindows; i++) {
		struct world_window *win = &w->window[i];

		if (memcmp(win->real, win->copy, win->bytes) == 0)
			continue;
		for (at = 0; win->real[at] == win->copy[at]; at++)
			;
		at += win->gpa;
		world_fail(w, "memory at %#llx is %#x, not %#x",
		    (unsigned long long)at, win->real[at - win->gpa],
		    win->copy[at - win->gpa]);
	}
}

static void
check_file(struct world *w)
{
	uint64_t bytes = w->config.sectors * 512, at = 0;
	struct stat st;

	if (!w->file_touched && ++w->quiet_runs % 32 != 0)
		return;
	w->file_touched = false;
	if (fstat(w->filefd, &st) == -1 ||
	    (uint64_t)st.st_size < w->config.file_bytes ||
	    (uint64_t)st.st_size > bytes)
		world_fail(w, "the backing has %lld bytes",
		    (long long)st.st_size);
	if (pread(w->filefd, w->file, bytes, 0) != st.st_size)
		world_fail(w, "pread");
	if (memcmp(w->file, w->model.file, bytes) == 0)
		return;
	while (w->file[at] == w->model.file[at])
		at++;
	world_fail(w, "byte %#llx of the backing is wrong",
	    (unsigned long long)at);
}

static bool
depends_on_time(unsigned which)
{
	return which == COUNTER_THROTTLED || which == COUNTER_IRQS ||
	    which == COUNTER_IRQS_SUPPRESSED ||
	    counter_row((enum counter)which)->kind == COUNTER_KIND_TIME;
}

/*
 * Exact, but for those that depend on time; and a blkd that is killed may
 * have done what it has not counted yet.
 */
static void
check_counters(struct world *w)
{
	const uint64_t *v = w->disk.state->queue[0].s_counters.s_value;
	unsigned i;

	for (i = 0; i < COUNTER_COUNT; i++) {
		if (i != COUNTER_IN_FLIGHT && w->deaths > 0)
			w->expected[i] = v[i];
		if (v[i] < w->seen[i])
			world_fail(w, "%s went back",
			    counter_row((enum counter)i)->name);
		w->seen[i] = i == COUNTER_THROTTLED_NOW ? 0 : v[i];
		if (!depends_on_time(i) && v[i] != w->expected[i]) {
			world_fail(w, "%s is %llu, not %llu",
			    counter_row((enum counter)i)->name,
			    (unsigned long long)v[i],
			    (unsigned long long)w->expected[i]);
		}
	}
}

static void
settle_accounts(struct world *w, unsigned taken, uint16_t answered)
{
	unsigned i, dropped = 0;

	for (i = 0; i < taken; i++) {
		expect_counters(w, &w->offered[i]);
		if (w->offered[i].verdict == MODEL_DROP)
			dropped++;
		else if (!w->offered[i].answered)
			world_fail(w, "%s is not answered",
			    tell(&w->offered[i]));
	}
	if (answered + dropped != taken)
		world_fail(w, "%u answered and %u dropped of %u", answered,
		    dropped, taken);
	for (i = 0; i < w->noffered; i++) {
		w->verdicts[w->offered[i].verdict]++;
		if (w->offered[i].head < w->setup.num)
			w->by_head[w->offered[i].head] = -1;
	}
	w->taken += w->noffered;
	w->answered += answered;
	w->dropped += dropped;
}

bool
world_run(struct world *w)
{
	world_rest(w);
	return world_check(w);
}

bool
world_check(struct world *w)
{
	unsigned taken = count_taken(w);
	bool poison = w->poison || taken < w->noffered;
	uint16_t answered;

	if (w->serve.poisoned != poison || (poison &&
	    shared_load(&w->disk.state->queue[0].s_poisoned) != 1))
		world_fail(w, "poisoned is %d, expected %d after %u chains",
		    w->serve.poisoned, poison, taken);
	w->expected[COUNTER_INVALID_RING] += poison;
	answered = check_used(w, taken);
	settle_accounts(w, taken, answered);
	check_irq(w, answered);
	check_memory(w);
	check_file(w);
	check_counters(w);
	w->noffered = 0;
	w->poison = false;
	w->deaths = 0;
	w->ran_last = -1;
	return !poison;
}
