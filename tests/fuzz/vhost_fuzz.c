/* SPDX-License-Identifier: ISC */
/*
 * A front-end: vhost-user messages in any order, of any values, with right
 * and wrong descriptors, over a real socket, with real queues behind it.  The
 * connection ends or does not; the disk does not, no descriptor stays open,
 * and what is wrong in one connection does not reach the next.
 *
 *	input: messages: which (1 byte), descriptors (1), how they are wrong
 *	    (1), length of changes (1), the changes, which are XORed over a
 *	    sound message of the start of a disk
 */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "blkd/attach.h"
#include "blkd/backing.h"
#include "blkd/disk.h"
#include "blkd/limiter.h"
#include "blkd/vhost.h"
#include "blkd/vhost_conn.h"
#include "blkd/vhost_fault.h"
#include "shm/memfd.h"
#include "shm/state.h"
#include "tests/fuzz/fuzz.h"

#define MEMORY		(UINT64_C(1) << 20)
#define ADDRESS		UINT64_C(0x7f0000000000)
#define BACKING		(1 << 16)
#define QUEUES		2u
#define QUEUE_SIZE	64u
#define MESSAGES_MAX	64u
#define PATIENCE	20000

static struct disk disk;
static struct vhost *vhost;
static int journal = -1;	/* of the last GET_INFLIGHT_FD */
static int backing = -1;
static int news[2];		/* what SET_BACKEND_REQ_FD brings, and we */

static void
make(void)
{
	int statefd = state_make(QUEUES, QUEUE_SIZE);

	backing = memfd_create("backing", MFD_CLOEXEC);
	FUZZ_REQUIRE(backing != -1 && ftruncate(backing, BACKING) == 0);
	FUZZ_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0, news) == 0);
	attach_init(&disk);
	memcpy(disk.name, "fuzz", 5);
	disk.block_size = 512;
	disk.queues = QUEUES;
	disk.queue_size = QUEUE_SIZE;
	disk.writeback = 1;
	disk.sectors = BACKING / 512;
	disk.backing = backing_open(backing, false, 512);
	disk.state = state_map(statefd, QUEUES, QUEUE_SIZE);
	disk.limiter = limiter_make(disk.state, NULL, NULL, NULL);
	FUZZ_REQUIRE(disk.backing != NULL && disk.state != NULL &&
	    disk.limiter != NULL && vhost_fault_install() == 0);
	FUZZ_REQUIRE((vhost = vhost_make(&disk)) != NULL);
}

/* The usual start, in order; each can be asked for by its number. */
static const struct {
	uint32_t	request;
	uint32_t	bytes;
	unsigned	nfds;
} usual[] = {
	{ VHOST_GET_FEATURES, 0, 0 },
	{ VHOST_GET_PROTOCOL_FEATURES, 0, 0 },
	{ VHOST_SET_PROTOCOL_FEATURES, 8, 0 },
	{ VHOST_GET_QUEUE_NUM, 0, 0 },
	{ VHOST_SET_OWNER, 0, 0 },
	{ VHOST_SET_FEATURES, 8, 0 },
	{ VHOST_GET_INFLIGHT_FD, sizeof(struct vhost_inflight), 0 },
	{ VHOST_SET_INFLIGHT_FD, sizeof(struct vhost_inflight), 1 },
	{ VHOST_SET_MEM_TABLE, 40, 1 },
	{ VHOST_SET_VRING_NUM, 8, 0 },
	{ VHOST_SET_VRING_BASE, 8, 0 },
	{ VHOST_SET_VRING_ADDR, 40, 0 },
	{ VHOST_SET_VRING_CALL, 8, 1 },
	{ VHOST_SET_VRING_ERR, 8, 1 },
	{ VHOST_SET_VRING_KICK, 8, 1 },
	{ VHOST_SET_VRING_ENABLE, 8, 0 },
	{ VHOST_GET_CONFIG, 12 + 60, 0 },
	{ VHOST_SET_CONFIG, 13, 0 },
	{ VHOST_GET_VRING_BASE, 8, 0 },
	{ VHOST_RESET_DEVICE, 0, 0 },
	{ VHOST_GET_MAX_MEM_SLOTS, 0, 0 },
	{ VHOST_ADD_MEM_REG, 40, 1 },
	{ VHOST_REM_MEM_REG, 40, 0 },
	{ VHOST_RESET_OWNER, 0, 0 },
	{ VHOST_SET_BACKEND_REQ_FD, 0, 1 },
};
#define NUSUAL	(sizeof(usual) / sizeof(usual[0]))

static void
sound(struct vhost_msg *m, size_t which)
{
	memset(m, 0, sizeof(*m));
	m->h = (struct vhost_header) { usual[which].request, VHOST_VERSION,
	    usual[which].bytes };
	switch (m->h.m_request) {
	case VHOST_SET_PROTOCOL_FEATURES:
		m->p.m_u64 = VHOST_PROTOCOL_OFFERED;
		break;
	case VHOST_SET_FEATURES:
		m->p.m_u64 = UINT64_C(1) << 32;
		break;
	case VHOST_GET_INFLIGHT_FD:
	case VHOST_SET_INFLIGHT_FD:
		m->p.m_inflight = (struct vhost_inflight) {
			.m_bytes = sizeof(struct state), .m_queues = QUEUES,
			.m_queue_size = QUEUE_SIZE };
		break;
	case VHOST_SET_MEM_TABLE:
		m->p.m_table.m_regions = 1;
		m->p.m_table.m_region[0] = (struct vhost_mem_region) { 0,
		    MEMORY, ADDRESS, 0 };
		break;
	case VHOST_ADD_MEM_REG:
	case VHOST_REM_MEM_REG:
		m->p.m_single.m_region = (struct vhost_mem_region) { MEMORY,
		    MEMORY, ADDRESS + MEMORY, 0 };
		break;
	case VHOST_SET_VRING_NUM:
		m->p.m_state.m_num = QUEUE_SIZE;
		break;
	case VHOST_SET_VRING_ENABLE:
		m->p.m_state.m_num = 1;
		break;
	case VHOST_SET_VRING_ADDR:
		m->p.m_addr.m_desc = ADDRESS + 0x1000;
		m->p.m_addr.m_avail = ADDRESS + 0x2000;
		m->p.m_addr.m_used = ADDRESS + 0x3000;
		break;
	case VHOST_GET_CONFIG:
		m->p.m_config.m_bytes = 60;
		break;
	case VHOST_SET_CONFIG:
		m->p.m_config.m_offset = 32;
		m->p.m_config.m_bytes = 1;
		break;
	}
}

/* A descriptor that suits the message, or one of another kind. */
static int
make_fd(struct fuzz_input *in, uint32_t request, uint8_t how)
{
	uint8_t content[64];
	int fd;

	if (how >= 0xf0)
		request = how & 0xf;
	switch (request) {
	case VHOST_SET_MEM_TABLE:
	case VHOST_ADD_MEM_REG:
		fd = memfd_create("memory", MFD_CLOEXEC);
		FUZZ_REQUIRE(ftruncate(fd, MEMORY) == 0);
		/* Avail rings and descriptors of its own. */
		fuzz_take(in, content, sizeof(content));
		(void)!pwrite(fd, content, 32, 0x1000);
		(void)!pwrite(fd, content + 32, 32, 0x2000);
		return fd;
	case VHOST_SET_INFLIGHT_FD:
		return journal != -1 ? fcntl(journal, F_DUPFD_CLOEXEC, 0) :
		    state_make(QUEUES, QUEUE_SIZE);
	case VHOST_SET_BACKEND_REQ_FD:
		return fcntl(news[0], F_DUPFD_CLOEXEC, 0);
	case 0:
		return memfd_create("empty", MFD_CLOEXEC);
	case 1:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	default:
		fd = eventfd(0, EFD_CLOEXEC);
		(void)eventfd_write(fd, 1);
		return fd;
	}
}

static void
send_raw(int to, const void *bytes, size_t n, const int *fds, size_t nfds)
{
	union {
		struct cmsghdr	hdr;
		char		room[CMSG_SPACE(sizeof(int) * 16)];
	} control;
	struct iovec iov = { (void *)(uintptr_t)bytes, n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	memset(&control, 0, sizeof(control));
	if (nfds > 0) {
		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		control.hdr.cmsg_level = SOL_SOCKET;
		control.hdr.cmsg_type = SCM_RIGHTS;
		control.hdr.cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(&control.hdr), fds, sizeof(int) * nfds);
	}
	(void)sendmsg(to, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
resize(int bytes)
{
	FUZZ_REQUIRE(ftruncate(backing, bytes) == 0);
	vhost_resize(vhost);
}

static void
send_one(struct fuzz_input *in, int to)
{
	uint8_t which = fuzz_u8(in), count = fuzz_u8(in), how = fuzz_u8(in);
	uint8_t changes[255], *bytes, n = fuzz_u8(in);
	struct vhost_msg m;
	size_t i, nfds, whole;
	int fds[16], memory = -1;

	fuzz_take(in, changes, n);
	sound(&m, which % NUSUAL);
	bytes = (uint8_t *)&m;
	whole = sizeof(m.h) + m.h.m_size;
	/* The header last: it is seldom what is interesting. */
	for (i = 0; i < n; i++)
		bytes[(sizeof(m.h) + i) % whole] ^= changes[i];
	nfds = count >= 0xe0 ? count % 16 : usual[which % NUSUAL].nfds;
	for (i = 0; i < nfds; i++)
		fds[i] = make_fd(in, usual[which % NUSUAL].request, how);
	if (nfds > 0 && usual[which % NUSUAL].nfds > 0 && (how & 0xe0) == 0x20)
		memory = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
	/* Sometimes a part now, and the rest with the next one. */
	if ((how & 0xe0) == 0x40 && whole > 1) {
		send_raw(to, bytes, whole / 2, fds, nfds);
		send_raw(to, bytes + whole / 2, whole - whole / 2, NULL, 0);
	} else
		send_raw(to, bytes, whole, fds, nfds);
	for (i = 0; i < nfds; i++)
		close(fds[i]);
	if ((how & 0xe0) == 0x60)
		resize(n * 512);
	/* Memory that shrinks. */
	if (memory != -1) {
		(void)!ftruncate(memory, 0);
		close(memory);
	}
}

/* What blkd says; a journal is kept, for a front-end that comes again. */
static void
drain(struct vhost_conn *c)
{
	int fd;

	while (c->fd != -1 && vhost_conn_read(c) == VHOST_CONN_MESSAGE) {
		if ((fd = vhost_conn_take(c, 0)) == -1)
			continue;
		if (journal != -1)
			close(journal);
		journal = fd;
	}
}

/* As the door does it, as long as something comes. */
static void
turn(void)
{
	struct pollfd p[2];
	unsigned i;

	for (i = 0; i < 8; i++) {
		p[0] = (struct pollfd) { .fd = vhost_event_fd(vhost),
		    .events = POLLIN };
		p[1] = (struct pollfd) { .fd = vhost_is_busy(vhost) ?
		    vhost_message_fd(vhost) : -1, .events = POLLIN };
		if (poll(p, 2, vhost_is_waiting(vhost) ? 1 : 0) == 0 &&
		    !vhost_is_waiting(vhost))
			return;
		vhost_on_patience(vhost);
		if (p[0].revents != 0)
			vhost_on_event(vhost);
		if (p[1].revents != 0 && vhost_message_fd(vhost) != -1)
			vhost_on_message(vhost);
	}
}

static void
run(struct fuzz_input *in)
{
	struct vhost_header h;
	struct vhost_conn c;
	unsigned n;
	int pair[2];
	ssize_t got;

	FUZZ_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0, pair) == 0);
	vhost_conn_init(&c);
	vhost_conn_open(&c, pair[0]);
	vhost_connect(vhost, pair[1]);
	for (n = 0; n < MESSAGES_MAX && in->left > 0; n++) {
		send_one(in, c.fd);
		turn();
		drain(&c);
		if (!vhost_is_busy(vhost))
			break;
	}
	vhost_conn_close(&c);
	for (n = 0; n < PATIENCE && vhost_is_busy(vhost); n++)
		turn();
	FUZZ_REQUIRE(!vhost_is_busy(vhost));
	resize(BACKING);
	/* Nothing but whole news; what is read is gone for the next one. */
	while ((got = read(news[1], &h, sizeof(h))) > 0)
		FUZZ_REQUIRE(got == sizeof(h) && h.m_size == 0 &&
		    h.m_request == VHOST_BACKEND_CONFIG_CHANGE);
}

static int
lowest_free(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	int lowest;

	if (vhost == NULL)
		make();
	lowest = lowest_free();
	/* Two front-ends, one after the other. */
	run(&in);
	run(&in);
	if (journal != -1)
		close(journal);
	journal = -1;
	FUZZ_REQUIRE(lowest_free() == lowest);
	FUZZ_REQUIRE(disk.gmem == NULL && disk.journal == NULL);
	return 0;
}
