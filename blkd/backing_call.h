/* SPDX-License-Identifier: ISC */
/*
 * The system calls that move data, as they are: libc's are cancellation
 * points, which costs a tenth of what is done in user space for a request,
 * and nobody cancels a thread here.  Beside them what block devices have in
 * fallocate's place.  Any thread; -1 and errno, as libc.
 */
#ifndef BLKD_BACKING_CALL_H
#define BLKD_BACKING_CALL_H

#include <sys/types.h>
#include <sys/uio.h>

#include <stddef.h>
#include <stdint.h>

/* One buffer: a vector of one costs the kernel a tenth more. */
ssize_t	backing_call_pread(int fd, void *, size_t, off_t);
ssize_t	backing_call_preadv(int fd, const struct iovec *, int n, off_t);
ssize_t	backing_call_pwrite(int fd, const void *, size_t, off_t);
ssize_t	backing_call_pwritev(int fd, const struct iovec *, int n, off_t);

/* A block device's BLKDISCARD or BLKZEROOUT, of bytes. */
int	backing_call_range(int fd, unsigned long request, uint64_t offset,
	    uint64_t bytes);

#endif /* BLKD_BACKING_CALL_H */
