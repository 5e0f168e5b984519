/* SPDX-License-Identifier: ISC */
/*
 * The backing on a block device: a loop device over a file, so that what
 * arrives can be read from below.
 */
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "blkd/backing.h"

#define BYTES	(UINT64_C(1) << 20)

struct device {
	int	 file;
	int	 loop;		/* the test's own descriptor */
	char	 path[32];
};

/*
 * A loop device over the file "f", full of 0x5a.  It goes with its last
 * descriptor (LO_FLAGS_AUTOCLEAR), whatever becomes of the test.
 */
static void
make_device(struct device *d)
{
	struct loop_config config = {
		.info = { .lo_flags = LO_FLAGS_AUTOCLEAR },
	};
	uint8_t block[4096];
	int control, n = -1, tries;
	uint64_t at;

	d->file = open("f", O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
	ATF_REQUIRE(d->file != -1);
	memset(block, 0x5a, sizeof(block));
	for (at = 0; at < BYTES; at += sizeof(block))
		ATF_REQUIRE_EQ((ssize_t)sizeof(block),
		    pwrite(d->file, block, sizeof(block), (off_t)at));
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control == -1)
		atf_tc_skip("/dev/loop-control: %s", strerror(errno));
	config.fd = (uint32_t)d->file;
	/* Another process may take the free one first. */
	for (tries = 0; tries < 100; tries++) {
		n = ioctl(control, LOOP_CTL_GET_FREE);
		ATF_REQUIRE(n != -1);
		snprintf(d->path, sizeof(d->path), "/dev/loop%d", n);
		d->loop = open(d->path, O_RDWR | O_CLOEXEC);
		if (d->loop == -1)
			atf_tc_skip("%s: %s", d->path, strerror(errno));
		if (ioctl(d->loop, LOOP_CONFIGURE, &config) == 0)
			break;
		ATF_REQUIRE_EQ(EBUSY, errno);
		close(d->loop);
	}
	ATF_REQUIRE(tries < 100);
	close(control);
}

static void
free_device(struct device *d)
{
	close(d->loop);
	close(d->file);
}

static struct backing *
open_backing(const struct device *d, int flags)
{
	int fd = open(d->path, O_RDWR | O_CLOEXEC | flags);
	struct backing *b;

	ATF_REQUIRE(fd != -1);
	ATF_REQUIRE((b = backing_open(fd, false, 512)) != NULL);
	return b;
}

/* The byte that all of a range of the file has, or -1: they differ. */
static int
byte_below(const struct device *d, uint64_t from, size_t n)
{
	uint8_t found[16384];
	size_t i;

	ATF_REQUIRE(n <= sizeof(found));
	ATF_REQUIRE_EQ((ssize_t)n, pread(d->file, found, n, (off_t)from));
	for (i = 1; i < n; i++) {
		if (found[i] != found[0])
			return -1;
	}
	return found[0];
}

static void
check_transfers(int flags)
{
	uint8_t out[1536], in[1536];
	struct iovec iov = { out, sizeof(out) };
	struct device d;
	struct backing *b;
	uint64_t zeroed;

	make_device(&d);
	b = open_backing(&d, flags);
	ATF_CHECK_EQ((int64_t)BYTES, backing_size(b));
	memset(out, 0xc3, sizeof(out));
	ATF_CHECK_EQ(0, backing_write(b, &iov, 1, 512));
	ATF_CHECK_EQ(0, backing_flush(b));
	ATF_CHECK_EQ(0x5a, byte_below(&d, 0, 512));
	ATF_CHECK_EQ(0xc3, byte_below(&d, 512, 1536));
	ATF_CHECK_EQ(0x5a, byte_below(&d, 2048, 2048));
	iov = (struct iovec) { in, sizeof(in) };
	ATF_CHECK_EQ(0, backing_read(b, &iov, 1, 512, &zeroed));
	ATF_CHECK_EQ(0, zeroed);
	ATF_CHECK_EQ(0, memcmp(in, out, sizeof(in)));
	backing_close(b);
	free_device(&d);
}

ATF_TC(transfer__buffered);
ATF_TC_HEAD(transfer__buffered, tc)
{
	atf_tc_set_md_var(tc, "require.user", "root");
}
ATF_TC_BODY(transfer__buffered, tc)
{
	(void)tc;
	check_transfers(0);
}

ATF_TC(transfer__direct);
ATF_TC_HEAD(transfer__direct, tc)
{
	atf_tc_set_md_var(tc, "require.user", "root");
}
ATF_TC_BODY(transfer__direct, tc)
{
	(void)tc;
	check_transfers(O_DIRECT);
}

ATF_TC(discard__gives_blocks_back);
ATF_TC_HEAD(discard__gives_blocks_back, tc)
{
	atf_tc_set_md_var(tc, "require.user", "root");
}
ATF_TC_BODY(discard__gives_blocks_back, tc)
{
	struct stat before, after;
	struct device d;
	struct backing *b;

	(void)tc;
	make_device(&d);
	b = open_backing(&d, 0);
	fsync(d.file);
	ATF_REQUIRE_EQ(0, fstat(d.file, &before));
	ATF_CHECK_EQ(0, backing_discard(b, 65536, 131072));
	ATF_REQUIRE_EQ(0, fstat(d.file, &after));
	ATF_CHECK_MSG(after.st_blocks <= before.st_blocks - 256,
	    "%lld blocks, then %lld", (long long)before.st_blocks,
	    (long long)after.st_blocks);
	ATF_CHECK_EQ(0x5a, byte_below(&d, 65536 - 4096, 4096));
	ATF_CHECK_EQ(0, byte_below(&d, 65536, 16384));
	ATF_CHECK_EQ(0x5a, byte_below(&d, 65536 + 131072, 4096));
	backing_close(b);
	free_device(&d);
}

ATF_TC(zero__with_and_without_unmap);
ATF_TC_HEAD(zero__with_and_without_unmap, tc)
{
	atf_tc_set_md_var(tc, "require.user", "root");
}
ATF_TC_BODY(zero__with_and_without_unmap, tc)
{
	struct device d;
	struct backing *b;

	(void)tc;
	make_device(&d);
	b = open_backing(&d, 0);
	ATF_CHECK_EQ(0, backing_zero(b, 8192, 4096, false));
	ATF_CHECK_EQ(0, backing_zero(b, 16384, 4096, true));
	ATF_CHECK_EQ(0, backing_flush(b));
	ATF_CHECK_EQ(0x5a, byte_below(&d, 4096, 4096));
	ATF_CHECK_EQ(0, byte_below(&d, 8192, 4096));
	ATF_CHECK_EQ(0x5a, byte_below(&d, 12288, 4096));
	ATF_CHECK_EQ(0, byte_below(&d, 16384, 4096));
	ATF_CHECK_EQ(0x5a, byte_below(&d, 20480, 4096));
	backing_close(b);
	free_device(&d);
}

ATF_TC(size__follows_the_device);
ATF_TC_HEAD(size__follows_the_device, tc)
{
	atf_tc_set_md_var(tc, "require.user", "root");
}
ATF_TC_BODY(size__follows_the_device, tc)
{
	struct device d;
	struct backing *b;

	(void)tc;
	make_device(&d);
	b = open_backing(&d, 0);
	ATF_REQUIRE_EQ(0, ftruncate(d.file, 2 * BYTES));
	ATF_REQUIRE_EQ(0, ioctl(d.loop, LOOP_SET_CAPACITY, 0));
	ATF_CHECK_EQ((int64_t)(2 * BYTES), backing_size(b));
	backing_close(b);
	free_device(&d);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, transfer__buffered);
	ATF_TP_ADD_TC(tp, transfer__direct);
	ATF_TP_ADD_TC(tp, discard__gives_blocks_back);
	ATF_TP_ADD_TC(tp, zero__with_and_without_unmap);
	ATF_TP_ADD_TC(tp, size__follows_the_device);
	return atf_no_error();
}
