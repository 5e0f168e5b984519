/* SPDX-License-Identifier: ISC */
/*
 * Blocks that say what they are: each sector carries its address and the
 * number of the write that it is of.  For programs that check a disk's data.
 */
#ifndef DRIVER_BLOCK_H
#define DRIVER_BLOCK_H

#include <stdint.h>

#define BLOCK_BYTES	512u

enum block_verdict {
	BLOCK_GOOD,
	BLOCK_ELSEWHERE,	/* the address is of another sector */
	BLOCK_TORN,		/* parts are of different writes */
};

void	block_fill(void *block, uint64_t sector, uint64_t generation);

/*
 * Is this the sector, whole?  BLOCK_GOOD: *found is its generation; else the
 * word that says otherwise.  The block is copied first: it may be memory
 * that others write.
 */
enum block_verdict block_check(const void *block, uint64_t sector,
	    uint64_t *found);

/* xorshift64*, Marsaglia and Vigna; *seed is not 0. */
static inline uint64_t
block_random(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * UINT64_C(2685821657736338717);
}

#endif /* DRIVER_BLOCK_H */
