/* SPDX-License-Identifier: ISC */
/*
 * The system calls of blkd, one row each: what they are for, from which
 * code, in which stage, with which arguments.  What is not here kills the
 * process; util/filter.h says how to find out what it was.
 *
 * Stage START: from the sandbox to the end of ATTACH.  Stage SERVE: the
 * steady state, at most 25 calls (tests/sandbox/tables_test counts them).
 * The ways of BOTH_AS and START_AS rows are every table's: filter_rows.h.
 */
#include "config.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>

#include "blkd/seccomp_table.h"
#include "util/filter_rows.h"

/* Ask what a descriptor is, never change its file's locks. */
static const struct filter_way fcntl_ways[] = {
	FILTER_WAY(FILTER_INT(1, F_GETFL)),
	FILTER_WAY(FILTER_INT(1, F_GET_SEALS)),
	/* backing_open: O_DIRECT off, where the file has no whole blocks; */
	/* what others would feel who share a descriptor stays as it is */
	{ FILTER_START, 2, { FILTER_INT(1, F_SETFL),
	    FILTER_CLEAR(2, O_NONBLOCK | O_ASYNC | O_APPEND) } },
};

static const struct filter_way getsockopt_ways[] = {
	FILTER_WAY2(FILTER_INT(1, SOL_SOCKET), FILTER_INT(2, SO_TYPE)),
	FILTER_WAY2(FILTER_INT(1, SOL_SOCKET), FILTER_INT(2, SO_DOMAIN)),
};

static const struct filter_row rows[] = {
	/* messages: proto/chan.c, the only place */
	BOTH_AS(recvmsg, "a packet from the monitor or the vm process"),
	BOTH_AS(sendmsg, "an answer"),

	/* events: libevent's loop, the queue threads' wait */
	BOTH(epoll_wait, "main thread: wait for messages"),
	BOTH(epoll_ctl, "main thread: add and take back channels"),
	BOTH(ppoll, "queue thread: wait for a kick, with a timeout"),
	BOTH(read, "eventfds: kicks, wake-ups"),
	BOTH(write, "eventfds: interrupts, wake-ups; the log on stderr"),

	/* the backing file: blkd/engine_sync.c, blkd/backing_file.c */
	BOTH(pread64, "IN"),
	BOTH(preadv, "IN, in several buffers"),
	BOTH(pwrite64, "OUT"),
	BOTH(pwritev, "OUT, of several buffers"),
	BOTH(fdatasync, "FLUSH; OUT in write-through mode"),
	BOTH_AS(fallocate, "DISCARD, WRITE_ZEROES"),
	BOTH_AS(ioctl, "the same on a block device; not seen: in this process;"
	    " backing_block_test has it"),
	BOTH(lseek, "the size of a file or block device, now: resize"),

	/* the same by a ring, where it has one: blkd/engine_uring.c */
	URING_AS(io_uring_enter, FILTER_BOTH, "submit a batch, take results"),
	URING_AS(io_uring_register, FILTER_START, "the ring's thread has begun"),

	/* memory: malloc(3), thread stacks; in START also what ATTACH brings */
	BOTH_AS(mmap, "malloc(3), stacks, shared memory; never executable"),
	BOTH(munmap, "free(3), detach"),
	BOTH_AS(mprotect, "malloc(3) in threads; never executable"),
	BOTH(brk, "malloc(3) in the main thread; not seen: the heap of the start"
	    " is enough"),

	/* threads */
	BOTH_AS(futex, "pthread mutexes, conditions, join"),
	BOTH(rt_sigprocmask, "pthread_create(3); not seen: abort(3), when it serves"),

	/* the end */
	BOTH(close, "descriptors of a message that is refused; detach"),
	BOTH(exit_group, "exit(3)"),
	BOTH(clock_gettime, "throttle, timers; not seen: where the vDSO cannot"),

	/* the start: blkd/attach.c; gone once it serves */
	START(fstat, "what a descriptor is; not seen: glibc before 2.33"),
	START_AS(newfstatat, "the same, as glibc 2.33 to 2.38 ask"),
	START_AS(statx, "the size of a memfd"),
	START_IF(fcntl, "its access mode and seals"),
	START_IF(getsockopt, "is it the kind of socket"),
	START(eventfd2, "what wakes a queue thread"),
	START_AS(clone, "queue threads"),
	START(exit, "pthread_exit(3); not seen: an ATTACH that fails so"
	    " late"),
	START_AS(madvise, "the same gives the stack back;"
	    " not seen: an ATTACH that fails so late"),
	START_AS(rt_sigaction, "the first pthread_create(3): libc's own signal"),
	START(set_robust_list, "pthread_create(3); blkd/fence.c: after that"),
	START(gettid, "blkd/fence.c: whose fence it is"),
	START(rseq, "pthread_create(3)"),
	START(sched_setaffinity, "cpus = ...: the place of a queue thread"),
	START_AS(prctl, "the name of a thread"),
	START_AS(prlimit64, "sandbox_limit_file"),
	START_AS(seccomp, "sandbox_narrow"),
	START(getrandom, "malloc(3); not seen: glibc 2.36 seeds so"),

	/* refused, not fatal: libc has another way */
	REFUSE(clone3, ENOSYS, "flags in memory: libc then uses clone;"
	    " not seen: no thread is made while it serves"),
};

const struct filter_table seccomp_table_blkd = {
	.name = "blkd",
	.rows = rows,
	.nrows = NITEMS(rows),
};

void
seccomp_table_policy(struct sandbox_policy *policy)
{
	*policy = (struct sandbox_policy){
		/* std 3, channels 2, ATTACH 16, libevent 4, eventfds 9, */
		/* rings 8 */
		.nofile = 64,
		/* the main one, 8 queues, and one to spare */
		.threads = 10,
		/* stacks of 8 MiB, arenas, and the requests' tables */
		.data = 256ull << 20,
		.table = &seccomp_table_blkd,
	};
}
