/* SPDX-License-Identifier: ISC */
/*
 * Sectors that are written but in no file yet: what a disk loses with its
 * power.  They lie in memory that outlives a blkd, so that a successor reads
 * what its predecessor has held; they end with the machine.
 *
 * One lock for all of it is the caller's (faults.h).
 */
#ifndef BLKD_OVERLAY_H
#define BLKD_OVERLAY_H

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct backing;
struct fault_memory;

/* Is anything held? */
bool	overlay_holds(const struct fault_memory *);

/*
 * Hold a write of whole sectors.  Returns 0, or -1 and ENOSPC: there is no
 * room for all of it, and nothing has changed.
 */
int	overlay_put(struct fault_memory *, const struct iovec *, size_t niov,
	    uint64_t sector);

/* A write that is not held: change those of its sectors that are. */
void	overlay_update(struct fault_memory *, const struct iovec *,
	    size_t niov, uint64_t sector);

/* What was read from the file: put in what is newer. */
void	overlay_patch(const struct fault_memory *, const struct iovec *,
	    size_t niov, uint64_t sector);

/*
 * Write all of it to the file (below `sectors`, its capacity) and hold
 * nothing any more.  Returns 0, or -1 and errno: then all is still held.
 */
int	overlay_drain(struct fault_memory *, struct backing *,
	    uint64_t sectors);

#endif /* BLKD_OVERLAY_H */
