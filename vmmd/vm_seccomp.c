/* SPDX-License-Identifier: ISC */
/*
 * The system calls of the vm process, one row each: what they are for, in
 * which stage, with which arguments; KVM's by number.  What is not here
 * kills the process; util/filter.h says how to find out what it was.
 *
 * Stage START: from the sandbox to READY, the machine is built.  Stage
 * SERVE: the guest runs; disks come back with new channels.
 */
#include "config.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <linux/futex.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>

#include "proto/proto.h"
#include "vmmd/vm_seccomp.h"

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))

/* What pthread_create(3) asks for, exactly: a thread, never a process. */
#define CLONE_PTHREAD	(CLONE_VM | CLONE_FS | CLONE_FILES | \
	CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | \
	CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

#define MSG_OURS	(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_CMSG_CLOEXEC | \
	MSG_EOR | MSG_TRUNC)

#define KVM_AT_START(cmd)	{ FILTER_START, 1, { FILTER_INT(1, cmd) } }
#define KVM_ALWAYS(cmd)		FILTER_WAY(FILTER_INT(1, cmd))

/* No device but KVM is among the descriptors; the terminal is. */
static const struct filter_way ioctl_ways[] = {
	/* the system: what is this kernel's KVM */
	KVM_AT_START(KVM_GET_API_VERSION),
	KVM_AT_START(KVM_CHECK_EXTENSION),
	KVM_AT_START(KVM_GET_VCPU_MMAP_SIZE),
	KVM_AT_START(KVM_GET_SUPPORTED_CPUID),
	KVM_AT_START(KVM_CREATE_VM),
	/* the machine */
	KVM_AT_START(KVM_SET_TSS_ADDR),
	KVM_AT_START(KVM_SET_IDENTITY_MAP_ADDR),
	KVM_AT_START(KVM_CREATE_IRQCHIP),
	KVM_AT_START(KVM_CREATE_PIT2),
	KVM_AT_START(KVM_SET_USER_MEMORY_REGION),
	KVM_AT_START(KVM_CREATE_VCPU),
	/* a processor, as it starts */
	KVM_AT_START(KVM_SET_CPUID2),
	KVM_AT_START(KVM_SET_MSRS),
	KVM_AT_START(KVM_SET_REGS),
	KVM_AT_START(KVM_SET_SREGS),
	KVM_AT_START(KVM_GET_SREGS),
	/* as it runs: exits, and where it was when KVM gave up */
	KVM_ALWAYS(KVM_RUN),
	KVM_ALWAYS(KVM_GET_REGS),
	KVM_ALWAYS(KVM_IRQ_LINE),
	/* the console: is it a terminal */
	KVM_AT_START(TCGETS),
	/* a disk's lines: made at the start, made anew by a successor */
	KVM_ALWAYS(KVM_IOEVENTFD),
	KVM_ALWAYS(KVM_IRQFD),
};

/*
 * Private memory, which RLIMIT_DATA bounds; what messages bring and the
 * vCPUs' run pages, which have their sizes.  Not shared and anonymous.
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

static const struct filter_way fcntl_ways[] = {
	FILTER_WAY(FILTER_INT(1, F_GETFL)),
	FILTER_WAY(FILTER_INT(1, F_GETFD)),
	FILTER_WAY(FILTER_INT(1, F_GET_SEALS)),
};

static const struct filter_way statx_ways[] = {
	FILTER_WAY(FILTER_INT(2, AT_EMPTY_PATH)),
};

static const struct filter_way newfstatat_ways[] = {
	FILTER_WAY(FILTER_INT(3, AT_EMPTY_PATH)),
};

static const struct filter_way clone_ways[] = {
	FILTER_WAY(FILTER_LONG(0, CLONE_PTHREAD)),
};

static const struct filter_way prctl_ways[] = {
	FILTER_WAY(FILTER_INT(0, PR_SET_NAME)),
};

static const struct filter_way prlimit64_ways[] = {
	FILTER_WAY2(FILTER_INT(0, 0), FILTER_INT(1, RLIMIT_FSIZE)),
	{ 0, 3, { FILTER_INT(0, 0), FILTER_INT(1, RLIMIT_STACK),
	    FILTER_LONG(2, 0) } },
};

static const struct filter_way sendmsg_ways[] = {
	FILTER_WAY(FILTER_ONLY(2, MSG_OURS)),
};

static const struct filter_way recvmsg_ways[] = {
	FILTER_WAY(FILTER_ONLY(2, MSG_OURS)),
};

static const struct filter_way setsockopt_ways[] = {
	FILTER_WAY2(FILTER_INT(1, SOL_SOCKET), FILTER_INT(2, SO_RCVTIMEO)),
};

static const struct filter_way seccomp_ways[] = {
	FILTER_WAY2(FILTER_INT(0, SECCOMP_SET_MODE_FILTER),
	    FILTER_INT(1, SECCOMP_FILTER_FLAG_TSYNC)),
};

static const struct filter_way madvise_ways[] = {
	FILTER_WAY(FILTER_INT(2, MADV_DONTNEED)),
	FILTER_WAY(FILTER_INT(2, MADV_FREE)),
};

/* Out of KVM_RUN.  Who else could get it is outside the pid namespace. */
static const struct filter_way tgkill_ways[] = {
	FILTER_WAY(FILTER_INT(2, SIGUSR1)),
};

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
	/* the guest: vcpu.c, kvm.c */
	BOTH_IF(ioctl, "KVM, by number"),
	BOTH_IF(tgkill, "vCPU threads: come out of KVM_RUN"),

	/* messages: proto/chan.c, the only place */
	BOTH_IF(recvmsg, "a packet from the monitor or a disk"),
	BOTH_IF(sendmsg, "a register access; what became of the guest"),

	/* events, the terminal */
	BOTH(epoll_wait, "main thread: wait for messages"),
	BOTH(epoll_ctl, "main thread: the channels of a successor"),
	BOTH(poll, "the terminal; a disk that does not read its messages"),
	BOTH(read, "keys; eventfds"),
	BOTH(write, "the screen; eventfds; the log on stderr"),

	/* memory */
	BOTH_IF(mmap, "malloc(3), stacks, guest memory; never executable"),
	BOTH(munmap, "free(3)"),
	BOTH_IF(mprotect, "malloc(3) in threads; never executable"),
	BOTH(brk, "malloc(3) in the main thread; not seen: a long answer to vmmctl"),
	BOTH_IF(madvise, "pthread_exit(3) gives its stack back"),

	/* threads */
	BOTH_IF(futex, "pthread mutexes, conditions, join"),
	BOTH(rt_sigprocmask, "pthread_create(3), pthread_exit(3)"),
	BOTH(rt_sigreturn, "return from the signal that leaves KVM_RUN"),
	BOTH(getpid, "pthread_kill(3)"),
	BOTH(gettid, "pthread_kill(3); not seen: glibc before 2.36 asks"),
	BOTH(clock_gettime, "timers; not seen: where the vDSO cannot"),
	BOTH(restart_syscall, "poll(2), futex(2); not seen: after SIGCONT"),

	/* descriptors and the end */
	BOTH(close, "a disk's old channel; descriptors that are refused"),
	START(fstat, "what a descriptor is; not seen: glibc before 2.33"),
	START_IF(newfstatat, "the same, as glibc's fstat(3) asks for it"),
	START_IF(statx, "the size of a memfd"),
	START_IF(fcntl, "its access mode and seals"),
	BOTH_IF(setsockopt, "how long a vCPU waits for an answer"),
	BOTH(shutdown, "a vCPU waits no longer on an old channel"),
	BOTH(exit, "pthread_exit(3)"),
	BOTH(exit_group, "exit(3)"),

	/* the start: the machine is built */
	START(pread64, "the kernel, the initrd"),
	START_IF(clone, "vCPU threads"),
	START(set_robust_list, "pthread_create(3)"),
	START(rseq, "pthread_create(3)"),
	START_IF(prctl, "the name of a thread; not seen: libraries may"),
	START_IF(prlimit64, "pthread_create(3); not seen: other glibc"),
	START_IF(seccomp, "sandbox_narrow"),
	START(getrandom, "malloc(3) seeds its first arena of a thread"),
	START(rt_sigaction, "the handler of the signal that leaves KVM_RUN"),
	START(eventfd2, "event_base_new(3); lines of devices"),

	/* refused, not fatal: libc has another way */
	REFUSE(clone3, ENOSYS, "flags in memory: libc then uses clone;"
	    " not seen: no thread is made while it serves"),

	/* the sanitizers' run time; no normal build has these rows */
	SANITIZER(sigaltstack, "ASan: stack overflow handlers of threads"),
	SANITIZER(sched_yield, "ASan: spin locks"),
	SANITIZER(mremap, "ASan: allocator"),
	SANITIZER(prctl, "ASan: names of mappings"),
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

const struct filter_table vm_seccomp_table = {
	.name = "vm",
	.rows = rows,
	.nrows = NITEMS(rows),
};

void
vm_seccomp_policy(struct sandbox_policy *policy)
{
	*policy = (struct sandbox_policy){
		/* std 3, channel, files 5, 1 + 64 for KVM, 12 a disk */
		.nofile = 64 + PROTO_VCPUS_MAX +
		    PROTO_DISKS_MAX * (PROTO_QUEUES_MAX + 4),
		/* vCPUs, the main one, two of the console */
		.threads = PROTO_VCPUS_MAX + 4,
		/* stacks of 8 MiB a thread */
		.data = 1024ull << 20,
		.table = &vm_seccomp_table,
	};
}
