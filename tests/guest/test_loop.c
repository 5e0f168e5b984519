/* SPDX-License-Identifier: ISC */
/*
 * The test guest: overlapping rewrites at full depth, verified as they go;
 * what disks are killed under.
 *
 * For each sector the driver keeps the writes that a read may find. Every
 * event has a number on one time line. A write that was answered before
 * another was submitted is gone for good once that other is answered: to
 * read it after that is a stale replay or a lost write. Two writes that were
 * in flight together may end in either order; with order=1 the device must
 * keep that of the ring. A sector has no reads in flight together with
 * writes: the device need not make a sector atomic.
 */
#include <stddef.h>

#include "console.h"
#include "lib.h"
#include "pattern.h"
#include "tests.h"

enum {
	SECTORS_MAX = 1024,
	WRITES_MAX = 6			/* possible contents of a sector */
};

struct write {
	uint32_t	generation;
	uint32_t	submitted;
	uint32_t	answered;	/* 0: in flight */
};

struct sector {
	struct write	writes[WRITES_MAX];
	uint32_t	count;
	uint32_t	writers;	/* requests in flight */
	uint32_t	readers;
};

struct loop {
	struct tests	*t;
	struct sector	sectors[SECTORS_MAX];
	uint32_t	now;		/* the time line; also generations */
	uint32_t	depth;
	uint32_t	submitted;
	uint32_t	done;
	uint32_t	unit;		/* sectors of a block */
	bool		keeps_order;
};

/*
 * The last place is for a write that has the sector to itself: it replaces
 * all that were in flight together.
 */
static bool
has_place(const struct sector *s)
{
	return s->count < WRITES_MAX - (s->writers > 0 ? 1 : 0);
}

/* Whether a request on these sectors can be judged later. */
static bool
may_submit(const struct loop *l, uint32_t at, uint32_t n, bool is_write)
{
	const struct sector *s;

	for (s = &l->sectors[at]; s < &l->sectors[at + n]; s++) {
		if (is_write && (s->readers > 0 || !has_place(s)))
			return false;
		if (!is_write && s->writers > 0)
			return false;
	}
	return true;
}

static void
note_submit(struct loop *l, const struct tests_slot *slot)
{
	struct sector *s = &l->sectors[slot->sector];
	uint32_t i;

	for (i = 0; i < slot->sectors; i++, s++) {
		if (!slot->is_write) {
			s->readers++;
			continue;
		}
		s->writers++;
		s->writes[s->count++] = (struct write){ slot->generation,
			slot->generation, 0 };
	}
}

/* A write is answered: forget what it has replaced. */
static void
settle(const struct loop *l, struct sector *s, uint32_t generation)
{
	struct write *w;
	uint32_t i, kept = 0;

	for (i = 0; i < s->count; i++) {
		w = &s->writes[i];
		if (w->generation == generation)
			w->answered = l->now;
		if (w->answered != 0 && w->answered < generation)
			continue;
		if (l->keeps_order && w->generation < generation)
			continue;
		s->writes[kept++] = *w;
	}
	s->count = kept;
}

static bool
may_hold(const struct sector *s, uint32_t generation)
{
	uint32_t i;

	for (i = 0; i < s->count; i++) {
		if (s->writes[i].generation == generation)
			return true;
	}
	return false;
}

static const char *
judge_sector(const struct loop *l, const uint8_t *data, uint32_t at)
{
	const struct sector *s = &l->sectors[at];
	uint32_t found, lba = l->t->first + at;

	if (!pattern_check(data, lba, &found)) {
		console_printf("guest: sector %u is torn or not ours\n", lba);
		return "corrupt data";
	}
	if (!may_hold(s, found)) {
		console_printf("guest: sector %u holds generation %u; "
		    "the newest is %u\n", lba, found,
		    s->count > 0 ? s->writes[s->count - 1].generation : 0);
		return "a lost or a stale write";
	}
	return NULL;
}

static const char *
note_answer(struct loop *l, const struct tests_slot *slot)
{
	const uint8_t *data = l->t->data[slot - l->t->slots];
	const char *why = blk_check_status(slot->req.status);
	uint32_t i, at;

	l->now++;
	l->done++;
	for (i = 0; i < slot->sectors && why == NULL; i++) {
		at = slot->sector + i;
		if (slot->is_write) {
			l->sectors[at].writers--;
			settle(l, &l->sectors[at], slot->generation);
		} else {
			l->sectors[at].readers--;
			why = judge_sector(l, data + i * BLK_SECTOR, at);
		}
	}
	return why;
}

static int
submit(struct loop *l, uint32_t index, uint32_t at, uint32_t n, bool is_write)
{
	struct tests *t = l->t;
	struct tests_slot *slot = &t->slots[index];
	uint8_t *data = t->data[index];
	uint32_t half = n / 2 * BLK_SECTOR, i;
	struct virtq_seg segs[2];

	l->now++;
	slot->sector = at;
	slot->sectors = n;
	slot->generation = l->now;
	slot->is_write = is_write;
	for (i = 0; i < n && is_write; i++)
		pattern_fill(data + i * BLK_SECTOR, t->first + at + i, l->now);
	segs[0] = (struct virtq_seg){ (uint32_t)data, half, !is_write };
	segs[1] = (struct virtq_seg){ (uint32_t)data + half,
		n * BLK_SECTOR - half, !is_write };
	if (blk_submit(&t->blk, index % t->blk.queues, &slot->req,
	    is_write ? BLK_T_OUT : BLK_T_IN, t->first + at,
	    half == 0 ? segs + 1 : segs, half == 0 ? 1 : 2) == -1)
		return -1;
	note_submit(l, slot);
	l->submitted++;
	return 0;
}

/* A random place and length; two of three requests are writes. */
static int
submit_random(struct loop *l, uint32_t index)
{
	uint32_t blocks = l->t->sectors / l->unit, at, n;
	uint32_t most = TESTS_SLOT_SECTORS / l->unit;
	bool is_write = lib_random_below(&l->t->seed, 3) != 0;

	n = 1 + lib_random_below(&l->t->seed, most);
	at = lib_random_below(&l->t->seed, blocks - n + 1);
	if (!may_submit(l, at * l->unit, n * l->unit, is_write))
		return -1;
	return submit(l, index, at * l->unit, n * l->unit, is_write);
}

static void
kick_all(struct loop *l)
{
	uint32_t q;

	for (q = 0; q < l->t->blk.queues; q++) {
		if (l->t->blk.queue[q].avail_idx !=
		    l->t->blk.queue[q].published_idx)
			blk_kick(&l->t->blk, q);
	}
}

/* Waits for at least one answer and takes all that are there. */
static const char *
reap(struct loop *l)
{
	struct blk_req *req;
	const char *why;

	if ((why = blk_wait(&l->t->blk)) != NULL)
		return why;
	for (;;) {
		if ((why = blk_reap(&l->t->blk, &req)) != NULL || req == NULL)
			return why;
		why = note_answer(l, (struct tests_slot *)req);
		if (why != NULL)
			return why;
	}
}

static const char *
drain(struct loop *l)
{
	const char *why = NULL;

	while (l->t->blk.in_flight > 0 && why == NULL)
		why = reap(l);
	return why;
}

/* Writes, or at the end reads, every sector once. */
static const char *
sweep(struct loop *l, bool is_write)
{
	uint32_t at, n = TESTS_SLOT_SECTORS, i = 0;
	const char *why = NULL;

	for (at = 0; at < l->t->sectors && why == NULL; at += n) {
		if (submit(l, i, at, n, is_write) == -1)
			return "no room in the queue";
		kick_all(l);
		if (++i == l->depth || at + n >= l->t->sectors) {
			why = drain(l);
			i = 0;
		}
	}
	return why;
}

static void
refill(struct loop *l, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < l->depth; i++) {
		if (count != 0 && l->submitted >= count)
			break;
		if (!l->t->slots[i].req.in_flight)
			submit_random(l, i);
	}
	kick_all(l);
}

static const char *
run(struct loop *l, uint32_t count, uint32_t progress)
{
	uint32_t next = progress;
	const char *why = NULL;

	l->submitted = l->done = 0;
	while (why == NULL && (count == 0 || l->done < count)) {
		refill(l, count);
		if (l->t->blk.in_flight > 0)
			why = reap(l);
		if (progress != 0 && l->done >= next) {
			console_printf("guest: loop at %u\n", l->done);
			next += progress;
		}
	}
	return why;
}

/* Requests of four descriptors at the most: what fits the queues, or less. */
static uint32_t
choose_depth(const struct tests *t)
{
	uint32_t most = t->blk.queues * (t->blk.queue_size / 4), depth;

	if (most > TESTS_SLOTS)
		most = TESTS_SLOTS;
	depth = args_get_u32(t->args, "depth", 0);
	return depth == 0 || depth > most ? most : depth;
}

const char *
test_loop(struct tests *t)
{
	static struct loop loop;
	uint32_t count = args_get_u32(t->args, "count", 1000);
	const char *why;

	if (t->sectors > SECTORS_MAX)
		return "sectors is 1024 at the most";
	if ((why = tests_open(t)) != NULL)
		return why;
	loop.t = t;
	loop.depth = choose_depth(t);
	loop.unit = t->blk.block_size / BLK_SECTOR;
	loop.keeps_order = args_get_u32(t->args, "order", 0) != 0;
	if (loop.depth == 0)
		return "a queue too small for a request";
	console_printf("guest: loop of %u requests, depth %u, seed %u\n",
	    count, loop.depth, t->seed);
	if ((why = sweep(&loop, true)) != NULL ||
	    (why = run(&loop, count,
	    args_get_u32(t->args, "progress", 0))) != NULL ||
	    (why = drain(&loop)) != NULL || (why = sweep(&loop, false)) != NULL)
		return why;
	console_printf("guest: %u requests, %u kicks, %u interrupts\n",
	    count, t->blk.kicks, blk_count_interrupts(&t->blk));
	return NULL;
}
