/* SPDX-License-Identifier: ISC */
/* A front-end for tests.  Tests only. */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <linux/virtio_blk.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blkd/vhost_harness.h"
#include "shm/shared.h"
#include "util/fd.h"

#define PATIENCE_MS	20000
#define ARGS_MAX	32

static void
nap(void)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	nanosleep(&ms, NULL);
}

void
harness_make(struct vhost_harness *h)
{
	memset(h, 0, sizeof(*h));
	vhost_conn_init(&h->conn);
	h->inflightfd = h->listenfd = -1;
	ring_harness_make(&h->ring, HARNESS_NUM, HARNESS_FEATURES);
	h->errfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ATF_REQUIRE(h->errfd != -1);
}

void
harness_free(struct vhost_harness *h)
{
	vhost_conn_close(&h->conn);
	if (h->pid != 0)
		harness_kill(h);
	fd_close(&h->errfd);
	fd_close(&h->inflightfd);
	fd_close(&h->listenfd);
	ring_harness_free(&h->ring);
}

/* --- the process -------------------------------------------------------- */

void
harness_listen(struct vhost_harness *h, bool activated)
{
	const struct sockaddr_un sun = { .sun_family = AF_UNIX,
	    .sun_path = HARNESS_SOCKET };

	h->listenfd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	h->activated = activated;
	ATF_REQUIRE(h->listenfd != -1);
	ATF_REQUIRE(bind(h->listenfd, (const struct sockaddr *)&sun,
	    sizeof(sun)) == 0);
	ATF_REQUIRE(listen(h->listenfd, 8) == 0);
}

/* The words about the socket; returns how many. */
static size_t
pass_socket(const struct vhost_harness *h, const char *argv[2])
{
	static char text[32];
	int fd;

	if (h->no_socket)
		return 0;
	if (h->listenfd == -1) {
		argv[0] = "-s";
		argv[1] = HARNESS_SOCKET;
		return 2;
	}
	if ((fd = dup(h->listenfd)) == -1)
		_exit(125);
	if (h->activated) {
		snprintf(text, sizeof(text), "%d", (int)getpid());
		if (dup2(fd, 3) == -1 ||
		    setenv("LISTEN_PID", text, 1) == -1 ||
		    setenv("LISTEN_FDS", "1", 1) == -1 ||
		    setenv("LISTEN_FDNAMES", "disk", 1) == -1)
			_exit(125);
		return 0;
	}
	snprintf(text, sizeof(text), "--fd=%d", fd);
	argv[0] = text;
	return 1;
}

void
harness_exec(const struct vhost_harness *h, const char *const *more)
{
	const char *build = getenv("VMMD_BUILDDIR");
	const char *argv[ARGS_MAX] = { "blkd", "-f" };
	char path[4096], file[64];
	size_t n = 2;
	int log;

	snprintf(path, sizeof(path), "%s/%s", build != NULL ? build : ".",
	    h->program != NULL ? h->program : "blkd/blkd");
	/* The descriptor is opened anew, by whoever may look at us. */
	snprintf(file, sizeof(file), "/proc/%d/fd/%d", (int)getppid(),
	    h->ring.backingfd);
	argv[n++] = file;
	n += pass_socket(h, argv + n);
	while (more != NULL && *more != NULL && n < ARGS_MAX - 1)
		argv[n++] = *more++;
	log = open(HARNESS_LOG, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (log == -1 || dup2(log, STDERR_FILENO) == -1)
		_exit(126);
	execv(path, (char *const *)(uintptr_t)argv);
	_exit(127);
}

void
harness_spawn(struct vhost_harness *h, const char *const *more)
{
	struct stat st;
	int i;

	h->pid = fork();
	ATF_REQUIRE(h->pid != -1);
	if (h->pid == 0)
		harness_exec(h, more);
	for (i = 0; i < PATIENCE_MS && stat(HARNESS_SOCKET, &st) == -1; i++)
		nap();
	ATF_REQUIRE_MSG(i < PATIENCE_MS, "blkd does not listen");
}

int
harness_wait(struct vhost_harness *h)
{
	int i, status;
	pid_t pid = 0;

	for (i = 0; i < PATIENCE_MS && pid == 0; i++) {
		pid = waitpid(h->pid, &status, WNOHANG);
		if (pid == 0)
			nap();
	}
	ATF_REQUIRE_EQ_MSG(h->pid, pid, "blkd does not end");
	h->pid = 0;
	return status;
}

void
harness_killed(struct vhost_harness *h)
{
	h->pid = 0;
	/* Its child, which dies with it, may listen for a moment yet. */
	if (h->listenfd == -1)
		(void)unlink(HARNESS_SOCKET);
}

void
harness_kill(struct vhost_harness *h)
{
	int status;

	kill(h->pid, SIGKILL);
	ATF_CHECK_EQ(h->pid, waitpid(h->pid, &status, 0));
	harness_killed(h);
}

bool
harness_has_said(const char *what)
{
	static char text[1 << 20];
	ssize_t n;
	int fd;

	if ((fd = open(HARNESS_LOG, O_RDONLY | O_CLOEXEC)) == -1)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return strstr(text, what) != NULL;
}

void
harness_wait_said(const char *what)
{
	int i;

	for (i = 0; i < PATIENCE_MS && !harness_has_said(what); i++)
		nap();
	ATF_REQUIRE_MSG(i < PATIENCE_MS, "the log does not say: %s", what);
}

/* --- messages ----------------------------------------------------------- */

void
harness_connect(struct vhost_harness *h)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX,
	    .sun_path = HARNESS_SOCKET };
	int i, fd = -1;

	vhost_conn_close(&h->conn);
	/* One that was killed leaves a socket, until the next one listens. */
	for (i = 0; i < PATIENCE_MS; i++) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ATF_REQUIRE(fd != -1);
		if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
			break;
		fd_close(&fd);
		nap();
	}
	ATF_REQUIRE_MSG(fd != -1, "cannot connect: %s", strerror(errno));
	vhost_conn_open(&h->conn, fd);
}

void
harness_disconnect(struct vhost_harness *h)
{
	vhost_conn_close(&h->conn);
}

void
harness_send_raw(struct vhost_harness *h, const void *bytes, size_t n,
    const int *fds, size_t nfds)
{
	union {
		struct cmsghdr	align;
		char		bytes[CMSG_SPACE(sizeof(int) * 32)];
	} control;
	struct iovec iov = { (void *)(uintptr_t)bytes, n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (nfds > 0) {
		memset(&control, 0, sizeof(control));
		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	}
	/* What blkd has closed already it has not missed. */
	(void)!sendmsg(h->conn.fd, &mh, MSG_NOSIGNAL);
}

static void
send_flags(struct vhost_harness *h, uint32_t flags, uint32_t request,
    const void *payload, uint32_t bytes, const int *fds, size_t nfds)
{
	struct vhost_header header = { request, flags, bytes };
	uint8_t all[sizeof(header) + 1024];

	ATF_REQUIRE(bytes <= 1024);
	memcpy(all, &header, sizeof(header));
	if (bytes > 0)
		memcpy(all + sizeof(header), payload, bytes);
	harness_send_raw(h, all, sizeof(header) + bytes, fds, nfds);
}

void
harness_send(struct vhost_harness *h, uint32_t request, const void *payload,
    uint32_t bytes, const int *fds, size_t nfds)
{
	send_flags(h, VHOST_VERSION, request, payload, bytes, fds, nfds);
}

void
harness_send_need(struct vhost_harness *h, uint32_t request,
    const void *payload, uint32_t bytes, const int *fds, size_t nfds)
{
	send_flags(h, VHOST_VERSION | VHOST_NEED_REPLY, request, payload,
	    bytes, fds, nfds);
}

static enum vhost_conn_result
receive(struct vhost_harness *h)
{
	struct pollfd p = { .fd = h->conn.fd, .events = POLLIN };
	enum vhost_conn_result r;

	do {
		ATF_REQUIRE_MSG(poll(&p, 1, PATIENCE_MS) == 1,
		    "blkd does not answer");
		r = vhost_conn_read(&h->conn);
	} while (r == VHOST_CONN_MORE);
	return r;
}

void
harness_reply(struct vhost_harness *h, uint32_t request)
{
	ATF_REQUIRE_EQ(VHOST_CONN_MESSAGE, receive(h));
	ATF_REQUIRE_EQ(request, h->conn.msg.h.m_request);
	ATF_REQUIRE_EQ(VHOST_VERSION | VHOST_REPLY, h->conn.msg.h.m_flags);
}

uint64_t
harness_ask_u64(struct vhost_harness *h, uint32_t request)
{
	harness_send(h, request, NULL, 0, NULL, 0);
	harness_reply(h, request);
	ATF_REQUIRE_EQ(sizeof(uint64_t), h->conn.msg.h.m_size);
	return h->conn.msg.p.m_u64;
}

void
harness_tell_u64(struct vhost_harness *h, uint32_t request, uint64_t value)
{
	harness_send(h, request, &value, sizeof(value), NULL, 0);
}

void
harness_tell_state(struct vhost_harness *h, uint32_t request, uint32_t index,
    uint32_t num)
{
	struct vhost_vring_state s = { index, num };

	harness_send(h, request, &s, sizeof(s), NULL, 0);
}

void
harness_sync(struct vhost_harness *h)
{
	(void)harness_ask_u64(h, VHOST_GET_FEATURES);
}

void
harness_expect_closed(struct vhost_harness *h)
{
	enum vhost_conn_result r;

	do {
		r = receive(h);
	} while (r == VHOST_CONN_MESSAGE);
	ATF_REQUIRE_EQ(VHOST_CONN_ENDED, r);
	vhost_conn_close(&h->conn);
}

/* --- the steps of a start ----------------------------------------------- */

void
harness_negotiate(struct vhost_harness *h, uint64_t features,
    uint64_t protocol)
{
	ATF_REQUIRE_EQ(features, features &
	    harness_ask_u64(h, VHOST_GET_FEATURES));
	ATF_REQUIRE_EQ(protocol, protocol &
	    harness_ask_u64(h, VHOST_GET_PROTOCOL_FEATURES));
	harness_tell_u64(h, VHOST_SET_PROTOCOL_FEATURES, protocol);
	harness_send(h, VHOST_SET_OWNER, NULL, 0, NULL, 0);
	harness_tell_u64(h, VHOST_SET_FEATURES, features);
}

void
harness_region(struct vhost_harness *h, struct vhost_mem_region *r)
{
	(void)h;
	*r = (struct vhost_mem_region) { .m_gpa = 0, .m_bytes = RING_MEMORY,
	    .m_address = HARNESS_ADDRESS, .m_offset = 0 };
}

void
harness_memory(struct vhost_harness *h)
{
	struct vhost_mem_table t = { .m_regions = 1 };

	harness_region(h, &t.m_region[0]);
	harness_send(h, VHOST_SET_MEM_TABLE, &t,
	    offsetof(struct vhost_mem_table, m_region[1]), &h->ring.gmemfd, 1);
}

static void
tell_fd(struct vhost_harness *h, uint32_t request, unsigned index, int fd)
{
	uint64_t value = index;

	harness_send(h, request, &value, sizeof(value), &fd, 1);
}

void
harness_ring(struct vhost_harness *h, unsigned index, uint16_t base)
{
	const struct queue_setup *s = &h->ring.setup;
	struct vhost_vring_addr a = {
		.m_index = index,
		.m_desc = HARNESS_ADDRESS + s->desc,
		.m_avail = HARNESS_ADDRESS + s->driver,
		.m_used = HARNESS_ADDRESS + s->device,
	};

	harness_tell_state(h, VHOST_SET_VRING_NUM, index, s->num);
	harness_tell_state(h, VHOST_SET_VRING_BASE, index, base);
	harness_send(h, VHOST_SET_VRING_ADDR, &a, sizeof(a), NULL, 0);
	tell_fd(h, VHOST_SET_VRING_CALL, index, h->ring.disk.irqfd);
	tell_fd(h, VHOST_SET_VRING_ERR, index, h->errfd);
	tell_fd(h, VHOST_SET_VRING_KICK, index, h->ring.disk.kickfd[0]);
	harness_tell_state(h, VHOST_SET_VRING_ENABLE, index, 1);
}

void
harness_get_inflight(struct vhost_harness *h)
{
	struct vhost_inflight i = { .m_queues = 1,
	    .m_queue_size = HARNESS_NUM };

	fd_close(&h->inflightfd);
	harness_send(h, VHOST_GET_INFLIGHT_FD, &i, sizeof(i), NULL, 0);
	harness_reply(h, VHOST_GET_INFLIGHT_FD);
	ATF_REQUIRE_EQ(sizeof(i), h->conn.msg.h.m_size);
	h->inflight = h->conn.msg.p.m_inflight;
	h->inflightfd = vhost_conn_take(&h->conn, 0);
	ATF_REQUIRE(h->inflightfd != -1);
}

void
harness_set_inflight(struct vhost_harness *h)
{
	harness_send(h, VHOST_SET_INFLIGHT_FD, &h->inflight,
	    sizeof(h->inflight), &h->inflightfd, 1);
}

void
harness_go_live(struct vhost_harness *h)
{
	harness_connect(h);
	harness_negotiate(h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	harness_memory(h);
	harness_ring(h, 0, 0);
	harness_sync(h);
}

uint16_t
harness_base(struct vhost_harness *h)
{
	harness_tell_state(h, VHOST_GET_VRING_BASE, 0, 0);
	harness_reply(h, VHOST_GET_VRING_BASE);
	return (uint16_t)h->conn.msg.p.m_state.m_num;
}

void
harness_expect_refused(struct vhost_harness *h, const char *why)
{
	harness_expect_closed(h);
	harness_wait_said(why);
	/* The file stays open in blkd: what was said is taken away. */
	ATF_REQUIRE(truncate(HARNESS_LOG, 0) == 0);
	harness_connect(h);
	harness_sync(h);
}

void
harness_write_and_read(struct vhost_harness *h, unsigned sector)
{
	uint8_t block[512];

	ring_harness_request(&h->ring, 0, VIRTIO_BLK_T_OUT, sector, 512);
	memset(ring_harness_data(&h->ring, 0), 0x5a + (int)sector, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h->ring, 0, NULL));
	ring_harness_sector(&h->ring, sector, block);
	ATF_CHECK_EQ((uint8_t)(0x5a + sector), block[511]);
	ring_harness_request(&h->ring, 1, VIRTIO_BLK_T_IN, sector, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h->ring, 1, NULL));
	ATF_CHECK_EQ(0, memcmp(block, ring_harness_data(&h->ring, 1), 512));
}
