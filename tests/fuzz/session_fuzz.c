/* SPDX-License-Identifier: ISC */
/*
 * The session of a blkd, over real channels: messages in any order, of any
 * values, with right and wrong descriptors.  It ends, with a status, and
 * leaves no descriptor open.  The sandbox is not entered: see the doubles.
 *
 *	input: packets: where (1 byte), type (1), length of changes (1), the
 *	    changes, which are XORed over a sound message
 */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <event2/event.h>
#include <fcntl.h>
#include <unistd.h>

#include "blkd/session.h"
#include "proto/chan.h"
#include "shm/doorbell.h"
#include "shm/memfd.h"
#include "shm/state.h"
#include "tests/fuzz/fuzz.h"
#include "util/sandbox.h"

#define MEMORY		(UINT64_C(1) << 20)
#define QUEUES		2u
#define QUEUE_SIZE	64u
#define NFDS		(PROTO_ATTACH_KICK + QUEUES)

/* --- doubles: a fuzzer cannot live in the sandbox ------------------------ */

uint32_t
sandbox_missing(uint32_t layers)
{
	return ~layers & 1;
}

void
sandbox_layer_names(uint32_t layers, char *text, size_t size)
{
	snprintf(text, size, "layers %x", layers);
}

int
sandbox_limit_file(uint64_t bytes)
{
	(void)bytes;
	return 0;
}

int
sandbox_narrow(struct sandbox *box)
{
	(void)box;
	return 0;
}

/* --- packets ------------------------------------------------------------ */

static int
backing(void)
{
	int fd = memfd_create("backing", MFD_CLOEXEC);

	FUZZ_REQUIRE(fd != -1 && ftruncate(fd, 1 << 16) == 0);
	return fd;
}

/* The descriptors of ATTACH; `wrong` says which are something else. */
static void
make_fds(int fd[NFDS], int mmio, uint16_t wrong)
{
	unsigned i;

	fd[PROTO_ATTACH_GMEM] = memfd_make("gmem", MEMORY);
	fd[PROTO_ATTACH_STATE] = state_make(QUEUES, QUEUE_SIZE);
	fd[PROTO_ATTACH_DOORBELL] = memfd_make("doorbell", DOORBELL_BYTES);
	fd[PROTO_ATTACH_BACKING] = backing();
	fd[PROTO_ATTACH_MMIO] = fcntl(mmio, F_DUPFD_CLOEXEC, 0);
	for (i = PROTO_ATTACH_IRQ; i < NFDS; i++)
		fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	for (i = 0; i < NFDS; i++)
		if (wrong >> i & 1)
			FUZZ_REQUIRE(dup3(fd[(i + 1) % NFDS], fd[i],
			    O_CLOEXEC) != -1);
}

static void
sound(struct msg *m, const struct proto_fact *fact)
{
	memset(m, 0, sizeof(*m));
	chan_header(&m->hdr, (enum proto_type)fact->type, 1);
	if (fact->type == PROTO_BLK_ATTACH) {
		memcpy(m->attach.m_name, "disk", 5);
		m->attach.m_memory = MEMORY;
		m->attach.m_queues = QUEUES;
		m->attach.m_queue_size = QUEUE_SIZE;
		m->attach.m_block_size = 512;
	} else if (fact->type == PROTO_MMIO_READ ||
	    fact->type == PROTO_MMIO_WRITE) {
		m->mmio_read.m_size = 4;
	}
}

static void
send_raw(int fd, const void *packet, size_t length, const int *fds, size_t n)
{
	union {
		struct cmsghdr	hdr;
		char		room[CMSG_SPACE(sizeof(int) * NFDS)];
	} control;
	struct iovec iov = { (void *)(uintptr_t)packet, length };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	memset(&control, 0, sizeof(control));
	if (n > 0) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		control.hdr.cmsg_level = SOL_SOCKET;
		control.hdr.cmsg_type = SCM_RIGHTS;
		control.hdr.cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(&control.hdr), fds, sizeof(int) * n);
	}
	(void)sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
send_one(struct fuzz_input *in, int control, int mmio, int mmio_theirs)
{
	uint8_t where = fuzz_u8(in), changes[255], n;
	const struct proto_fact *fact = proto_fact_at(fuzz_u8(in) % 20);
	int fd[NFDS];
	struct msg m;
	unsigned i;

	n = fuzz_u8(in);
	fuzz_take(in, changes, n);
	sound(&m, fact);
	/* The header last: it is seldom what is interesting. */
	for (i = 0; i < n; i++)
		m.bytes[(sizeof(m.hdr) + i) % fact->size] ^= changes[i];
	if (fact->fds_max == 0) {
		send_raw(where & 1 ? mmio : control, m.bytes, fact->size,
		    NULL, 0);
		return;
	}
	make_fds(fd, mmio_theirs, where >> 4 == 0xf ? fuzz_u16(in) : 0);
	send_raw(where & 1 ? mmio : control, m.bytes, fact->size, fd,
	    where & 2 ? fuzz_u8(in) % (NFDS + 1) : NFDS);
	for (i = 0; i < NFDS; i++)
		close(fd[i]);
}

/* --- the loop ------------------------------------------------------------ */

#define PACKETS_MAX	64u
#define TURNS_AFTER	3u	/* so that the last packet is heard */

struct peers {
	struct fuzz_input	 in;
	struct event		*turn;
	int			 control, mmio;	/* ours */
	int			 mmio_theirs;
	unsigned		 turns;
	unsigned		 after;
};

static void
drain(int fd)
{
	char sink[PROTO_PACKET_MAX];

	while (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		;
}

/* A packet each turn of the loop; then the monitor goes. */
static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval now;
	struct peers *p = arg;

	(void)fd;
	(void)what;
	drain(p->control);
	drain(p->mmio);
	if (p->in.left > 0 && p->turns++ < PACKETS_MAX)
		send_one(&p->in, p->control, p->mmio, p->mmio_theirs);
	else if (p->after++ == TURNS_AFTER)
		shutdown(p->control, SHUT_WR);
	if (p->after <= TURNS_AFTER)
		event_add(p->turn, &now);
}

static int
lowest_free(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

static void
run(struct event_base *base, const uint8_t *data, size_t size)
{
	struct peers p = { .in = { data, size } };
	int control[2], mmio[2], status;
	struct session *s;

	FUZZ_REQUIRE(chan_pair(control) == 0 && chan_pair(mmio) == 0);
	p.control = control[0];
	p.mmio = mmio[0];
	p.mmio_theirs = mmio[1];
	p.turn = evtimer_new(base, on_turn, &p);
	FUZZ_REQUIRE(p.turn != NULL);
	event_active(p.turn, 0, 0);
	FUZZ_REQUIRE((s = session_make(base, control[1], NULL)) != NULL);
	status = session_run(s, NULL, 0xff0);
	FUZZ_REQUIRE(status >= 0 && status < 128);
	session_free(s);
	event_free(p.turn);
	close(mmio[1]);
	close(mmio[0]);
	close(control[0]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	int lowest;

	if (base == NULL)
		base = event_base_new();
	lowest = lowest_free();
	run(base, data, size);
	FUZZ_REQUIRE(lowest_free() == lowest);
	return 0;
}
