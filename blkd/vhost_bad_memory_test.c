/* SPDX-License-Identifier: ISC */
/*
 * A front-end that hands over memory, or requests in flight, that it should
 * not: each way of being wrong closes its connection, with a reason in the
 * log, and blkd serves the next one.
 */
#include <sys/mman.h>

#include <linux/virtio_blk.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "blkd/vhost_harness.h"
#include "shm/gmem.h"
#include "shm/memfd.h"

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))

static void
start(struct vhost_harness *h)
{
	harness_make(h);
	harness_spawn(h, NULL);
}

static void
connect_and_negotiate(struct vhost_harness *h)
{
	harness_connect(h);
	harness_negotiate(h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
}

/* --- memory ------------------------------------------------------------- */

CASE(memory__each_region_is_checked)
{
	const uint64_t M = RING_MEMORY, A = HARNESS_ADDRESS;
	const struct {
		struct vhost_mem_region	 r[2];
		uint32_t		 n;
		const char		*why;
	} bad[] = {
		{ { { 0, 0, A, 0 } }, 1, "0 bytes" },
		{ { { 0, UINT64_MAX, A, 0 } }, 1, "a region of" },
		{ { { UINT64_MAX - 4096, 8192, A, 0 } }, 1, "past the end" },
		{ { { 0, 8192, UINT64_MAX - 4096, 0 } }, 1, "past the end" },
		{ { { 0, 8192, A, UINT64_MAX - 4096 } }, 1, "past the end" },
		{ { { 0, M + 1, A, 0 } }, 1, "are announced" },
		{ { { 0, M, A, 4096 } }, 1, "are announced" },
		{ { { 0, 8192, A, M } }, 1, "are announced" },
		{ { { 0, 8192, A, 0 }, { 4096, 8192, A + M, 0 } }, 2,
		    "overlaps" },
		{ { { 0, 8192, A, 0 }, { M, 8192, A + 8191, 0 } }, 2,
		    "overlaps" },
	};
	struct vhost_mem_table t;
	struct vhost_harness h;
	int fds[2];
	size_t i;

	(void)tc;
	start(&h);
	fds[0] = fds[1] = h.ring.gmemfd;
	for (i = 0; i < NITEMS(bad); i++) {
		connect_and_negotiate(&h);
		memset(&t, 0, sizeof(t));
		t.m_regions = bad[i].n;
		memcpy(t.m_region, bad[i].r, sizeof(bad[i].r));
		harness_send(&h, VHOST_SET_MEM_TABLE, &t, (uint32_t)
		    offsetof(struct vhost_mem_table, m_region) +
		    bad[i].n * 32, fds, bad[i].n);
		harness_expect_refused(&h, bad[i].why);
		harness_disconnect(&h);
		connect_and_negotiate(&h);
		harness_send(&h, VHOST_SET_MEM_TABLE, &t, (uint32_t)
		    offsetof(struct vhost_mem_table, m_region) +
		    bad[i].n * 32, fds, bad[i].n - 1);
		harness_expect_refused(&h, "descriptors");
		harness_disconnect(&h);
	}
	harness_free(&h);
}

CASE(memory__descriptor_of_another_kind)
{
	struct vhost_mem_table t = { .m_regions = 1 };
	struct vhost_harness h;
	int fds[4], pair[2];
	size_t i;

	(void)tc;
	start(&h);
	ATF_REQUIRE(pipe2(pair, O_CLOEXEC) == 0);
	fds[0] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	fds[1] = pair[0];
	fds[2] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	fds[3] = h.errfd;
	harness_region(&h, &t.m_region[0]);
	t.m_region[0].m_bytes = 4096;
	for (i = 0; i < NITEMS(fds); i++) {
		connect_and_negotiate(&h);
		harness_send(&h, VHOST_SET_MEM_TABLE, &t,
		    offsetof(struct vhost_mem_table, m_region[1]), &fds[i], 1);
		harness_expect_refused(&h, "no memory file");
		harness_disconnect(&h);
	}
	close(fds[0]);
	close(fds[2]);
	close(pair[0]);
	close(pair[1]);
	harness_free(&h);
}

CASE(memory__that_cannot_be_written)
{
	struct vhost_mem_single s = { .m_pad = 0 };
	struct vhost_harness h;
	char path[64];
	int fd;

	(void)tc;
	start(&h);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", h.ring.gmemfd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ATF_REQUIRE(fd != -1);
	connect_and_negotiate(&h);
	harness_region(&h, &s.m_region);
	harness_send(&h, VHOST_ADD_MEM_REG, &s, sizeof(s), &fd, 1);
	harness_expect_refused(&h, "cannot be mapped");
	close(fd);
	harness_free(&h);
}

CASE(memory__slots)
{
	struct vhost_mem_single s = { .m_pad = 0 };
	struct vhost_harness h;
	unsigned i;

	(void)tc;
	start(&h);
	connect_and_negotiate(&h);
	ATF_CHECK_EQ(GMEM_REGIONS_MAX,
	    harness_ask_u64(&h, VHOST_GET_MAX_MEM_SLOTS));
	for (i = 0; i <= GMEM_REGIONS_MAX; i++) {
		s.m_region = (struct vhost_mem_region) {
			.m_gpa = i * 4096, .m_bytes = 4096,
			.m_address = HARNESS_ADDRESS + i * 4096,
			.m_offset = i * 4096,
		};
		harness_send(&h, VHOST_ADD_MEM_REG, &s, sizeof(s),
		    &h.ring.gmemfd, 1);
	}
	harness_expect_refused(&h, "more than 32 regions");
	harness_disconnect(&h);
	connect_and_negotiate(&h);
	harness_send(&h, VHOST_REM_MEM_REG, &s, sizeof(s), NULL, 0);
	harness_expect_refused(&h, "there is no region");
	harness_free(&h);
}

/* Memory that shrinks costs the connection, not the process. */
static void
shrink(bool rings_too)
{
	struct vhost_mem_table t = { .m_regions = 1 };
	struct vhost_harness h;
	int fd;

	start(&h);
	fd = memfd_create("unsealed", MFD_CLOEXEC);
	ATF_REQUIRE(fd != -1 && ftruncate(fd, RING_MEMORY) == 0);
	harness_connect(&h);
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	harness_region(&h, &t.m_region[0]);
	harness_send(&h, VHOST_SET_MEM_TABLE, &t,
	    offsetof(struct vhost_mem_table, m_region[1]), &fd, 1);
	harness_ring(&h, 0, 0);
	harness_sync(&h);
	/* The rings of `h` are in other memory; this one has zeroes. */
	ATF_REQUIRE(ftruncate(fd, rings_too ? 0 : RING_HEADER_GPA) == 0);
	ring_harness_kick(&h.ring);
	if (rings_too)
		harness_expect_refused(&h, "has shrunk");
	else
		harness_sync(&h);
	harness_disconnect(&h);
	harness_go_live(&h);
	ring_harness_request(&h.ring, 0, VIRTIO_BLK_T_IN, 0, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h.ring, 0, NULL));
	close(fd);
	harness_free(&h);
}

CASE(memory__shrinks_under_the_rings)
{
	(void)tc;
	shrink(true);
}

CASE(memory__shrinks_elsewhere)
{
	(void)tc;
	shrink(false);
}

/* --- inflight ----------------------------------------------------------- */

/*
 * Guest addresses are aligned, and the memory behind them is not: no ring is
 * read there.
 */
CASE(memory__at_an_odd_offset)
{
	struct vhost_mem_table t = { .m_regions = 1 };
	struct vhost_harness h;

	(void)tc;
	start(&h);
	connect_and_negotiate(&h);
	harness_region(&h, &t.m_region[0]);
	t.m_region[0].m_bytes -= 4096;
	t.m_region[0].m_offset = 1;
	harness_send(&h, VHOST_SET_MEM_TABLE, &t,
	    offsetof(struct vhost_mem_table, m_region[1]), &h.ring.gmemfd, 1);
	harness_ring(&h, 0, 0);
	harness_sync(&h);
	ATF_CHECK(harness_has_said("ring 0 is not served: its size or its"
	    " addresses"));
	harness_free(&h);
}

CASE(inflight__is_checked)
{
	struct vhost_inflight i;
	struct vhost_harness h;
	int fd;

	(void)tc;
	start(&h);
	connect_and_negotiate(&h);
	harness_get_inflight(&h);
	i = h.inflight;
	i.m_queues = 2;
	harness_send(&h, VHOST_SET_INFLIGHT_FD, &i, sizeof(i), &h.inflightfd,
	    1);
	harness_expect_refused(&h, "2 queues");
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	i = h.inflight;
	i.m_queue_size = 1024;
	harness_send(&h, VHOST_GET_INFLIGHT_FD, &i, sizeof(i), NULL, 0);
	harness_expect_refused(&h, "of 1024 entries");
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	i = h.inflight;
	i.m_bytes -= 64;
	harness_send(&h, VHOST_SET_INFLIGHT_FD, &i, sizeof(i), &h.inflightfd,
	    1);
	harness_expect_refused(&h, "not what GET_INFLIGHT_FD gave");
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	harness_send(&h, VHOST_SET_INFLIGHT_FD, &h.inflight,
	    sizeof(h.inflight), NULL, 0);
	harness_expect_refused(&h, "descriptors");
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	fd = memfd_make("zeroes", h.inflight.m_bytes);
	harness_send(&h, VHOST_SET_INFLIGHT_FD, &h.inflight,
	    sizeof(h.inflight), &fd, 1);
	harness_expect_refused(&h, "not of a blkd");
	close(fd);
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	fd = memfd_create("unsealed", MFD_CLOEXEC);
	ATF_REQUIRE(ftruncate(fd, (off_t)h.inflight.m_bytes) == 0);
	harness_send(&h, VHOST_SET_INFLIGHT_FD, &h.inflight,
	    sizeof(h.inflight), &fd, 1);
	harness_expect_refused(&h, "not of a blkd");
	close(fd);
	harness_free(&h);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, memory__each_region_is_checked);
	ATF_TP_ADD_TC(tp, memory__descriptor_of_another_kind);
	ATF_TP_ADD_TC(tp, memory__that_cannot_be_written);
	ATF_TP_ADD_TC(tp, memory__slots);
	ATF_TP_ADD_TC(tp, memory__shrinks_under_the_rings);
	ATF_TP_ADD_TC(tp, memory__shrinks_elsewhere);
	ATF_TP_ADD_TC(tp, memory__at_an_odd_offset);
	ATF_TP_ADD_TC(tp, inflight__is_checked);
	return atf_no_error();
}
