/* SPDX-License-Identifier: ISC */
/* proto/chan: packets and descriptors over a real socketpair. */
#include <sys/socket.h>
#include <sys/time.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <atf-c.h>

#include "proto/chan.h"

static size_t
count_open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	ATF_REQUIRE(d != NULL);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* Send raw bytes with `nfds` copies of one descriptor, unchecked. */
static void
send_raw(int fd, const void *bytes, size_t len, size_t nfds)
{
	union {
		struct cmsghdr	align;
		char		bytes[CMSG_SPACE(sizeof(int) * 32)];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[32];
	size_t i;

	for (i = 0; i < nfds; i++)
		fds[i] = fd;
	if (nfds > 0) {
		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		CMSG_FIRSTHDR(&mh)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&mh)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&mh)->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&mh)), fds,
		    sizeof(int) * nfds);
	}
	ATF_REQUIRE(sendmsg(fd, &mh, 0) == (ssize_t)len);
}

ATF_TC_WITHOUT_HEAD(chan__message_arrives_whole_with_descriptors);
ATF_TC_BODY(chan__message_arrives_whole_with_descriptors, tc)
{
	struct proto_vm_disk packet = { .m_index = 3, .m_queues = 1,
	    .m_queue_size = 64, .m_name = "vda" };
	int end[2], fds[5], fd;
	struct msg m;

	ATF_REQUIRE_EQ(0, chan_pair(end));
	ATF_REQUIRE_EQ(0, pipe2(fds, O_CLOEXEC));
	ATF_REQUIRE_EQ(0, pipe2(fds + 2, O_CLOEXEC));
	chan_header(&packet.m_hdr, PROTO_VM_DISK, 42);
	fds[4] = fds[0];
	ATF_REQUIRE_EQ(0, chan_send(end[0], &packet, fds, 5));
	ATF_REQUIRE_EQ(PROTO_OK, chan_recv(end[1], &m));
	ATF_CHECK_EQ(PROTO_VM_DISK, m.hdr.m_type);
	ATF_CHECK_EQ(42, m.hdr.m_sequence);
	ATF_CHECK_EQ(3, m.vm_disk.m_index);
	ATF_CHECK_EQ(5, m.nfds);
	ATF_REQUIRE((fd = msg_take_fd(&m, 1)) != -1);
	ATF_CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ATF_CHECK_EQ(-1, msg_take_fd(&m, 1));
	ATF_CHECK_EQ(-1, msg_take_fd(&m, 5));
	msg_clear(&m);
	/* What was taken is still open, and is the pipe's write end. */
	ATF_CHECK_EQ(1, write(fd, "x", 1));
}

ATF_TC_WITHOUT_HEAD(chan__malformed_packets_close_their_descriptors);
ATF_TC_BODY(chan__malformed_packets_close_their_descriptors, tc)
{
	static char big[PROTO_PACKET_MAX + 1];
	struct proto_empty e;
	size_t before;
	int end[2];
	struct msg m;

	ATF_REQUIRE_EQ(0, chan_pair(end));
	before = count_open_fds();

	send_raw(end[0], big, sizeof(big), 1);
	ATF_CHECK_EQ(PROTO_E_TRUNCATED, chan_recv(end[1], &m));
	send_raw(end[0], big, 5, 2);
	ATF_CHECK_EQ(PROTO_E_SHORT, chan_recv(end[1], &m));
	send_raw(end[0], big, 0, 1);
	ATF_CHECK_EQ(PROTO_E_SHORT, chan_recv(end[1], &m));
	send_raw(end[0], big, 64, 3);
	ATF_CHECK_EQ(PROTO_E_MAGIC, chan_recv(end[1], &m));
	chan_header(&e.m_hdr, PROTO_BLK_PING, 1);
	send_raw(end[0], &e, sizeof(e), 1);
	ATF_CHECK_EQ(PROTO_E_FDS, chan_recv(end[1], &m));
	send_raw(end[0], &e, sizeof(e), PROTO_FDS_MAX + 1);
	ATF_CHECK_EQ(PROTO_E_CTRUNCATED, chan_recv(end[1], &m));
	e.m_hdr.m_version = PROTO_VERSION + 1;
	send_raw(end[0], &e, sizeof(e), 0);
	ATF_CHECK_EQ(PROTO_E_VERSION, chan_recv(end[1], &m));

	ATF_CHECK_EQ(before, count_open_fds());
}

ATF_TC_WITHOUT_HEAD(chan__end_of_the_peer_is_eof);
ATF_TC_BODY(chan__end_of_the_peer_is_eof, tc)
{
	struct proto_empty e;
	int end[2];
	struct msg m;

	ATF_REQUIRE_EQ(0, chan_pair(end));
	chan_header(&e.m_hdr, PROTO_BLK_PING, 1);
	ATF_REQUIRE_EQ(0, chan_send(end[0], &e, NULL, 0));
	close(end[0]);
	ATF_CHECK_EQ(PROTO_OK, chan_recv(end[1], &m));
	ATF_CHECK_EQ(PROTO_E_EOF, chan_recv(end[1], &m));
	ATF_CHECK_ERRNO(EPIPE, chan_send(end[1], &e, NULL, 0) == -1);
}

/* It had not read everything: its last words count all the same. */
ATF_TC_WITHOUT_HEAD(chan__last_packet_of_a_peer_that_resets);
ATF_TC_BODY(chan__last_packet_of_a_peer_that_resets, tc)
{
	struct proto_empty e;
	int end[2];
	struct msg m;

	ATF_REQUIRE_EQ(0, chan_pair(end));
	chan_header(&e.m_hdr, PROTO_BLK_PING, 1);
	ATF_REQUIRE_EQ(0, chan_send(end[1], &e, NULL, 0));
	ATF_REQUIRE_EQ(0, chan_send(end[0], &e, NULL, 0));
	close(end[0]);
	ATF_CHECK_EQ(PROTO_OK, chan_recv(end[1], &m));
	ATF_CHECK_EQ(PROTO_E_EOF, chan_recv(end[1], &m));
	ATF_CHECK_EQ(PROTO_E_EOF, chan_recv(end[1], &m));
	close(end[1]);
}

ATF_TC_WITHOUT_HEAD(chan__receive_without_a_packet_is_again);
ATF_TC_BODY(chan__receive_without_a_packet_is_again, tc)
{
	struct timeval tv = { .tv_usec = 1000 };
	int end[2];
	struct msg m;

	ATF_REQUIRE_EQ(0, chan_pair(end));
	ATF_CHECK_EQ(PROTO_E_AGAIN, chan_recv_nowait(end[1], &m));
	ATF_REQUIRE_EQ(0, setsockopt(end[1], SOL_SOCKET, SO_RCVTIMEO, &tv,
	    sizeof(tv)));
	ATF_CHECK_EQ(PROTO_E_AGAIN, chan_recv(end[1], &m));
}

ATF_TC_WITHOUT_HEAD(chan__send_to_a_full_peer_does_not_block);
ATF_TC_BODY(chan__send_to_a_full_peer_does_not_block, tc)
{
	struct proto_empty e;
	int end[2], i;

	ATF_REQUIRE_EQ(0, chan_pair(end));
	chan_header(&e.m_hdr, PROTO_BLK_PING, 1);
	for (i = 0; i < 100000; i++) {
		if (chan_send(end[0], &e, NULL, 0) == -1)
			break;
	}
	ATF_CHECK_ERRNO(EAGAIN, i < 100000);
}

ATF_TC_WITHOUT_HEAD(chan__own_mistakes_are_not_sent);
ATF_TC_BODY(chan__own_mistakes_are_not_sent, tc)
{
	struct proto_mmio_read r = { .m_size = 3 };
	int end[2];
	struct msg m;

	ATF_REQUIRE_EQ(0, chan_pair(end));
	chan_header(&r.m_hdr, PROTO_MMIO_READ, 1);
	ATF_CHECK_ERRNO(EINVAL, chan_send(end[0], &r, NULL, 0) == -1);
	ATF_CHECK_EQ(PROTO_E_AGAIN, chan_recv_nowait(end[1], &m));
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, chan__message_arrives_whole_with_descriptors);
	ATF_TP_ADD_TC(tp, chan__malformed_packets_close_their_descriptors);
	ATF_TP_ADD_TC(tp, chan__end_of_the_peer_is_eof);
	ATF_TP_ADD_TC(tp, chan__last_packet_of_a_peer_that_resets);
	ATF_TP_ADD_TC(tp, chan__receive_without_a_packet_is_again);
	ATF_TP_ADD_TC(tp, chan__send_to_a_full_peer_does_not_block);
	ATF_TP_ADD_TC(tp, chan__own_mistakes_are_not_sent);
	return atf_no_error();
}
