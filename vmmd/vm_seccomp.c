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

#include <sys/socket.h>

#include <linux/kvm.h>

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "proto/proto.h"
#include "util/filter_rows.h"
#include "vmmd/vm_seccomp.h"

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

static const struct filter_way fcntl_ways[] = {
	FILTER_WAY(FILTER_INT(1, F_GETFL)),
	FILTER_WAY(FILTER_INT(1, F_GET_SEALS)),
};

static const struct filter_way setsockopt_ways[] = {
	FILTER_WAY2(FILTER_INT(1, SOL_SOCKET), FILTER_INT(2, SO_RCVTIMEO)),
};

/* Out of KVM_RUN. */
static const struct filter_way tgkill_ways[] = {
	FILTER_WAY2(FILTER_SELF(0), FILTER_INT(2, SIGUSR1)),
};

static const struct filter_row rows[] = {
	/* the guest: vcpu.c, kvm.c */
	BOTH_IF(ioctl, "KVM, by number"),
	BOTH_IF(tgkill, "vCPU threads: come out of KVM_RUN"),

	/* messages: proto/chan.c, the only place */
	BOTH_AS(recvmsg, "a packet from the monitor or a disk"),
	BOTH_AS(sendmsg, "a register access; what became of the guest"),

	/* events, the terminal */
	BOTH(epoll_wait, "main thread: wait for messages"),
	BOTH(epoll_ctl, "main thread: the channels of a successor"),
	BOTH(poll, "the terminal; a disk that does not read its messages"),
	BOTH(read, "keys; eventfds"),
	BOTH(write, "the screen; eventfds; the log on stderr"),

	/* memory */
	BOTH_AS(mmap, "malloc(3), stacks, guest memory; never executable"),
	BOTH(munmap, "free(3)"),
	BOTH_AS(mprotect, "malloc(3) in threads; never executable"),
	BOTH(brk, "malloc(3), free(3) in the main thread"),
	BOTH_AS(madvise, "pthread_exit(3) gives its stack back"),

	/* threads */
	BOTH_AS(futex, "pthread mutexes, conditions, join"),
	BOTH(rt_sigprocmask, "pthread_create(3), pthread_exit(3)"),
	BOTH(rt_sigreturn, "return from the signal that leaves KVM_RUN"),
	BOTH(getpid, "pthread_kill(3)"),
	BOTH(gettid, "pthread_kill(3); not seen: glibc before 2.36 asks"),
	BOTH(clock_gettime, "timers; not seen: where the vDSO cannot"),
	BOTH(restart_syscall, "poll(2), futex(2); not seen: after SIGCONT"),

	/* descriptors and the end */
	BOTH(close, "a disk's old channel; descriptors that are refused"),
	START(fstat, "what a descriptor is; not seen: glibc before 2.33"),
	START_AS(newfstatat, "the same, as glibc's fstat(3) asks for it"),
	START_AS(statx, "the size of a memfd"),
	START_IF(fcntl, "its access mode and seals"),
	BOTH_IF(setsockopt, "how long a vCPU waits for an answer"),
	BOTH(shutdown, "a vCPU waits no longer on an old channel"),
	BOTH(exit, "pthread_exit(3)"),
	BOTH(exit_group, "exit(3)"),

	/* the start: the machine is built */
	START(pread64, "the kernel, the initrd"),
	START_AS(clone, "vCPU threads"),
	START(set_robust_list, "pthread_create(3)"),
	START(rseq, "pthread_create(3)"),
	START_AS(prctl, "the name of a thread; not seen: libraries may"),
	START_AS(prlimit64, "pthread_create(3); not seen: other glibc"),
	START_AS(seccomp, "sandbox_narrow"),
	START(getrandom, "malloc(3) seeds its first arena of a thread"),
	START(rt_sigaction, "the handler of the signal that leaves KVM_RUN"),
	START(eventfd2, "event_base_new(3); lines of devices"),

	/* refused, not fatal: libc has another way */
	REFUSE(clone3, ENOSYS, "flags in memory: libc then uses clone;"
	    " not seen: no thread is made while it serves"),
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
