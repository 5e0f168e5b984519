/* SPDX-License-Identifier: ISC */
/*
 * Ranges of a file that are being changed.  A write of whole blocks shares
 * its range with other such writes (what they overlap is their driver's
 * affair); one that reads, changes and writes back the blocks around it
 * (backing_file.c) has its range alone, or it would write back what another
 * has just replaced.
 *
 * Any thread of blkd.  A claim is its owner's memory, from claim_take to
 * claim_give; who waits for a claim alone must have given his own that
 * overlap with it.
 */
#ifndef BLKD_CLAIM_H
#define BLKD_CLAIM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct claim {
	uint64_t	 first;
	uint64_t	 end;		/* the first byte behind it */
	bool		 alone;
	bool		 taken;		/* the owner's to read; false at first */
	struct claim	*next;		/* these two under the lock */
	struct claim	**link;		/* what points here */
};

struct claims {
	pthread_mutex_t	 lock;
	pthread_cond_t	 given;
	unsigned	 waiting;
	struct claim	*list[2];	/* by claim.alone */
};

void	claims_init(struct claims *);
void	claims_destroy(struct claims *);

/* Waits for those that overlap, unless both share. */
void	claim_take(struct claims *, struct claim *, uint64_t first,
	    uint64_t end, bool alone);
void	claim_give(struct claims *, struct claim *);

#endif /* BLKD_CLAIM_H */
