/* SPDX-License-Identifier: ISC */
/*
 * Ways out by the kernel: namespaces, the network, io_uring, bpf, time,
 * keys, modules, other tables of system calls.  Runs inside the room.
 */
#include "config.h"

#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <linux/bpf.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/keyctl.h>
#include <linux/kvm.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/redteam/room.h"

static long
connect_tcp(const struct outside *out)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_port = htons(out->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	long s;

	if ((s = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0)) == -1)
		return -1;
	return syscall(SYS_connect, s, &sin, sizeof(sin));
}

static long
bind_tcp(const struct outside *out)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_port = htons(8080) };
	long s;

	(void)out;
	if ((s = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0)) == -1)
		return -1;
	return syscall(SYS_bind, s, &sin, sizeof(sin));
}

static long
send_udp(const struct outside *out)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_port = htons(out->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	long s;

	if ((s = syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0)) == -1)
		return -1;
	return syscall(SYS_sendto, s, "x", 1, 0, &sin, sizeof(sin));
}

static long
connect_unix(const struct outside *out)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	long s;

	memcpy(sun.sun_path, out->socket, strlen(out->socket) + 1);
	if ((s = syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0)) == -1)
		return -1;
	return syscall(SYS_connect, s, &sun, sizeof(sun));
}

static long
connect_abstract(const struct outside *out)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len = strlen(out->abstract);
	long s;

	memcpy(sun.sun_path + 1, out->abstract, len);
	if ((s = syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0)) == -1)
		return -1;
	return syscall(SYS_connect, s, &sun,
	    offsetof(struct sockaddr_un, sun_path) + 1 + len);
}

static long
channel_elsewhere(const struct outside *out)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len = strlen(out->abstract);

	memcpy(sun.sun_path + 1, out->abstract, len);
	return syscall(SYS_connect, out->channel, &sun,
	    offsetof(struct sockaddr_un, sun_path) + 1 + len);
}

static long
load_bpf(const struct outside *out)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_KPROBE,
	    .insns = (uintptr_t)insns, .insn_cnt = 2,
	    .license = (uintptr_t)"ISC" };

	(void)out;
	return syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static long
perf_of_all(const struct outside *out)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
	    .size = sizeof(attr), .config = PERF_COUNT_SW_CPU_CLOCK };

	(void)out;
	return syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0);
}

static long
io_uring(const struct outside *out)
{
	char params[120] = { 0 };

	(void)out;
	return syscall(SYS_io_uring_setup, 4, params);
}

static long
set_time(const struct outside *out)
{
	struct timespec ts = { 1, 0 };

	(void)out;
	return syscall(SYS_clock_settime, CLOCK_REALTIME, &ts);
}

static long
setns_kick(const struct outside *out)
{
	return syscall(SYS_setns, out->kick, 0);
}

static long
kvm_on_backing(const struct outside *out)
{
	return syscall(SYS_ioctl, out->backing, KVM_CREATE_VM, 0);
}

static long
splice_away(const struct outside *out)
{
	return syscall(SYS_sendfile, out->channel, out->backing, NULL, 1);
}

static long
connect_vsock(const struct outside *out)
{
	struct sockaddr_vm svm = { .svm_family = AF_VSOCK,
	    .svm_cid = VMADDR_CID_HOST, .svm_port = 22 };
	long s;

	(void)out;
	if ((s = syscall(SYS_socket, AF_VSOCK, SOCK_STREAM, 0)) == -1)
		return -1;
	return syscall(SYS_connect, s, &svm, sizeof(svm));
}

/* The same calls by their numbers in the other tables. */
static long
x32_getpid(const struct outside *out)
{
	(void)out;
	return syscall(0x40000000 | SYS_getpid);
}

static long
i386_getpid(const struct outside *out)
{
	long rc = 20;	/* i386: getpid */

	(void)out;
	__asm__ volatile("int $0x80" : "+a"(rc) : : "memory", "r8", "r9",
	    "r10", "r11");
	return rc;
}

static long
map_gmem_again(const struct outside *out)
{
	return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED, out->gmem, 0);
}

static long
map_gmem_exec(const struct outside *out)
{
	return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_SHARED, out->gmem, 0);
}

static long
discard_gmem(const struct outside *out)
{
	uint64_t range[2] = { 0, 4096 };

	return syscall(SYS_ioctl, out->gmem, BLKDISCARD, range);
}

static long
collapse_backing(const struct outside *out)
{
	return syscall(SYS_fallocate, out->backing, FALLOC_FL_COLLAPSE_RANGE,
	    0, 4096);
}

static long
insert_into_backing(const struct outside *out)
{
	return syscall(SYS_fallocate, out->backing, FALLOC_FL_INSERT_RANGE,
	    0, 4096);
}

#define CALL(nr, ...)	.call = { SYS_##nr, __VA_ARGS__ }
#define S(text)		((long)(text))

const struct try tries_kernel[] = {
	{ "unshare_user", CALL(unshare, CLONE_NEWUSER), .sealed = KILLED },
	{ "unshare_mount", CALL(unshare, CLONE_NEWNS), .sealed = KILLED,
	    .layers = { EPERM } },
	{ "unshare_net", CALL(unshare, CLONE_NEWNET), .sealed = KILLED,
	    .layers = { EPERM } },
	{ "unshare_pid", CALL(unshare, CLONE_NEWPID), .sealed = KILLED,
	    .layers = { EPERM } },
	{ "setns", setns_kick, .sealed = KILLED,
	    .layers = { EINVAL, EPERM } },
	{ "connect_tcp", connect_tcp, .sealed = KILLED,
	    .layers = { EACCES, ENETUNREACH } },
	{ "bind_tcp", bind_tcp, .sealed = KILLED, .layers = { EACCES } },
	{ "send_udp", send_udp, .sealed = KILLED,
	    .layers = { ENETUNREACH } },
	{ "raw_socket", CALL(socket, AF_INET, SOCK_RAW, IPPROTO_ICMP),
	    .sealed = KILLED, .layers = { EPERM } },
	{ "packet_socket", CALL(socket, AF_PACKET, SOCK_RAW, 0),
	    .sealed = KILLED, .layers = { EPERM, EAFNOSUPPORT } },
	{ "netlink_socket", CALL(socket, AF_NETLINK, SOCK_RAW, 0),
	    .sealed = KILLED },
	{ "connect_vsock", connect_vsock, .sealed = KILLED },
	{ "alg_socket", CALL(socket, AF_ALG, SOCK_SEQPACKET, 0),
	    .sealed = KILLED },
	{ "socketpair", CALL(socketpair, AF_UNIX, SOCK_STREAM, 0, 0),
	    .sealed = KILLED },
	{ "connect_unix", connect_unix, .sealed = KILLED,
	    .layers = { ENOENT, EACCES, ESRCH } },
	{ "connect_abstract", connect_abstract, .sealed = KILLED,
	    .layers = { ECONNREFUSED, EPERM } },
	{ "channel_elsewhere", channel_elsewhere, .sealed = KILLED,
	    .layers = { ECONNREFUSED, EISCONN, EPROTOTYPE } },
	{ "io_uring_setup", io_uring, .sealed = KILLED },
	{ "io_uring_enter", CALL(io_uring_enter, 3, 1, 0, 0, 0, 0),
	    .sealed = KILLED, .layers = { EOPNOTSUPP, EBADF } },
	{ "io_uring_register", CALL(io_uring_register, 3, 0, 0, 0),
	    .sealed = KILLED, .layers = { EOPNOTSUPP, EBADF, EINVAL } },
	{ "io_setup", CALL(io_setup, 1, 0), .sealed = KILLED,
	    .layers = { EFAULT, ENOSYS } },
	{ "load_bpf", load_bpf, .sealed = KILLED,
	    .layers = { EPERM, ENOSYS } },
	{ "perf_of_all", perf_of_all, .sealed = KILLED,
	    .layers = { EACCES, EPERM, ENOSYS } },
	{ "userfaultfd", CALL(userfaultfd, 0), .sealed = KILLED,
	    .layers = { EPERM, ENOSYS } },
	{ "memfd_create", CALL(memfd_create, S("x"), 0), .sealed = KILLED },
	{ "memfd_secret", CALL(memfd_secret, 0), .sealed = KILLED },
	{ "add_key", CALL(add_key, S("user"), S("x"), S("x"), 1,
	    KEY_SPEC_SESSION_KEYRING), .sealed = KILLED },
	{ "request_key", CALL(request_key, S("user"), S("nobody-has-it"), 0,
	    0), .sealed = KILLED },
	{ "join_session_keyring", CALL(keyctl, KEYCTL_JOIN_SESSION_KEYRING,
	    0), .sealed = KILLED },
	{ "init_module", CALL(init_module, 0, 0, S("")), .sealed = KILLED,
	    .layers = { EPERM, ENOSYS } },
	{ "finit_module", CALL(finit_module, 0, S(""), 0), .sealed = KILLED,
	    .layers = { EPERM, ENOSYS } },
	{ "kexec_load", CALL(kexec_load, 0, 0, 0, 0), .sealed = KILLED,
	    .layers = { EPERM, ENOSYS } },
	{ "reboot", CALL(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
	    LINUX_REBOOT_CMD_CAD_OFF), .sealed = KILLED,
	    .layers = { EPERM } },
	{ "swapon", CALL(swapon, S("/x"), 0), .sealed = KILLED,
	    .layers = { EPERM, ENOSYS } },
	{ "set_time", set_time, .sealed = KILLED, .layers = { EPERM } },
	{ "sethostname", CALL(sethostname, S("x"), 1), .sealed = KILLED,
	    .layers = { EPERM } },
	{ "kernel_log", CALL(syslog, 5, 0, 0), .sealed = KILLED,
	    .layers = { EPERM } },
	{ "acct", CALL(acct, S("/x")), .sealed = KILLED,
	    .layers = { EPERM, ENOSYS } },
	{ "iopl", CALL(iopl, 3), .sealed = KILLED,
	    .layers = { EPERM, ENOSYS } },
	{ "ioperm", CALL(ioperm, 0x70, 2, 1), .sealed = KILLED,
	    .layers = { EPERM, ENOSYS } },
	{ "kvm_on_backing", kvm_on_backing, .sealed = KILLED,
	    .layers = { ENOTTY } },
	{ "sendfile", splice_away, .sealed = KILLED },
	{ "splice_log", CALL(splice, 2, 0, 2, 0, 1, 0), .sealed = KILLED },
	{ "tee_log", CALL(tee, 2, 2, 1, 0), .sealed = KILLED },
	{ "vmsplice_log", CALL(vmsplice, 2, 0, 0, 0), .sealed = KILLED },
	{ "watch_files", CALL(inotify_init1, 0), .sealed = KILLED },
	{ "watch_file_system", CALL(fanotify_init, 0, 0), .sealed = KILLED,
	    .layers = { EPERM, ENOSYS } },
	{ "barrier_of_all", CALL(membarrier, 1, 0, 0), .sealed = KILLED },
	{ "memory_policy", CALL(set_mempolicy, 0, 0, 0), .sealed = KILLED },
	{ "quota", CALL(quotactl, 0x80000100, 0, 0, 0), .sealed = KILLED },
	{ "map_gmem_again", map_gmem_again, .sealed = KILLED },
	{ "map_gmem_exec", map_gmem_exec, .sealed = KILLED },
	{ "remap_gmem", CALL(mremap, 4096, 4096, 8192, 1, 0),
	    .sealed = KILLED, .layers = { EFAULT } },
	{ "discard_gmem", discard_gmem, .sealed = ENOTTY, .vm = KILLED,
	    .layers = { ENOTTY } },
	{ "collapse_backing", collapse_backing, .sealed = KILLED },
	{ "insert_into_backing", insert_into_backing, .sealed = KILLED },
	{ "modify_ldt", CALL(modify_ldt, 0, 0, 0), .sealed = KILLED },
	{ "landlock_again", CALL(landlock_create_ruleset, 0, 0, 1),
	    .sealed = KILLED },
	{ "x32_table", x32_getpid, .sealed = KILLED },
	{ "i386_table", i386_getpid, .sealed = KILLED },
	{ "unknown_call", .call = { 1000 }, .sealed = KILLED,
	    .layers = { ENOSYS } },
	{ .name = NULL },
};
