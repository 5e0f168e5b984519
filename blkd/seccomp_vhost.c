/* SPDX-License-Identifier: ISC */
/*
 * The system calls of a blkd behind vhost-user, as seccomp_table.c has those
 * of one behind vmmd.
 *
 * Here memory and descriptors come for as long as it serves, not only at the
 * start: so there are calls for checking, mapping and making them, and, to
 * stay below 25, none of libevent, of the end of a thread, and of a heap of its
 * own for each.
 */
#include "config.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/memfd.h>
#include <linux/sockios.h>
#include <linux/un.h>

#include <errno.h>
#include <fcntl.h>

#include "blkd/seccomp_table.h"
#include "util/filter_rows.h"

#define STATX_FLAGS	(AT_EMPTY_PATH | AT_STATX_DONT_SYNC)

/* Private memory, which RLIMIT_DATA bounds, and files: what was sent. */
#define MAP_KIND	(MAP_TYPE | MAP_GROWSDOWN | MAP_HUGETLB)
static const struct filter_way mmap_ways[] = {
	FILTER_WAY2(FILTER_CLEAR(2, (uint64_t)~(PROT_READ | PROT_WRITE)),
	    FILTER_BITS(3, MAP_KIND, MAP_PRIVATE)),
	FILTER_WAY2(FILTER_CLEAR(2, (uint64_t)~(PROT_READ | PROT_WRITE)),
	    FILTER_BITS(3, MAP_KIND | MAP_ANONYMOUS, MAP_SHARED)),
};

static const struct filter_way fcntl_ways[] = {
	FILTER_WAY(FILTER_INT(1, F_GETFL)),
	FILTER_WAY(FILTER_INT(1, F_GET_SEALS)),
	{ FILTER_START, 2, { FILTER_INT(1, F_ADD_SEALS), FILTER_INT(2,
	    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) } },
	/* eventfds, so that nobody waits for a front-end */
	FILTER_WAY2(FILTER_INT(1, F_SETFL), FILTER_INT(2,
	    O_RDWR | O_NONBLOCK)),
	/* backing_open: O_DIRECT off, where the file has no whole blocks */
	{ FILTER_START, 2, { FILTER_INT(1, F_SETFL),
	    FILTER_CLEAR(2, O_NONBLOCK | O_ASYNC | O_APPEND) } },
};

static const struct filter_way statx_ways[] = {
	FILTER_WAY(FILTER_ONLY(2, STATX_FLAGS)),
};

static const struct filter_way memfd_create_ways[] = {
	FILTER_WAY(FILTER_INT(1, MFD_CLOEXEC | MFD_ALLOW_SEALING)),
};

/* Mode 0: the size of what memfd_create made. */
static const struct filter_way fallocate_ways[] = {
	FILTER_WAY(FILTER_INT(1, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)),
	FILTER_WAY(FILTER_INT(1, FALLOC_FL_ZERO_RANGE)),
	{ FILTER_START, 1, { FILTER_INT(1, 0) } },
};

static const struct filter_way dup3_ways[] = {
	FILTER_WAY(FILTER_INT(2, O_CLOEXEC)),
};

static const struct filter_way accept4_ways[] = {
	FILTER_WAY(FILTER_INT(3, SOCK_CLOEXEC | SOCK_NONBLOCK)),
};

static const struct filter_way ioctl_ways[] = {
	FILTER_WAY(FILTER_INT(1, BLKDISCARD)),
	FILTER_WAY(FILTER_INT(1, BLKZEROOUT)),
	FILTER_WAY(FILTER_INT(1, BLKGETSIZE64)),
	/* refused by the kernel: vhost_resize.c asks only how */
	FILTER_WAY(FILTER_INT(1, SIOCUNIXFILE)),
};

static const struct filter_way sendmsg_ways[] = {
	FILTER_WAY(FILTER_ONLY(2, MSG_DONTWAIT | MSG_NOSIGNAL)),
};

static const struct filter_way recvmsg_ways[] = {
	FILTER_WAY(FILTER_ONLY(2, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)),
};

static const struct filter_row rows[] = {
	/* the front-end: blkd/vhost_door.c, blkd/vhost_conn.c */
	BOTH_IF(accept4, "the next front-end"),
	BOTH_IF(recvmsg, "a message"),
	BOTH_IF(sendmsg, "a reply; news of another size"),
	BOTH(ppoll, "every thread: wait for messages, kicks, signals, time"),
	BOTH(read, "eventfds, the signalfd, the parent's pipe"),
	BOTH(write, "eventfds: calls, wake-ups; the log on stderr"),

	/* what comes with messages: vhost_mem.c, vhost_ring.c, shm/ */
	BOTH_IF(statx, "the size of memory and of the file; what an eventfd"
	    " is"),
	BOTH_IF(fcntl, "seals and access modes"),
	BOTH_IF(dup3, "another kick or call in the place of the one before"),
	BOTH(rt_sigreturn, "the way back from SIGBUS: memory that shrank"),

	/* the backing file: blkd/engine_sync.c, blkd/backing_file.c */
	BOTH(pread64, "IN"),
	BOTH(pwrite64, "OUT"),
	ROW(preadv, FILTER_BOTH, FILTER_VECTORED, 0, NULL, 0,
	    "IN, in several buffers; not seen: guests of tests/nested do so"),
	ROW(pwritev, FILTER_BOTH, FILTER_VECTORED, 0, NULL, 0,
	    "OUT, of several buffers; not seen: the same"),
	BOTH(fdatasync, "FLUSH; OUT in write-through mode"),
	BOTH_IF(fallocate, "DISCARD, WRITE_ZEROES on a file; a journal made"
	    " empty again"),
	BOTH_IF(ioctl, "DISCARD, WRITE_ZEROES on a block device; its"
	    " size; what kind of socket the channel for news is"),

	/* the same by a ring, where it has one: blkd/engine_uring.c */
	URING_AS(io_uring_enter, FILTER_BOTH, "submit a batch, take results"),
	URING_AS(io_uring_register, FILTER_START, "the ring's thread has begun"),

	/* memory and threads */
	BOTH_IF(mmap, "guest memory, malloc(3), stacks; never executable"),
	BOTH(munmap, "memory of a front-end that is gone; free(3)"),
	BOTH(brk, "malloc(3) in the main thread; not seen: the heap of the start"
	    " is enough"),
	BOTH_AS(futex, "pthread mutexes; not seen: nobody waited for one"),
	BOTH(clock_gettime, "throttle, timers; not seen: where the vDSO cannot"),
	BOTH(close, "descriptors"),
	BOTH(exit_group, "exit(3): threads end with the process"),

	/* the start; gone once it serves */
	START(fstat, "what a descriptor is; not seen: glibc before 2.33"),
	START_AS(newfstatat, "the same, as glibc 2.33 to 2.38 ask"),
	START(lseek, "the size of the backing"),
	START_IF(memfd_create, "what GET_INFLIGHT_FD gives; memory of nobody"),
	START(eventfd2, "what wakes a queue thread; places for kicks"),
	START_AS(clone, "queue threads"),
	START_AS(rt_sigaction, "the first pthread_create(3): libc's own signal"),
	START(rt_sigprocmask, "pthread_create(3)"),
	START_AS(mprotect, "stacks; never executable"),
	START_AS(madvise, "pthread_exit(3); not seen: a queue did not start"),
	START(set_robust_list, "pthread_create(3); blkd/fence.c: after that"),
	START(gettid, "blkd/fence.c: whose fence it is"),
	START(rseq, "pthread_create(3)"),
	START(sched_setaffinity, "-c: the place of a queue thread"),
	START_AS(prctl, "the name of a thread"),
	START_AS(prlimit64, "sandbox_limit_file"),
	START_AS(seccomp, "sandbox_narrow"),
	START(getrandom, "malloc(3); not seen: glibc 2.36 seeds so"),

	/* refused, not fatal: libc has another way */
	REFUSE(clone3, ENOSYS, "flags in memory: libc then uses clone;"
	    " not seen: no thread is made while it serves"),
	ROW(mprotect, FILTER_SERVE, 0, ENOMEM, NULL, 0,
	    "malloc(3) in threads then uses the heap of the main thread"),
};

const struct filter_table seccomp_table_vhost = {
	.name = "blkd behind vhost-user",
	.rows = rows,
	.nrows = NITEMS(rows),
};

void
seccomp_table_policy_vhost(struct sandbox_policy *policy)
{
	*policy = (struct sandbox_policy){
		/* std 3, the door 6, four a queue, messages 8, engines 8, */
		/* journals 8 */
		.nofile = 104,
		.threads = 10,
		.data = 256ull << 20,
		.table = &seccomp_table_vhost,
	};
}
