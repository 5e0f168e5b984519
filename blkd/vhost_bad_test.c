/* SPDX-License-Identifier: ISC */
/*
 * A front-end that does what it should not: each way of being wrong closes
 * its connection, with a reason in the log, and blkd serves the next one.
 */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <linux/virtio_blk.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "blkd/vhost_harness.h"
#include "shm/gmem.h"
#include "shm/memfd.h"
#include "shm/shared.h"
#include "util/fd.h"

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

/* The connection is closed, the log says why, and the next one is served. */
static void
refused(struct vhost_harness *h, const char *why)
{
	harness_expect_closed(h);
	harness_wait_said(why);
	/* The file stays open in blkd: what was said is taken away. */
	ATF_REQUIRE(truncate(HARNESS_LOG, 0) == 0);
	harness_connect(h);
	harness_sync(h);
}

static void
connect_and_negotiate(struct vhost_harness *h)
{
	harness_connect(h);
	harness_negotiate(h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
}

/* --- framing ------------------------------------------------------------ */

CASE(header__is_checked)
{
	static const struct {
		struct vhost_header	 h;
		const char		*why;
	} bad[] = {
		{ { 0, VHOST_VERSION, 0 }, "no such message" },
		{ { 1000, VHOST_VERSION, 0 }, "no such message" },
		{ { VHOST_GET_FEATURES, 0, 0 }, "flags" },
		{ { VHOST_GET_FEATURES, 2, 0 }, "flags" },
		{ { VHOST_GET_FEATURES, VHOST_VERSION | VHOST_REPLY, 0 },
		    "flags" },
		{ { VHOST_GET_FEATURES, VHOST_VERSION | 0x10, 0 }, "flags" },
		{ { VHOST_GET_FEATURES, VHOST_VERSION | VHOST_NEED_REPLY, 0 },
		    "REPLY_ACK is not negotiated" },
		{ { VHOST_GET_FEATURES, VHOST_VERSION, UINT32_MAX },
		    "longer than" },
		{ { VHOST_GET_FEATURES, VHOST_VERSION, 1024 },
		    "longer than" },
	};
	struct vhost_harness h;
	size_t i;

	(void)tc;
	start(&h);
	harness_connect(&h);
	for (i = 0; i < NITEMS(bad); i++) {
		harness_send_raw(&h, &bad[i].h, sizeof(bad[i].h), NULL, 0);
		refused(&h, bad[i].why);
	}
	harness_free(&h);
}

CASE(payload__of_another_size)
{
	static const struct {
		uint32_t	request;
		uint32_t	bytes;
	} bad[] = {
		{ VHOST_GET_FEATURES, 8 }, { VHOST_SET_FEATURES, 0 },
		{ VHOST_SET_FEATURES, 4 }, { VHOST_SET_FEATURES, 16 },
		{ VHOST_SET_OWNER, 8 }, { VHOST_RESET_OWNER, 8 },
		{ VHOST_SET_MEM_TABLE, 0 }, { VHOST_SET_MEM_TABLE, 7 },
		{ VHOST_SET_MEM_TABLE, 40 }, { VHOST_SET_VRING_NUM, 4 },
		{ VHOST_SET_VRING_ADDR, 8 }, { VHOST_SET_VRING_ADDR, 48 },
		{ VHOST_SET_VRING_BASE, 0 }, { VHOST_GET_VRING_BASE, 0 },
		{ VHOST_SET_VRING_KICK, 4 }, { VHOST_SET_VRING_CALL, 0 },
		{ VHOST_SET_VRING_ERR, 16 },
		{ VHOST_GET_PROTOCOL_FEATURES, 8 },
		{ VHOST_SET_PROTOCOL_FEATURES, 0 },
		{ VHOST_GET_QUEUE_NUM, 8 }, { VHOST_SET_VRING_ENABLE, 4 },
		{ VHOST_GET_CONFIG, 0 }, { VHOST_GET_CONFIG, 11 },
		{ VHOST_SET_CONFIG, 8 }, { VHOST_RESET_DEVICE, 8 },
		{ VHOST_GET_MAX_MEM_SLOTS, 8 }, { VHOST_ADD_MEM_REG, 32 },
		{ VHOST_REM_MEM_REG, 8 }, { VHOST_GET_INFLIGHT_FD, 16 },
		{ VHOST_SET_INFLIGHT_FD, 8 },
	};
	static const uint8_t zero[64];
	struct vhost_harness h;
	size_t i;

	(void)tc;
	start(&h);
	harness_connect(&h);
	for (i = 0; i < NITEMS(bad); i++) {
		harness_negotiate(&h, HARNESS_FEATURES,
		    VHOST_PROTOCOL_OFFERED);
		harness_send(&h, bad[i].request, zero, bad[i].bytes, NULL, 0);
		refused(&h, "bytes");
	}
	harness_free(&h);
}

CASE(message__not_offered)
{
	static const uint32_t requests[] = {
		VHOST_SET_LOG_BASE, VHOST_SET_LOG_FD, VHOST_SEND_RARP,
		VHOST_NET_SET_MTU, VHOST_SET_BACKEND_REQ_FD, VHOST_IOTLB_MSG,
		VHOST_SET_VRING_ENDIAN, VHOST_CREATE_CRYPTO_SESSION,
		VHOST_CLOSE_CRYPTO_SESSION, VHOST_POSTCOPY_ADVISE,
		VHOST_POSTCOPY_LISTEN, VHOST_POSTCOPY_END,
		VHOST_GPU_SET_SOCKET, VHOST_VRING_KICK, VHOST_SET_STATUS,
		VHOST_GET_STATUS, VHOST_GET_SHARED_OBJECT,
		VHOST_SET_DEVICE_STATE_FD, VHOST_CHECK_DEVICE_STATE,
	};
	struct vhost_harness h;
	size_t i;

	(void)tc;
	start(&h);
	harness_connect(&h);
	for (i = 0; i < NITEMS(requests); i++) {
		harness_tell_u64(&h, requests[i], 0);
		refused(&h, "not offered");
	}
	harness_free(&h);
}

CASE(message__feature_not_negotiated)
{
	static const uint32_t requests[] = {
		VHOST_GET_CONFIG, VHOST_SET_CONFIG, VHOST_RESET_DEVICE,
		VHOST_GET_MAX_MEM_SLOTS, VHOST_ADD_MEM_REG, VHOST_REM_MEM_REG,
		VHOST_GET_INFLIGHT_FD, VHOST_SET_INFLIGHT_FD,
	};
	struct vhost_harness h;
	size_t i;

	(void)tc;
	start(&h);
	harness_connect(&h);
	for (i = 0; i < NITEMS(requests); i++) {
		harness_send(&h, requests[i], NULL, 0, NULL, 0);
		refused(&h, "not negotiated");
	}
	harness_free(&h);
}

CASE(stream__cut_in_a_message)
{
	const struct vhost_header header = { VHOST_SET_FEATURES,
	    VHOST_VERSION, 8 };
	struct vhost_harness h;
	size_t n;

	(void)tc;
	start(&h);
	for (n = 1; n <= sizeof(header); n++) {
		harness_connect(&h);
		harness_send_raw(&h, &header, n, NULL, 0);
		harness_disconnect(&h);
		harness_wait_said("ended within a message");
		ATF_REQUIRE(truncate(HARNESS_LOG, 0) == 0);
	}
	harness_connect(&h);
	harness_sync(&h);
	harness_free(&h);
}

CASE(stream__byte_by_byte)
{
	struct {
		struct vhost_header	h;
		uint64_t		v;
	} __attribute__((__packed__)) m = {
		{ VHOST_SET_PROTOCOL_FEATURES, VHOST_VERSION, 8 }, 0
	};
	struct vhost_harness h;
	size_t i;

	(void)tc;
	start(&h);
	harness_connect(&h);
	for (i = 0; i < sizeof(m); i++)
		harness_send_raw(&h, (uint8_t *)&m + i, 1, NULL, 0);
	harness_sync(&h);
	harness_free(&h);
}

/* --- descriptors -------------------------------------------------------- */

CASE(fds__where_there_are_none)
{
	struct vhost_harness h;
	int fds[20];
	size_t i;

	(void)tc;
	start(&h);
	for (i = 0; i < NITEMS(fds); i++)
		fds[i] = h.errfd;
	harness_connect(&h);
	harness_send(&h, VHOST_GET_FEATURES, NULL, 0, fds, 1);
	refused(&h, "descriptors");
	harness_send(&h, VHOST_GET_FEATURES, NULL, 0, fds, 8);
	refused(&h, "descriptors");
	harness_send(&h, VHOST_GET_FEATURES, NULL, 0, fds, 20);
	refused(&h, "more descriptors than");
	harness_free(&h);
}

CASE(fds__rings)
{
	static const uint32_t requests[] = { VHOST_SET_VRING_KICK,
	    VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR };
	struct vhost_harness h;
	int bad[5], pair[2], good;
	uint64_t zero = 0, none = VHOST_RING_NO_FD, what = 0x200;
	size_t i, j;

	(void)tc;
	start(&h);
	good = h.errfd;
	ATF_REQUIRE(pipe2(pair, O_CLOEXEC) == 0);
	bad[0] = pair[0];
	bad[1] = pair[1];
	bad[2] = h.ring.gmemfd;
	bad[3] = open("/dev/null", O_RDWR | O_CLOEXEC);
	bad[4] = open("/", O_RDONLY | O_CLOEXEC);
	harness_connect(&h);
	for (i = 0; i < NITEMS(requests); i++) {
		harness_send(&h, requests[i], &zero, sizeof(zero), NULL, 0);
		refused(&h, "descriptors");
		harness_send(&h, requests[i], &none, sizeof(none), &good, 1);
		refused(&h, "descriptors");
		harness_send(&h, requests[i], &what, sizeof(what), &good, 1);
		refused(&h, "no ring");
		for (j = 0; j < NITEMS(bad); j++) {
			harness_send(&h, requests[i], &zero, sizeof(zero),
			    &bad[j], 1);
			refused(&h, "no eventfd");
		}
	}
	close(bad[3]);
	close(bad[4]);
	close(pair[0]);
	close(pair[1]);
	harness_free(&h);
}

/* --- values ------------------------------------------------------------- */

CASE(features__not_offered)
{
	struct vhost_harness h;

	(void)tc;
	start(&h);
	harness_connect(&h);
	harness_tell_u64(&h, VHOST_SET_FEATURES, UINT64_C(1) << 63);
	refused(&h, "not offered");
	harness_tell_u64(&h, VHOST_SET_PROTOCOL_FEATURES, UINT64_C(2));
	refused(&h, "not offered");
	harness_free(&h);
}

CASE(rings__out_of_range)
{
	static const uint32_t requests[] = { VHOST_SET_VRING_NUM,
	    VHOST_SET_VRING_BASE, VHOST_GET_VRING_BASE,
	    VHOST_SET_VRING_ENABLE };
	struct vhost_vring_addr addr = { .m_index = 1 };
	uint64_t one = 1;
	struct vhost_harness h;
	size_t i;

	(void)tc;
	start(&h);
	harness_connect(&h);
	for (i = 0; i < NITEMS(requests); i++) {
		harness_tell_state(&h, requests[i], 1, 1);
		refused(&h, "no ring 1");
		harness_tell_state(&h, requests[i], UINT32_MAX, 1);
		refused(&h, "no ring 4294967295");
	}
	harness_send(&h, VHOST_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	refused(&h, "no ring 1");
	harness_send(&h, VHOST_SET_VRING_KICK, &one, sizeof(one), &h.errfd,
	    1);
	refused(&h, "no ring 1");
	harness_tell_state(&h, VHOST_SET_VRING_NUM, 0, 512);
	refused(&h, "at most 256");
	harness_tell_state(&h, VHOST_SET_VRING_BASE, 0, 65536);
	refused(&h, "avail index");
	harness_tell_state(&h, VHOST_SET_VRING_ENABLE, 0, 2);
	refused(&h, "not by 2");
	addr = (struct vhost_vring_addr) { .m_flags = 1 };
	harness_send(&h, VHOST_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	refused(&h, "logging");
	harness_free(&h);
}

CASE(rings__changed_while_started)
{
	struct vhost_harness h;

	(void)tc;
	start(&h);
	harness_go_live(&h);
	harness_tell_state(&h, VHOST_SET_VRING_NUM, 0, 64);
	refused(&h, "ring 0 is started");
	harness_disconnect(&h);
	harness_go_live(&h);
	harness_tell_state(&h, VHOST_SET_VRING_BASE, 0, 1);
	refused(&h, "ring 0 is started");
	harness_free(&h);
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
		refused(&h, bad[i].why);
		harness_disconnect(&h);
		connect_and_negotiate(&h);
		harness_send(&h, VHOST_SET_MEM_TABLE, &t, (uint32_t)
		    offsetof(struct vhost_mem_table, m_region) +
		    bad[i].n * 32, fds, bad[i].n - 1);
		refused(&h, "descriptors");
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
		refused(&h, "no memory file");
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
	refused(&h, "cannot be mapped");
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
	refused(&h, "more than 32 regions");
	harness_disconnect(&h);
	connect_and_negotiate(&h);
	harness_send(&h, VHOST_REM_MEM_REG, &s, sizeof(s), NULL, 0);
	refused(&h, "there is no region");
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
		refused(&h, "has shrunk");
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
	refused(&h, "2 queues");
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	i = h.inflight;
	i.m_queue_size = 1024;
	harness_send(&h, VHOST_GET_INFLIGHT_FD, &i, sizeof(i), NULL, 0);
	refused(&h, "of 1024 entries");
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	i = h.inflight;
	i.m_bytes -= 64;
	harness_send(&h, VHOST_SET_INFLIGHT_FD, &i, sizeof(i), &h.inflightfd,
	    1);
	refused(&h, "not what GET_INFLIGHT_FD gave");
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	harness_send(&h, VHOST_SET_INFLIGHT_FD, &h.inflight,
	    sizeof(h.inflight), NULL, 0);
	refused(&h, "descriptors");
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	fd = memfd_make("zeroes", h.inflight.m_bytes);
	harness_send(&h, VHOST_SET_INFLIGHT_FD, &h.inflight,
	    sizeof(h.inflight), &fd, 1);
	refused(&h, "not of a blkd");
	close(fd);
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	fd = memfd_create("unsealed", MFD_CLOEXEC);
	ATF_REQUIRE(ftruncate(fd, (off_t)h.inflight.m_bytes) == 0);
	harness_send(&h, VHOST_SET_INFLIGHT_FD, &h.inflight,
	    sizeof(h.inflight), &fd, 1);
	refused(&h, "not of a blkd");
	close(fd);
	harness_free(&h);
}

/* Eventfds that a front-end makes block hold nobody but its own ring. */
CASE(rings__eventfds_that_block)
{
	struct vhost_harness h;
	eventfd_t v;
	int i;

	(void)tc;
	start(&h);
	for (i = 0; i < 3; i++) {
		harness_go_live(&h);
		ATF_REQUIRE(fd_set_nonblock(h.ring.disk.irqfd, 0) == 0);
		ATF_REQUIRE(fd_set_nonblock(h.ring.disk.kickfd[0], 0) == 0);
		(void)eventfd_write(h.ring.disk.irqfd, UINT64_MAX - 1);
		ring_harness_request(&h.ring, 0, VIRTIO_BLK_T_IN, 0, 512);
		ring_harness_offer(&h.ring, ring_harness_head(0));
		ring_harness_kick(&h.ring);
		ring_harness_wait_used(&h.ring, 1);
		(void)ring_harness_take_used(&h.ring);
		harness_disconnect(&h);
		harness_connect(&h);
		harness_sync(&h);
		harness_disconnect(&h);
		ATF_REQUIRE(fd_set_nonblock(h.ring.disk.irqfd, 1) == 0);
		(void)eventfd_read(h.ring.disk.irqfd, &v);
		/* A fresh ring for the next time. */
		shared_store(&h.ring.avail->g_idx, 0);
		shared_store(&h.ring.used->g_idx, 0);
		h.ring.avail_idx = h.ring.used_idx = 0;
	}
	harness_free(&h);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, header__is_checked);
	ATF_TP_ADD_TC(tp, payload__of_another_size);
	ATF_TP_ADD_TC(tp, message__not_offered);
	ATF_TP_ADD_TC(tp, message__feature_not_negotiated);
	ATF_TP_ADD_TC(tp, stream__cut_in_a_message);
	ATF_TP_ADD_TC(tp, stream__byte_by_byte);
	ATF_TP_ADD_TC(tp, fds__where_there_are_none);
	ATF_TP_ADD_TC(tp, fds__rings);
	ATF_TP_ADD_TC(tp, features__not_offered);
	ATF_TP_ADD_TC(tp, rings__out_of_range);
	ATF_TP_ADD_TC(tp, rings__changed_while_started);
	ATF_TP_ADD_TC(tp, memory__each_region_is_checked);
	ATF_TP_ADD_TC(tp, memory__descriptor_of_another_kind);
	ATF_TP_ADD_TC(tp, memory__that_cannot_be_written);
	ATF_TP_ADD_TC(tp, memory__slots);
	ATF_TP_ADD_TC(tp, memory__shrinks_under_the_rings);
	ATF_TP_ADD_TC(tp, memory__shrinks_elsewhere);
	ATF_TP_ADD_TC(tp, inflight__is_checked);
	ATF_TP_ADD_TC(tp, rings__eventfds_that_block);
	return atf_no_error();
}
