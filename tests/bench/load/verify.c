/* SPDX-License-Identifier: ISC */
/* Data that can be checked.  Runs in the load generator. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/load/verify.h"
#include "tests/driver/block.h"

#define SAID_MAX	10u

struct verify {
	uint32_t	 sectors;	/* of a block */
	unsigned	 said;
	uint64_t	 generation[];	/* of a block: its last write's */
};

struct verify *
verify_make(uint64_t blocks, uint32_t bytes)
{
	struct verify *v = calloc(1, sizeof(*v) +
	    blocks * sizeof(v->generation[0]));

	if (v == NULL)
		err(1, NULL);
	v->sectors = bytes / BLOCK_BYTES;
	return v;
}

void
verify_free(struct verify *v)
{
	free(v);
}

void
verify_fill(struct verify *v, uint64_t block, void *data)
{
	uint64_t generation = ++v->generation[block];
	uint32_t i;

	for (i = 0; i < v->sectors; i++)
		block_fill((uint8_t *)data + i * BLOCK_BYTES,
		    block * v->sectors + i, generation);
}

void
verify_spoil(struct verify *v, void *data)
{
	uint32_t i;

	for (i = 0; i < v->sectors; i++)
		block_fill((uint8_t *)data + i * BLOCK_BYTES, UINT64_MAX, 0);
}

unsigned
verify_check(struct verify *v, uint64_t block, const void *data)
{
	uint64_t sector, found;
	enum block_verdict verdict;
	unsigned wrong = 0;
	uint32_t i;

	for (i = 0; i < v->sectors; i++) {
		sector = block * v->sectors + i;
		verdict = block_check((const uint8_t *)data + i * BLOCK_BYTES,
		    sector, &found);
		if (verdict == BLOCK_GOOD && found == v->generation[block])
			continue;
		wrong++;
		if (v->said++ < SAID_MAX)
			warnx("sector %llu: %s: %llu, last written %llu",
			    (unsigned long long)sector,
			    verdict == BLOCK_ELSEWHERE ? "another address" :
			    verdict == BLOCK_TORN ? "torn" : "another write",
			    (unsigned long long)found,
			    (unsigned long long)v->generation[block]);
	}
	return wrong;
}
