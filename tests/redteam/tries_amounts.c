/* SPDX-License-Identifier: ISC */
/*
 * Ways to take more than its share: disk, memory, descriptors, tasks.  Runs
 * inside the room.
 */
#include "config.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <linux/falloc.h>
#include <linux/memfd.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/redteam/room.h"

#define CHUNK	(UINT64_C(4) << 20)
#define MUCH	4096		/* tries before we call it unlimited */

static long
grow_backing(const struct outside *out)
{
	char byte = 0;
	struct iovec iov = { &byte, 1 };

	/* preadv and pwritev take the offset in two halves. */
	return syscall(SYS_pwritev, out->backing, &iov, 1,
	    UINT64_C(1) << 30, 0);
}

static long
allocate_beyond(const struct outside *out)
{
	return syscall(SYS_fallocate, out->backing, 0, 0, UINT64_C(1) << 30);
}

/* Space of the host's file system that no size of the image tells of. */
static long
allocate_keeping_size(const struct outside *out)
{
	return syscall(SYS_fallocate, out->backing, FALLOC_FL_KEEP_SIZE,
	    UINT64_C(1) << 30, UINT64_C(64) << 20);
}

static long
zero_keeping_size(const struct outside *out)
{
	return syscall(SYS_fallocate, out->backing, FALLOC_FL_KEEP_SIZE |
	    FALLOC_FL_ZERO_RANGE, UINT64_C(1) << 30, UINT64_C(64) << 20);
}

/* A stack is not counted as data. */
static long
fill_stack_memory(const struct outside *out)
{
	(void)out;
	return syscall(SYS_mmap, NULL, CHUNK, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
}

static long
fill_private_memory(const struct outside *out)
{
	int i;

	(void)out;
	for (i = 0; i < MUCH; i++)
		if (syscall(SYS_mmap, NULL, CHUNK, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == -1)
			return -1;
	return 0;
}

static long
fill_shared_memory(const struct outside *out)
{
	(void)out;
	return syscall(SYS_mmap, NULL, CHUNK, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static long
fill_memfd(const struct outside *out)
{
	long fd;

	(void)out;
	/* MFD_NOEXEC_SEAL */
	if ((fd = syscall(SYS_memfd_create, "x", 8)) == -1)
		return -1;
	return syscall(SYS_ftruncate, fd, UINT64_C(1) << 30);
}

/* As blkd itself makes them, where it does; each is as large as an image. */
static long
fill_sealed_memfd(const struct outside *out)
{
	(void)out;
	return syscall(SYS_memfd_create, "x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

static long
fill_descriptors(const struct outside *out)
{
	int i;

	for (i = 0; i < MUCH; i++)
		if (syscall(SYS_dup, out->kick) == -1)
			return -1;
	return 0;
}

static long
fill_tasks(const struct outside *out)
{
	long pid;
	int i;

	(void)out;
	for (i = 0; i < MUCH; i++) {
		pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (pid == -1)
			return -1;
		if (pid == 0)
			for (;;)
				syscall(SYS_pause);
	}
	return 0;
}

static long
lock_memory(const struct outside *out)
{
	(void)out;
	return syscall(SYS_mlockall, MCL_CURRENT | MCL_FUTURE);
}

static long
huge_pages(const struct outside *out)
{
	(void)out;
	return syscall(SYS_mmap, NULL, CHUNK, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
}

static long
message_queue(const struct outside *out)
{
	(void)out;
	return syscall(SYS_mq_open, "x", O_CREAT | O_RDWR, 0600, NULL);
}

/* Silence to the monitor's question is the monitor's to bound: proto/. */
static long
flood_channel(const struct outside *out)
{
	struct iovec iov = { (char[4096]){ 0 }, 4096 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int i;

	for (i = 0; i < MUCH; i++)
		if (syscall(SYS_sendmsg, out->channel, &msg,
		    MSG_DONTWAIT) == -1)
			return -1;
	return 0;
}

/* What nobody has received yet counts, too. */
static long
descriptors_in_flight(const struct outside *out)
{
	union {
		struct cmsghdr	hdr;
		char		room[CMSG_SPACE(sizeof(int))];
	} control = { .hdr = { .cmsg_level = SOL_SOCKET,
	    .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec iov = { (char[1]){ 0 }, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = &control, .msg_controllen = sizeof(control) };
	int i;

	memcpy(CMSG_DATA(&control.hdr), &out->channel, sizeof(int));
	for (i = 0; i < MUCH; i++)
		if (syscall(SYS_sendmsg, out->channel, &msg,
		    MSG_DONTWAIT) == -1)
			return -1;
	return 0;
}

const struct try tries_amounts[] = {
	{ "grow_backing", grow_backing, .sealed = EFBIG, .vm = KILLED,
	    .layers = { EFBIG } },
	{ "allocate_beyond", allocate_beyond, .sealed = KILLED,
	    .layers = { EFBIG } },
	{ "allocate_keeping_size", allocate_keeping_size, .sealed = KILLED },
	{ "zero_keeping_size", zero_keeping_size, .sealed = KILLED },
	{ "fill_stack_memory", fill_stack_memory, .sealed = KILLED },
	{ "fill_sealed_memfd", fill_sealed_memfd, .sealed = KILLED },
	{ "fill_private_memory", fill_private_memory, .sealed = ENOMEM,
	    .layers = { ENOMEM } },
	{ "fill_shared_memory", fill_shared_memory, .sealed = KILLED },
	{ "fill_memfd", fill_memfd, .sealed = KILLED, .layers = { EFBIG } },
	{ "fill_descriptors", fill_descriptors, .sealed = KILLED,
	    .layers = { EMFILE } },
	{ "fill_tasks", fill_tasks, .sealed = KILLED, .layers = { EAGAIN } },
	{ "lock_memory", lock_memory, .sealed = KILLED },
	{ "huge_pages", huge_pages, .sealed = KILLED, .layers = { ENOMEM } },
	{ "message_queue", message_queue, .sealed = KILLED,
	    .layers = { EMFILE, ENOSYS, EACCES } },
	{ "flood_channel", flood_channel, .sealed = EAGAIN,
	    .layers = { EAGAIN } },
	{ "descriptors_in_flight", descriptors_in_flight,
	    .sealed = ETOOMANYREFS, .vm = EAGAIN, .layers = { ETOOMANYREFS, EAGAIN } },
	{ .name = NULL },
};
