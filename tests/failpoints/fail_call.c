/* SPDX-License-Identifier: ISC */
/* Calls on the backing that fail on purpose.  Tests alone; any thread. */
#include <sys/syscall.h>
#include <sys/uio.h>
#include <linux/fs.h>

#include <errno.h>
#include <fcntl.h>
#include <fiu-control.h>
#include <fiu.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "blkd/backing_call.h"
#include "tests/failpoints/fail_call.h"

static const struct {
	const char	*name;
	int		 error;		/* 0: SHORT */
} kinds[FAIL_CALL_KINDS] = {
	[FAIL_CALL_EIO] = { "EIO", EIO },
	[FAIL_CALL_ENOSPC] = { "ENOSPC", ENOSPC },
	[FAIL_CALL_EINTR] = { "EINTR", EINTR },
	[FAIL_CALL_SHORT] = { "short", 0 },
};

static const char *const calls[] = {
	"preadv", "pwritev", "fdatasync", "fallocate", "io_uring",
	"BLKDISCARD", "BLKZEROOUT",
};
#define NCALLS	(sizeof(calls) / sizeof(calls[0]))

static unsigned struck[NCALLS][FAIL_CALL_KINDS];
static unsigned pool_calls;
static bool counting;		/* those */
static unsigned active;		/* kinds */
static size_t align = 1;

void
fail_call_enable(unsigned which, float probability)
{
	char name[64];
	size_t i, k;

	for (i = 0; i < NCALLS; i++)
		for (k = 0; k < FAIL_CALL_KINDS; k++) {
			if ((which >> k & 1) == 0)
				continue;
			snprintf(name, sizeof(name), "%s/%s", calls[i],
			    kinds[k].name);
			if (probability > 0)
				fiu_enable_random(name, 1, NULL, 0,
				    probability);
			else
				fiu_disable(name);
		}
	active = probability > 0 ? active | which : active & ~which;
}

void
fail_call_align(size_t bytes)
{
	align = bytes;
}

unsigned
fail_call_struck(unsigned which)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < NCALLS; i++)
		n += fail_call_struck_in(calls[i], which);
	return n;
}

static size_t
index_of(const char *call)
{
	size_t i = 0;

	while (i + 1 < NCALLS && strcmp(calls[i], call) != 0)
		i++;
	return i;
}

unsigned
fail_call_struck_in(const char *call, unsigned which)
{
	size_t i = index_of(call);
	unsigned k, n = 0;

	for (k = 0; k < FAIL_CALL_KINDS; k++)
		if (which >> k & 1)
			n += __atomic_load_n(&struck[i][k], __ATOMIC_ACQUIRE);
	return n;
}

void
fail_call_count_pool(void)
{
	counting = true;
}

unsigned
fail_call_pool(void)
{
	return __atomic_load_n(&pool_calls, __ATOMIC_ACQUIRE);
}

/* By the name that pool.c gives: q0w1. */
static void
note_thread(void)
{
	static __thread enum { UNKNOWN, POOL, OTHER } whose;
	char name[32];

	if (!counting)
		return;
	if (whose == UNKNOWN)
		whose = pthread_getname_np(pthread_self(), name,
		    sizeof(name)) == 0 && name[0] == 'q' &&
		    strchr(name, 'w') != NULL ? POOL : OTHER;
	if (whose == POOL)
		__atomic_fetch_add(&pool_calls, 1, __ATOMIC_RELEASE);
}

/* Which kind of failure this call has; FAIL_CALL_KINDS: none. */
static unsigned
ask(const char *call, unsigned possible)
{
	char name[64];
	unsigned k;

	note_thread();
	for (k = 0; k < FAIL_CALL_KINDS; k++) {
		if ((possible & active) >> k == 0)
			return FAIL_CALL_KINDS;
		if (((possible & active) >> k & 1) == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", call, kinds[k].name);
		if (fiu_fail(name) == 0)
			continue;
		__atomic_fetch_add(&struck[index_of(call)][k], 1, __ATOMIC_RELEASE);
		errno = kinds[k].error;
		return k;
	}
	return FAIL_CALL_KINDS;
}

/* The first part of the buffers, in `part`; returns how many, 0: no part. */
static int
cut(const struct iovec *iov, int n, struct iovec *part)
{
	size_t bytes = 0, keep;
	int i;

	for (i = 0; i < n; i++)
		bytes += iov[i].iov_len;
	keep = bytes * 3 / 7 / align * align;
	for (i = 0; i < n && keep > 0; i++) {
		part[i] = iov[i];
		if (part[i].iov_len > keep)
			part[i].iov_len = keep;
		keep -= part[i].iov_len;
	}
	return i;
}

static ssize_t
transfer(const char *name, long number, int fd, const struct iovec *iov,
    int n, off_t offset)
{
	struct iovec part[IOV_MAX];
	int parts = cut(iov, n, part);

	switch (ask(name, parts > 0 ? ~0u : ~(1u << FAIL_CALL_SHORT))) {
	case FAIL_CALL_KINDS:
		return syscall(number, fd, iov, n, offset, 0);
	case FAIL_CALL_SHORT:
		return syscall(number, fd, part, parts, offset, 0);
	default:
		return -1;
	}
}

ssize_t
backing_call_preadv(int fd, const struct iovec *iov, int n, off_t offset)
{
	return transfer("preadv", SYS_preadv, fd, iov, n, offset);
}

ssize_t
backing_call_pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
	return transfer("pwritev", SYS_pwritev, fd, iov, n, offset);
}

ssize_t
backing_call_pread(int fd, void *buf, size_t bytes, off_t offset)
{
	struct iovec iov = { buf, bytes };

	return transfer("preadv", SYS_preadv, fd, &iov, 1, offset);
}

ssize_t
backing_call_pwrite(int fd, const void *buf, size_t bytes, off_t offset)
{
	struct iovec iov = { (void *)(uintptr_t)buf, bytes };

	return transfer("pwritev", SYS_pwritev, fd, &iov, 1, offset);
}

int
fdatasync(int fd)
{
	if (ask("fdatasync", ~(1u << FAIL_CALL_SHORT)) != FAIL_CALL_KINDS)
		return -1;
	return (int)syscall(SYS_fdatasync, fd);
}

int
fallocate(int fd, int mode, off_t offset, off_t bytes)
{
	if (ask("fallocate", ~(1u << FAIL_CALL_SHORT)) != FAIL_CALL_KINDS)
		return -1;
	return (int)syscall(SYS_fallocate, fd, mode, offset, bytes);
}

int
backing_call_range(int fd, unsigned long request, uint64_t offset,
    uint64_t bytes)
{
	uint64_t range[2] = { offset, bytes };

	if (ask(request == BLKDISCARD ? "BLKDISCARD" : "BLKZEROOUT",
	    ~(1u << FAIL_CALL_SHORT)) != FAIL_CALL_KINDS)
		return -1;
	return (int)syscall(SYS_ioctl, fd, request, range);
}

unsigned
fail_call_length(unsigned bytes)
{
	unsigned keep = bytes * 3 / 7 / (unsigned)align * (unsigned)align;

	if (keep == 0 || ask("io_uring", 1u << FAIL_CALL_SHORT) ==
	    FAIL_CALL_KINDS)
		return bytes;
	return keep;
}

int
fail_call_result(int result)
{
	if (result < 0 || ask("io_uring", ~(1u << FAIL_CALL_SHORT)) ==
	    FAIL_CALL_KINDS)
		return result;
	return -errno;
}
