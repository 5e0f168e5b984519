/* SPDX-License-Identifier: ISC */
/*
 * A blkd that was taken over, on its channels: not shut in, as it would not
 * be if the sandbox had failed.  The name under which it is started says
 * what it does (evil.NAME); channel_test.sh starts a real vmmd with it.
 */
#include "config.h"

#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/chan.h"
#include "proto/msg.h"
#include "proto/proto.h"

#define CONTROL	3
#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))

static char junk[256 << 10];
static int mmio = -1;		/* the channel that came with ATTACH */

static void __attribute__((noreturn))
stay(void)
{
	for (;;)
		pause();
}

/* Whatever the bytes are, with `nfds` copies of a descriptor. */
static void
say_to(int channel, const void *bytes, size_t len, size_t nfds)
{
	union {
		struct cmsghdr	hdr;
		char		room[CMSG_SPACE(253 * sizeof(int))];
	} control;
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c = &control.hdr;
	int fd = STDERR_FILENO;
	size_t i;

	if (nfds > 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		for (i = 0; i < nfds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &fd,
			    sizeof(fd));
	}
	(void)sendmsg(channel, &msg, MSG_NOSIGNAL);
}

static void
say(const void *bytes, size_t len, size_t nfds)
{
	say_to(CONTROL, bytes, len, nfds);
}

/* ATTACH; the sequence number that an answer has to repeat. */
static uint32_t
attached(void)
{
	struct msg m;

	if (chan_recv(CONTROL, &m) != PROTO_OK)
		_exit(1);
	if (m.hdr.m_type == PROTO_BLK_ATTACH)
		mmio = msg_take_fd(&m, PROTO_ATTACH_MMIO);
	return m.hdr.m_sequence;
}

static struct proto_blk_ready
ready(uint32_t sequence)
{
	struct proto_blk_ready m = { .m_layers = PROTO_LAYERS,
	    .m_capacity = 2048 };

	chan_header(&m.m_hdr, PROTO_BLK_READY, sequence);
	return m;
}

static void
be_ready(void)
{
	struct proto_blk_ready m = ready(attached());

	say(&m, sizeof(m), 0);
}

static void
say_type(unsigned type, size_t len)
{
	struct proto_header hdr;

	chan_header(&hdr, PROTO_BLK_PONG, 7);
	hdr.m_type = (uint16_t)type;
	hdr.m_length = (uint32_t)len;
	memcpy(junk, &hdr, sizeof(hdr));
	say(junk, len, 0);
}

/* --- before ATTACH ----------------------------------------------------- */

static void
early_ready(void)
{
	struct proto_blk_ready m = ready(1);

	say(&m, sizeof(m), 0);
}

static void
garbage(void)
{
	memset(junk, 0xa5, 64);
	say(junk, 64, 0);
}

static void
empty(void)
{
	say(junk, 0, 0);
}

static void
short_header(void)
{
	say(junk, 7, 0);
}

static void
oversized(void)
{
	attached();
	say_type(PROTO_BLK_READY, PROTO_PACKET_MAX + 1);
}

static void
huge(void)
{
	attached();
	say_type(PROTO_BLK_READY, sizeof(junk) / 2);
}

/* --- instead of READY -------------------------------------------------- */

static void
wrong_length(void)
{
	struct proto_blk_ready m = ready(attached());

	m.m_hdr.m_length += 4;
	say(&m, sizeof(m), 0);
}

static void
wrong_version(void)
{
	struct proto_blk_ready m = ready(attached());

	m.m_hdr.m_version++;
	say(&m, sizeof(m), 0);
}

static void
wrong_magic(void)
{
	struct proto_blk_ready m = ready(attached());

	m.m_hdr.m_magic ^= 1;
	say(&m, sizeof(m), 0);
}

static void
wrong_sequence(void)
{
	struct proto_blk_ready m = ready(attached() + 99);

	say(&m, sizeof(m), 0);
}

static void
unknown_type(void)
{
	attached();
	say_type(299, sizeof(struct proto_empty));
}

static void
monitors_type(void)
{
	attached();
	say_type(PROTO_BLK_DETACH, sizeof(struct proto_empty));
}

static void
machines_type(void)
{
	attached();
	say_type(PROTO_VM_STOP, sizeof(struct proto_empty));
}

static void
descriptors(void)
{
	struct proto_blk_ready m = ready(attached());

	say(&m, sizeof(m), 1);
}

static void
many_descriptors(void)
{
	struct proto_blk_ready m = ready(attached());

	say(&m, sizeof(m), 253);
}

static void
impossible_layers(void)
{
	struct proto_blk_ready m = ready(attached());

	m.m_layers = ~0u;
	say(&m, sizeof(m), 0);
}

static void
no_layers(void)
{
	struct proto_blk_ready m = ready(attached());

	m.m_layers = 0;
	say(&m, sizeof(m), 0);
}

static void
impossible_capacity(void)
{
	struct proto_blk_ready m = ready(attached());

	m.m_capacity = UINT64_MAX;
	say(&m, sizeof(m), 0);
}

static void
endless_text(void)
{
	struct proto_fail m = { .m_errno = EIO };

	chan_header(&m.m_hdr, PROTO_BLK_FAIL, attached());
	memset(m.m_text, 'A', sizeof(m.m_text));
	say(&m, sizeof(m), 0);
}

/* What a terminal or a log would take for its own. */
static void
escape_text(void)
{
	struct proto_fail m = { .m_errno = EIO };

	chan_header(&m.m_hdr, PROTO_BLK_FAIL, attached());
	snprintf(m.m_text, sizeof(m.m_text),
	    "\033]0;owned\007\nvmmd: error: forged line\r");
	say(&m, sizeof(m), 0);
}

static void
no_errno(void)
{
	struct proto_fail m = { .m_errno = -1, .m_text = "x" };

	chan_header(&m.m_hdr, PROTO_BLK_FAIL, attached());
	say(&m, sizeof(m), 0);
}

static void
silence(void)
{
	attached();
}

static void
deaf(void)
{
}

/* --- after READY ------------------------------------------------------- */

static void
ready_twice(void)
{
	struct proto_blk_ready m = ready(attached());

	say(&m, sizeof(m), 0);
	say(&m, sizeof(m), 0);
}

static void
unasked_answers(void)
{
	static const unsigned types[] = { PROTO_BLK_PAUSED, PROTO_BLK_RESUMED,
	    PROTO_BLK_PONG };
	size_t i;

	be_ready();
	for (i = 0; i < NITEMS(types); i++)
		say_type(types[i], sizeof(struct proto_empty));
}

static void
flood(void)
{
	be_ready();
	for (;;)
		say_type(PROTO_BLK_PONG, sizeof(struct proto_empty));
}

static void
replace_loop(void)
{
	struct proto_blk_replace m = { .m_reason = PROTO_REPLACE_RESET };

	be_ready();
	chan_header(&m.m_hdr, PROTO_BLK_REPLACE, 9);
	say(&m, sizeof(m), 0);
}

static void
log_flood(void)
{
	be_ready();
	memset(junk, 'A', sizeof(junk));
	for (;;)
		(void)!write(STDERR_FILENO, junk, sizeof(junk));
}

static void
crash(void)
{
	be_ready();
	raise(SIGSEGV);
	_exit(1);
}

static void
leave(void)
{
	be_ready();
	_exit(0);
}

static void
hang_up(void)
{
	be_ready();
	close(CONTROL);
}

static void
stop(void)
{
	be_ready();
	raise(SIGSTOP);
}

static void
ignore_everything(void)
{
	/* The guest's registers are never answered. */
	be_ready();
}

/* --- on the MMIO channel, to the vm process ----------------------------- */

/* The number of the next register access. */
static uint32_t
asked(void)
{
	struct msg m;

	if (chan_recv(mmio, &m) != PROTO_OK)
		stay();
	return m.hdr.m_sequence;
}

static void
say_data(uint32_t sequence, uint64_t value, size_t nfds)
{
	struct proto_mmio_data m = { .m_value = value };

	chan_header(&m.m_hdr, PROTO_MMIO_DATA, sequence);
	say_to(mmio, &m, sizeof(m), nfds);
}

static void
mmio_garbage(void)
{
	be_ready();
	memset(junk, 0xa5, 64);
	asked();
	say_to(mmio, junk, 64, 0);
}

static void
mmio_huge(void)
{
	be_ready();
	asked();
	say_to(mmio, junk, sizeof(junk) / 2, 0);
}

static void
mmio_descriptors(void)
{
	be_ready();
	say_data(asked(), 0x74726976, 1);
}

static void
mmio_many_descriptors(void)
{
	be_ready();
	say_data(asked(), 0x74726976, 253);
}

static void
mmio_wrong_sequence(void)
{
	be_ready();
	say_data(asked() + 1, 0x74726976, 0);
}

static void
mmio_wrong_type(void)
{
	struct proto_header m;

	be_ready();
	chan_header(&m, PROTO_MMIO_ACK, asked());
	say_to(mmio, &m, sizeof(m), 0);
}

static void
mmio_unasked(void)
{
	be_ready();
	say_data(1, 0, 0);
	say_data(2, 0, 0);
}

static void
mmio_flood(void)
{
	uint32_t n;

	be_ready();
	for (n = 0;; n++)
		say_data(n, n, 0);
}

static void
mmio_hang_up(void)
{
	be_ready();
	close(mmio);
}

/* Each answer is in time and of the right form, and none is true. */
static void
mmio_lies(void)
{
	struct proto_mmio_data data;
	struct proto_empty ack;
	struct msg m;

	be_ready();
	while (chan_recv(mmio, &m) == PROTO_OK) {
		if (m.hdr.m_type == PROTO_MMIO_WRITE) {
			chan_header(&ack.m_hdr, PROTO_MMIO_ACK,
			    m.hdr.m_sequence);
			say_to(mmio, &ack, sizeof(ack), 0);
			continue;
		}
		data = (struct proto_mmio_data) { .m_value = m.hdr.m_sequence *
		    UINT64_C(0x9e3779b97f4a7c15) };
		chan_header(&data.m_hdr, PROTO_MMIO_DATA, m.hdr.m_sequence);
		say_to(mmio, &data, sizeof(data), 0);
	}
}

#define WAY(f)	{ #f, f }
static const struct {
	const char	*name;
	void		(*run)(void);
} ways[] = {
	WAY(early_ready), WAY(garbage), WAY(empty), WAY(short_header),
	WAY(oversized), WAY(huge), WAY(wrong_length), WAY(wrong_version),
	WAY(wrong_magic), WAY(wrong_sequence), WAY(unknown_type),
	WAY(monitors_type), WAY(machines_type), WAY(descriptors),
	WAY(many_descriptors), WAY(impossible_layers), WAY(no_layers),
	WAY(impossible_capacity), WAY(endless_text), WAY(escape_text),
	WAY(no_errno), WAY(silence), WAY(deaf), WAY(ready_twice),
	WAY(unasked_answers), WAY(flood), WAY(replace_loop), WAY(log_flood),
	WAY(crash), WAY(leave), WAY(hang_up), WAY(stop),
	WAY(ignore_everything),
	WAY(mmio_garbage), WAY(mmio_huge), WAY(mmio_descriptors),
	WAY(mmio_many_descriptors), WAY(mmio_wrong_sequence),
	WAY(mmio_wrong_type), WAY(mmio_unasked), WAY(mmio_flood),
	WAY(mmio_hang_up), WAY(mmio_lies),
};

int
main(void)
{
	const char *self = (const char *)getauxval(AT_EXECFN);
	const char *name = self != NULL ? strrchr(self, '.') : NULL;
	size_t i;

	for (i = 0; name != NULL && i < NITEMS(ways); i++) {
		if (strcmp(ways[i].name, name + 1) != 0)
			continue;
		ways[i].run();
		stay();
	}
	fprintf(stderr, "usage: start it as evil.NAME\n");
	return 1;
}
