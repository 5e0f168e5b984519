/* SPDX-License-Identifier: ISC */
/*
 * The backing of a disk: a regular file or a block device that the monitor
 * opened.  It knows bytes, no guest, ring or request.
 *
 * Any thread may call; offsets and lengths are checked by the caller
 * against the capacity (gates.c).  Calls retry EINTR and short transfers.
 */
#ifndef BLKD_BACKING_H
#define BLKD_BACKING_H

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blkd/claim.h"

struct backing;

/*
 * Take over a descriptor that the monitor sent, after checking that it is a
 * regular file or a block device, of at least one block of `block_size`,
 * and opened for what is asked.  On success the descriptor is the backing's.
 * Returns NULL and errno: EINVAL (no such thing, or empty), EACCES (opened
 * read-only, but not a read-only disk).
 */
struct backing	*backing_open(int fd, bool readonly, uint32_t block_size);
void		 backing_close(struct backing *);	/* NULL is accepted */

/*
 * From now on a call of the system moves one buffer: a filter need not allow
 * preadv and pwritev.  Before it is used.
 */
void		 backing_take_singly(struct backing *);

/* Size in bytes, asked anew (a resize); -1 and errno on failure. */
int64_t		 backing_size(const struct backing *);
int		 backing_fd(const struct backing *);

/*
 * Read or write all of iov at `offset` (the iovec array is scratch: it is
 * advanced).  A read past the end gives zeroes; *zeroed says how many bytes.
 * Returns 0, or -1 and errno; then any part may have been transferred.
 */
int		 backing_read(struct backing *, struct iovec *, size_t niov,
		    uint64_t offset, uint64_t *zeroed);
int		 backing_write(struct backing *, struct iovec *, size_t niov,
		    uint64_t offset);
int		 backing_flush(struct backing *);	/* fdatasync */

/*
 * Give up a range, or make it read as zeroes; with `unmap` blocks may be
 * given back.  -1 and EOPNOTSUPP where the backing cannot.
 */
int		 backing_discard(struct backing *, uint64_t offset,
		    uint64_t bytes);
int		 backing_zero(struct backing *, uint64_t offset,
		    uint64_t bytes, bool unmap);

/*
 * For an engine that does the I/O itself, beside the calls above.
 *
 * backing_fits: the kernel takes these buffers at this offset as they are.
 * Else the calls above have to do it.
 * backing_claim: before a WRITE that fits, a DISCARD or a ZERO is started,
 * until it is finished (backing_unclaim); see claim.h.  Waits, but never for
 * what was claimed here: the calls above that write wait for that, so an
 * engine finishes what it has claimed before it makes one of them.
 */
bool		 backing_fits(const struct backing *, const struct iovec *,
		    size_t niov, uint64_t offset);
void		 backing_claim(struct backing *, struct claim *,
		    uint64_t offset, uint64_t bytes);
void		 backing_unclaim(struct backing *, struct claim *);
bool		 backing_is_direct(const struct backing *);
bool		 backing_is_device(const struct backing *);

#endif /* BLKD_BACKING_H */
