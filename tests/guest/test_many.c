/* SPDX-License-Identifier: ISC */
/*
 * The test guest: as many requests in flight as the queues hold, each of
 * several descriptors, whose buffers lie in memory in another order.
 */
#include <stddef.h>

#include "console.h"
#include "lib.h"
#include "pattern.h"
#include "tests.h"

/*
 * Cuts a slot's buffer into one to four pieces. The pieces lie in the buffer
 * in reverse order, so that a device that forgets to gather shows.
 */
static uint32_t
cut(struct tests *t, uint32_t slot, bool device_writes,
    struct virtq_seg segs[4])
{
	uint32_t pieces, size, i;
	uint8_t *data = t->data[slot];

	pieces = 1u << lib_random_below(&t->seed, 3);
	size = TESTS_SLOT_SIZE / pieces;
	for (i = 0; i < pieces; i++)
		segs[i] = (struct virtq_seg){
			(uint32_t)(data + (pieces - 1 - i) * size), size,
			device_writes };
	return pieces;
}

/* The n-th sector of a request whose buffer was cut into these pieces. */
static uint8_t *
sector_of(const struct virtq_seg *segs, uint32_t n)
{
	uint32_t offset = n * BLK_SECTOR;

	while (offset >= segs->len) {
		offset -= segs->len;
		segs++;
	}
	return (uint8_t *)(uint32_t)segs->addr + offset;
}

static int
submit(struct tests *t, uint32_t index, uint32_t sector, uint32_t generation,
    bool is_write)
{
	struct tests_slot *slot = &t->slots[index];
	struct virtq_seg segs[4];
	uint32_t seed = t->seed, nsegs, i;

	slot->generation = seed;	/* with it, the cut can be repeated */
	nsegs = cut(t, index, !is_write, segs);
	slot->sector = sector;
	slot->is_write = is_write;
	for (i = 0; i < TESTS_SLOT_SECTORS; i++) {
		if (is_write)
			pattern_fill(sector_of(segs, i), sector + i,
			    generation);
		else
			memset(sector_of(segs, i), 0, BLK_SECTOR);
	}
	return blk_submit(&t->blk, index % t->blk.queues, &slot->req,
	    is_write ? BLK_T_OUT : BLK_T_IN, sector, segs, nsegs);
}

static const char *
check(struct tests *t, const struct tests_slot *slot, uint32_t generation)
{
	uint32_t seed = t->seed, i, found;
	uint32_t index = (uint32_t)(slot - t->slots);
	struct virtq_seg segs[4];
	const char *why;

	why = blk_check_status(slot->req.status);
	if (why != NULL || slot->is_write)
		return why;
	t->seed = slot->generation;
	cut(t, index, true, segs);
	t->seed = seed;
	for (i = 0; i < TESTS_SLOT_SECTORS; i++) {
		if (!pattern_check(sector_of(segs, i), slot->sector + i,
		    &found) || found != generation) {
			console_printf("guest: sector %u is wrong\n",
			    slot->sector + i);
			return "wrong data";
		}
	}
	return NULL;
}

/* Waits for all that is in flight and checks it. */
static const char *
drain(struct tests *t, uint32_t generation)
{
	struct blk_req *req;
	const char *why;

	while (t->blk.in_flight > 0) {
		if ((why = blk_wait(&t->blk)) != NULL ||
		    (why = blk_reap(&t->blk, &req)) != NULL)
			return why;
		if (req == NULL)
			continue;
		why = check(t, (struct tests_slot *)req, generation);
		if (why != NULL)
			return why;
	}
	return NULL;
}

/* Fills the queues with requests, from *sector on, and kicks each once. */
static uint32_t
fill(struct tests *t, uint32_t *sector, uint32_t generation, bool is_write)
{
	uint32_t i, q, end = t->first + t->sectors;

	for (i = 0; i < TESTS_SLOTS && *sector < end; i++) {
		if (submit(t, i, *sector, generation, is_write) == -1)
			break;
		*sector += TESTS_SLOT_SECTORS;
	}
	for (q = 0; q < t->blk.queues; q++)
		blk_kick(&t->blk, q);
	return i;
}

static const char *
pass_over(struct tests *t, uint32_t generation, bool is_write)
{
	uint32_t sector = t->first, most = 0, n;
	const char *why;

	while (sector < t->first + t->sectors) {
		n = fill(t, &sector, generation, is_write);
		if (n == 0)
			return "a queue too small for a request";
		if (n > most)
			most = n;
		if ((why = drain(t, generation)) != NULL)
			return why;
	}
	console_printf("guest: %s %u sectors, %u in flight, %u kicks, "
	    "%u interrupts\n", is_write ? "wrote" : "read", t->sectors, most,
	    t->blk.kicks, blk_count_interrupts(&t->blk));
	return NULL;
}

const char *
test_many(struct tests *t)
{
	uint32_t rounds = args_get_u32(t->args, "rounds", 1), i, q;
	const char *why;

	t->sectors = args_get_u32(t->args, "sectors",
	    TESTS_SLOTS * TESTS_SLOT_SECTORS);
	if ((why = tests_open(t)) != NULL)
		return why;
	for (i = 0; i < rounds; i++) {
		for (q = 0; q < t->blk.queues; q++)
			virtq_shuffle(&t->blk.queue[q], &t->seed);
		if ((why = pass_over(t, i + 1, true)) != NULL ||
		    (why = pass_over(t, i + 1, false)) != NULL)
			return why;
	}
	return NULL;
}

/* A reset with requests in flight, then the same disk with smaller queues. */
const char *
test_reset(struct tests *t)
{
	uint32_t rounds = args_get_u32(t->args, "rounds", 3), i, sector, n;
	const char *why;

	for (i = 0; i < rounds; i++) {
		if ((why = tests_open(t)) != NULL ||
		    (why = pass_over(t, 2 * i + 1, true)) != NULL)
			return why;
		sector = t->first;
		n = fill(t, &sector, 2 * i + 2, true);
		if ((why = blk_reset(&t->blk)) != NULL)
			return why;
		console_printf("guest: reset with %u in flight\n", n);
		t->options.queue_size = t->blk.queue_size > 16 ?
		    t->blk.queue_size / 2 : t->blk.queue_size * 2;
		if ((why = tests_open(t)) != NULL ||
		    (why = pass_over(t, 2 * i + 3, true)) != NULL ||
		    (why = pass_over(t, 2 * i + 3, false)) != NULL)
			return why;
	}
	return NULL;
}
