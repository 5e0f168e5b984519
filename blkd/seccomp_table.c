/* SPDX-License-Identifier: ISC */
/*
 * The system calls of blkd, one row each: what they are for, from which
 * code, in which stage, with which arguments.  What is not here kills the
 * process; util/filter.h says how to find out what it was.
 *
 * Stage START: from the sandbox to the end of ATTACH.  Stage SERVE: the
 * steady state, at most 25 calls (seccomp_table_test counts them).
 *
 * Arguments that lie in memory cannot be checked by a filter: what a
 * message says and which descriptors it carries is checked by its receiver.
 */
#include "config.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>

#include "blkd/seccomp_table.h"

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))

/* What pthread_create(3) asks for, exactly: a thread, never a process. */
#define CLONE_PTHREAD	(CLONE_VM | CLONE_FS | CLONE_FILES | \
	CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | \
	CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

#define MSG_OURS	(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_CMSG_CLOEXEC | \
	MSG_EOR | MSG_TRUNC)

/*
 * Private memory, which RLIMIT_DATA bounds; at the start what ATTACH
 * brought, which has its size.  Shared anonymous memory has no bound.
 */
static const struct filter_way mmap_ways[] = {
	FILTER_WAY2(FILTER_CLEAR(2, (uint64_t)~(PROT_READ | PROT_WRITE)),
	    FILTER_BITS(3, MAP_TYPE, MAP_PRIVATE)),
	{ FILTER_START, 2, {
	    FILTER_CLEAR(2, (uint64_t)~(PROT_READ | PROT_WRITE)),
	    FILTER_BITS(3, MAP_TYPE | MAP_ANONYMOUS, MAP_SHARED) } },
};

static const struct filter_way mprotect_ways[] = {
	FILTER_WAY(FILTER_CLEAR(2, (uint64_t)~(PROT_READ | PROT_WRITE))),
};

/* Ask what a descriptor is, never change its file's locks. */
static const struct filter_way fcntl_ways[] = {
	FILTER_WAY(FILTER_INT(1, F_GETFL)),
	FILTER_WAY(FILTER_INT(1, F_GETFD)),
	FILTER_WAY(FILTER_INT(1, F_GET_SEALS)),
	/* backing_open: O_DIRECT off, where the file has no whole blocks; */
	/* what others would feel who share a descriptor stays as it is */
	{ FILTER_START, 2, { FILTER_INT(1, F_SETFL),
	    FILTER_CLEAR(2, O_NONBLOCK | O_ASYNC | O_APPEND) } },
};

/* fstat(3): of a descriptor; there is no file that a path could name. */
static const struct filter_way newfstatat_ways[] = {
	FILTER_WAY(FILTER_INT(3, AT_EMPTY_PATH)),
};

static const struct filter_way statx_ways[] = {
	FILTER_WAY(FILTER_INT(2, AT_EMPTY_PATH)),
};

/* Holes and zeroes; nothing that moves what is behind them. */
static const struct filter_way fallocate_ways[] = {
	FILTER_WAY(FILTER_ONLY(1, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE |
	    FALLOC_FL_ZERO_RANGE)),
};

static const struct filter_way ioctl_ways[] = {
	FILTER_WAY(FILTER_INT(1, BLKDISCARD)),
	FILTER_WAY(FILTER_INT(1, BLKZEROOUT)),
};

static const struct filter_way clone_ways[] = {
	FILTER_WAY(FILTER_LONG(0, CLONE_PTHREAD)),
};

/* The signal by which libc changes the ids of all threads, __SIGRTMIN + 1. */
static const struct filter_way rt_sigaction_ways[] = {
	FILTER_WAY(FILTER_INT(0, 33)),
};

static const struct filter_way prctl_ways[] = {
	FILTER_WAY(FILTER_INT(0, PR_SET_NAME)),
};

static const struct filter_way prlimit64_ways[] = {
	FILTER_WAY2(FILTER_INT(0, 0), FILTER_INT(1, RLIMIT_FSIZE)),
	/* pthread_getattr_np(3), pthread_create(3) */
	{ 0, 3, { FILTER_INT(0, 0), FILTER_INT(1, RLIMIT_STACK),
	    FILTER_LONG(2, 0) } },
};

static const struct filter_way sendmsg_ways[] = {
	FILTER_WAY(FILTER_ONLY(2, MSG_OURS)),
};

static const struct filter_way recvmsg_ways[] = {
	FILTER_WAY(FILTER_ONLY(2, MSG_OURS)),
};

static const struct filter_way getsockopt_ways[] = {
	FILTER_WAY2(FILTER_INT(1, SOL_SOCKET), FILTER_INT(2, SO_TYPE)),
	FILTER_WAY2(FILTER_INT(1, SOL_SOCKET), FILTER_INT(2, SO_DOMAIN)),
};

static const struct filter_way seccomp_ways[] = {
	FILTER_WAY2(FILTER_INT(0, SECCOMP_SET_MODE_FILTER),
	    FILTER_INT(1, SECCOMP_FILTER_FLAG_TSYNC)),
};

/* Free memory and guard pages; nothing that reaches another process. */
static const struct filter_way madvise_ways[] = {
	FILTER_WAY(FILTER_INT(2, MADV_DONTNEED)),
	FILTER_WAY(FILTER_INT(2, MADV_FREE)),
};

/*
 * A ring (uring.h) is made and restricted before the sandbox.  Here it can
 * be handed to the thread that uses it, and used.
 */
static const struct filter_way io_uring_register_ways[] = {
	FILTER_WAY(FILTER_INT(1, IORING_REGISTER_ENABLE_RINGS)),
};

static const struct filter_way io_uring_enter_ways[] = {
	FILTER_WAY(FILTER_ONLY(3, IORING_ENTER_GETEVENTS)),
};

#define URING_IF(sc, in, why) \
	{ SCMP_SYS(sc), #sc, in, FILTER_URING, 0, sc##_ways, \
	    NITEMS(sc##_ways), why }

/*
 * What libc's mutexes, conditions and joins need.  Not REQUEUE: it moves
 * others' waiters, too, and the monitor waits on words in the state; not PI.
 */
#define FUTEX_WAY(op) \
	FILTER_WAY(FILTER_BITS(1, 0xffffffffu & \
	    ~(uint32_t)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME), (op)))
static const struct filter_way futex_ways[] = {
	FUTEX_WAY(FUTEX_WAIT),
	FUTEX_WAY(FUTEX_WAKE),
	FUTEX_WAY(FUTEX_WAIT_BITSET),
};

#define BOTH(sc, why) \
	{ SCMP_SYS(sc), #sc, FILTER_BOTH, 0, 0, NULL, 0, why }
#define BOTH_IF(sc, why) \
	{ SCMP_SYS(sc), #sc, FILTER_BOTH, 0, 0, sc##_ways, \
	    NITEMS(sc##_ways), why }
#define START(sc, why) \
	{ SCMP_SYS(sc), #sc, FILTER_START, 0, 0, NULL, 0, why }
#define START_IF(sc, why) \
	{ SCMP_SYS(sc), #sc, FILTER_START, 0, 0, sc##_ways, \
	    NITEMS(sc##_ways), why }
#define REFUSE(sc, error, why) \
	{ SCMP_SYS(sc), #sc, FILTER_BOTH, 0, error, NULL, 0, why }
#define SANITIZER(sc, why) \
	{ SCMP_SYS(sc), #sc, FILTER_BOTH, FILTER_SANITIZER, 0, NULL, 0, why }

static const struct filter_row rows[] = {
	/* messages: proto/chan.c, the only place */
	BOTH_IF(recvmsg, "a packet from the monitor or the vm process"),
	BOTH_IF(sendmsg, "an answer"),

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
	BOTH_IF(fallocate, "DISCARD, WRITE_ZEROES; not seen: a kernel's guest does, tests/nested"),
	BOTH_IF(ioctl, "the same on a block device; not seen: backing_block_test"),
	BOTH(lseek, "the size of a file or block device, now: resize"),

	/* the same by a ring, where it has one: blkd/engine_uring.c */
	URING_IF(io_uring_enter, FILTER_BOTH, "submit a batch, take results"),
	URING_IF(io_uring_register, FILTER_START, "the ring's thread has begun"),

	/* memory: malloc(3), thread stacks; in START also what ATTACH brings */
	BOTH_IF(mmap, "malloc(3), stacks, shared memory; never executable"),
	BOTH(munmap, "free(3), detach"),
	BOTH_IF(mprotect, "malloc(3) in threads; never executable"),
	BOTH(brk, "malloc(3) in the main thread; not seen: a large control message"),

	/* threads */
	BOTH_IF(futex, "pthread mutexes, conditions, join"),
	BOTH(rt_sigprocmask, "pthread_create(3); not seen: abort(3), when it serves"),

	/* the end */
	BOTH(close, "descriptors of a message that is refused; detach"),
	BOTH(exit_group, "exit(3)"),
	BOTH(clock_gettime, "throttle, timers; not seen: where the vDSO cannot"),

	/* the start: blkd/attach.c; gone once it serves */
	START(fstat, "what a descriptor is; not seen: glibc before 2.33"),
	START_IF(newfstatat, "the same, as glibc 2.33 to 2.38 ask"),
	START_IF(statx, "the size of a memfd"),
	START_IF(fcntl, "its access mode and seals"),
	START_IF(getsockopt, "is it the kind of socket"),
	START(eventfd2, "what wakes a queue thread"),
	START_IF(clone, "queue threads"),
	START(exit, "pthread_exit(3), where an ATTACH fails"),
	START_IF(madvise, "the same gives the stack back;"
	    " not seen: an ATTACH that fails so late"),
	START_IF(rt_sigaction, "the first pthread_create(3): libc's own signal"),
	START(set_robust_list, "pthread_create(3); blkd/fence.c: after that"),
	START(gettid, "blkd/fence.c: whose fence it is"),
	START(rseq, "pthread_create(3)"),
	START(sched_setaffinity, "cpus = ...: the place of a queue thread"),
	START_IF(prctl, "the name of a thread"),
	START_IF(prlimit64, "sandbox_limit_file"),
	START_IF(seccomp, "sandbox_narrow"),
	START(getrandom, "malloc(3); not seen: glibc 2.36 seeds so"),

	/* refused, not fatal: libc has another way */
	REFUSE(clone3, ENOSYS, "flags in memory: libc then uses clone;"
	    " not seen: no thread is made while it serves"),

	/* the sanitizers' run time; no normal build has these rows */
	SANITIZER(sigaltstack, "ASan: stack overflow handlers of threads"),
	SANITIZER(sched_yield, "ASan: spin locks"),
	SANITIZER(mremap, "ASan: allocator"),
	SANITIZER(prctl, "ASan: names of mappings"),
	SANITIZER(getpid, "ASan: reports"),
	SANITIZER(gettid, "ASan: threads"),
	SANITIZER(openat, "ASan: /proc/self/maps"),
	SANITIZER(open, "ASan: /proc/self/maps"),
	SANITIZER(readlink, "ASan: the name of the program"),
	SANITIZER(madvise, "ASan: shadow memory"),
	SANITIZER(rt_sigaction, "ASan: reports"),
	SANITIZER(tgkill, "ASan: abort_on_error"),
	SANITIZER(getrlimit, "ASan: size of a thread's stack"),
	SANITIZER(prlimit64, "ASan: size of a thread's stack"),
	SANITIZER(getrusage, "ASan: memory limit"),
	SANITIZER(sched_getaffinity, "ASan: thread attributes"),
	SANITIZER(pipe, "UBSan: is an address readable"),
	SANITIZER(pipe2, "UBSan: is an address readable"),
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
