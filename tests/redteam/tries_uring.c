/* SPDX-License-Identifier: ISC */
/*
 * Ways out by a ring that the process has: what the filter refuses as a
 * system call must not be had as an operation of io_uring.  Runs inside the
 * room, in the place of a queue thread.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <linux/falloc.h>

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <string.h>
#include <unistd.h>

#include "blkd/uring.h"
#include "tests/redteam/room.h"

#define OPERATIONS	80	/* more than the kernel has */

/* What a ring of ours may do: blkd/uring.c. */
static const uint8_t allowed[] = {
	IORING_OP_READ, IORING_OP_READV, IORING_OP_WRITE, IORING_OP_WRITEV,
	IORING_OP_FSYNC,
};

/* Its result as that of a system call. */
static long
submit(struct io_uring *ring, const struct io_uring_sqe *want)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	int res;

	*sqe = *want;
	res = io_uring_submit(ring);
	if (res < 0) {
		errno = -res;
		return -1;
	}
	if (io_uring_wait_cqe(ring, &cqe) != 0)
		return -1;
	res = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	if (res >= 0)
		return res;
	errno = -res;
	return -1;
}

static long
ring_openat(const struct outside *out)
{
	struct io_uring_sqe sqe = { 0 };

	io_uring_prep_openat(&sqe, AT_FDCWD, "/", O_RDONLY, 0);
	return submit(out->ring, &sqe);
}

static long
ring_openat2(const struct outside *out)
{
	struct io_uring_sqe sqe = { 0 };
	struct open_how how = { .flags = O_RDONLY };

	io_uring_prep_openat2(&sqe, AT_FDCWD, out->image, &how);
	return submit(out->ring, &sqe);
}

static long
ring_socket(const struct outside *out)
{
	struct io_uring_sqe sqe = { 0 };

	io_uring_prep_socket(&sqe, AF_INET, SOCK_STREAM, 0, 0);
	return submit(out->ring, &sqe);
}

static long
ring_connect(const struct outside *out)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct io_uring_sqe sqe = { 0 };

	memcpy(sun.sun_path, out->socket, sizeof(out->socket));
	io_uring_prep_connect(&sqe, out->channel, (struct sockaddr *)&sun,
	    sizeof(sun));
	return submit(out->ring, &sqe);
}

static long
ring_sendmsg(const struct outside *out)
{
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct io_uring_sqe sqe = { 0 };

	io_uring_prep_sendmsg(&sqe, out->channel, &msg, 0);
	return submit(out->ring, &sqe);
}

static long
ring_unlinkat(const struct outside *out)
{
	struct io_uring_sqe sqe = { 0 };

	io_uring_prep_unlinkat(&sqe, AT_FDCWD, out->image, 0);
	return submit(out->ring, &sqe);
}

static long
ring_close(const struct outside *out)
{
	struct io_uring_sqe sqe = { 0 };

	io_uring_prep_close(&sqe, out->backing);
	return submit(out->ring, &sqe);
}

/* Whatever this kernel has, now and later, that is not on our list. */
static long
ring_every_operation(const struct outside *out)
{
	struct io_uring_sqe sqe;
	unsigned op;

	for (op = 0; op < OPERATIONS; op++) {
		if (memchr(allowed, (int)op, sizeof(allowed)) != NULL)
			continue;
		memset(&sqe, 0, sizeof(sqe));
		sqe.opcode = (uint8_t)op;
		sqe.fd = out->backing;
		if (submit(out->ring, &sqe) != -1)
			return 0;
		if (errno != EACCES && errno != EINVAL)
			return -1;
	}
	errno = EACCES;
	return -1;
}

/* What the list has, with a flag that changes what it means. */
static long
with_flag(const struct outside *out, unsigned flag)
{
	static char byte;
	struct io_uring_sqe sqe = { 0 };

	io_uring_prep_read(&sqe, out->backing, &byte, 1, 0);
	sqe.flags = (uint8_t)flag;
	return submit(out->ring, &sqe);
}

static long
ring_flag_registered_file(const struct outside *out)
{
	return with_flag(out, IOSQE_FIXED_FILE);
}

static long
ring_flag_link(const struct outside *out)
{
	return with_flag(out, IOSQE_IO_LINK);
}

static long
ring_flag_drain(const struct outside *out)
{
	return with_flag(out, IOSQE_IO_DRAIN);
}

static long
ring_flag_async(const struct outside *out)
{
	return with_flag(out, IOSQE_ASYNC);
}

static long
ring_flag_selected_buffer(const struct outside *out)
{
	return with_flag(out, IOSQE_BUFFER_SELECT);
}

static long
ring_personality(const struct outside *out)
{
	static char byte;
	struct io_uring_sqe sqe = { 0 };

	io_uring_prep_read(&sqe, out->backing, &byte, 1, 0);
	sqe.personality = 1;
	return submit(out->ring, &sqe);
}

/* A descriptor that the process does not hold. */
static long
ring_read_elsewhere(const struct outside *out)
{
	static char byte;
	struct io_uring_sqe sqe = { 0 };

	io_uring_prep_read(&sqe, 40, &byte, 1, 0);
	return submit(out->ring, &sqe);
}

static long
ring_grow_backing(const struct outside *out)
{
	static char byte;
	struct io_uring_sqe sqe = { 0 };

	io_uring_prep_write(&sqe, out->backing, &byte, 1, UINT64_C(1) << 30);
	return submit(out->ring, &sqe);
}

static long
ring_allocate_beyond(const struct outside *out)
{
	struct io_uring_sqe sqe = { 0 };

	io_uring_prep_fallocate(&sqe, out->backing, 0, 0,
	    (off_t)(UINT64_C(1) << 30));
	return submit(out->ring, &sqe);
}

/* The image made larger than its limit: no write, and no new size asked for. */
static long
ring_insert_range(const struct outside *out)
{
	struct io_uring_sqe sqe = { 0 };

	io_uring_prep_fallocate(&sqe, out->backing, FALLOC_FL_INSERT_RANGE, 0,
	    4096);
	return submit(out->ring, &sqe);
}

/* --- of the ring itself ------------------------------------------------- */

static long
ring_register(const struct outside *out, unsigned what, const void *arg,
    unsigned n)
{
	return syscall(SYS_io_uring_register, out->ring->ring_fd, what, arg,
	    n);
}

static long
ring_lift_restrictions(const struct outside *out)
{
	struct io_uring_restriction any = {
		.opcode = IORING_RESTRICTION_SQE_OP,
		.sqe_op = IORING_OP_OPENAT,
	};

	return ring_register(out, IORING_REGISTER_RESTRICTIONS, &any, 1);
}

static long
ring_register_files(const struct outside *out)
{
	return ring_register(out, IORING_REGISTER_FILES, &out->channel, 1);
}

static long
ring_register_buffers(const struct outside *out)
{
	static char page[4096];
	struct iovec iov = { page, sizeof(page) };

	return ring_register(out, IORING_REGISTER_BUFFERS, &iov, 1);
}

static long
ring_register_personality(const struct outside *out)
{
	return ring_register(out, IORING_REGISTER_PERSONALITY, NULL, 0);
}

static long
ring_more_workers(const struct outside *out)
{
	unsigned n[2] = { 1000, 1000 };

	return ring_register(out, IORING_REGISTER_IOWQ_MAX_WORKERS, n, 2);
}

static long
ring_enter_registered(const struct outside *out)
{
	return syscall(SYS_io_uring_enter, out->ring->ring_fd, 0, 0,
	    IORING_ENTER_REGISTERED_RING, NULL, 0);
}

static long
ring_enter_signal_mask(const struct outside *out)
{
	struct io_uring_getevents_arg arg = { .sigmask = 0 };

	/* A wait that nothing ends, were it not refused. */
	return syscall(SYS_io_uring_enter, out->ring->ring_fd, 0, 0,
	    IORING_ENTER_EXT_ARG | IORING_ENTER_SQ_WAIT, &arg, 0);
}

static long
ring_another(const struct outside *out)
{
	char params[120] = { 0 };

	(void)out;
	return syscall(SYS_io_uring_setup, 4, params);
}

#define RESTRICTED(name) \
	{ #name, name, .sealed = EACCES, .layers = { EACCES } }

const struct try tries_uring[] = {
	RESTRICTED(ring_openat),
	RESTRICTED(ring_openat2),
	RESTRICTED(ring_socket),
	RESTRICTED(ring_connect),
	RESTRICTED(ring_sendmsg),
	RESTRICTED(ring_unlinkat),
	RESTRICTED(ring_close),
	RESTRICTED(ring_every_operation),
	RESTRICTED(ring_flag_registered_file),
	RESTRICTED(ring_flag_link),
	RESTRICTED(ring_flag_drain),
	RESTRICTED(ring_flag_async),
	RESTRICTED(ring_flag_selected_buffer),
	{ "ring_personality", ring_personality, .sealed = EINVAL,
	    .layers = { EINVAL } },
	{ "ring_read_elsewhere", ring_read_elsewhere, .sealed = EBADF,
	    .layers = { EBADF } },
	{ "ring_grow_backing", ring_grow_backing, .sealed = EFBIG,
	    .layers = { EFBIG } },
	RESTRICTED(ring_allocate_beyond),
	RESTRICTED(ring_insert_range),
	{ "ring_lift_restrictions", ring_lift_restrictions, .sealed = KILLED,
	    .layers = { EACCES, EBADFD } },
	{ "ring_register_files", ring_register_files, .sealed = KILLED,
	    .layers = { EACCES } },
	{ "ring_register_buffers", ring_register_buffers, .sealed = KILLED,
	    .layers = { EACCES } },
	{ "ring_register_personality", ring_register_personality,
	    .sealed = KILLED, .layers = { EACCES } },
	{ "ring_more_workers", ring_more_workers, .sealed = KILLED,
	    .layers = { EACCES } },
	{ "ring_enter_registered", ring_enter_registered, .sealed = KILLED },
	{ "ring_enter_signal_mask", ring_enter_signal_mask,
	    .sealed = KILLED },
	{ "ring_another", ring_another, .sealed = KILLED },
	{ .name = NULL }
};
