/* SPDX-License-Identifier: ISC */
/*
 * A file that gets another size while a real blkd serves it over vhost-user:
 * what SIGHUP to its parent does, and what a front-end hears of it.
 */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <linux/virtio_blk.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "blkd/vhost_harness.h"
#include "util/fd.h"

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

#define PATIENCE_MS	20000
#define NEWS		VHOST_PROTOCOL(BACKEND_REQ)

/* --- the front-end's side of the channel -------------------------------- */

static void
send_channel(struct vhost_harness *h, int fd)
{
	harness_send(h, VHOST_SET_BACKEND_REQ_FD, NULL, 0, &fd, 1);
}

/* Returns our end. */
static int
open_channel(struct vhost_harness *h)
{
	int pair[2];

	ATF_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair) == 0);
	send_channel(h, pair[1]);
	fd_close(&pair[1]);
	return pair[0];
}

static void
expect_news(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct vhost_header m;

	ATF_REQUIRE_MSG(poll(&p, 1, PATIENCE_MS) == 1, "no news");
	ATF_REQUIRE_EQ(sizeof(m), recv(fd, &m, sizeof(m), 0));
	ATF_CHECK_EQ(VHOST_BACKEND_CONFIG_CHANGE, m.m_request);
	ATF_CHECK_EQ(VHOST_VERSION, m.m_flags);
	ATF_CHECK_EQ(0, m.m_size);
}

/* What has been said by now has nothing more on this channel. */
static void
expect_no_news(struct vhost_harness *h, int fd)
{
	char c;

	harness_sync(h);
	ATF_CHECK_EQ(-1, recv(fd, &c, sizeof(c), MSG_DONTWAIT));
	ATF_CHECK_EQ(EAGAIN, errno);
}

static uint64_t
capacity(struct vhost_harness *h)
{
	struct vhost_config c = { .m_bytes = sizeof(uint64_t) };
	uint64_t sectors;

	harness_send(h, VHOST_GET_CONFIG, &c,
	    (uint32_t)(VHOST_CONFIG_HEAD + sizeof(uint64_t)), NULL, 0);
	harness_reply(h, VHOST_GET_CONFIG);
	memcpy(&sectors, h->conn.msg.p.m_config.m_data, sizeof(sectors));
	return sectors;
}

/* --- the file ----------------------------------------------------------- */

static void
resize(struct vhost_harness *h, off_t sectors)
{
	ATF_REQUIRE(ftruncate(h->ring.backingfd, sectors * 512) == 0);
	ATF_REQUIRE(kill(h->pid, SIGHUP) == 0);
}

static uint8_t
write_at(struct vhost_harness *h, uint64_t sector)
{
	ring_harness_request(&h->ring, 0, VIRTIO_BLK_T_OUT, sector, 512);
	return ring_harness_run(&h->ring, 0, NULL);
}

static void
start(struct vhost_harness *h, uint64_t protocol)
{
	harness_make(h);
	harness_spawn(h, NULL);
	harness_connect(h);
	harness_negotiate(h, HARNESS_FEATURES, protocol);
}

/* Rings run, and the channel is open; returns it. */
static int
start_all(struct vhost_harness *h)
{
	int news;

	start(h, VHOST_PROTOCOL_OFFERED);
	news = open_channel(h);
	harness_memory(h);
	harness_ring(h, 0, 0);
	ATF_CHECK_EQ(RING_DISK_SECTORS, capacity(h));
	return news;
}

/* --- what is told ------------------------------------------------------- */

CASE(grown__is_told_and_written)
{
	struct vhost_harness h;
	int news;

	(void)tc;
	news = start_all(&h);
	expect_no_news(&h, news);
	ATF_CHECK_EQ(VIRTIO_BLK_S_IOERR, write_at(&h, RING_DISK_SECTORS));
	resize(&h, 4 * RING_DISK_SECTORS);
	expect_news(news);
	ATF_CHECK_EQ(4 * RING_DISK_SECTORS, capacity(&h));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, write_at(&h, RING_DISK_SECTORS));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, write_at(&h, 4 * RING_DISK_SECTORS - 1));
	ATF_CHECK_EQ(VIRTIO_BLK_S_IOERR, write_at(&h, 4 * RING_DISK_SECTORS));
	expect_no_news(&h, news);
	fd_close(&news);
	harness_free(&h);
}

/* Past the journal that a blkd may always write: its own limit is raised. */
CASE(grown__over_all_that_was_allowed)
{
	const off_t many = (off_t)64 << 11;	/* 64 MiB */
	struct vhost_harness h;
	int news;

	(void)tc;
	news = start_all(&h);
	resize(&h, many);
	expect_news(news);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, write_at(&h, (uint64_t)many - 1));
	fd_close(&news);
	harness_free(&h);
}

CASE(shrunk__is_told_and_stays_short)
{
	struct vhost_harness h;
	int news;

	(void)tc;
	news = start_all(&h);
	resize(&h, RING_DISK_SECTORS / 2);
	expect_news(news);
	ATF_CHECK_EQ(RING_DISK_SECTORS / 2, capacity(&h));
	ATF_CHECK_EQ(VIRTIO_BLK_S_IOERR, write_at(&h, RING_DISK_SECTORS / 2));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, write_at(&h, RING_DISK_SECTORS / 2 - 1));
	ATF_CHECK_EQ(RING_DISK_SECTORS / 2 * 512,
	    lseek(h.ring.backingfd, 0, SEEK_END));
	fd_close(&news);
	harness_free(&h);
}

CASE(unchanged__is_not_told)
{
	struct vhost_harness h;
	int news;

	(void)tc;
	news = start_all(&h);
	resize(&h, RING_DISK_SECTORS);
	harness_wait_said("sectors, after");
	expect_no_news(&h, news);
	fd_close(&news);
	harness_free(&h);
}

/* Less than a block is no disk: what was offered stays. */
CASE(nothing__is_refused)
{
	struct vhost_harness h;
	int news;

	(void)tc;
	news = start_all(&h);
	resize(&h, 0);
	harness_wait_said("a size of 0 bytes is refused");
	expect_no_news(&h, news);
	ATF_CHECK_EQ(RING_DISK_SECTORS, capacity(&h));
	fd_close(&news);
	harness_free(&h);
}

CASE(alone__the_next_front_end_sees_it)
{
	struct vhost_harness h;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	harness_connect(&h);
	harness_sync(&h);
	harness_disconnect(&h);
	resize(&h, 2 * RING_DISK_SECTORS);
	harness_wait_said("sectors, after");
	harness_connect(&h);
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	ATF_CHECK_EQ(2 * RING_DISK_SECTORS, capacity(&h));
	harness_free(&h);
}

/* --- when it is told ---------------------------------------------------- */

CASE(channel__that_comes_late_is_told)
{
	struct vhost_harness h;
	int news;

	(void)tc;
	start(&h, VHOST_PROTOCOL_OFFERED);
	ATF_CHECK_EQ(RING_DISK_SECTORS, capacity(&h));
	resize(&h, 2 * RING_DISK_SECTORS);
	harness_wait_said("takes no news");
	news = open_channel(&h);
	expect_news(news);
	ATF_CHECK_EQ(2 * RING_DISK_SECTORS, capacity(&h));
	/* Who has not asked yet has nothing to hear. */
	fd_close(&news);
	news = open_channel(&h);
	expect_no_news(&h, news);
	fd_close(&news);
	harness_free(&h);
}

/* QEMU drops what it hears while its device is stopped. */
CASE(ring__that_starts_has_it_told_again)
{
	struct vhost_harness h;
	int news;

	(void)tc;
	start(&h, VHOST_PROTOCOL_OFFERED);
	news = open_channel(&h);
	ATF_CHECK_EQ(RING_DISK_SECTORS, capacity(&h));
	resize(&h, 2 * RING_DISK_SECTORS);
	expect_news(news);
	expect_no_news(&h, news);
	harness_memory(&h);
	harness_ring(&h, 0, 0);
	expect_news(news);
	ATF_CHECK_EQ(2 * RING_DISK_SECTORS, capacity(&h));
	(void)harness_base(&h);
	harness_ring(&h, 0, 0);
	expect_no_news(&h, news);
	fd_close(&news);
	harness_free(&h);
}

/* It is of one connection. */
CASE(channel__ends_with_its_connection)
{
	struct vhost_harness h;
	struct pollfd p = { .events = POLLIN };
	char c;

	(void)tc;
	p.fd = start_all(&h);
	harness_disconnect(&h);
	ATF_REQUIRE_EQ(1, poll(&p, 1, PATIENCE_MS));
	ATF_CHECK_EQ(0, recv(p.fd, &c, sizeof(c), 0));
	fd_close(&p.fd);
	harness_free(&h);
}

/* --- front-ends that lie ------------------------------------------------ */

CASE(channel__of_a_wrong_kind)
{
	struct vhost_harness h;
	int bad[3];
	size_t i;

	(void)tc;
	start(&h, VHOST_PROTOCOL_OFFERED);
	bad[0] = memfd_create("bad", MFD_CLOEXEC);
	bad[1] = eventfd(0, EFD_CLOEXEC);
	bad[2] = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (i = 0; i < 3; i++) {
		ATF_REQUIRE(bad[i] != -1);
		send_channel(&h, bad[i]);
		harness_expect_refused(&h, "SET_BACKEND_REQ_FD: the descriptor"
		    " is no socket");
		harness_negotiate(&h, HARNESS_FEATURES,
		    VHOST_PROTOCOL_OFFERED);
	}
	harness_send(&h, VHOST_SET_BACKEND_REQ_FD, NULL, 0, NULL, 0);
	harness_expect_refused(&h, "descriptors");
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED & ~NEWS);
	send_channel(&h, bad[1]);
	harness_expect_refused(&h, "not negotiated");
	fd_close_all(bad, 3);
	harness_free(&h);
}

/* It is not used, and that is all. */
CASE(channel__of_another_family)
{
	struct vhost_harness h;
	int bad[2];
	size_t i;

	(void)tc;
	start(&h, VHOST_PROTOCOL_OFFERED);
	ATF_CHECK_EQ(RING_DISK_SECTORS, capacity(&h));
	harness_memory(&h);
	harness_ring(&h, 0, 0);
	bad[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bad[1] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	for (i = 0; i < 2; i++) {
		if (bad[i] == -1)
			continue;
		send_channel(&h, bad[i]);
		harness_wait_said("must be a socket of AF_UNIX");
		ATF_REQUIRE(truncate(HARNESS_LOG, 0) == 0);
		resize(&h, (off_t)(2 + i) * RING_DISK_SECTORS);
		harness_wait_said("takes no news");
		ATF_CHECK_EQ(VIRTIO_BLK_S_OK, write_at(&h, RING_DISK_SECTORS));
	}
	fd_close_all(bad, 2);
	harness_free(&h);
}

/* Full, or not connected at all, or closed: nobody waits, and it serves. */
static void
serve_on(struct vhost_harness *h, off_t sectors, const char *said)
{
	resize(h, sectors);
	harness_wait_said(said);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, write_at(h, (uint64_t)sectors - 1));
	ATF_CHECK_EQ(sectors, capacity(h));
}

CASE(channel__that_is_not_read)
{
	static const char block[4096];
	struct vhost_harness h;
	int pair[2];

	(void)tc;
	fd_close(&(int){ start_all(&h) });
	ATF_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair) == 0);
	while (send(pair[1], block, sizeof(block), MSG_DONTWAIT) != -1)
		;
	while (send(pair[1], block, 1, MSG_DONTWAIT) != -1)
		;
	send_channel(&h, pair[1]);
	serve_on(&h, 2 * RING_DISK_SECTORS, "does not read its channel");
	/* Read at last: what comes next is heard. */
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	pair[0] = open_channel(&h);
	resize(&h, 3 * RING_DISK_SECTORS);
	expect_news(pair[0]);
	fd_close(&pair[0]);
	harness_free(&h);
}

CASE(channel__that_is_closed)
{
	struct vhost_harness h;
	int fd;

	(void)tc;
	fd = start_all(&h);
	fd_close(&fd);
	serve_on(&h, 2 * RING_DISK_SECTORS, "cannot be told");
	serve_on(&h, 3 * RING_DISK_SECTORS, "takes no news");
	harness_free(&h);
}

CASE(channel__that_is_not_connected)
{
	struct vhost_harness h;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)tc;
	ATF_REQUIRE(fd != -1);
	start(&h, VHOST_PROTOCOL_OFFERED);
	ATF_CHECK_EQ(RING_DISK_SECTORS, capacity(&h));
	send_channel(&h, fd);
	harness_memory(&h);
	harness_ring(&h, 0, 0);
	serve_on(&h, 2 * RING_DISK_SECTORS, "cannot be told");
	fd_close(&fd);
	harness_free(&h);
}

/* Replies to nothing, and descriptors: nobody reads them. */
CASE(channel__that_talks)
{
	static const char block[4096];
	struct vhost_harness h;
	int fd, i;

	(void)tc;
	fd = start_all(&h);
	for (i = 0; i < 4096 &&
	    send(fd, block, sizeof(block), MSG_DONTWAIT) != -1; i++)
		;
	resize(&h, 2 * RING_DISK_SECTORS);
	expect_news(fd);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, write_at(&h, 2 * RING_DISK_SECTORS - 1));
	fd_close(&fd);
	harness_free(&h);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, grown__is_told_and_written);
	ATF_TP_ADD_TC(tp, grown__over_all_that_was_allowed);
	ATF_TP_ADD_TC(tp, shrunk__is_told_and_stays_short);
	ATF_TP_ADD_TC(tp, unchanged__is_not_told);
	ATF_TP_ADD_TC(tp, nothing__is_refused);
	ATF_TP_ADD_TC(tp, alone__the_next_front_end_sees_it);
	ATF_TP_ADD_TC(tp, channel__that_comes_late_is_told);
	ATF_TP_ADD_TC(tp, ring__that_starts_has_it_told_again);
	ATF_TP_ADD_TC(tp, channel__ends_with_its_connection);
	ATF_TP_ADD_TC(tp, channel__of_a_wrong_kind);
	ATF_TP_ADD_TC(tp, channel__of_another_family);
	ATF_TP_ADD_TC(tp, channel__that_is_not_read);
	ATF_TP_ADD_TC(tp, channel__that_is_closed);
	ATF_TP_ADD_TC(tp, channel__that_is_not_connected);
	ATF_TP_ADD_TC(tp, channel__that_talks);
	return atf_no_error();
}
