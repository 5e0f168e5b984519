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

const char *
sandbox_layer_name(uint32_t layer)
{
	return layer == 1 ? "userns" : NULL;
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
	int control[2], mmio[2], lowest = lowest_free(), status, i;
	static struct event_base *base;
	struct session *s;

	if (base == NULL) {
		base = event_base_new();
		lowest = lowest_free();
	}
	FUZZ_REQUIRE(chan_pair(control) == 0 && chan_pair(mmio) == 0);
	for (i = 0; in.left > 0 && i < 64; i++)
		send_one(&in, control[0], mmio[0], mmio[1]);
	close(mmio[1]);
	/* No more comes, but the answers may go out. */
	shutdown(control[0], SHUT_WR);
	shutdown(mmio[0], SHUT_WR);
	FUZZ_REQUIRE((s = session_make(base, control[1])) != NULL);
	status = session_run(s, NULL, 0xff0);
	FUZZ_REQUIRE(status >= 0 && status < 128);
	session_free(s);
	close(control[0]);
	close(mmio[0]);
	FUZZ_REQUIRE(lowest_free() == lowest);
	return 0;
}
