/* SPDX-License-Identifier: ISC */
/*
 * What every engine promises, the same cases for each: engine.h, backing.h.
 * A row that this host cannot have is left out, and says so.
 */
#include <sys/stat.h>

#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blkd/backing.h"
#include "blkd/engine.h"
#include "blkd/filemap.h"
#include "blkd/sigbus.h"
#include "blkd/uring.h"

#define DEPTH		64u
#define BLOCK		4096u
#define FILE_BYTES	(1u << 20)
#define IMAGE		"image"

struct world {
	const struct engine_ops	*ops;
	struct engine		*engine;
	struct backing		*backing;
	struct uring_set	*uring;
	struct filemap		*map;
	uint8_t			*memory;	/* FILE_BYTES, aligned */
	int			 fd;		/* of our own */
};

static const struct row {
	const struct engine_ops	*ops;
	int			 flags;
	unsigned		 threads;
	uint64_t		 slow_ns;	/* 0: they get all operations */
} rows[] = {
	{ &engine_sync, 0, 0, 0 },
	{ &engine_sync, O_DIRECT, 0, 0 },
	{ &engine_sync, 0, 4, 0 },
	{ &engine_sync, O_DIRECT, 4, 0 },
	{ &engine_uring, 0, 0, 0 },
	{ &engine_uring, O_DIRECT, 0, 0 },
	{ &engine_mmap, 0, 0, 0 },
};
#define NROWS	(sizeof(rows) / sizeof(rows[0]))

static uint8_t
pattern(uint64_t at)
{
	return (uint8_t)(at ^ at >> 9 ^ at >> 17);
}

static void
make_image(struct world *w, uint64_t bytes)
{
	uint64_t i;

	w->fd = open(IMAGE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ATF_REQUIRE(w->fd != -1);
	for (i = 0; i < bytes; i++)
		w->memory[i] = pattern(i);
	ATF_REQUIRE_EQ((ssize_t)bytes, write(w->fd, w->memory, bytes));
	memset(w->memory, 0, FILE_BYTES);
}

/* False: the host cannot have this row. */
static bool
set_up(struct world *w, const struct row *row, uint64_t bytes)
{
	struct engine_setup setup = { .depth = DEPTH,
	    .threads = row->threads, .slow_ns = row->slow_ns };
	int fd;

	*w = (struct world) { .ops = row->ops };
	if (row->ops == &engine_uring) {
		w->uring = uring_make(1, DEPTH);
		if (uring_error(w->uring) == ENOSYS ||
		    uring_error(w->uring) == EPERM) {
			printf("no io_uring here\n");
			uring_free(w->uring);
			return false;
		}
	}
	w->memory = aligned_alloc(BLOCK, FILE_BYTES);
	ATF_REQUIRE(w->memory != NULL);
	make_image(w, bytes);
	fd = open(IMAGE, O_RDWR | O_CLOEXEC | row->flags);
	if (fd == -1 && errno == EINVAL) {
		printf("no O_DIRECT here\n");
		uring_free(w->uring);
		return false;
	}
	ATF_REQUIRE((w->backing = backing_open(fd, false, 512)) != NULL);
	setup.backing = w->backing;
	setup.ring = uring_ring(w->uring, 0, DEPTH);
	w->map = filemap_make(fd, bytes, false);
	ATF_REQUIRE(w->map != NULL);
	ATF_REQUIRE_EQ(0, sigbus_install(NULL));
	setup.map = w->map;
	ATF_REQUIRE((w->engine = row->ops->make(&setup)) != NULL);
	if (row->ops->enter != NULL)
		ATF_REQUIRE_EQ(0, row->ops->enter(w->engine));
	return true;
}

static void
tear_down(struct world *w)
{
	w->ops->free(w->engine);
	backing_close(w->backing);
	filemap_free(w->map);
	uring_free(w->uring);
	free(w->memory);
	close(w->fd);
}

static struct engine_op *
await_one(struct world *w)
{
	struct pollfd pfd = { .events = POLLIN };
	struct engine_op *op;

	w->ops->kick(w->engine);
	while ((op = w->ops->reap(w->engine)) == NULL) {
		pfd.fd = w->ops->wait_fd(w->engine);
		ATF_REQUIRE_MSG(pfd.fd != -1, "nothing to wait for");
		ATF_REQUIRE_EQ(1, poll(&pfd, 1, 10000));
	}
	return op;
}

static void
run(struct world *w, struct engine_op *op)
{
	w->ops->submit(w->engine, op);
	ATF_REQUIRE_EQ(op, await_one(w));
}

/* Bytes of the file, by a description of our own. */
static void
require_file(struct world *w, uint64_t offset, const uint8_t *want, size_t n)
{
	uint8_t *found = malloc(n);

	ATF_REQUIRE_EQ((ssize_t)n, pread(w->fd, found, n, (off_t)offset));
	ATF_CHECK_EQ(0, memcmp(found, want, n));
	free(found);
}

#define EACH(ident, bytes)						\
static void ident##_on(struct world *);					\
ATF_TC_WITHOUT_HEAD(ident);						\
ATF_TC_BODY(ident, tc)							\
{									\
	struct world w;							\
	size_t i;							\
									\
	for (i = 0; i < NROWS; i++) {					\
		printf("%s%s, %u threads\n", rows[i].ops->name,		\
		    rows[i].flags != 0 ? ", O_DIRECT" : "",		\
		    rows[i].threads);					\
		if (!set_up(&w, &rows[i], bytes))			\
			continue;					\
		ident##_on(&w);						\
		tear_down(&w);						\
	}								\
}									\
static void								\
ident##_on(struct world *w)

/* Buffers of odd and even sizes, one of them empty. */
static size_t
three_buffers(struct world *w, struct iovec iov[4], size_t unit)
{
	iov[0] = (struct iovec) { w->memory + 8 * BLOCK, unit };
	iov[1] = (struct iovec) { w->memory, 0 };
	iov[2] = (struct iovec) { w->memory + 16 * BLOCK, 2 * unit };
	iov[3] = (struct iovec) { w->memory + 4 * BLOCK, unit };
	return 4 * unit;
}

static void
check_read(struct world *w, uint64_t offset, size_t unit)
{
	struct iovec iov[4];
	struct engine_op op = { .type = ENGINE_READ, .offset = offset,
	    .bytes = three_buffers(w, iov, unit), .iov = iov, .niov = 4 };
	size_t i;

	run(w, &op);
	ATF_CHECK_EQ_MSG(0, op.error, "%s", strerror(op.error));
	ATF_CHECK_EQ(0, op.zeroed);
	for (i = 0; i < unit; i++) {
		ATF_REQUIRE_EQ(pattern(offset + i),
		    w->memory[8 * BLOCK + i]);
		ATF_REQUIRE_EQ(pattern(offset + 3 * unit + i),
		    w->memory[4 * BLOCK + i]);
	}
}

EACH(engine__read, FILE_BYTES)
{
	check_read(w, 3 * BLOCK, BLOCK);
	check_read(w, 512, 512);
	check_read(w, 1024, BLOCK + 512);
}

static void
check_write(struct world *w, uint64_t offset, size_t unit)
{
	struct iovec iov[4];
	struct engine_op op = { .type = ENGINE_WRITE, .offset = offset,
	    .bytes = three_buffers(w, iov, unit), .iov = iov, .niov = 4 };
	uint8_t around;
	size_t i;

	for (i = 0; i < FILE_BYTES; i++)
		w->memory[i] = (uint8_t)(i * 7);
	run(w, &op);
	ATF_CHECK_EQ_MSG(0, op.error, "%s", strerror(op.error));
	require_file(w, offset, w->memory + 8 * BLOCK, unit);
	require_file(w, offset + unit, w->memory + 16 * BLOCK, 2 * unit);
	require_file(w, offset + 3 * unit, w->memory + 4 * BLOCK, unit);
	around = pattern(offset - 1);
	require_file(w, offset - 1, &around, 1);
	around = pattern(offset + 4 * unit);
	require_file(w, offset + 4 * unit, &around, 1);
}

EACH(engine__write, FILE_BYTES)
{
	check_write(w, 32 * BLOCK, BLOCK);
	check_write(w, 64 * BLOCK + 512, 512);
	check_write(w, 128 * BLOCK + 1024, BLOCK + 512);
}

/* Buffers that start at odd addresses. */
EACH(engine__buffers_at_any_address, FILE_BYTES)
{
	struct iovec iov = { w->memory + 3, BLOCK };
	struct engine_op op = { .type = ENGINE_READ, .offset = BLOCK,
	    .bytes = BLOCK, .iov = &iov, .niov = 1 };

	run(w, &op);
	ATF_CHECK_EQ(0, op.error);
	ATF_CHECK_EQ(pattern(BLOCK), w->memory[3]);
	ATF_CHECK_EQ(pattern(2 * BLOCK - 1), w->memory[2 + BLOCK]);
}

EACH(engine__read_past_the_end_gives_zeroes, 8 * BLOCK)
{
	struct iovec iov = { w->memory, 4 * BLOCK };
	struct engine_op op = { .type = ENGINE_READ, .offset = 6 * BLOCK,
	    .bytes = 4 * BLOCK, .iov = &iov, .niov = 1 };

	memset(w->memory, 0xaa, 4 * BLOCK);
	run(w, &op);
	ATF_CHECK_EQ(0, op.error);
	ATF_CHECK_EQ(2 * BLOCK, op.zeroed);
	ATF_CHECK_EQ(pattern(6 * BLOCK), w->memory[0]);
	ATF_CHECK_EQ(pattern(8 * BLOCK - 1), w->memory[2 * BLOCK - 1]);
	ATF_CHECK_EQ(0, w->memory[2 * BLOCK]);
	ATF_CHECK_EQ(0, w->memory[4 * BLOCK - 1]);
}

EACH(engine__read_far_past_the_end_gives_zeroes, 8 * BLOCK)
{
	struct iovec iov = { w->memory, BLOCK };
	struct engine_op op = { .type = ENGINE_READ, .offset = 64 * BLOCK,
	    .bytes = BLOCK, .iov = &iov, .niov = 1 };

	memset(w->memory, 0xaa, BLOCK);
	run(w, &op);
	ATF_CHECK_EQ(0, op.error);
	ATF_CHECK_EQ(BLOCK, op.zeroed);
	ATF_CHECK_EQ(0, w->memory[0]);
}

EACH(engine__flush, FILE_BYTES)
{
	struct engine_op op = { .type = ENGINE_FLUSH };

	run(w, &op);
	ATF_CHECK_EQ(0, op.error);
}

static void
check_zeroed(struct world *w, enum engine_op_type type, bool unmap)
{
	static const uint8_t zeroes[16 * BLOCK];
	struct engine_op op = { .type = type, .unmap = unmap,
	    .offset = 16 * BLOCK, .bytes = 16 * BLOCK };
	uint8_t byte = pattern(32 * BLOCK);

	run(w, &op);
	if (op.error == EOPNOTSUPP && type == ENGINE_DISCARD)
		return;
	ATF_CHECK_EQ_MSG(0, op.error, "%s", strerror(op.error));
	require_file(w, 16 * BLOCK, zeroes, sizeof(zeroes));
	require_file(w, 32 * BLOCK, &byte, 1);
}

EACH(engine__discard, FILE_BYTES)
{
	check_zeroed(w, ENGINE_DISCARD, false);
}

EACH(engine__zero, FILE_BYTES)
{
	check_zeroed(w, ENGINE_ZERO, false);
}

EACH(engine__zero_and_unmap, FILE_BYTES)
{
	check_zeroed(w, ENGINE_ZERO, true);
}

EACH(engine__error_is_told, FILE_BYTES)
{
	struct iovec iov = { NULL, BLOCK };	/* no memory there */
	struct engine_op op = { .type = ENGINE_READ, .offset = 0,
	    .bytes = BLOCK, .iov = &iov, .niov = 1 };

	/* It is no system call that looks: engine_mmap_test has its errors. */
	if (w->ops == &engine_mmap)
		return;
	run(w, &op);
	ATF_CHECK_EQ(EFAULT, op.error);
}

EACH(engine__each_operation_is_given_back_once, FILE_BYTES)
{
	struct engine_op op[DEPTH], *got;
	struct iovec iov[DEPTH];
	unsigned i, round, seen[DEPTH];

	for (round = 0; round < 20; round++) {
		memset(seen, 0, sizeof(seen));
		for (i = 0; i < DEPTH; i++) {
			iov[i] = (struct iovec) { w->memory + i * BLOCK,
			    i % 8 == 7 ? 512 : BLOCK };
			op[i] = (struct engine_op) {
				.type = i % 16 == 15 ? ENGINE_FLUSH :
				    i % 2 == 0 ? ENGINE_READ : ENGINE_WRITE,
				.offset = i * BLOCK + (i % 8 == 7) * 512,
				.bytes = iov[i].iov_len, .iov = &iov[i],
				.niov = 1,
			};
			w->ops->submit(w->engine, &op[i]);
		}
		for (i = 0; i < DEPTH; i++) {
			got = await_one(w);
			ATF_REQUIRE(got >= op && got < op + DEPTH);
			ATF_CHECK_EQ(0, got->error);
			seen[got - op]++;
		}
		for (i = 0; i < DEPTH; i++)
			ATF_REQUIRE_EQ(1, seen[i]);
		ATF_CHECK(w->ops->reap(w->engine) == NULL);
	}
}

/* Half of a block each, one of them by way of the block that both are in. */
EACH(engine__parts_of_a_block_do_not_undo_each_other, FILE_BYTES)
{
	struct engine_op op[2];
	struct iovec iov[2];
	unsigned i, round;

	for (round = 1; round < 200; round++) {
		memset(w->memory, (int)round, 2 * BLOCK);
		for (i = 0; i < 2; i++) {
			iov[i] = (struct iovec) { w->memory + i * BLOCK,
			    BLOCK / 2 };
			op[i] = (struct engine_op) { .type = ENGINE_WRITE,
			    .offset = i * BLOCK / 2, .bytes = BLOCK / 2,
			    .iov = &iov[i], .niov = 1 };
			/* At an odd address it is bounced. */
			iov[i].iov_base = (uint8_t *)iov[i].iov_base + i;
			w->ops->submit(w->engine, &op[i]);
		}
		ATF_REQUIRE_EQ(0, await_one(w)->error);
		ATF_REQUIRE_EQ(0, await_one(w)->error);
		memset(w->memory, (int)round, BLOCK);
		require_file(w, 0, w->memory, BLOCK);
	}
}

/* A thread more would only cost: nothing waits for the batch. */
ATF_TC_WITHOUT_HEAD(engine__quick_calls_are_made_at_once);
ATF_TC_BODY(engine__quick_calls_are_made_at_once, tc)
{
	static const struct row quick = { &engine_sync, 0, 4,
	    UINT64_C(1000000000) };
	struct engine_op op[DEPTH];
	struct iovec iov[DEPTH];
	struct world w;
	unsigned i;

	(void)tc;
	ATF_REQUIRE(set_up(&w, &quick, FILE_BYTES));
	for (i = 0; i < DEPTH; i++) {
		iov[i] = (struct iovec) { w.memory + i * BLOCK, BLOCK };
		op[i] = (struct engine_op) { .type = ENGINE_READ,
		    .offset = i * BLOCK, .bytes = BLOCK, .iov = &iov[i],
		    .niov = 1 };
		w.ops->submit(w.engine, &op[i]);
		ATF_REQUIRE_EQ(&op[i], w.ops->reap(w.engine));
		ATF_CHECK_EQ(0, op[i].error);
	}
	tear_down(&w);
}

/* And this is how one knows that the rows with threads use them. */
ATF_TC_WITHOUT_HEAD(engine__slow_calls_are_handed_over_by_the_batch);
ATF_TC_BODY(engine__slow_calls_are_handed_over_by_the_batch, tc)
{
	static const struct row slow = { &engine_sync, 0, 4, 0 };
	struct engine_op op[DEPTH];
	struct iovec iov[DEPTH];
	struct world w;
	unsigned i;

	(void)tc;
	ATF_REQUIRE(set_up(&w, &slow, FILE_BYTES));
	for (i = 0; i < DEPTH; i++) {
		iov[i] = (struct iovec) { w.memory + i * BLOCK, BLOCK };
		op[i] = (struct engine_op) { .type = ENGINE_READ,
		    .offset = i * BLOCK, .bytes = BLOCK, .iov = &iov[i],
		    .niov = 1, .error = -1 };
		w.ops->submit(w.engine, &op[i]);
		ATF_CHECK(w.ops->reap(w.engine) == NULL);
	}
	for (i = 0; i < DEPTH; i++)
		ATF_CHECK_EQ(0, await_one(&w)->error);
	ATF_CHECK(w.ops->reap(w.engine) == NULL);
	tear_down(&w);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, engine__read);
	ATF_TP_ADD_TC(tp, engine__write);
	ATF_TP_ADD_TC(tp, engine__buffers_at_any_address);
	ATF_TP_ADD_TC(tp, engine__read_past_the_end_gives_zeroes);
	ATF_TP_ADD_TC(tp, engine__read_far_past_the_end_gives_zeroes);
	ATF_TP_ADD_TC(tp, engine__flush);
	ATF_TP_ADD_TC(tp, engine__discard);
	ATF_TP_ADD_TC(tp, engine__zero);
	ATF_TP_ADD_TC(tp, engine__zero_and_unmap);
	ATF_TP_ADD_TC(tp, engine__error_is_told);
	ATF_TP_ADD_TC(tp, engine__each_operation_is_given_back_once);
	ATF_TP_ADD_TC(tp, engine__quick_calls_are_made_at_once);
	ATF_TP_ADD_TC(tp, engine__slow_calls_are_handed_over_by_the_batch);
	ATF_TP_ADD_TC(tp, engine__parts_of_a_block_do_not_undo_each_other);
	return atf_no_error();
}
