/* SPDX-License-Identifier: ISC */
/*
 * What the tables of system calls share: see filter_rows.h.  Constants, of
 * every process that is shut in.
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

#include <fcntl.h>
#include <sched.h>

#include "util/filter_rows.h"

/* What pthread_create(3) asks for, exactly: a thread, never a process. */
#define CLONE_PTHREAD	(CLONE_VM | CLONE_FS | CLONE_FILES | \
	CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | \
	CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

#define NO_EXEC(arg) \
	FILTER_CLEAR(arg, (uint64_t)~(PROT_READ | PROT_WRITE))

#define MSG_OURS	(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_CMSG_CLOEXEC | \
	MSG_EOR | MSG_TRUNC)

#define LIBC_SETXID	33	/* __SIGRTMIN + 1 */

/* Not a stack that grows: it is no data, which RLIMIT_DATA bounds. */
#define MAP_KIND	(MAP_TYPE | MAP_GROWSDOWN | MAP_HUGETLB)

const struct filter_way filter_ways_mmap[2] = {
	FILTER_WAY2(NO_EXEC(2), FILTER_BITS(3, MAP_KIND, MAP_PRIVATE)),
	{ FILTER_START, 2, { NO_EXEC(2),
	    FILTER_BITS(3, MAP_KIND | MAP_ANONYMOUS, MAP_SHARED) } },
};

const struct filter_way filter_ways_mprotect[1] = {
	FILTER_WAY(NO_EXEC(2)),
};

const struct filter_way filter_ways_madvise[1] = {
	FILTER_WAY(FILTER_INT(2, MADV_DONTNEED)),
};

const struct filter_way filter_ways_newfstatat[1] = {
	FILTER_WAY(FILTER_INT(3, AT_EMPTY_PATH)),
};

const struct filter_way filter_ways_statx[1] = {
	FILTER_WAY(FILTER_INT(2, AT_EMPTY_PATH)),
};

/*
 * Nothing that moves what is behind a hole.  Blocks are not allocated past
 * the end with the size kept: RLIMIT_FSIZE would not count them.
 */
const struct filter_way filter_ways_fallocate[2] = {
	FILTER_WAY(FILTER_INT(1, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)),
	FILTER_WAY(FILTER_INT(1, FALLOC_FL_ZERO_RANGE)),
};

const struct filter_way filter_ways_ioctl[2] = {
	FILTER_WAY(FILTER_INT(1, BLKDISCARD)),
	FILTER_WAY(FILTER_INT(1, BLKZEROOUT)),
};

const struct filter_way filter_ways_io_uring_register[1] = {
	FILTER_WAY(FILTER_INT(1, IORING_REGISTER_ENABLE_RINGS)),
};

const struct filter_way filter_ways_io_uring_enter[1] = {
	FILTER_WAY(FILTER_ONLY(3, IORING_ENTER_GETEVENTS)),
};

#define FUTEX_WAY(op) \
	FILTER_WAY(FILTER_BITS(1, 0xffffffffu & \
	    ~(uint32_t)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME), (op)))
const struct filter_way filter_ways_futex[3] = {
	FUTEX_WAY(FUTEX_WAIT),
	FUTEX_WAY(FUTEX_WAKE),
	FUTEX_WAY(FUTEX_WAIT_BITSET),
};

const struct filter_way filter_ways_clone[1] = {
	FILTER_WAY(FILTER_LONG(0, CLONE_PTHREAD)),
};

const struct filter_way filter_ways_rt_sigaction[1] = {
	FILTER_WAY(FILTER_INT(0, LIBC_SETXID)),
};

const struct filter_way filter_ways_prctl[1] = {
	FILTER_WAY(FILTER_INT(0, PR_SET_NAME)),
};

const struct filter_way filter_ways_sendmsg[1] = {
	FILTER_WAY(FILTER_ONLY(2, MSG_OURS)),
};

const struct filter_way filter_ways_recvmsg[1] = {
	FILTER_WAY(FILTER_ONLY(2, MSG_OURS)),
};

const struct filter_way filter_ways_prlimit64[2] = {
	FILTER_WAY2(FILTER_INT(0, 0), FILTER_INT(1, RLIMIT_FSIZE)),
	/* pthread_getattr_np(3), pthread_create(3) */
	{ 0, 3, { FILTER_INT(0, 0), FILTER_INT(1, RLIMIT_STACK),
	    FILTER_LONG(2, 0) } },
};

const struct filter_way filter_ways_seccomp[1] = {
	FILTER_WAY2(FILTER_INT(0, SECCOMP_SET_MODE_FILTER),
	    FILTER_INT(1, SECCOMP_FILTER_FLAG_TSYNC)),
};

/* The sanitizers' run time, with every table; no normal build has them. */
#define SANITIZER(sc, why) \
	ROW(sc, FILTER_BOTH, FILTER_SANITIZER, 0, NULL, 0, why)

static const struct filter_row sanitizer_rows[] = {
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
	SANITIZER(rt_sigprocmask, "ASan: the end of a thread"),
	SANITIZER(tgkill, "ASan: abort_on_error"),
	SANITIZER(getrlimit, "ASan: size of a thread's stack"),
	SANITIZER(prlimit64, "ASan: size of a thread's stack"),
	SANITIZER(getrusage, "ASan: memory limit"),
	SANITIZER(sched_getaffinity, "ASan: thread attributes"),
	SANITIZER(pipe, "UBSan: is an address readable"),
	SANITIZER(pipe2, "UBSan: is an address readable"),
};

const struct filter_table filter_sanitizers = {
	.name = "the sanitizers",
	.rows = sanitizer_rows,
	.nrows = NITEMS(sanitizer_rows),
};
