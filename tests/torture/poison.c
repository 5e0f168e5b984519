/* SPDX-License-Identifier: ISC */
/*
 * A blkd that dies of a write to the start of its disk: in place of libc's
 * pwritev(2), linked before it.  Tests only.
 */
#include <sys/syscall.h>
#include <sys/uio.h>

#include <unistd.h>

#define POISON_BYTES	4096

ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
	if (offset < POISON_BYTES)
		__builtin_trap();
	return syscall(SYS_pwritev, fd, iov, n, offset, 0);
}
