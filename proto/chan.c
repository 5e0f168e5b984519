/* SPDX-License-Identifier: ISC */
/*
 * Packets over a socketpair.  Runs in every process; trusts nothing that it
 * receives.  The one send site and the one receive site of the tree.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "proto/chan.h"

union control {
	struct cmsghdr	align;
	char		bytes[CMSG_SPACE(sizeof(int) * PROTO_FDS_MAX)];
};

int
chan_pair(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}

void
chan_header(struct proto_header *h, enum proto_type type, uint32_t sequence)
{
	const struct proto_fact *fact = proto_fact((uint16_t)type);

	*h = (struct proto_header) {
		.m_magic = PROTO_MAGIC,
		.m_version = PROTO_VERSION,
		.m_type = (uint16_t)type,
		.m_length = fact != NULL ? fact->size : 0,
		.m_sequence = sequence,
	};
}

static void
put_fds(struct msghdr *mh, union control *control, const int *fds,
    size_t nfds)
{
	struct cmsghdr *c;

	/* The padding after an odd count goes to the peer, too. */
	memset(control, 0, sizeof(*control));
	mh->msg_control = control;
	mh->msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
	c = CMSG_FIRSTHDR(mh);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
}

int
chan_send(int fd, const void *packet, const int *fds, size_t nfds)
{
	const struct proto_header *h = packet;
	struct iovec iov = { (void *)(uintptr_t)packet, h->m_length };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	ssize_t n;

	if (nfds > PROTO_FDS_MAX ||
	    proto_check(packet, h->m_length, nfds) != PROTO_OK) {
		errno = EINVAL;
		return -1;
	}
	if (nfds > 0)
		put_fds(&mh, &control, fds, nfds);
	do {
		n = sendmsg(fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n == -1 && errno == EINTR);
	return n == -1 ? -1 : 0;
}

/* Move the descriptors that came into the message, which then owns them. */
static void
get_fds(struct msghdr *mh, struct msg *m)
{
	struct cmsghdr *c;
	size_t i, n;
	int fd;

	for (c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int),
			    sizeof(int));
			if (m->nfds < PROTO_FDS_MAX)
				m->fd[m->nfds++] = fd;
			else
				close(fd);
		}
	}
}

static enum proto_error
receive(int fd, struct msg *m, int flags)
{
	struct iovec iov = { m->bytes, sizeof(m->bytes) };
	union control control;
	struct msghdr mh = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	ssize_t n;

	/*
	 * A peer that closed with a packet of ours unread resets the channel,
	 * which is said once, before what it sent last.
	 */
	do {
		n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC | flags);
	} while (n == -1 && (errno == EINTR || errno == ECONNRESET));
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return PROTO_E_AGAIN;
	if (n == -1)
		return PROTO_E_SYSTEM;
	get_fds(&mh, m);
	m->length = (size_t)n;
	if (mh.msg_flags & MSG_CTRUNC)
		return PROTO_E_CTRUNCATED;
	if (mh.msg_flags & MSG_TRUNC)
		return PROTO_E_TRUNCATED;
	/* An empty packet and the end of the channel look the same. */
	if (n == 0)
		return m->nfds == 0 ? PROTO_E_EOF : PROTO_E_SHORT;
	return proto_check(m->bytes, m->length, m->nfds);
}

static enum proto_error
receive_or_clear(int fd, struct msg *m, int flags)
{
	enum proto_error error;
	int saved;

	msg_init(m);
	error = receive(fd, m, flags);
	if (error != PROTO_OK) {
		saved = errno;
		msg_clear(m);
		errno = saved;
	}
	return error;
}

enum proto_error
chan_recv(int fd, struct msg *m)
{
	return receive_or_clear(fd, m, 0);
}

enum proto_error
chan_recv_nowait(int fd, struct msg *m)
{
	return receive_or_clear(fd, m, MSG_DONTWAIT);
}
