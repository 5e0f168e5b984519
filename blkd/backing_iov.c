/* SPDX-License-Identifier: ISC */
/*
 * Vectors of buffers.  Runs in blkd, queue threads; touches the buffers,
 * which are guest memory, and believes nothing in them.
 */
#include <string.h>

#include "blkd/backing_iov.h"

size_t
backing_iov_bytes(const struct backing_iov *v)
{
	size_t i, bytes = 0;

	for (i = 0; i < v->n; i++)
		bytes += v->iov[i].iov_len;
	return bytes;
}

/* How much of the first buffer `len` bytes take. */
static size_t
front(const struct backing_iov *v, size_t len)
{
	return v->iov->iov_len < len ? v->iov->iov_len : len;
}

void
backing_iov_gather(struct backing_iov *v, void *to, size_t len)
{
	size_t n;

	for (; len > 0; len -= n, to = (char *)to + n) {
		n = front(v, len);
		memcpy(to, v->iov->iov_base, n);
		backing_iov_skip(v, n);
	}
}

void
backing_iov_scatter(struct backing_iov *v, const void *from, size_t len)
{
	size_t n;

	for (; len > 0; len -= n, from = (const char *)from + n) {
		n = front(v, len);
		memcpy(v->iov->iov_base, from, n);
		backing_iov_skip(v, n);
	}
}

uint64_t
backing_iov_zero(struct backing_iov *v)
{
	uint64_t bytes = 0;

	while (v->n > 0) {
		bytes += v->iov->iov_len;
		memset(v->iov->iov_base, 0, v->iov->iov_len);
		backing_iov_skip(v, v->iov->iov_len);
	}
	return bytes;
}
