/* SPDX-License-Identifier: ISC */
/*
 * Ways out by other processes, by ids and privileges, by running other
 * code.  Runs inside the room.
 */
#include "config.h"

#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/redteam/room.h"

#define MONITOR(name, ...) \
static long \
name(const struct outside *out) \
{ \
	return syscall(__VA_ARGS__); \
}

/* One system call at the monitor or at a sibling. */
MONITOR(kill_monitor, SYS_kill, out->monitor, SIGKILL)
MONITOR(stop_monitor, SYS_kill, out->monitor, SIGSTOP)
MONITOR(probe_monitor, SYS_kill, out->monitor, 0)
MONITOR(kill_sibling, SYS_kill, out->sibling, SIGKILL)
MONITOR(tgkill_sibling, SYS_tgkill, out->sibling, out->sibling, SIGKILL)
MONITOR(interrupt_sibling, SYS_tgkill, out->sibling, out->sibling, SIGUSR1)
MONITOR(tkill_monitor, SYS_tkill, out->monitor, SIGKILL)
MONITOR(sigqueue_monitor, SYS_rt_sigqueueinfo, out->monitor, SIGTERM,
    &(siginfo_t){ .si_code = SI_QUEUE })
MONITOR(pidfd_monitor, SYS_pidfd_open, out->monitor, 0)
MONITOR(ptrace_monitor, SYS_ptrace, PTRACE_ATTACH, out->monitor, 0, 0)
MONITOR(ptrace_sibling, SYS_ptrace, PTRACE_SEIZE, out->sibling, 0, 0)
MONITOR(kcmp_monitor, SYS_kcmp, getpid(), out->monitor, KCMP_FILE, 0, 0)
MONITOR(pin_monitor, SYS_sched_setaffinity, out->monitor, 8,
    &(unsigned long){ 1 })
MONITOR(renice_monitor, SYS_setpriority, PRIO_PROCESS, out->monitor, 19)
MONITOR(limit_monitor, SYS_prlimit64, out->monitor, RLIMIT_NOFILE, NULL,
    &(struct rlimit){ 0, 0 })
MONITOR(session_of_monitor, SYS_getsid, out->monitor)
MONITOR(move_pages_of_monitor, SYS_move_pages, out->monitor, 0, NULL, NULL,
    NULL, 0)
MONITOR(wait_for_sibling, SYS_wait4, out->sibling, NULL, WNOHANG, NULL)

static long
read_monitor(const struct outside *out)
{
	char buf[16];
	struct iovec here = { buf, sizeof(buf) };
	struct iovec there = { (void *)(uintptr_t)out, sizeof(buf) };

	return syscall(SYS_process_vm_readv, out->monitor, &here, 1, &there,
	    1, 0);
}

static long
write_sibling(const struct outside *out)
{
	char buf[16] = "";
	struct iovec here = { buf, sizeof(buf) };
	struct iovec there = { (void *)(uintptr_t)out, sizeof(buf) };

	return syscall(SYS_process_vm_writev, out->sibling, &here, 1, &there,
	    1, 0);
}

/* Without the filter there is a child, which ends at once. */
static long
fork_child(const struct outside *out)
{
	long pid;

	(void)out;
	if ((pid = syscall(SYS_fork)) == 0)
		_exit(0);
	return pid;
}

static long
clone_user(const struct outside *out)
{
	long pid;

	(void)out;
	pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(0);
	return pid;
}

static long
clone_vm(const struct outside *out)
{
	long pid;

	(void)out;
	pid = syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0,
	    0);
	if (pid == 0)
		_exit(0);
	return pid;
}

static long
exec_shell(const struct outside *out)
{
	char *const argv[] = { (char *)(uintptr_t)"sh", NULL };

	(void)out;
	return syscall(SYS_execve, "/bin/sh", argv, NULL);
}

static long
exec_backing(const struct outside *out)
{
	char *const argv[] = { (char *)(uintptr_t)"x", NULL };

	return syscall(SYS_execveat, out->backing, "", argv, NULL,
	    AT_EMPTY_PATH);
}

static long
exec_memfd(const struct outside *out)
{
	char *const argv[] = { (char *)(uintptr_t)"x", NULL };
	long fd;

	(void)out;
	if ((fd = syscall(SYS_memfd_create, "x", MFD_CLOEXEC)) == -1)
		return -1;
	return syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH);
}

static long
map_exec(const struct outside *out)
{
	(void)out;
	return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE |
	    PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long
map_exec_only(const struct outside *out)
{
	(void)out;
	return syscall(SYS_mmap, NULL, 4096, PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void *
page(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long
protect_exec(const struct outside *out)
{
	(void)out;
	return syscall(SYS_mprotect, page(), 4096, PROT_READ | PROT_EXEC);
}

static long
protect_exec_pkey(const struct outside *out)
{
	(void)out;
	return syscall(SYS_pkey_mprotect, page(), 4096, PROT_READ | PROT_EXEC,
	    -1);
}

/* The text of this very program, made writable. */
static long
rewrite_text(const struct outside *out)
{
	uintptr_t at = (uintptr_t)rewrite_text & ~(uintptr_t)4095;

	(void)out;
	return syscall(SYS_mprotect, at, 4096, PROT_READ | PROT_WRITE |
	    PROT_EXEC);
}

static long
shm_exec(const struct outside *out)
{
	long id;

	(void)out;
	id = syscall(SYS_shmget, IPC_PRIVATE, 4096, IPC_CREAT | 0700);
	if (id == -1)
		return -1;
	return syscall(SYS_shmat, id, NULL, SHM_EXEC);
}

static long
raise_caps(const struct outside *out)
{
	struct __user_cap_header_struct hdr = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = 1u << CAP_SYS_ADMIN,
		    .permitted = 1u << CAP_SYS_ADMIN } };

	(void)out;
	return syscall(SYS_capset, &hdr, data);
}

static long
raise_nofile(const struct outside *out)
{
	struct rlimit rl = { 100000, 100000 };

	(void)out;
	return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &rl, NULL);
}

static long
raise_fsize(const struct outside *out)
{
	struct rlimit rl = { RLIM_INFINITY, RLIM_INFINITY };

	(void)out;
	return syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, &rl, NULL);
}

static long
raise_core(const struct outside *out)
{
	struct rlimit rl = { 1 << 20, 1 << 20 };

	(void)out;
	return syscall(SYS_setrlimit, RLIMIT_CORE, &rl);
}

static long
realtime(const struct outside *out)
{
	struct sched_param sp = { .sched_priority = 50 };

	(void)out;
	return syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &sp);
}

static long
timer_at_monitor(const struct outside *out)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
	    .sigev_signo = SIGKILL };
	int id;

	event._sigev_un._tid = out->monitor;
	return syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id);
}

/* Not a pidfd, and there is none to have: pidfd_monitor. */
static long
steal_descriptor(const struct outside *out)
{
	return syscall(SYS_pidfd_getfd, out->kick, 0, 0);
}

static long
signal_by_descriptor(const struct outside *out)
{
	return syscall(SYS_pidfd_send_signal, out->kick, SIGKILL, NULL, 0);
}

static long
reap_memory(const struct outside *out)
{
	return syscall(SYS_process_mrelease, out->kick, 0);
}

static long
advise_others(const struct outside *out)
{
	struct iovec iov = { (void *)4096, 4096 };

	return syscall(SYS_process_madvise, out->kick, &iov, 1,
	    MADV_PAGEOUT, 0);
}

static long
robust_list_of_monitor(const struct outside *out)
{
	void *list;
	size_t size;

	return syscall(SYS_get_robust_list, out->monitor, &list, &size);
}

/* Credentials of the monitor on a message of ours. */
static long
say_to_be_another(const struct outside *out)
{
	union {
		struct cmsghdr	hdr;
		char		room[CMSG_SPACE(sizeof(struct ucred))];
	} control = { .hdr = { .cmsg_level = SOL_SOCKET,
	    .cmsg_type = SCM_CREDENTIALS,
	    .cmsg_len = CMSG_LEN(sizeof(struct ucred)) } };
	/* Ids that the user namespace of the trial knows. */
	struct ucred who = { .pid = 2, .uid = 65534, .gid = 65534 };
	struct iovec iov = { (char[1]){ 0 }, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = &control, .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.hdr), &who, sizeof(who));
	return syscall(SYS_sendmsg, out->channel, &msg, MSG_DONTWAIT);
}

static uint32_t words[2];

static long
requeue_waiters(const struct outside *out)
{
	(void)out;
	return syscall(SYS_futex, &words[0], FUTEX_REQUEUE, 0, 1, &words[1]);
}

static long
compare_and_requeue(const struct outside *out)
{
	(void)out;
	return syscall(SYS_futex, &words[0], FUTEX_CMP_REQUEUE, 0, 1,
	    &words[1], 0);
}

static long
lock_pi(const struct outside *out)
{
	(void)out;
	return syscall(SYS_futex, &words[0], FUTEX_LOCK_PI, 0, NULL);
}

#define CALL(nr, ...)	.call = { SYS_##nr, __VA_ARGS__ }
#define NOBODY_THERE	{ ESRCH }
#define GONE		{ EPERM, EINVAL }

const struct try tries_processes[] = {
	{ "kill_monitor", kill_monitor, .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "stop_monitor", stop_monitor, .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "probe_monitor", probe_monitor, .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "kill_everyone", CALL(kill, -1, SIGKILL), .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "kill_sibling", kill_sibling, .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "tgkill_sibling", tgkill_sibling, .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "interrupt_sibling", interrupt_sibling, .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "tkill_monitor", tkill_monitor, .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "sigqueue_monitor", sigqueue_monitor, .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "pidfd_monitor", pidfd_monitor, .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "ptrace_monitor", ptrace_monitor, .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "ptrace_sibling", ptrace_sibling, .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "read_monitor", read_monitor, .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "write_sibling", write_sibling, .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "kcmp_monitor", kcmp_monitor, .sealed = KILLED,
	    .layers = { ESRCH, ENOSYS } },
	{ "pin_monitor", pin_monitor, .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "renice_monitor", renice_monitor, .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "limit_monitor", limit_monitor, .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "session_of_monitor", session_of_monitor, .sealed = KILLED,
	    .layers = NOBODY_THERE },
	{ "move_pages_of_monitor", move_pages_of_monitor, .sealed = KILLED,
	    .layers = { ESRCH, ENOSYS } },
	{ "wait_for_sibling", wait_for_sibling, .sealed = KILLED,
	    .layers = { ECHILD } },
	{ "timer_at_monitor", timer_at_monitor, .sealed = KILLED,
	    .layers = { EINVAL } },
	{ "steal_descriptor", steal_descriptor, .sealed = KILLED,
	    .layers = { EBADF } },
	{ "robust_list_of_monitor", robust_list_of_monitor, .sealed = KILLED,
	    .layers = { ESRCH } },
	{ "robust_list_of_others", CALL(set_robust_list, 4096, 24),
	    .sealed = KILLED },
	{ "signal_by_descriptor", signal_by_descriptor, .sealed = KILLED,
	    .layers = { EBADF } },
	{ "reap_memory_of_others", reap_memory, .sealed = KILLED,
	    .layers = { EBADF, ENOSYS } },
	{ "advise_others", advise_others, .sealed = KILLED,
	    .layers = { EBADF } },
	{ "say_to_be_another", say_to_be_another, .sealed = EPERM,
	    .layers = { EPERM, ESRCH } },
	/* the monitor waits on words in memory that it shares */
	{ "requeue_waiters", requeue_waiters, .sealed = KILLED },
	{ "compare_and_requeue", compare_and_requeue, .sealed = KILLED },
	{ "lock_pi", lock_pi, .sealed = KILLED },
	{ "wait_for_many", CALL(futex_waitv, 0, 0, 0, 0, 0),
	    .sealed = KILLED },
	{ "fork", fork_child, .sealed = KILLED },
	{ "vfork", CALL(vfork, 0), .sealed = KILLED },
	{ "clone_process", clone_vm, .sealed = KILLED },
	{ "clone_user_namespace", clone_user, .sealed = KILLED },
	{ "clone3", CALL(clone3, 0, 0), .sealed = ENOSYS },
	{ "exec_shell", exec_shell, .sealed = KILLED,
	    .layers = { ENOENT, EACCES, ESRCH } },
	{ "exec_backing", exec_backing, .sealed = KILLED,
	    .layers = { EACCES } },
	{ "exec_memfd", exec_memfd, .sealed = KILLED,
	    .layers = { EACCES, ENOEXEC } },
	{ "map_exec", map_exec, .sealed = KILLED, .layers = { EACCES } },
	{ "map_exec_only", map_exec_only, .sealed = KILLED },
	{ "protect_exec", protect_exec, .sealed = KILLED,
	    .layers = { EACCES } },
	{ "protect_exec_pkey", protect_exec_pkey, .sealed = KILLED,
	    .layers = { EACCES } },
	{ "rewrite_text", rewrite_text, .sealed = KILLED,
	    .layers = { EACCES } },
	{ "shm_exec", shm_exec, .sealed = KILLED, .layers = { EACCES } },
	{ "read_implies_exec", CALL(personality, READ_IMPLIES_EXEC),
	    .sealed = KILLED },
	{ "setuid_root", CALL(setuid, 0), .sealed = KILLED, .layers = GONE },
	{ "setreuid_root", CALL(setreuid, 0, 0), .sealed = KILLED,
	    .layers = GONE },
	{ "setgid_root", CALL(setgid, 0), .sealed = KILLED, .layers = GONE },
	{ "setgroups", CALL(setgroups, 0, 0), .sealed = KILLED,
	    .layers = { EPERM } },
	{ "raise_caps", raise_caps, .sealed = KILLED, .layers = { EPERM } },
	{ "raise_ambient", CALL(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE,
	    CAP_SYS_ADMIN, 0, 0), .sealed = KILLED, .layers = { EPERM } },
	{ "set_securebits", CALL(prctl, PR_SET_SECUREBITS, 0),
	    .sealed = KILLED, .layers = { EPERM } },
	{ "clear_no_new_privs", CALL(prctl, PR_SET_NO_NEW_PRIVS, 0),
	    .sealed = KILLED, .layers = { EINVAL } },
	{ "clear_mdwe", CALL(prctl, 65, 0), .sealed = KILLED,
	    .layers = { EPERM } },
	{ "be_dumpable", CALL(prctl, PR_SET_DUMPABLE, 1), .sealed = KILLED },
	{ "outlive_monitor", CALL(prctl, PR_SET_PDEATHSIG, 0),
	    .sealed = KILLED },
	{ "allow_ptracer", CALL(prctl, PR_SET_PTRACER, -1),
	    .sealed = KILLED },
	{ "set_mm", CALL(prctl, PR_SET_MM, PR_SET_MM_BRK, 0),
	    .sealed = KILLED, .layers = { EPERM, EINVAL } },
	{ "another_filter", CALL(seccomp, SECCOMP_SET_MODE_FILTER, 0, 0),
	    .sealed = KILLED },
	{ "filter_listener", CALL(seccomp, SECCOMP_SET_MODE_FILTER, 8, 0),
	    .sealed = KILLED },
	{ "raise_nofile", raise_nofile, .sealed = KILLED,
	    .layers = { EPERM } },
	{ "raise_fsize", raise_fsize, .sealed = KILLED },
	{ "raise_core", raise_core, .sealed = KILLED, .layers = { EPERM } },
	{ "realtime", realtime, .sealed = KILLED, .layers = { EPERM } },
	{ "renice_self", CALL(setpriority, PRIO_PROCESS, 0, -20),
	    .sealed = KILLED, .layers = { EPERM, EACCES } },
	{ "ioprio_realtime", CALL(ioprio_set, 1, 0, 1 << 13),
	    .sealed = KILLED, .layers = { EPERM } },
	{ .name = NULL },
};
