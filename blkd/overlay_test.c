/* SPDX-License-Identifier: ISC */
/* blkd/overlay: what is held is read, and in no file before it is drained. */
#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blkd/backing.h"
#include "blkd/fault_memory.h"
#include "blkd/overlay.h"
#include "shm/memfd.h"

#define SECTORS	(UINT64_C(1) << 18)	/* of the file: 128 MiB */

struct world {
	struct fault_memory	*m;
	struct backing		*b;
	int			 memoryfd, fd;
};

static void
set_up(struct world *w)
{
	w->memoryfd = memfd_make("faults", PROTO_FAULT_BYTES);
	w->m = memfd_map(w->memoryfd, PROTO_FAULT_BYTES, true);
	ATF_REQUIRE(w->m != NULL);
	w->fd = open("image", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ATF_REQUIRE(w->fd != -1);
	ATF_REQUIRE_EQ(0, ftruncate(w->fd, (off_t)SECTORS * 512));
	w->b = backing_open(dup(w->fd), false, 512);
	ATF_REQUIRE(w->b != NULL);
}

static void
tear_down(struct world *w)
{
	backing_close(w->b);
	close(w->fd);
	memfd_unmap(w->m, PROTO_FAULT_BYTES);
	close(w->memoryfd);
}

/* n sectors of one byte, in buffers that end within sectors. */
static int
put(struct world *w, uint64_t sector, uint64_t n, int byte)
{
	uint8_t *data = malloc(n * 512);
	struct iovec iov[3] = { { data, 100 }, { data + 100, 5 },
	    { data + 105, n * 512 - 105 } };
	int r;

	memset(data, byte, n * 512);
	r = overlay_put(w->m, iov, 3, sector);
	free(data);
	return r;
}

/* The byte that a sector would be read as, over zeroes. */
static int
patched(struct world *w, uint64_t sector)
{
	uint8_t data[512] = { 0 };
	struct iovec iov[2] = { { data, 3 }, { data + 3, 509 } };
	size_t i;

	overlay_patch(w->m, iov, 2, sector);
	for (i = 1; i < sizeof(data); i++)
		ATF_REQUIRE_EQ(data[0], data[i]);
	return data[0];
}

static int
in_file(struct world *w, uint64_t sector)
{
	uint8_t data[512];
	size_t i;

	ATF_REQUIRE_EQ(512, pread(w->fd, data, 512, (off_t)sector * 512));
	for (i = 1; i < sizeof(data); i++)
		ATF_REQUIRE_EQ(data[0], data[i]);
	return data[0];
}

ATF_TC_WITHOUT_HEAD(overlay__held_until_drained);
ATF_TC_BODY(overlay__held_until_drained, tc)
{
	struct world w;

	set_up(&w);
	ATF_CHECK(!overlay_holds(w.m));
	ATF_CHECK_EQ(0, put(&w, 10, 4, 'a'));
	ATF_CHECK_EQ(0, put(&w, 12, 4, 'b'));
	ATF_CHECK(overlay_holds(w.m));
	ATF_CHECK_EQ(0, patched(&w, 9));
	ATF_CHECK_EQ('a', patched(&w, 11));
	ATF_CHECK_EQ('b', patched(&w, 12));
	ATF_CHECK_EQ('b', patched(&w, 15));
	ATF_CHECK_EQ(0, patched(&w, 16));
	ATF_CHECK_EQ(0, in_file(&w, 12));
	ATF_CHECK_EQ(0, overlay_drain(w.m, w.b, SECTORS));
	ATF_CHECK(!overlay_holds(w.m));
	ATF_CHECK_EQ(0, patched(&w, 12));
	ATF_CHECK_EQ(0, in_file(&w, 9));
	ATF_CHECK_EQ('a', in_file(&w, 11));
	ATF_CHECK_EQ('b', in_file(&w, 12));
	ATF_CHECK_EQ('b', in_file(&w, 15));
	ATF_CHECK_EQ(0, in_file(&w, 16));
	tear_down(&w);
}

/* Sectors of one place in the table. */
ATF_TC_WITHOUT_HEAD(overlay__collisions_are_kept_apart);
ATF_TC_BODY(overlay__collisions_are_kept_apart, tc)
{
	struct world w;
	unsigned round;

	set_up(&w);
	for (round = 0; round < 3; round++) {
		ATF_CHECK_EQ(0, put(&w, FAULT_MEMORY_SECTORS - 1, 2, 'a'));
		ATF_CHECK_EQ(0, put(&w, 0, 2, 'b'));
		ATF_CHECK_EQ('a', patched(&w, FAULT_MEMORY_SECTORS));
		ATF_CHECK_EQ('b', patched(&w, 0));
		ATF_CHECK_EQ('b', patched(&w, 1));
		ATF_CHECK_EQ(0, overlay_drain(w.m, w.b, SECTORS));
		ATF_CHECK_EQ('a', in_file(&w, FAULT_MEMORY_SECTORS - 1));
		ATF_CHECK_EQ('a', in_file(&w, FAULT_MEMORY_SECTORS));
		ATF_CHECK_EQ('b', in_file(&w, 0));
		ATF_CHECK_EQ('b', in_file(&w, 1));
	}
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(overlay__updates_only_what_is_held);
ATF_TC_BODY(overlay__updates_only_what_is_held, tc)
{
	uint8_t data[1024];
	struct iovec iov = { data, sizeof(data) };
	struct world w;

	set_up(&w);
	ATF_CHECK_EQ(0, put(&w, 10, 1, 'a'));
	memset(data, 'c', sizeof(data));
	overlay_update(w.m, &iov, 1, 10);
	ATF_CHECK_EQ('c', patched(&w, 10));
	ATF_CHECK_EQ(0, patched(&w, 11));
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(overlay__is_bounded);
ATF_TC_BODY(overlay__is_bounded, tc)
{
	uint64_t sector = 0, n = 4096;
	struct world w;

	set_up(&w);
	while (put(&w, sector, n, 'a') == 0)
		sector += n;
	ATF_CHECK_EQ(ENOSPC, errno);
	ATF_CHECK_EQ(FAULT_MEMORY_SECTORS / 4 * 3, sector);
	ATF_CHECK_EQ(0, patched(&w, sector));
	ATF_CHECK_EQ(0, overlay_drain(w.m, w.b, SECTORS));
	ATF_CHECK_EQ('a', in_file(&w, sector - 1));
	ATF_CHECK_EQ(0, put(&w, sector, n, 'b'));
	tear_down(&w);
}

/* A full table, sectors past the end: bounded, and nothing beyond. */
ATF_TC_WITHOUT_HEAD(overlay__corrupt_memory_is_harmless);
ATF_TC_BODY(overlay__corrupt_memory_is_harmless, tc)
{
	struct world w;
	uint32_t i;

	set_up(&w);
	w.m->s_used = 1;
	for (i = 0; i < FAULT_MEMORY_SECTORS; i++) {
		w.m->s_entry[i].s_generation = 1;
		w.m->s_entry[i].s_sector = i % 2 == 0 ? UINT64_MAX - i :
		    SECTORS + i;
	}
	ATF_CHECK_EQ(0, patched(&w, 5));
	ATF_CHECK_EQ(0, overlay_drain(w.m, w.b, SECTORS));
	ATF_CHECK_EQ((off_t)SECTORS * 512, lseek(w.fd, 0, SEEK_END));
	ATF_CHECK(!overlay_holds(w.m));
	tear_down(&w);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, overlay__held_until_drained);
	ATF_TP_ADD_TC(tp, overlay__collisions_are_kept_apart);
	ATF_TP_ADD_TC(tp, overlay__updates_only_what_is_held);
	ATF_TP_ADD_TC(tp, overlay__is_bounded);
	ATF_TP_ADD_TC(tp, overlay__corrupt_memory_is_harmless);
	return atf_no_error();
}
