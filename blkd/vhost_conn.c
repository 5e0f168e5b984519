/* SPDX-License-Identifier: ISC */
/*
 * Framing of vhost-user messages.  Runs in blkd, main thread, inside the
 * sandbox; trusts no byte and no count; touches the socket and the
 * descriptors that come over it.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "blkd/vhost_conn.h"
#include "util/fd.h"

/* Room for more than any message has, so that too many are seen as such. */
union control {
	struct cmsghdr	align;
	char		bytes[CMSG_SPACE(sizeof(int) * (VHOST_FDS_MAX + 1))];
};

static void
clear(struct vhost_conn *c)
{
	fd_close_all(c->msg.fd, c->msg.nfds);
	c->msg.nfds = 0;
	c->got = 0;
}

void
vhost_conn_init(struct vhost_conn *c)
{
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

void
vhost_conn_open(struct vhost_conn *c, int fd)
{
	clear(c);
	c->fd = fd;
}

void
vhost_conn_close(struct vhost_conn *c)
{
	clear(c);
	fd_close(&c->fd);
}

/* Returns false where a descriptor came that there is no room for. */
static bool
keep_fds(struct vhost_msg *m, struct msghdr *mh)
{
	struct cmsghdr *h;
	bool room = (mh->msg_flags & MSG_CTRUNC) == 0;
	size_t i, n;
	int fd;

	for (h = CMSG_FIRSTHDR(mh); h != NULL; h = CMSG_NXTHDR(mh, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int),
			    sizeof(int));
			if (m->nfds < VHOST_FDS_MAX) {
				m->fd[m->nfds++] = fd;
			} else {
				close(fd);
				room = false;
			}
		}
	}
	return room;
}

/* Receive so much of the message, or a part of it. */
static enum vhost_conn_result
receive(struct vhost_conn *c, void *to, size_t bytes)
{
	struct iovec iov = { to, bytes };
	union control control;
	struct msghdr mh = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	ssize_t n;

	do {
		n = recvmsg(c->fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (n == -1 && errno == EINTR);
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return VHOST_CONN_MORE;
	/* A front-end that dies with replies unread. */
	if (n == -1 && errno != ECONNRESET)
		return VHOST_CONN_FAILED;
	if (n <= 0)
		return c->got == 0 ? VHOST_CONN_ENDED : VHOST_CONN_CUT;
	if (!keep_fds(&c->msg, &mh))
		return VHOST_CONN_FDS;
	c->got += (size_t)n;
	return (size_t)n == bytes ? VHOST_CONN_MESSAGE : VHOST_CONN_MORE;
}

enum vhost_conn_result
vhost_conn_read(struct vhost_conn *c)
{
	const size_t head = sizeof(c->msg.h);
	enum vhost_conn_result r;

	/* The one before is dealt with. */
	if (c->got >= head && c->got == head + c->msg.h.m_size)
		clear(c);
	if (c->got < head) {
		r = receive(c, (uint8_t *)&c->msg.h + c->got, head - c->got);
		if (r != VHOST_CONN_MESSAGE)
			return r;
		if (c->msg.h.m_size > sizeof(c->msg.p))
			return VHOST_CONN_LONG;
		memset(&c->msg.p, 0, sizeof(c->msg.p));
	}
	if (c->msg.h.m_size == 0)
		return VHOST_CONN_MESSAGE;
	return receive(c, (uint8_t *)&c->msg.p + (c->got - head),
	    head + c->msg.h.m_size - c->got);
}

int
vhost_conn_take(struct vhost_conn *c, size_t index)
{
	return index < c->msg.nfds ? fd_move(&c->msg.fd[index]) : -1;
}

static void
put_fd(struct msghdr *mh, union control *control, int fd)
{
	struct cmsghdr *h;

	memset(control, 0, sizeof(*control));
	mh->msg_control = control;
	mh->msg_controllen = CMSG_SPACE(sizeof(int));
	h = CMSG_FIRSTHDR(mh);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(int));
}

int
vhost_conn_reply(const struct vhost_conn *c, uint32_t request,
    const void *payload, uint32_t bytes, int fd)
{
	struct vhost_header h = {
		.m_request = request, .m_flags = VHOST_VERSION | VHOST_REPLY,
		.m_size = bytes,
	};
	struct iovec iov[2] = {
		{ &h, sizeof(h) }, { (void *)(uintptr_t)payload, bytes },
	};
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 2 };
	union control control;
	ssize_t n;

	if (fd != -1)
		put_fd(&mh, &control, fd);
	do {
		n = sendmsg(c->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n == -1 && errno == EINTR);
	if (n == (ssize_t)(sizeof(h) + bytes))
		return 0;
	/* Half a reply in a full socket is as good as none. */
	if (n != -1)
		errno = EAGAIN;
	return -1;
}
