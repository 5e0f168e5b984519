/* SPDX-License-Identifier: ISC */
/*
 * Packets: the check, and the same bytes over a real channel with real
 * descriptors, of which none may be left open.
 *
 *	input: number of descriptors (1 byte), the packet
 */
#include <sys/socket.h>

#include <fcntl.h>
#include <unistd.h>

#include "proto/chan.h"
#include "proto/msg.h"
#include "proto/table.h"
#include "tests/fuzz/fuzz.h"

static int ends[2] = { -1, -1 };
static int null = -1;

static void
send_raw(const void *packet, size_t length, size_t nfds)
{
	union {
		struct cmsghdr	hdr;
		char		room[CMSG_SPACE(sizeof(int) * 253)];
	} control;
	struct iovec iov = { (void *)(uintptr_t)packet, length };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	size_t i;

	memset(&control, 0, sizeof(control));
	if (nfds > 0) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		control.hdr.cmsg_level = SOL_SOCKET;
		control.hdr.cmsg_type = SCM_RIGHTS;
		control.hdr.cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		for (i = 0; i < nfds; i++)
			memcpy(CMSG_DATA(&control.hdr) + i * sizeof(int),
			    &null, sizeof(int));
	}
	FUZZ_REQUIRE(sendmsg(ends[0], &m, 0) == (ssize_t)length);
}

static int
lowest_free(void)
{
	int fd = fcntl(null, F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	size_t nfds = fuzz_u8(&in) % (PROTO_FDS_MAX + 4), length;
	enum proto_error by_check, by_chan;
	struct msg m;
	uint8_t *packet;
	int lowest;

	if (null == -1) {
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		FUZZ_REQUIRE(null != -1 && chan_pair(ends) == 0);
	}
	if (in.left == 0)
		return 0;
	/* Of its exact size, so that reading past its end is seen. */
	length = in.left;
	FUZZ_REQUIRE((packet = malloc(length)) != NULL);
	fuzz_take(&in, packet, length);
	by_check = proto_check(packet, length, nfds);
	FUZZ_REQUIRE(proto_error(by_check) != NULL);

	lowest = lowest_free();
	send_raw(packet, length, nfds);
	by_chan = chan_recv_nowait(ends[1], &m);
	if (nfds <= PROTO_FDS_MAX && length <= PROTO_PACKET_MAX)
		FUZZ_REQUIRE(by_chan == by_check);
	else
		FUZZ_REQUIRE(by_chan != PROTO_OK);
	if (by_chan == PROTO_OK) {
		FUZZ_REQUIRE(m.length == length && m.nfds == nfds &&
		    memcmp(m.bytes, packet, length) == 0);
		msg_clear(&m);
	}
	FUZZ_REQUIRE(lowest_free() == lowest);
	free(packet);
	return 0;
}
