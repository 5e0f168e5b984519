/* SPDX-License-Identifier: ISC */
/*
 * A descriptor chain, copied out of the ring: from the first descriptor on,
 * nobody looks at the guest's descriptors again.
 *
 *	head -> desc -> desc -> desc
 *			  |
 *			  table (INDIRECT) -> desc -> desc
 *
 * The chain says what the guest wrote, not that it is sensible: that is for
 * the gates.  What is told here is only whether it is a chain at all.
 */
#ifndef BLKD_CHAIN_H
#define BLKD_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/state.h"

struct gmem;
struct virtq;

struct chain_desc {
	uint64_t	gpa;
	uint32_t	len;
	bool		writable;	/* by the device */
};

struct chain {
	uint32_t		n;	/* descriptors; can exceed the array */
	struct chain_desc	last;	/* the n-th, wherever it is */
	struct chain_desc	desc[STATE_QUEUE_SIZE_MAX];
};

/*
 * Read the chain that starts at `head`.  Returns 0, or -1 and EPROTO where
 * the ring is corrupt: head or next out of range, a loop, an indirect table
 * that is empty, torn, nested, not the last, or not in guest memory.
 * VRING_DESC_F_INDIRECT without the feature is ignored, like any other flag
 * without a meaning.
 */
int	chain_read(struct chain *, const struct virtq *, const struct gmem *,
	    uint16_t head);

#endif /* BLKD_CHAIN_H */
