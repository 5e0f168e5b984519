/* SPDX-License-Identifier: ISC */
/*
 * The vm process's side of an MMIO channel, with a blkd whose answers are
 * the input: any access comes to its end once a blkd answers as it should,
 * whatever came before, and no descriptor stays open.
 *
 *	input: accesses: kind (1 byte), offset (1), then up to 3 blkds, each
 *	    a number of answers (1) and the answers (see send_answer)
 */
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "proto/chan.h"
#include "shm/doorbell.h"
#include "shm/memfd.h"
#include "tests/fuzz/fuzz.h"
#include "vmmd/blkchan.h"

#define ACCESSES_MAX	4u
#define BLKDS_MAX	3u
#define ANSWERS_MAX	4u
#define FDS_MAX		8u
#define TIMEOUT_MS	1
#define HANG_MS		8000	/* before libFuzzer says so */
#define QUEUES		2u
#define NOTIFY		0x50u
#define INTERRUPTS	0x60u

struct vm {
	struct fuzz_input	*in;
	struct blkchan		*bc;
	struct notice		*notice;
	int			 blkd;		/* its end, or -1 */
	int			 done;		/* eventfd: access returned */
	uint32_t		 sequence;	/* of the access */
	bool			 write;
	uint32_t		 offset;
	uint64_t		 value;
};

/*
 * In the place of libc's: the time limit of an answer is over at once.  What
 * a blkd says it has said before the access, so nothing is missed; the kernel
 * would round a millisecond up to one or two of its ticks.
 */
int
setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	(void)value;
	(void)size;
	FUZZ_REQUIRE(level == SOL_SOCKET && name == SO_RCVTIMEO);
	return fcntl(fd, F_SETFL, O_NONBLOCK);
}

/* --- the blkd ------------------------------------------------------------ */

static void
send_raw(const struct vm *vm, const void *packet, size_t length, size_t n)
{
	union {
		struct cmsghdr	hdr;
		char		room[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control;
	struct iovec iov = { (void *)(uintptr_t)packet, length };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[FDS_MAX];
	size_t i;

	memset(&control, 0, sizeof(control));
	if (n > 0) {
		for (i = 0; i < n; i++)
			fds[i] = vm->done;
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		control.hdr.cmsg_level = SOL_SOCKET;
		control.hdr.cmsg_type = SCM_RIGHTS;
		control.hdr.cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(&control.hdr), fds, sizeof(int) * n);
	}
	(void)sendmsg(vm->blkd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
send_good(struct vm *vm, uint32_t sequence, size_t nfds)
{
	struct msg m;

	memset(&m, 0, sizeof(m));
	chan_header(&m.hdr, vm->write ? PROTO_MMIO_ACK : PROTO_MMIO_DATA,
	    sequence);
	if (!vm->write)
		m.mmio_data.m_value = vm->value;
	send_raw(vm, m.bytes, m.hdr.m_length, nfds);
}

/* Any message, of the right number, with some of its bytes changed. */
static void
send_any(struct vm *vm)
{
	const struct proto_fact *fact = proto_fact_at(fuzz_u8(vm->in) % 20);
	uint8_t changes[255], n = fuzz_u8(vm->in);
	struct msg m;
	unsigned i;

	fuzz_take(vm->in, changes, n);
	memset(&m, 0, sizeof(m));
	chan_header(&m.hdr, (enum proto_type)fact->type, vm->sequence);
	/* The header last: it is seldom what is interesting. */
	for (i = 0; i < n; i++)
		m.bytes[(sizeof(m.hdr) + i) % fact->size] ^= changes[i];
	send_raw(vm, m.bytes, fact->size, fuzz_u8(vm->in) % (FDS_MAX + 1));
}

static void
send_answer(struct vm *vm)
{
	uint8_t packet[255], n;

	switch (fuzz_u8(vm->in) % 7) {
	case 0:
		send_good(vm, vm->sequence, 0);
		break;
	case 1:
		send_good(vm, vm->sequence + fuzz_u8(vm->in), 0);
		break;
	case 2:
		send_good(vm, vm->sequence, fuzz_u8(vm->in) % (FDS_MAX + 1));
		break;
	case 3:
		send_any(vm);
		break;
	case 4:
		n = fuzz_u8(vm->in);
		fuzz_take(vm->in, packet, n);
		send_raw(vm, packet, n, 0);
		break;
	case 5:
		shutdown(vm->blkd, SHUT_RDWR);
		break;
	default:
		break;		/* it says nothing */
	}
}

static void
send_answers(struct vm *vm)
{
	unsigned n = fuzz_u8(vm->in) % (ANSWERS_MAX + 1);

	while (n-- > 0)
		send_answer(vm);
}

/* A successor, which has said what it has to say before it is attached. */
static void
succeed(struct vm *vm, bool good)
{
	int ends[2];

	FUZZ_REQUIRE(chan_pair(ends) == 0);
	close(vm->blkd);
	vm->blkd = ends[1];
	if (good)
		send_good(vm, vm->sequence, 0);
	else
		send_answers(vm);
	blkchan_attach(vm->bc, ends[0]);
}

/* --- the vCPU ------------------------------------------------------------ */

static void *
vcpu(void *arg)
{
	const struct vm *vm = arg;
	uint64_t one = 1;

	if (vm->write)
		blkchan_write(vm->bc, vm->offset, 4, vm->value);
	else
		(void)blkchan_read(vm->bc, vm->offset, 4);
	FUZZ_REQUIRE(write(vm->done, &one, sizeof(one)) == sizeof(one));
	return NULL;
}

/* True: the access has returned; false: the disk is stuck, and it waits. */
static bool
wait_vcpu(struct vm *vm, bool last)
{
	struct pollfd p[] = {
		{ .fd = vm->done, .events = POLLIN },
		{ .fd = last ? -1 : notice_fd(vm->notice), .events = POLLIN },
	};
	uint32_t stuck;
	struct end end;
	uint64_t n;
	int ret;

	/* libFuzzer's own clock interrupts. */
	while ((ret = poll(p, 2, HANG_MS)) == -1 && errno == EINTR)
		continue;
	FUZZ_REQUIRE(ret > 0);
	if (p[0].revents != 0) {
		FUZZ_REQUIRE(read(vm->done, &n, sizeof(n)) == sizeof(n));
		return true;
	}
	FUZZ_REQUIRE(!notice_take(vm->notice, &stuck, &end));
	FUZZ_REQUIRE(stuck == 0 || stuck == 1);
	return false;
}

static void
access_one(struct vm *vm)
{
	uint8_t kind = fuzz_u8(vm->in), blkds = 0;
	pthread_t thread;
	bool returned, stop;

	vm->offset = kind & 2 ? NOTIFY : fuzz_u8(vm->in);
	vm->write = kind & 1;
	vm->value = kind >> 6;
	stop = (kind >> 2 & 7) == 7;
	if (vm->write ? vm->offset != INTERRUPTS + 4 :
	    vm->offset != INTERRUPTS)
		vm->sequence++;
	send_answers(vm);
	FUZZ_REQUIRE(pthread_create(&thread, NULL, vcpu, vm) == 0);
	if (kind & 0x20)	/* whether the last one has answered or not */
		succeed(vm, false);
	while (!(returned = wait_vcpu(vm, false)) && blkds++ < BLKDS_MAX)
		succeed(vm, false);
	if (!returned) {
		if (stop)
			blkchan_stop(vm->bc);
		else
			succeed(vm, true);
		FUZZ_REQUIRE(wait_vcpu(vm, true));
	}
	FUZZ_REQUIRE(pthread_join(thread, NULL) == 0);
}

static void
run(struct fuzz_input *in)
{
	struct vm vm = { .in = in };
	struct blkchan_setup s = {
		.queues = QUEUES, .message = fuzz_u8(in) & 1,
		.timeout_ms = TIMEOUT_MS,
	};
	unsigned i;
	int ends[2];

	FUZZ_REQUIRE(chan_pair(ends) == 0);
	s.channel = ends[0];
	vm.blkd = ends[1];
	FUZZ_REQUIRE((vm.notice = s.notice = notice_new()) != NULL);
	FUZZ_REQUIRE((vm.done = eventfd(0, EFD_CLOEXEC)) != -1);
	s.doorbell = memfd_make("doorbell", DOORBELL_BYTES);
	FUZZ_REQUIRE((vm.bc = blkchan_new(&s)) != NULL);
	close(s.doorbell);
	for (i = 0; i < ACCESSES_MAX && in->left > 0; i++)
		access_one(&vm);
	blkchan_free(vm.bc);
	notice_free(vm.notice);
	close(vm.done);
	close(vm.blkd);
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
	int lowest = lowest_free();

	run(&in);
	FUZZ_REQUIRE(lowest_free() == lowest);
	return 0;
}
