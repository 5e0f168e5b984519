/* SPDX-License-Identifier: ISC */
/*
 * A blkd that dies of a write to the start of its disk: in place of the
 * calls of blkd/backing_call.c, linked before them.  Tests only.
 *
 * Not by a signal: the first process of a namespace survives those of its
 * own while it is traced, for ever again.
 */
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <sysexits.h>
#include <unistd.h>

#include "blkd/backing_call.h"

#define POISON_BYTES	4096

ssize_t
backing_call_pread(int fd, void *buf, size_t bytes, off_t offset)
{
	return syscall(SYS_pread64, fd, buf, bytes, offset);
}

ssize_t
backing_call_preadv(int fd, const struct iovec *iov, int n, off_t offset)
{
	return syscall(SYS_preadv, fd, iov, (long)n, offset, 0L);
}

ssize_t
backing_call_pwrite(int fd, const void *buf, size_t bytes, off_t offset)
{
	if (offset < POISON_BYTES)
		_exit(EX_SOFTWARE);
	return syscall(SYS_pwrite64, fd, buf, bytes, offset);
}

ssize_t
backing_call_pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
	if (offset < POISON_BYTES)
		_exit(EX_SOFTWARE);
	return syscall(SYS_pwritev, fd, iov, (long)n, offset, 0L);
}

int
backing_call_range(int fd, unsigned long request, uint64_t offset,
    uint64_t bytes)
{
	uint64_t range[2] = { offset, bytes };

	return ioctl(fd, request, range);
}
