/* SPDX-License-Identifier: ISC */
/*
 * Data to and from the backing file.  Runs in blkd, queue threads and their
 * pools; trusts its arguments.  Tests put calls that fail in its place.
 */
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <unistd.h>

#include "blkd/backing_call.h"

ssize_t
backing_call_pread(int fd, void *buf, size_t bytes, off_t offset)
{
	return syscall(SYS_pread64, fd, buf, bytes, offset);
}

/* The offset goes in two halves, of which a 64-bit kernel ignores one. */
ssize_t
backing_call_preadv(int fd, const struct iovec *iov, int n, off_t offset)
{
	return syscall(SYS_preadv, fd, iov, (long)n, offset, 0L);
}

ssize_t
backing_call_pwrite(int fd, const void *buf, size_t bytes, off_t offset)
{
	return syscall(SYS_pwrite64, fd, buf, bytes, offset);
}

ssize_t
backing_call_pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
	return syscall(SYS_pwritev, fd, iov, (long)n, offset, 0L);
}

int
backing_call_range(int fd, unsigned long request, uint64_t offset,
    uint64_t bytes)
{
	uint64_t range[2] = { offset, bytes };

	return ioctl(fd, request, range);
}
