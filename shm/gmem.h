/* SPDX-License-Identifier: ISC */
/*
 * Guest memory: the one gate from a guest-physical address to a pointer.
 *
 *	gpa  0            GMEM_LOW_MAX        GMEM_HIGH_BASE
 *	     |-- low RAM -->|----- devices -----|-- high RAM -->
 *	memfd offset 0      |                   | GMEM_LOW_MAX
 *
 * RAM lies below 3 GiB and goes on at 4 GiB; the memfd has no hole.  A
 * vhost-user front-end announces regions of its own instead (DESIGN 10).
 *
 * Addresses and lengths come from the guest.  The gate refuses overflow,
 * holes and ends; it never refuses by crashing.  The bytes behind a pointer
 * it gives can change at any time: see shared.h.
 *
 * A struct gmem does not change after it is made: any thread may use it.
 */
#ifndef SHM_GMEM_H
#define SHM_GMEM_H

#include <sys/uio.h>

#include <stddef.h>
#include <stdint.h>

#define GMEM_LOW_MAX	(UINT64_C(3) << 30)
#define GMEM_HIGH_BASE	(UINT64_C(4) << 30)
#define GMEM_REGIONS_MAX 32
#define GMEM_BYTES_MAX	(UINT64_C(1) << 40)	/* of one machine */

/* A region: `bytes` from `gpa` on are `offset` into the descriptor. */
struct gmem_region {
	uint64_t	gpa;
	uint64_t	bytes;
	uint64_t	offset;
};

/* Seen here for the sake of the gate alone, which every request passes. */
struct gmem {
	size_t			 nregions;
	struct gmem_region	 region[GMEM_REGIONS_MAX];
	uint8_t			*base[GMEM_REGIONS_MAX];
	uint8_t			*map;		/* the whole memfd */
	uint64_t		 bytes;
};

/*
 * The regions of a machine with `bytes` of RAM.  Returns how many (1 or 2),
 * or -1 and EINVAL where bytes is 0, no multiple of 4096 or over the limit.
 */
int	gmem_layout(uint64_t bytes, struct gmem_region [2]);

/*
 * Check (memfd_check) and map the memfd of a machine with `bytes` of RAM.
 * The descriptor stays the caller's.  Returns NULL and errno on failure.
 */
struct gmem	*gmem_open(int fd, uint64_t bytes);
void		 gmem_close(struct gmem *);	/* NULL is accepted */

/*
 * The same of regions that the caller has mapped, which stay its own and
 * outlive this; they do not overlap.  Returns NULL and errno: EINVAL for more
 * than GMEM_REGIONS_MAX.
 */
struct gmem	*gmem_wrap(const struct gmem_region *, void *const *base,
		    size_t n);

/* The regions as mapped: index from 0; returns NULL past the last. */
const struct gmem_region	*gmem_region(const struct gmem *, size_t);
/* The host address of the start of a region. */
void				*gmem_region_base(const struct gmem *, size_t);

/*
 * The region that `gpa` is in, and how many bytes it has from there on; 0:
 * none.  The subtraction is the bounds check: what lies below wraps to a
 * value that no region is long enough for.
 */
static inline uint64_t
gmem_find(const struct gmem *g, uint64_t gpa, uint8_t **p)
{
	uint64_t into;
	size_t i;

	for (i = 0; i < g->nregions; i++) {
		into = gpa - g->region[i].gpa;
		if (into < g->region[i].bytes) {
			*p = g->base[i] + into;
			return g->region[i].bytes - into;
		}
	}
	return 0;
}

/*
 * The gate: `len` bytes (> 0) from `gpa` on, within one region.  Returns a
 * host pointer, or NULL: empty, overflow, hole, or past the end.
 */
static inline void *
gmem_at(const struct gmem *g, uint64_t gpa, uint64_t len)
{
	uint8_t *p;

	if (len == 0 || gmem_find(g, gpa, &p) < len)
		return NULL;
	return p;
}

/*
 * The gate for data: like gmem_at, but a buffer that goes on in an adjacent
 * region is split.  Appends to iov[*n..max) and advances *n.  Returns 0, or
 * -1 and EFAULT (not all of it is memory) or E2BIG (iov is full); then iov
 * and *n are as before.
 */
int	gmem_iov(const struct gmem *, uint64_t gpa, uint64_t len,
	    struct iovec *iov, size_t max, size_t *n);

#endif /* SHM_GMEM_H */
