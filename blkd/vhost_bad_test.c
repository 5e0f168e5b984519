/* SPDX-License-Identifier: ISC */
/*
 * A front-end that does what it should not: each way of being wrong closes
 * its connection, with a reason in the log, and blkd serves the next one.
 * What is wrong with memory is in vhost_bad_memory_test.c.
 */
#include <sys/eventfd.h>

#include <linux/virtio_blk.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blkd/vhost_harness.h"
#include "shm/shared.h"
#include "util/fd.h"
#include "util/lograte.h"

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
		harness_expect_refused(&h, bad[i].why);
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
		harness_expect_refused(&h, "bytes");
	}
	harness_free(&h);
}

CASE(message__not_offered)
{
	static const uint32_t requests[] = {
		VHOST_SET_LOG_BASE, VHOST_SET_LOG_FD, VHOST_SEND_RARP,
		VHOST_NET_SET_MTU, VHOST_IOTLB_MSG,
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
		harness_expect_refused(&h, "not offered");
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
		harness_expect_refused(&h, "not negotiated");
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
	harness_expect_refused(&h, "descriptors");
	harness_send(&h, VHOST_GET_FEATURES, NULL, 0, fds, 8);
	harness_expect_refused(&h, "descriptors");
	harness_send(&h, VHOST_GET_FEATURES, NULL, 0, fds, 20);
	harness_expect_refused(&h, "more descriptors than");
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
		harness_expect_refused(&h, "descriptors");
		harness_send(&h, requests[i], &none, sizeof(none), &good, 1);
		harness_expect_refused(&h, "descriptors");
		harness_send(&h, requests[i], &what, sizeof(what), &good, 1);
		harness_expect_refused(&h, "no ring");
		for (j = 0; j < NITEMS(bad); j++) {
			harness_send(&h, requests[i], &zero, sizeof(zero),
			    &bad[j], 1);
			harness_expect_refused(&h, "no eventfd");
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
	harness_expect_refused(&h, "not offered");
	harness_tell_u64(&h, VHOST_SET_PROTOCOL_FEATURES, UINT64_C(2));
	harness_expect_refused(&h, "not offered");
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
		harness_expect_refused(&h, "no ring 1");
		harness_tell_state(&h, requests[i], UINT32_MAX, 1);
		harness_expect_refused(&h, "no ring 4294967295");
	}
	harness_send(&h, VHOST_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	harness_expect_refused(&h, "no ring 1");
	harness_send(&h, VHOST_SET_VRING_KICK, &one, sizeof(one), &h.errfd,
	    1);
	harness_expect_refused(&h, "no ring 1");
	harness_tell_state(&h, VHOST_SET_VRING_NUM, 0, 512);
	harness_expect_refused(&h, "at most 256");
	harness_tell_state(&h, VHOST_SET_VRING_BASE, 0, 65536);
	harness_expect_refused(&h, "avail index");
	harness_tell_state(&h, VHOST_SET_VRING_ENABLE, 0, 2);
	harness_expect_refused(&h, "not by 2");
	addr = (struct vhost_vring_addr) { .m_flags = 1 };
	harness_send(&h, VHOST_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	harness_expect_refused(&h, "logging");
	harness_free(&h);
}

CASE(rings__changed_while_started)
{
	struct vhost_harness h;

	(void)tc;
	start(&h);
	harness_go_live(&h);
	harness_tell_state(&h, VHOST_SET_VRING_NUM, 0, 64);
	harness_expect_refused(&h, "ring 0 is started");
	harness_disconnect(&h);
	harness_go_live(&h);
	harness_tell_state(&h, VHOST_SET_VRING_BASE, 0, 1);
	harness_expect_refused(&h, "ring 0 is started");
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

/* Nor does the one for errors hold the thread that answers messages. */
CASE(rings__error_eventfd_that_blocks)
{
	struct vhost_harness h;

	(void)tc;
	start(&h);
	harness_go_live(&h);
	ATF_REQUIRE(fd_set_nonblock(h.errfd, 0) == 0);
	ATF_REQUIRE(eventfd_write(h.errfd, UINT64_MAX - 1) == 0);
	ring_harness_offer(&h.ring, HARNESS_NUM);	/* no such head */
	ring_harness_kick(&h.ring);
	harness_wait_said("ring 0 is not served: it is corrupt");
	harness_sync(&h);
	harness_disconnect(&h);
	harness_connect(&h);
	harness_sync(&h);
	harness_free(&h);
}

/* --- the log ------------------------------------------------------------ */

static unsigned
lines_of_log(void)
{
	static char text[1 << 20];
	ssize_t i, n;
	unsigned lines = 0;
	int fd = open(HARNESS_LOG, O_RDONLY | O_CLOEXEC);

	ATF_REQUIRE(fd != -1);
	n = read(fd, text, sizeof(text));
	close(fd);
	for (i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

/* Who comes and goes does not fill it; what is not there is counted. */
CASE(log__of_a_front_end_in_a_loop)
{
	struct vhost_harness h;
	time_t began = time(NULL);
	unsigned i, lines;

	(void)tc;
	start(&h);
	for (i = 0; i < 400; i++) {
		harness_connect(&h);
		harness_tell_u64(&h, VHOST_SET_LOG_BASE, 0);
		harness_expect_closed(&h);
	}
	lines = lines_of_log();
	ATF_CHECK_MSG(lines <= LOGRATE_LINES + 16 +
	    2 * (unsigned)(time(NULL) - began), "%u lines", lines);
	ATF_CHECK(harness_has_said("not offered"));
	ATF_REQUIRE(kill(h.pid, SIGUSR1) == 0);
	harness_wait_said("lines were too many");
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
	ATF_TP_ADD_TC(tp, rings__eventfds_that_block);
	ATF_TP_ADD_TC(tp, rings__error_eventfd_that_blocks);
	ATF_TP_ADD_TC(tp, log__of_a_front_end_in_a_loop);
	return atf_no_error();
}
