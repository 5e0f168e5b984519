/* SPDX-License-Identifier: ISC */
/*
 * The test guest: one request after the other.
 */
#include <stddef.h>

#include "console.h"
#include "cpu.h"
#include "lib.h"
#include "pattern.h"
#include "tests.h"

static const char *
write_all(struct tests *t, uint32_t generation)
{
	uint32_t sector, i, end = t->first + t->sectors;
	uint8_t *data = t->data[0];
	const char *why;

	for (sector = t->first; sector < end; sector += TESTS_SLOT_SECTORS) {
		for (i = 0; i < TESTS_SLOT_SECTORS; i++)
			pattern_fill(data + i * BLK_SECTOR, sector + i,
			    generation);
		why = blk_do(&t->blk, BLK_T_OUT, sector, data,
		    TESTS_SLOT_SIZE);
		if (why != NULL)
			return why;
	}
	console_printf("guest: wrote %u sectors, generation %u\n", t->sectors,
	    generation);
	return NULL;
}

static const char *
check_slot(const uint8_t *data, uint32_t sector, uint32_t generation)
{
	uint32_t i, found;

	for (i = 0; i < TESTS_SLOT_SECTORS; i++) {
		if (!pattern_check(data + i * BLK_SECTOR, sector + i,
		    &found)) {
			console_printf("guest: sector %u is not ours\n",
			    sector + i);
			return "wrong data";
		}
		if (found != generation) {
			console_printf("guest: sector %u holds generation %u, "
			    "not %u\n", sector + i, found, generation);
			return "another generation";
		}
	}
	return NULL;
}

static const char *
read_all(struct tests *t, uint32_t generation)
{
	uint32_t sector, end = t->first + t->sectors;
	uint8_t *data = t->data[1];
	const char *why;

	for (sector = t->first; sector < end; sector += TESTS_SLOT_SECTORS) {
		memset(data, 0, TESTS_SLOT_SIZE);
		why = blk_do(&t->blk, BLK_T_IN, sector, data,
		    TESTS_SLOT_SIZE);
		if (why == NULL)
			why = check_slot(data, sector, generation);
		if (why != NULL)
			return why;
	}
	console_printf("guest: read %u sectors, generation %u\n", t->sectors,
	    generation);
	return NULL;
}

static const char *
flush(struct tests *t)
{
	const char *why;

	if (!blk_has(&t->blk, BLK_F_FLUSH))
		return "the disk does not offer FLUSH";
	why = blk_do(&t->blk, BLK_T_FLUSH, 0, NULL, 0);
	if (why == NULL)
		console_printf("guest: flushed\n");
	return why;
}

const char *
test_rw(struct tests *t)
{
	uint32_t rounds = args_get_u32(t->args, "rounds", 1), i;
	uint32_t generation = args_get_u32(t->args, "gen", 1);
	const char *why;

	if ((why = tests_open(t)) != NULL)
		return why;
	for (i = 0; i < rounds; i++) {
		if ((why = write_all(t, generation + i)) != NULL ||
		    (why = flush(t)) != NULL ||
		    (why = read_all(t, generation + i)) != NULL)
			return why;
	}
	return NULL;
}

/* What an earlier run of rw left, possibly in another machine. */
const char *
test_verify(struct tests *t)
{
	const char *why;

	if ((why = tests_open(t)) != NULL)
		return why;
	return read_all(t, args_get_u32(t->args, "gen", 1));
}

/* Ticks that a run of test_irq could miss at the very most. */
#define BACKLOG_TICKS	1000

/* One request in flight and a sleep for each: an interrupt for each. */
const char *
test_irq(struct tests *t)
{
	uint32_t count = args_get_u32(t->args, "count", 64), i, seen = 0;
	const char *why;

	t->options.interrupts = true;
	if ((why = tests_open(t)) != NULL)
		return why;
	for (i = 0; i < count; i++) {
		why = blk_do(&t->blk, BLK_T_IN, t->first, t->data[0],
		    t->blk.block_size);
		if (why != NULL)
			return why;
	}
	/*
	 * A completion that is there before the guest sleeps leaves its
	 * interrupt pending: it is taken with the next sleep. The last one's
	 * may need a moment, and nothing follows it. Where the guest never
	 * slept, a backlog of timer ticks goes before it: they have priority.
	 */
	cpu_sleep(2 * CPU_TICK_MS);
	for (i = 0; i < BACKLOG_TICKS; i++) {
		if ((seen = blk_count_interrupts(&t->blk)) != 0)
			break;
		cpu_sleep(CPU_TICK_MS);
	}
	console_printf("guest: %u requests, %u interrupts\n", count, seen);
	if (seen == 0)
		return "no interrupt at all";
	if (seen > count)
		return "more interrupts than completions";
	return NULL;
}

const char *
test_poll(struct tests *t)
{
	uint32_t seen;
	const char *why;

	t->options.interrupts = false;
	why = test_rw(t);
	if (why != NULL)
		return why;
	cpu_sleep(2 * CPU_TICK_MS);
	seen = blk_count_interrupts(&t->blk);
	console_printf("guest: %u interrupts\n", seen);
	/* A device may signal once before it first looks at used_event. */
	if (seen > (blk_has(&t->blk, BLK_F_EVENT_IDX) ? 1 : 0))
		return "interrupts that nobody asked for";
	return NULL;
}
