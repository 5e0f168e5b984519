/* SPDX-License-Identifier: ISC */
/*
 * What becomes of a mapped image when its file changes under it, or cannot
 * give a page.  What every engine promises is in engine_test.c.
 */
#include <sys/mount.h>
#include <sys/stat.h>

#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blkd/backing.h"
#include "blkd/engine.h"
#include "blkd/filemap.h"
#include "blkd/sigbus.h"

#define BLOCK		4096u
#define BLOCKS		8u
#define BYTES		(BLOCKS * BLOCK)

struct world {
	struct engine	*engine;
	struct backing	*backing;
	struct filemap	*map;
	int		 fd;		/* the test's own */
	uint8_t		 block[BLOCK];
};

static void
set_up(struct world *w, const char *path, off_t bytes, bool readonly)
{
	struct engine_setup setup = { .depth = 8 };
	int fd;

	*w = (struct world) { .fd = -1 };
	w->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ATF_REQUIRE(w->fd != -1);
	ATF_REQUIRE_EQ(0, ftruncate(w->fd, bytes));
	fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	ATF_REQUIRE(fd != -1);
	ATF_REQUIRE((w->backing = backing_open(fd, readonly, 512)) != NULL);
	w->map = filemap_make(fd, (uint64_t)bytes, readonly);
	ATF_REQUIRE(w->map != NULL);
	setup.backing = w->backing;
	setup.map = w->map;
	ATF_REQUIRE((w->engine = engine_mmap.make(&setup)) != NULL);
	ATF_REQUIRE_EQ(0, sigbus_install(NULL));
}

static void
tear_down(struct world *w)
{
	engine_mmap.free(w->engine);
	filemap_free(w->map);
	backing_close(w->backing);
	close(w->fd);
}

/* One operation on w->block; its error. */
static int
run(struct world *w, enum engine_op_type type, uint64_t offset,
    uint64_t *zeroed)
{
	struct iovec iov = { w->block, BLOCK };
	struct engine_op op = { .type = type, .offset = offset,
	    .bytes = BLOCK, .iov = &iov, .niov = 1 };

	if (type == ENGINE_FLUSH)
		op = (struct engine_op) { .type = type };
	engine_mmap.submit(w->engine, &op);
	engine_mmap.kick(w->engine);
	ATF_REQUIRE_EQ(&op, engine_mmap.reap(w->engine));
	ATF_REQUIRE(engine_mmap.reap(w->engine) == NULL);
	if (zeroed != NULL)
		*zeroed = op.zeroed;
	return op.error;
}

static void
require_block(struct world *w, off_t offset, int byte)
{
	uint8_t found[BLOCK], want[BLOCK];

	memset(want, byte, BLOCK);
	ATF_REQUIRE_EQ((ssize_t)BLOCK, pread(w->fd, found, BLOCK, offset));
	ATF_CHECK_EQ(0, memcmp(found, want, BLOCK));
}

ATF_TC_WITHOUT_HEAD(shorter__read_gives_zeroes);
ATF_TC_BODY(shorter__read_gives_zeroes, tc)
{
	uint8_t zero[BLOCK] = { 0 };
	struct world w;
	uint64_t zeroed;

	(void)tc;
	set_up(&w, "image", BYTES, false);
	memset(w.block, 1, BLOCK);
	ATF_REQUIRE_EQ(0, run(&w, ENGINE_WRITE, 5 * BLOCK, NULL));
	ATF_REQUIRE_EQ(0, ftruncate(w.fd, 2 * BLOCK));
	ATF_CHECK_EQ(0, run(&w, ENGINE_READ, 5 * BLOCK, &zeroed));
	ATF_CHECK_EQ(BLOCK, zeroed);
	ATF_CHECK_EQ(0, memcmp(w.block, zero, BLOCK));
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(shorter__write_makes_it_longer);
ATF_TC_BODY(shorter__write_makes_it_longer, tc)
{
	struct world w;

	(void)tc;
	set_up(&w, "image", BYTES, false);
	ATF_REQUIRE_EQ(0, ftruncate(w.fd, 2 * BLOCK));
	memset(w.block, 7, BLOCK);
	ATF_CHECK_EQ(0, run(&w, ENGINE_WRITE, 5 * BLOCK, NULL));
	require_block(&w, 5 * BLOCK, 7);
	/* And there it is mapped again. */
	memset(w.block, 8, BLOCK);
	ATF_CHECK_EQ(0, run(&w, ENGINE_WRITE, 5 * BLOCK, NULL));
	require_block(&w, 5 * BLOCK, 8);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(shorter__flush_tells_what_was_lost);
ATF_TC_BODY(shorter__flush_tells_what_was_lost, tc)
{
	struct world w;

	(void)tc;
	set_up(&w, "image", BYTES, false);
	/* Half a page: the rest of it takes a write, and is in no file. */
	ATF_REQUIRE_EQ(0, ftruncate(w.fd, 5 * BLOCK + 512));
	memset(w.block, 9, BLOCK);
	ATF_CHECK_EQ(0, run(&w, ENGINE_WRITE, 5 * BLOCK, NULL));
	ATF_CHECK_EQ(EIO, run(&w, ENGINE_FLUSH, 0, NULL));
	ATF_CHECK_EQ(0, run(&w, ENGINE_FLUSH, 0, NULL));
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(longer__is_in_the_map);
ATF_TC_BODY(longer__is_in_the_map, tc)
{
	struct world w;

	(void)tc;
	set_up(&w, "image", BYTES, false);
	ATF_CHECK(w.map->bytes > 4 * BYTES);
	ATF_REQUIRE_EQ(0, ftruncate(w.fd, 4 * BYTES));
	memset(w.block, 3, BLOCK);
	ATF_CHECK_EQ(0, run(&w, ENGINE_WRITE, 3 * BYTES, NULL));
	require_block(&w, 3 * BYTES, 3);
	ATF_CHECK_EQ(3, w.map->at[3 * BYTES]);
	tear_down(&w);
}

/* What is past the mapping goes by the backing's calls. */
ATF_TC_WITHOUT_HEAD(map__that_is_too_short_is_passed_by);
ATF_TC_BODY(map__that_is_too_short_is_passed_by, tc)
{
	struct world w;
	size_t all;

	(void)tc;
	set_up(&w, "image", BYTES, false);
	all = w.map->bytes;
	w.map->bytes = 2 * BLOCK + 512;
	memset(w.block, 4, BLOCK);
	ATF_CHECK_EQ(0, run(&w, ENGINE_WRITE, 2 * BLOCK, NULL));
	ATF_CHECK_EQ(0, run(&w, ENGINE_WRITE, 4 * BLOCK, NULL));
	require_block(&w, 2 * BLOCK, 4);
	require_block(&w, 4 * BLOCK, 4);
	memset(w.block, 0, BLOCK);
	ATF_CHECK_EQ(0, run(&w, ENGINE_READ, 4 * BLOCK, NULL));
	ATF_CHECK_EQ(4, w.block[0]);
	w.map->bytes = all;
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(readonly__is_read);
ATF_TC_BODY(readonly__is_read, tc)
{
	struct world w;

	(void)tc;
	set_up(&w, "image", BYTES, true);
	memset(w.block, 6, BLOCK);
	ATF_REQUIRE_EQ((ssize_t)BLOCK, pwrite(w.fd, w.block, BLOCK, BLOCK));
	memset(w.block, 0, BLOCK);
	ATF_CHECK_EQ(0, run(&w, ENGINE_READ, BLOCK, NULL));
	ATF_CHECK_EQ(6, w.block[BLOCK - 1]);
	tear_down(&w);
}

/* A file with more holes than its file system has space. */
ATF_TC(no_space__is_an_error_of_its_request);
ATF_TC_HEAD(no_space__is_an_error_of_its_request, tc)
{
	atf_tc_set_md_var(tc, "require.user", "root");
}
ATF_TC_BODY(no_space__is_an_error_of_its_request, tc)
{
	unsigned i, written = 0, refused = 0;
	struct world w;
	int error;

	(void)tc;
	/* Gone with this process. */
	ATF_REQUIRE_EQ(0, unshare(CLONE_NEWNS));
	ATF_REQUIRE_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ATF_REQUIRE_EQ(0, mkdir("small", 0700));
	ATF_REQUIRE_EQ(0, mount("none", "small", "tmpfs", 0, "size=16k"));
	set_up(&w, "small/image", BYTES, false);
	memset(w.block, 2, BLOCK);
	for (i = 0; i < BLOCKS; i++) {
		error = run(&w, ENGINE_WRITE, i * BLOCK, NULL);
		ATF_CHECK(error == 0 || error == ENOSPC);
		if (error == 0) {
			written++;
			require_block(&w, (off_t)i * BLOCK, 2);
		} else
			refused++;
	}
	ATF_CHECK_EQ(4, written);
	ATF_CHECK_EQ(4, refused);
	tear_down(&w);
}

/* All that waits for a kick comes back by it, in the order it came. */
ATF_TC_WITHOUT_HEAD(order__is_kept);
ATF_TC_BODY(order__is_kept, tc)
{
	struct iovec iov[16];
	struct engine_op op[16];
	uint8_t data[16][512];
	struct world w;
	size_t i;

	(void)tc;
	set_up(&w, "image", BYTES, false);
	for (i = 0; i < 16; i++) {
		memset(data[i], (int)i + 1, 512);
		iov[i] = (struct iovec) { data[i], 512 };
		op[i] = (struct engine_op) { .iov = &iov[i], .niov = 1,
		    .type = i == 15 ? ENGINE_READ : ENGINE_WRITE,
		    .offset = BLOCK, .bytes = 512 };
		engine_mmap.submit(w.engine, &op[i]);
	}
	engine_mmap.kick(w.engine);
	for (i = 0; i < 16; i++)
		ATF_CHECK_EQ(&op[i], engine_mmap.reap(w.engine));
	ATF_CHECK_EQ(15, data[15][0]);
	ATF_CHECK_EQ(15, data[15][511]);
	tear_down(&w);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, shorter__read_gives_zeroes);
	ATF_TP_ADD_TC(tp, shorter__write_makes_it_longer);
	ATF_TP_ADD_TC(tp, shorter__flush_tells_what_was_lost);
	ATF_TP_ADD_TC(tp, longer__is_in_the_map);
	ATF_TP_ADD_TC(tp, map__that_is_too_short_is_passed_by);
	ATF_TP_ADD_TC(tp, readonly__is_read);
	ATF_TP_ADD_TC(tp, no_space__is_an_error_of_its_request);
	ATF_TP_ADD_TC(tp, order__is_kept);
	return atf_no_error();
}
