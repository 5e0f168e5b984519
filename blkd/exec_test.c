/* SPDX-License-Identifier: ISC */
/*
 * I/O that fails, through a real queue thread: the system calls that the
 * backing makes are replaced by ones that do as they are told.
 */
#include <sys/syscall.h>
#include <sys/uio.h>

#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "blkd/backing_call.h"
#include "blkd/ring_harness.h"
#include "shm/shared.h"

#define NUM	64u

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

/* What the next calls do: fail `times` with errno, or take no more bytes. */
static struct {
	int	error;
	int	times;
	size_t	most;		/* bytes a call; 0: no limit */
	int	flush_fails;
	int	flushes;	/* calls of fdatasync */
	int	used_idx;	/* at the last of them */
	struct virtq_used *used;
} fault;

static int
fails(void)
{
	if (shared_load(&fault.times) == 0)
		return 0;
	__atomic_fetch_sub(&fault.times, 1, __ATOMIC_RELAXED);
	errno = fault.error;
	return 1;
}

static ssize_t
call(long nr, int fd, const struct iovec *iov, int n, off_t offset)
{
	struct iovec one;

	if (fails())
		return -1;
	if (fault.most != 0) {
		one = iov[0];
		if (one.iov_len > fault.most)
			one.iov_len = fault.most;
		return syscall(nr, fd, &one, 1, offset, 0);
	}
	return syscall(nr, fd, iov, n, offset, 0);
}

ssize_t
backing_call_preadv(int fd, const struct iovec *iov, int n, off_t offset)
{
	return call(SYS_preadv, fd, iov, n, offset);
}

ssize_t
backing_call_pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
	return call(SYS_pwritev, fd, iov, n, offset);
}

ssize_t
backing_call_pread(int fd, void *buf, size_t bytes, off_t offset)
{
	struct iovec iov = { buf, bytes };

	return call(SYS_preadv, fd, &iov, 1, offset);
}

ssize_t
backing_call_pwrite(int fd, const void *buf, size_t bytes, off_t offset)
{
	struct iovec iov = { (void *)(uintptr_t)buf, bytes };

	return call(SYS_pwritev, fd, &iov, 1, offset);
}

int
backing_call_range(int fd, unsigned long request, uint64_t offset,
    uint64_t bytes)
{
	uint64_t range[2] = { offset, bytes };

	return fails() ? -1 : (int)syscall(SYS_ioctl, fd, request, range);
}

int
fdatasync(int fd)
{
	(void)fd;
	fault.flushes++;
	if (fault.used != NULL)
		fault.used_idx = shared_load(&fault.used->g_idx);
	if (fault.flush_fails) {
		errno = fault.error;
		return -1;
	}
	return fails() ? -1 : 0;
}

int
fallocate(int fd, int mode, off_t offset, off_t len)
{
	return fails() ? -1 :
	    (int)syscall(SYS_fallocate, fd, mode, offset, len);
}

static void
set_up(struct ring_harness *h, uint32_t type, uint32_t bytes)
{
	ring_harness_make(h, NUM, RING_FEATURES |
	    RING_FEATURE(VIRTIO_BLK_F_DISCARD) |
	    RING_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES));
	ring_harness_request(h, 0, type, 0, bytes);
}

static uint8_t
run(struct ring_harness *h)
{
	ATF_REQUIRE_EQ(0, ring_harness_start(h, false));
	return ring_harness_run(h, 0, NULL);
}

static void
check_failed(uint32_t type, uint32_t bytes, int error)
{
	struct ring_harness h;
	uint32_t len;

	set_up(&h, type, bytes);
	fault.error = error;
	fault.times = 1;
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ATF_CHECK_EQ(VIRTIO_BLK_S_IOERR, ring_harness_run(&h, 0, &len));
	ATF_CHECK_EQ(1, len);
	ring_harness_wait_counter(&h, COUNTER_IO_ERRORS, 1);
	/* The next one is a request like any other. */
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, &len));
	ring_harness_free(&h);
}

CASE(error__eio_in)
{
	(void)tc;
	check_failed(VIRTIO_BLK_T_IN, 512, EIO);
}

CASE(error__eio_out)
{
	(void)tc;
	check_failed(VIRTIO_BLK_T_OUT, 512, EIO);
}

CASE(error__enospc_out)
{
	(void)tc;
	check_failed(VIRTIO_BLK_T_OUT, 4096, ENOSPC);
}

CASE(error__eio_flush)
{
	(void)tc;
	check_failed(VIRTIO_BLK_T_FLUSH, 0, EIO);
}

/* EOPNOTSUPP of a plain read is an error, no lack of a feature. */
CASE(error__eopnotsupp_in)
{
	(void)tc;
	check_failed(VIRTIO_BLK_T_IN, 512, EOPNOTSUPP);
}

CASE(retry__eintr)
{
	static const uint32_t types[] = { VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT };
	struct ring_harness h;
	size_t i;

	(void)tc;
	for (i = 0; i < 2; i++) {
		set_up(&h, types[i], 4096);
		fault.error = EINTR;
		fault.times = 5;
		ATF_CHECK_EQ(VIRTIO_BLK_S_OK, run(&h));
		ATF_CHECK_EQ(0, fault.times);
		ring_harness_free(&h);
	}
}

CASE(retry__short_transfers)
{
	struct ring_harness h;
	uint8_t sector[512];
	unsigned i;

	(void)tc;
	set_up(&h, VIRTIO_BLK_T_OUT, 4096);
	fault.most = 100;
	for (i = 0; i < 4096; i++)
		ring_harness_data(&h, 0)[i] = (uint8_t)(i * 7);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, run(&h));
	ring_harness_sector(&h, 7, sector);
	ATF_CHECK_EQ(0, memcmp(sector, ring_harness_data(&h, 0) + 3584, 512));
	ring_harness_request(&h, 1, VIRTIO_BLK_T_IN, 0, 4096);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 1, NULL));
	ATF_CHECK_EQ(0, memcmp(ring_harness_data(&h, 0),
	    ring_harness_data(&h, 1), 4096));
	ATF_CHECK_EQ(0, ring_harness_counter(&h, COUNTER_SHORT_READS));
	ring_harness_free(&h);
}

static void
set_range(struct ring_harness *h)
{
	struct virtio_blk_discard_write_zeroes range = { .num_sectors = 300 };

	memcpy(ring_harness_data(h, 0), &range, sizeof(range));
}

CASE(discard__not_supported)
{
	struct ring_harness h;

	(void)tc;
	set_up(&h, VIRTIO_BLK_T_DISCARD, 16);
	set_range(&h);
	fault.error = EOPNOTSUPP;
	fault.times = 1;
	ATF_CHECK_EQ(VIRTIO_BLK_S_UNSUPP, run(&h));
	ring_harness_wait_counter(&h, COUNTER_UNSUPPORTED, 1);
	ring_harness_free(&h);
}

CASE(write_zeroes__by_writing)
{
	struct ring_harness h;
	uint8_t sector[512], zeroes[512] = { 0 };

	(void)tc;
	set_up(&h, VIRTIO_BLK_T_WRITE_ZEROES, 16);
	set_range(&h);
	ATF_REQUIRE_EQ(3, pwrite(h.backingfd, "xyz", 3, 299 * 512));
	ATF_REQUIRE_EQ(3, pwrite(h.backingfd, "xyz", 3, 300 * 512));
	fault.error = EOPNOTSUPP;
	fault.times = 1;
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, run(&h));
	ring_harness_sector(&h, 299, sector);
	ATF_CHECK_EQ(0, memcmp(sector, zeroes, 512));
	ring_harness_sector(&h, 300, sector);
	ATF_CHECK_EQ('x', sector[0]);
	ring_harness_free(&h);
}

/* --- no write cache ----------------------------------------------------- */

CASE(writethrough__stable_before_published)
{
	struct ring_harness h;

	(void)tc;
	set_up(&h, VIRTIO_BLK_T_OUT, 512);
	h.disk.writeback = 0;
	fault.used = h.used;
	fault.used_idx = -1;
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, run(&h));
	ATF_CHECK_EQ(1, fault.flushes);
	ATF_CHECK_EQ(0, fault.used_idx);
	/* Reads need none. */
	ring_harness_request(&h, 1, VIRTIO_BLK_T_IN, 0, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 1, NULL));
	ATF_CHECK_EQ(1, fault.flushes);
	ring_harness_free(&h);
}

/* The write succeeds, the fdatasync behind it does not. */
CASE(writethrough__not_stable)
{
	struct ring_harness h;

	(void)tc;
	set_up(&h, VIRTIO_BLK_T_OUT, 512);
	h.disk.writeback = 0;
	fault.error = EIO;
	fault.flush_fails = 1;
	ATF_CHECK_EQ(VIRTIO_BLK_S_IOERR, run(&h));
	ATF_CHECK_EQ(1, fault.flushes);
	ring_harness_wait_counter(&h, COUNTER_IO_ERRORS, 1);
	ATF_CHECK_EQ(0, ring_harness_counter(&h, COUNTER_WRITES));
	ring_harness_free(&h);
}

CASE(writeback__no_flush_but_asked_for)
{
	struct ring_harness h;

	(void)tc;
	set_up(&h, VIRTIO_BLK_T_OUT, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, run(&h));
	ATF_CHECK_EQ(0, fault.flushes);
	ring_harness_request(&h, 1, VIRTIO_BLK_T_FLUSH, 0, 0);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 1, NULL));
	ATF_CHECK_EQ(1, fault.flushes);
	ring_harness_free(&h);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, error__eio_in);
	ATF_TP_ADD_TC(tp, error__eio_out);
	ATF_TP_ADD_TC(tp, error__enospc_out);
	ATF_TP_ADD_TC(tp, error__eio_flush);
	ATF_TP_ADD_TC(tp, error__eopnotsupp_in);
	ATF_TP_ADD_TC(tp, retry__eintr);
	ATF_TP_ADD_TC(tp, retry__short_transfers);
	ATF_TP_ADD_TC(tp, discard__not_supported);
	ATF_TP_ADD_TC(tp, write_zeroes__by_writing);
	ATF_TP_ADD_TC(tp, writethrough__stable_before_published);
	ATF_TP_ADD_TC(tp, writethrough__not_stable);
	ATF_TP_ADD_TC(tp, writeback__no_flush_but_asked_for);
	return atf_no_error();
}
