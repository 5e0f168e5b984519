/* SPDX-License-Identifier: ISC */
/*
 * A vector of buffers that is used up from its front.  Each function
 * advances it; buffers of length 0 at the front are skipped, so that n is 0
 * when nothing is left.
 */
#ifndef BLKD_BACKING_IOV_H
#define BLKD_BACKING_IOV_H

#include <sys/uio.h>

#include <stddef.h>
#include <stdint.h>

struct backing_iov {
	struct iovec	*iov;
	size_t		 n;
};

size_t	 backing_iov_bytes(const struct backing_iov *);

/* `bytes` of it are done; no more than it has. */
static inline void
backing_iov_skip(struct backing_iov *v, size_t bytes)
{
	while (v->n > 0 && bytes >= v->iov->iov_len) {
		bytes -= v->iov->iov_len;
		v->iov++;
		v->n--;
	}
	if (v->n > 0 && bytes > 0) {
		v->iov->iov_base = (char *)v->iov->iov_base + bytes;
		v->iov->iov_len -= bytes;
	}
}

/* Copy `len` bytes, no more than it has, from it or to it. */
void	 backing_iov_gather(struct backing_iov *, void *to, size_t len);
void	 backing_iov_scatter(struct backing_iov *, const void *from,
	    size_t len);

/* Fill all of it with zeroes; returns how many. */
uint64_t backing_iov_zero(struct backing_iov *);

#endif /* BLKD_BACKING_IOV_H */
