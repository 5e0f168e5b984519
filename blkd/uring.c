/* SPDX-License-Identifier: ISC */
/*
 * Making rings.  Runs in blkd, main thread, before the sandbox; trusts the
 * kernel and the command line.
 */
#include <sys/syscall.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "blkd/uring.h"
#include "proto/proto.h"

#define ENTRIES_MAX	128u	/* one batch; more is submitted in parts */

/*
 * Kernel threads of one ring, for what cannot be started without waiting: an
 * fsync, a file without asynchronous I/O.  Of files and block devices, and
 * of the rest.
 */
#define WORKERS_FILE	(URING_TASKS - 1)
#define WORKERS_REST	1u

/*
 * Completions are worked on when the thread enters the kernel (Linux 5.19,
 * and of one thread 6.0); before, whenever they come.  Not deferred until it
 * asks for them (6.1): then a wait on the ring's descriptor can miss them.
 */
static const unsigned setups[] = {
	IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |
	    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN |
	    IORING_SETUP_TASKRUN_FLAG,
	0,
};
#define NSETUPS		(sizeof(setups) / sizeof(setups[0]))

struct uring_set {
	unsigned	 n;
	unsigned	 depth;
	int		 error;
	struct io_uring	 ring[PROTO_QUEUES_MAX];
};

/*
 * All that a ring may do.  What it registers: nothing.  Not FALLOCATE: nobody
 * looks at its mode, of which some go past RLIMIT_FSIZE.
 */
static const uint8_t operations[] = {
	IORING_OP_READ, IORING_OP_READV, IORING_OP_WRITE, IORING_OP_WRITEV,
	IORING_OP_FSYNC,
};
#define NOPERATIONS	(sizeof(operations) / sizeof(operations[0]))

static int
ring_register(const struct io_uring *ring, unsigned what, const void *arg,
    unsigned n)
{
	return (int)syscall(SYS_io_uring_register, ring->ring_fd, what, arg, n);
}

static int
restrict_ring(const struct io_uring *ring)
{
	struct io_uring_restriction r[NOPERATIONS + 1] = {
		[NOPERATIONS] = {
			.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
			.sqe_flags = 0,
		},
	};
	size_t i;

	for (i = 0; i < NOPERATIONS; i++) {
		r[i].opcode = IORING_RESTRICTION_SQE_OP;
		r[i].sqe_op = operations[i];
	}
	return ring_register(ring, IORING_REGISTER_RESTRICTIONS, r,
	    NOPERATIONS + 1);
}

static int
make_ring(struct io_uring *ring, unsigned depth)
{
	unsigned workers[2] = { WORKERS_FILE, WORKERS_REST };
	struct io_uring_params params;
	unsigned entries = depth < ENTRIES_MAX ? depth : ENTRIES_MAX;
	int error = -EINVAL;
	size_t i;

	for (i = 0; i < NSETUPS && error == -EINVAL; i++) {
		params = (struct io_uring_params) {
			.flags = setups[i] | IORING_SETUP_R_DISABLED |
			    IORING_SETUP_CQSIZE,
			.cq_entries = depth,
		};
		error = io_uring_queue_init_params(entries, ring, &params);
	}
	if (error != 0) {
		errno = -error;
		return -1;
	}
	/* Before 5.15 there is no such limit. */
	(void)ring_register(ring, IORING_REGISTER_IOWQ_MAX_WORKERS, workers,
	    2);
	if (restrict_ring(ring) == 0)
		return 0;
	error = errno;
	io_uring_queue_exit(ring);
	errno = error;
	return -1;
}

struct uring_set *
uring_make(unsigned rings, unsigned depth)
{
	struct uring_set *set = calloc(1, sizeof(*set));

	if (set == NULL)
		return NULL;
	set->depth = depth;
	while (set->n < rings && set->error == 0) {
		if (make_ring(&set->ring[set->n], depth) == -1)
			set->error = errno;
		else
			set->n++;
	}
	return set;
}

void
uring_free(struct uring_set *set)
{
	if (set == NULL)
		return;
	while (set->n > 0)
		io_uring_queue_exit(&set->ring[--set->n]);
	free(set);
}

int
uring_error(const struct uring_set *set)
{
	return set == NULL ? ENOENT : set->error;
}

struct io_uring *
uring_ring(struct uring_set *set, unsigned queue, unsigned depth)
{
	if (set == NULL || set->error != 0 || queue >= set->n ||
	    depth > set->depth)
		return NULL;
	return &set->ring[queue];
}

int
uring_enable(struct io_uring *ring)
{
	return ring_register(ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}
