/* SPDX-License-Identifier: ISC */
/*
 * The test guest: what it writes to disks. Runs in the guest.
 */
#include "pattern.h"

enum {
	MAGIC = 0x54534547,		/* "GEST" */
	GROUPS = 512 / 32,
	STEP = 0x61c88647
};

/*
 * A sector is groups of eight words that are alike; groups differ. The
 * groups are written out and not looped over: an emulating KVM runs some
 * million instructions a second, and this is most of what a test does.
 */
struct group {
	uint32_t	w[8];
};

static uint32_t
first_word(uint32_t sector, uint32_t generation)
{
	return sector * 0x9e3779b1u ^ generation * 0x85ebca6bu;
}

void
pattern_fill(void *to, uint32_t sector, uint32_t generation)
{
	uint32_t i, x = first_word(sector, generation);
	struct group *g = to;

	for (i = 0; i < GROUPS; i++, g++, x += STEP) {
		g->w[0] = g->w[1] = g->w[2] = g->w[3] = x;
		g->w[4] = g->w[5] = g->w[6] = g->w[7] = x;
	}
	g = to;
	g->w[0] = MAGIC;
	g->w[1] = sector;
	g->w[2] = generation;
}

bool
pattern_check(const void *from, uint32_t sector, uint32_t *generation)
{
	const struct group *g = from;
	uint32_t i, x, found = g->w[2];

	if (g->w[0] != MAGIC || g->w[1] != sector)
		return false;
	x = first_word(sector, found);
	if (g->w[3] != x || g->w[4] != x || g->w[5] != x || g->w[6] != x ||
	    g->w[7] != x)
		return false;
	for (i = 1; i < GROUPS; i++) {
		g++;
		x += STEP;
		if (g->w[0] != x || g->w[1] != x || g->w[2] != x ||
		    g->w[3] != x || g->w[4] != x || g->w[5] != x ||
		    g->w[6] != x || g->w[7] != x)
			return false;
	}
	*generation = found;
	return true;
}
