/* SPDX-License-Identifier: ISC */
/*
 * The backing: what it takes, where a file ends, and O_DIRECT with buffers
 * and offsets that the kernel would refuse.
 */
#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blkd/backing.h"

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

#define BYTES	(64u << 10)

static uint8_t
pattern(size_t i)
{
	return (uint8_t)(i * 7 + i / 512 * 13 + 1);
}

/* A file in the test's own directory. */
static int
make_file(size_t bytes, int flags)
{
	uint8_t *data = malloc(bytes + 1);
	size_t i;
	int fd;

	ATF_REQUIRE(data != NULL);
	for (i = 0; i < bytes; i++)
		data[i] = pattern(i);
	ATF_REQUIRE((fd = open("f", O_CREAT | O_TRUNC | O_RDWR, 0600)) != -1);
	ATF_REQUIRE_EQ((ssize_t)bytes, write(fd, data, bytes));
	free(data);
	close(fd);
	return open("f", flags);
}

static int
make_direct(size_t bytes)
{
	int fd = make_file(bytes, O_RDWR | O_DIRECT);

	if (fd == -1 && errno == EINVAL)
		atf_tc_skip("this file system has no O_DIRECT");
	ATF_REQUIRE(fd != -1);
	return fd;
}

/* --- opening ------------------------------------------------------------ */

CASE(open__modes)
{
	int fd;

	(void)tc;
	fd = make_file(4096, O_RDONLY);
	ATF_CHECK_ERRNO(EACCES, backing_open(fd, false, 512) == NULL);
	ATF_CHECK(fcntl(fd, F_GETFD) != -1);	/* still ours */
	backing_close(backing_open(fd, true, 512));
	ATF_CHECK_ERRNO(EBADF, fcntl(fd, F_GETFD) == -1);
	fd = open("f", O_WRONLY);
	ATF_CHECK_ERRNO(EACCES, backing_open(fd, false, 512) == NULL);
	ATF_CHECK_ERRNO(EACCES, backing_open(fd, true, 512) == NULL);
	close(fd);
	fd = open("f", O_PATH);
	ATF_CHECK_ERRNO(EACCES, backing_open(fd, true, 512) == NULL);
	close(fd);
}

CASE(open__no_backing)
{
	int fd;

	(void)tc;
	fd = make_file(0, O_RDWR);
	ATF_CHECK_ERRNO(EINVAL, backing_open(fd, false, 512) == NULL);
	close(fd);
	fd = make_file(512, O_RDWR);
	ATF_CHECK_ERRNO(EINVAL, backing_open(fd, false, 4096) == NULL);
	close(fd);
	fd = open("/dev/zero", O_RDWR);
	ATF_CHECK_ERRNO(EINVAL, backing_open(fd, false, 512) == NULL);
	close(fd);
	fd = open(".", O_RDONLY);
	ATF_CHECK_ERRNO(EINVAL, backing_open(fd, true, 512) == NULL);
	close(fd);
	ATF_CHECK_ERRNO(EBADF, backing_open(-1, true, 512) == NULL);
}

/* --- transfers ---------------------------------------------------------- */

/*
 * Reads and writes of every awkward shape: two buffers, the first `skew`
 * bytes into an aligned page, `bytes` in all, from `offset` on.
 */
static void
check_transfer(struct backing *b, uint64_t offset, size_t skew, size_t first,
    size_t bytes)
{
	static uint8_t memory[2][BYTES] __attribute__((aligned(4096)));
	static uint8_t whole[BYTES];
	uint64_t zeroed;
	size_t i;
	struct iovec iov[2] = {
		{ memory[0] + skew, first }, { memory[1], bytes - first },
	};

	ATF_REQUIRE_EQ(0, backing_read(b, iov, 2, offset, &zeroed));
	ATF_REQUIRE_EQ(0, zeroed);
	for (i = 0; i < bytes; i++)
		ATF_REQUIRE_EQ_MSG(pattern(offset + i), i < first ?
		    memory[0][skew + i] : memory[1][i - first],
		    "byte %zu of %zu from %ju", i, bytes, (uintmax_t)offset);
	/* Write it inverted; everything around stays. */
	for (i = 0; i < bytes; i++)
		*(i < first ? &memory[0][skew + i] : &memory[1][i - first]) ^=
		    0xff;
	iov[0] = (struct iovec) { memory[0] + skew, first };
	iov[1] = (struct iovec) { memory[1], bytes - first };
	ATF_REQUIRE_EQ(0, backing_write(b, iov, 2, offset));
	iov[0] = (struct iovec) { whole, BYTES };
	ATF_REQUIRE_EQ(0, backing_read(b, iov, 1, 0, &zeroed));
	for (i = 0; i < BYTES; i++)
		ATF_REQUIRE_EQ_MSG(pattern(i) ^
		    (i >= offset && i < offset + bytes ? 0xff : 0), whole[i],
		    "byte %zu after writing %zu at %ju", i, bytes,
		    (uintmax_t)offset);
	for (i = 0; i < BYTES; i++)
		whole[i] = pattern(i);
	iov[0] = (struct iovec) { whole, BYTES };
	ATF_REQUIRE_EQ(0, backing_write(b, iov, 1, 0));
	ATF_REQUIRE_EQ(BYTES, backing_size(b));
}

static void
check_shapes(int fd)
{
	struct backing *b = backing_open(fd, false, 512);

	ATF_REQUIRE(b != NULL);
	check_transfer(b, 0, 0, 4096, 8192);
	check_transfer(b, 4096, 0, 4096, 4096 * 3);
	check_transfer(b, 512, 0, 512, 1024);
	check_transfer(b, 3584, 0, 512, 1024);
	check_transfer(b, 512, 16, 512, 512 * 17);
	check_transfer(b, 0, 1, 100, 4096);
	check_transfer(b, 4096, 0, 100, 512 * 3);
	check_transfer(b, BYTES - 512, 7, 511, 512);
	check_transfer(b, 0, 3, BYTES / 2, BYTES);
	/* Parts of blocks, whatever size these have here. */
	check_transfer(b, 100, 0, 50, 1000);
	check_transfer(b, 511, 1, 2, 3);
	check_transfer(b, 4095, 0, 4096, 8194);
	check_transfer(b, BYTES - 1, 0, 0, 1);
	backing_close(b);
}

CASE(transfer__buffered)
{
	(void)tc;
	check_shapes(make_file(BYTES, O_RDWR));
}

CASE(transfer__direct)
{
	(void)tc;
	check_shapes(make_direct(BYTES));
}

/* Longer than the bounce buffer. */
CASE(transfer__direct_long)
{
	const size_t bytes = 1u << 20;
	struct backing *b = backing_open(make_direct(bytes), false, 512);
	uint8_t *data = malloc(bytes + 1);
	struct iovec iov = { data + 1, bytes - 512 };
	uint64_t zeroed;
	size_t i;

	(void)tc;
	ATF_REQUIRE(b != NULL && data != NULL);
	ATF_REQUIRE_EQ(0, backing_read(b, &iov, 1, 512, &zeroed));
	for (i = 0; i < bytes - 512; i++)
		ATF_REQUIRE_EQ(pattern(i + 512), data[1 + i]);
	free(data);
	backing_close(b);
}

/* More buffers than one call takes. */
CASE(transfer__many_buffers)
{
	static struct iovec iov[3000];
	struct backing *b = backing_open(make_file(BYTES, O_RDWR), false, 512);
	static uint8_t data[BYTES];
	uint64_t zeroed;
	size_t i;

	(void)tc;
	for (i = 0; i < 3000; i++)
		iov[i] = (struct iovec) { data + i * 16, i % 5 == 0 ? 0 : 16 };
	ATF_REQUIRE_EQ(0, backing_read(b, iov, 3000, 0, &zeroed));
	ATF_CHECK_EQ(pattern(2399 * 16), data[2999 * 16]);
	backing_close(b);
}

static void
check_end(int fd, size_t size)
{
	struct backing *b = backing_open(fd, false, 512);
	static uint8_t data[2][4096] __attribute__((aligned(4096)));
	struct iovec iov[2] = { { data[0], 4096 }, { data[1], 4096 } };
	uint64_t zeroed;
	size_t i;

	ATF_REQUIRE(b != NULL);
	memset(data, 0x55, sizeof(data));
	ATF_REQUIRE_EQ(0, backing_read(b, iov, 2, 4096, &zeroed));
	ATF_CHECK_EQ(4096 + 8192 - size, zeroed);
	for (i = 0; i < 8192; i++)
		ATF_REQUIRE_EQ(4096 + i < size ? pattern(4096 + i) : 0,
		    data[i / 4096][i % 4096]);
	/* Wholly past it. */
	iov[0] = (struct iovec) { data[0] + 512, 512 };
	memset(data, 0x55, sizeof(data));
	ATF_REQUIRE_EQ(0, backing_read(b, iov, 1, 1 << 20, &zeroed));
	ATF_CHECK_EQ(512, zeroed);
	ATF_CHECK_EQ(0, data[0][512]);
	ATF_CHECK_EQ(0x55, data[0][511]);
	backing_close(b);
}

CASE(end__buffered)
{
	(void)tc;
	check_end(make_file(4096 + 1000, O_RDWR), 4096 + 1000);
	check_end(make_file(8192, O_RDWR), 8192);
}

CASE(end__direct)
{
	(void)tc;
	check_end(make_direct(8192), 8192);
	check_end(make_direct(4096 + 512), 4096 + 512);
	check_end(make_direct(4096 + 1000), 4096 + 1000);
}

/* Its last sector is written, and the file does not get longer by that. */
CASE(end__direct_odd_size)
{
	static uint8_t data[512] __attribute__((aligned(512)));
	struct iovec iov = { data, 512 };
	struct backing *b = backing_open(make_direct(4096 + 700), false, 512);

	(void)tc;
	ATF_REQUIRE(b != NULL);
	ATF_REQUIRE_EQ(0, backing_write(b, &iov, 1, 4096));
	ATF_CHECK_EQ(4096 + 700, backing_size(b));
	backing_close(b);
}

/* --- two writers in one block ------------------------------------------- */

struct writer {
	pthread_t	 thread;
	struct backing	*backing;
	uint64_t	 offset;
	int		 errors;
};

static void *
write_often(void *arg)
{
	struct writer *w = arg;
	uint8_t data[513], found[513];
	struct iovec iov;
	uint64_t zeroed;
	int i;

	for (i = 0; i < 200; i++) {
		memset(data, i, sizeof(data));
		iov = (struct iovec) { data + 1, 512 };
		w->errors += backing_write(w->backing, &iov, 1, w->offset) != 0;
		iov = (struct iovec) { found + 1, 512 };
		w->errors += backing_read(w->backing, &iov, 1, w->offset,
		    &zeroed) != 0;
		w->errors += memcmp(data + 1, found + 1, 512) != 0;
	}
	return NULL;
}

CASE(transfer__direct_neighbours)
{
	struct backing *b = backing_open(make_direct(BYTES), false, 512);
	struct writer w[2] = { { .offset = 512 }, { .offset = 1024 } };
	size_t i;

	(void)tc;
	ATF_REQUIRE(b != NULL);
	for (i = 0; i < 2; i++) {
		w[i].backing = b;
		ATF_REQUIRE_EQ(0, pthread_create(&w[i].thread, NULL,
		    write_often, &w[i]));
	}
	for (i = 0; i < 2; i++) {
		pthread_join(w[i].thread, NULL);
		ATF_CHECK_EQ(0, w[i].errors);
	}
	backing_close(b);
}

/* --- ranges ------------------------------------------------------------- */

static void
check_zero(int fd, bool unmap)
{
	struct backing *b = backing_open(fd, false, 512);
	static uint8_t data[BYTES] __attribute__((aligned(4096)));
	struct iovec iov = { data, BYTES };
	uint64_t zeroed;
	size_t i;

	ATF_REQUIRE(b != NULL);
	ATF_REQUIRE_EQ(0, backing_zero(b, 512, 20 * 512, unmap));
	ATF_REQUIRE_EQ(0, backing_zero(b, 0, 0, unmap));
	ATF_REQUIRE_EQ(0, backing_read(b, &iov, 1, 0, &zeroed));
	for (i = 0; i < BYTES; i++)
		ATF_REQUIRE_EQ(i >= 512 && i < 21 * 512 ? 0 : pattern(i),
		    data[i]);
	ATF_CHECK_EQ(BYTES, backing_size(b));
	backing_close(b);
}

CASE(zero__buffered)
{
	(void)tc;
	check_zero(make_file(BYTES, O_RDWR), false);
	check_zero(make_file(BYTES, O_RDWR), true);
}

CASE(zero__direct)
{
	(void)tc;
	check_zero(make_direct(BYTES), false);
	check_zero(make_direct(BYTES), true);
}

CASE(discard__past_the_end)
{
	struct backing *b = backing_open(make_file(BYTES, O_RDWR), false, 512);

	(void)tc;
	ATF_REQUIRE(b != NULL);
	ATF_CHECK_EQ(0, backing_discard(b, BYTES - 512, 1 << 20));
	ATF_CHECK_EQ(BYTES, backing_size(b));
	ATF_CHECK_EQ(0, backing_discard(b, 0, 0));
	backing_close(b);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, open__modes);
	ATF_TP_ADD_TC(tp, open__no_backing);
	ATF_TP_ADD_TC(tp, transfer__buffered);
	ATF_TP_ADD_TC(tp, transfer__direct);
	ATF_TP_ADD_TC(tp, transfer__direct_long);
	ATF_TP_ADD_TC(tp, transfer__direct_neighbours);
	ATF_TP_ADD_TC(tp, transfer__many_buffers);
	ATF_TP_ADD_TC(tp, end__buffered);
	ATF_TP_ADD_TC(tp, end__direct);
	ATF_TP_ADD_TC(tp, end__direct_odd_size);
	ATF_TP_ADD_TC(tp, zero__buffered);
	ATF_TP_ADD_TC(tp, zero__direct);
	ATF_TP_ADD_TC(tp, discard__past_the_end);
	return atf_no_error();
}
