/* SPDX-License-Identifier: ISC */
/* Blocks that say what they are.  Test programs; touches what it is given. */
#include <stddef.h>
#include <string.h>

#include "tests/driver/block.h"

#define WORDS	(BLOCK_BYTES / sizeof(uint64_t))

void
block_fill(void *block, uint64_t sector, uint64_t generation)
{
	uint64_t *word = block;
	size_t i;

	for (i = 0; i < WORDS; i += 2) {
		word[i] = sector;
		word[i + 1] = generation;
	}
}

enum block_verdict
block_check(const void *block, uint64_t sector, uint64_t *found)
{
	uint64_t word[WORDS];
	size_t i;

	memcpy(word, block, sizeof(word));
	for (i = 0; i < WORDS; i += 2) {
		if (word[i] != sector) {
			*found = word[i];
			return BLOCK_ELSEWHERE;
		}
		if (word[i + 1] != word[1]) {
			*found = word[i + 1];
			return BLOCK_TORN;
		}
	}
	*found = word[1];
	return BLOCK_GOOD;
}
