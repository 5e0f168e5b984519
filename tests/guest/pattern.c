/* SPDX-License-Identifier: ISC */
/*
 * The test guest: what it writes to disks. Runs in the guest.
 */
#include "pattern.h"

enum {
	WORDS = 512 / 4,
	MAGIC = 0x54534547,		/* "GEST" */
	W_MAGIC = 0,
	W_SECTOR = 1,
	W_GENERATION = 2,
	W_REST = 3
};

static uint32_t
first_word(uint32_t sector, uint32_t generation)
{
	return sector * 0x9e3779b1u ^ generation * 0x85ebca6bu;
}

void
pattern_fill(void *to, uint32_t sector, uint32_t generation)
{
	uint32_t *words = to, i, x = first_word(sector, generation);

	words[W_MAGIC] = MAGIC;
	words[W_SECTOR] = sector;
	words[W_GENERATION] = generation;
	for (i = W_REST; i < WORDS; i++) {
		words[i] = x;
		x += 0x61c88647;
	}
}

bool
pattern_check(const void *from, uint32_t sector, uint32_t *generation)
{
	const uint32_t *words = from;
	uint32_t i, x;

	if (words[W_MAGIC] != MAGIC || words[W_SECTOR] != sector)
		return false;
	x = first_word(sector, words[W_GENERATION]);
	for (i = W_REST; i < WORDS; i++) {
		if (words[i] != x)
			return false;
		x += 0x61c88647;
	}
	*generation = words[W_GENERATION];
	return true;
}
