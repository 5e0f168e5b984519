/* SPDX-License-Identifier: ISC */
/*
 * A vhost-user front-end.  Runs in test programs; believes the back-end as
 * far as a program that measures it has to, and waits for it a bounded time.
 */
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/driver/driverq.h"
#include "tests/driver/vhostfe.h"
#include "util/fd.h"

#define VERSION		1u
#define REPLY		(1u << 2)
#define NEED_REPLY	(1u << 3)
#define FEATURE(f)	(UINT64_C(1) << (f))

/*
 * Config space up to the fields of WRITE_ZEROES: a back-end may refuse to be
 * asked for fields that it does not know.
 */
#define CONFIG		60u

/* What of the protocol is used where the back-end has it. */
#define PROTOCOL	(FEATURE(VHOSTFE_PROTOCOL_F_REPLY_ACK) | \
	FEATURE(VHOSTFE_PROTOCOL_F_CONFIG) | \
	FEATURE(VHOSTFE_PROTOCOL_F_INFLIGHT))

/* A message as it is on the wire: 12 bytes, then its payload. */
struct packet {
	uint32_t	type;
	uint32_t	flags;
	uint32_t	size;		/* of the payload */
	union {
		uint64_t	u64;
		struct {
			uint32_t	index;
			uint32_t	num;
		} state;
		struct {
			uint32_t	index;
			uint32_t	flags;
			uint64_t	desc;	/* our addresses, not GPAs */
			uint64_t	used;
			uint64_t	avail;
			uint64_t	log;
		} addr;
		struct {
			uint32_t	regions;
			uint32_t	padding;
			uint64_t	gpa;
			uint64_t	bytes;
			uint64_t	address;
			uint64_t	offset;
		} memory;
		struct {
			uint32_t	offset;
			uint32_t	size;
			uint32_t	flags;
			uint64_t	capacity;
			uint8_t		rest[CONFIG - sizeof(uint64_t)];
		} __attribute__((packed)) config;
		struct {
			uint64_t	bytes;
			uint64_t	offset;
			uint16_t	queues;
			uint16_t	queue_size;
			uint32_t	padding;
		} inflight;
	};
} __attribute__((packed, aligned(8)));

#define HEADER		12u
static_assert(offsetof(struct packet, u64) == HEADER, "as on the wire");
static_assert(sizeof(((struct packet *)NULL)->inflight) == 24, "padded");

/* --- one message -------------------------------------------------------- */

static int
transmit(struct vhostfe *v, const struct packet *p, int fd)
{
	struct iovec iov = { (void *)(uintptr_t)p, HEADER + p->size };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	union {
		struct cmsghdr	align;
		uint8_t		bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct cmsghdr *c;
	ssize_t n;

	if (fd != -1) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	n = sendmsg(v->fd, &m, MSG_NOSIGNAL);
	if (n == (ssize_t)iov.iov_len)
		return 0;
	if (n != -1)
		errno = EPROTO;
	return -1;
}

/* All of it, or an error. */
static int
receive_bytes(int from, void *to, size_t bytes)
{
	ssize_t n = recv(from, to, bytes, MSG_WAITALL);

	if (n == (ssize_t)bytes)
		return 0;
	if (n != -1)
		errno = n == 0 ? ECONNRESET : EPROTO;
	else if (errno == EAGAIN)
		errno = ETIMEDOUT;
	return -1;
}

/* The header of an answer, and the one descriptor that it may bring. */
static int
receive_header(struct vhostfe *v, struct packet *p, int *fd)
{
	struct iovec iov = { p, HEADER };
	union {
		struct cmsghdr	align;
		uint8_t		bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c;
	ssize_t n = recvmsg(v->fd, &m, MSG_WAITALL | MSG_CMSG_CLOEXEC);

	if (n != HEADER) {
		if (n != -1)
			errno = n == 0 ? ECONNRESET : EPROTO;
		else if (errno == EAGAIN)
			errno = ETIMEDOUT;
		return -1;
	}
	*fd = -1;
	c = CMSG_FIRSTHDR(&m);
	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return 0;
}

static int
receive(struct vhostfe *v, uint32_t type, struct packet *p, int *fd)
{
	if (receive_header(v, p, fd) == -1)
		return -1;
	if (p->type == type && (p->flags & REPLY) != 0 && p->size > 0 &&
	    p->size <= sizeof(*p) - HEADER)
		return receive_bytes(v->fd, (uint8_t *)p + HEADER, p->size);
	fd_close(fd);
	errno = EPROTO;
	return -1;
}

/* Say it, and hear that it was done where that can be heard. */
static int
tell(struct vhostfe *v, uint32_t type, struct packet *p, uint32_t size, int fd)
{
	bool acked = (v->protocol & FEATURE(VHOSTFE_PROTOCOL_F_REPLY_ACK)) != 0;
	struct packet answer;
	int none;

	p->type = type;
	p->flags = VERSION | (acked ? NEED_REPLY : 0);
	p->size = size;
	if (transmit(v, p, fd) == -1)
		return -1;
	if (!acked)
		return 0;
	if (receive(v, type, &answer, &none) == -1)
		return -1;
	fd_close(&none);
	if (answer.size == sizeof(answer.u64) && answer.u64 == 0)
		return 0;
	errno = EREMOTEIO;
	return -1;
}

/* Ask, and take the answer's payload into the packet. */
static int
ask(struct vhostfe *v, uint32_t type, struct packet *p, uint32_t size, int *fd)
{
	int none = -1;

	p->type = type;
	p->flags = VERSION;
	p->size = size;
	if (transmit(v, p, -1) == -1 || receive(v, type, p, &none) == -1)
		return -1;
	if (fd != NULL)
		*fd = fd_move(&none);
	fd_close(&none);
	return 0;
}

/* --- the start ---------------------------------------------------------- */

static int
connect_in_time(const char *path)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	const struct timeval patience = { .tv_sec = VHOSTFE_PATIENCE_S };
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int i, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		goto fail;
	}
	memcpy(sun.sun_path, path, strlen(path) + 1);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
	    sizeof(patience)) == -1)
		goto fail;
	for (i = 0; i < VHOSTFE_PATIENCE_S * 1000; i++) {
		if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
			return fd;
		if (errno != ENOENT && errno != ECONNREFUSED)
			break;
		nanosleep(&ms, NULL);
	}
fail:
	fd_close(&fd);
	return -1;
}

static int
learn_capacity(struct vhostfe *v, struct packet *p)
{
	memset(p, 0, sizeof(*p));
	p->config.size = CONFIG;
	if (ask(v, VHOSTFE_GET_CONFIG, p, sizeof(p->config), NULL) == -1)
		return -1;
	if (p->size != sizeof(p->config)) {
		errno = EPROTO;
		return -1;
	}
	v->sectors = p->config.capacity;
	return 0;
}

int
vhostfe_connect(struct vhostfe *v, const char *path, bool inflight)
{
	struct packet p = { .u64 = 0 };

	*v = (struct vhostfe) { .fd = connect_in_time(path), .inflightfd = -1 };
	if (v->fd == -1 || ask(v, VHOSTFE_GET_FEATURES, &p, 0, NULL) == -1)
		return -1;
	v->offered = p.u64;
	if ((v->offered & FEATURE(VHOSTFE_F_PROTOCOL_FEATURES)) == 0) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	if (ask(v, VHOSTFE_GET_PROTOCOL_FEATURES, &p, 0, NULL) == -1)
		return -1;
	p.u64 &= PROTOCOL;
	if (!inflight)
		p.u64 &= ~FEATURE(VHOSTFE_PROTOCOL_F_INFLIGHT);
	if ((p.u64 & FEATURE(VHOSTFE_PROTOCOL_F_CONFIG)) == 0) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	if (tell(v, VHOSTFE_SET_PROTOCOL_FEATURES, &p, sizeof(p.u64),
	    -1) == -1)
		return -1;
	v->protocol = p.u64;
	if (tell(v, VHOSTFE_SET_OWNER, &p, 0, -1) == -1)
		return -1;
	return learn_capacity(v, &p);
}

/* A table of requests in flight, as a VMM that can reconnect keeps it. */
static int
share_inflight(struct vhostfe *v, uint16_t num)
{
	struct packet p = { .inflight = { .queues = 1, .queue_size = num } };

	if ((v->protocol & FEATURE(VHOSTFE_PROTOCOL_F_INFLIGHT)) == 0)
		return 0;
	if (ask(v, VHOSTFE_GET_INFLIGHT_FD, &p, sizeof(p.inflight),
	    &v->inflightfd) == -1)
		return -1;
	if (v->inflightfd == -1)
		return 0;
	p.inflight.queues = 1;
	p.inflight.queue_size = num;
	return tell(v, VHOSTFE_SET_INFLIGHT_FD, &p, sizeof(p.inflight),
	    v->inflightfd);
}

static int
announce_memory(struct vhostfe *v, const struct vhostfe_queue *q)
{
	struct packet p = { .memory = {
		.regions = 1, .bytes = q->memory,
		.address = (uint64_t)(uintptr_t)q->gmem,
	} };

	return tell(v, VHOSTFE_SET_MEM_TABLE, &p, sizeof(p.memory), q->gmemfd);
}

static int
announce_ring(struct vhostfe *v, const struct vhostfe_queue *q)
{
	struct packet num = { .state = { .num = q->num } };
	struct packet base = { .state = { .num = 0 } };
	struct packet addr = { .addr = {
		.desc = (uint64_t)(uintptr_t)(q->gmem + DRIVERQ_DESC_GPA),
		.avail = (uint64_t)(uintptr_t)(q->gmem + DRIVERQ_AVAIL_GPA),
		.used = (uint64_t)(uintptr_t)(q->gmem + DRIVERQ_USED_GPA),
	} };

	if (tell(v, VHOSTFE_SET_VRING_NUM, &num, sizeof(num.state), -1) == -1)
		return -1;
	if (tell(v, VHOSTFE_SET_VRING_BASE, &base, sizeof(base.state),
	    -1) == -1)
		return -1;
	return tell(v, VHOSTFE_SET_VRING_ADDR, &addr, sizeof(addr.addr), -1);
}

int
vhostfe_start(struct vhostfe *v, const struct vhostfe_queue *q)
{
	struct packet features = { .u64 = q->features };
	struct packet index = { .u64 = 0 };
	struct packet enable = { .state = { .num = 1 } };

	features.u64 |= FEATURE(VHOSTFE_F_PROTOCOL_FEATURES);
	if (share_inflight(v, q->num) == -1 ||
	    tell(v, VHOSTFE_SET_FEATURES, &features, sizeof(features.u64),
	    -1) == -1 ||
	    announce_memory(v, q) == -1 || announce_ring(v, q) == -1 ||
	    tell(v, VHOSTFE_SET_VRING_CALL, &index, sizeof(index.u64),
	    q->callfd) == -1 ||
	    tell(v, VHOSTFE_SET_VRING_KICK, &index, sizeof(index.u64),
	    q->kickfd) == -1)
		return -1;
	return tell(v, VHOSTFE_SET_VRING_ENABLE, &enable,
	    sizeof(enable.state), -1);
}

int
vhostfe_stop(struct vhostfe *v)
{
	struct packet p = { .state = { .index = 0 } };

	if (ask(v, VHOSTFE_GET_VRING_BASE, &p, sizeof(p.state), NULL) == -1)
		return -1;
	return (int)p.state.num;
}

void
vhostfe_close(struct vhostfe *v)
{
	fd_close(&v->fd);
	fd_close(&v->inflightfd);
}
