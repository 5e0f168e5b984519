/* SPDX-License-Identifier: ISC */
/*
 * The vm process's side of the machine channel: vm_main as it is, with a
 * monitor that sends what the input says and leaves, and a guest that ends
 * when the input says so.  The process ends with a status, and no descriptor
 * stays open.  KVM, vCPUs, kernels and the sandbox are doubles: each has a
 * fuzzer or a test of its own.
 *
 *	input: what is a double's fault (1 byte); steps: type (1), a value
 *	    (1), and by bits of the type wrong descriptors (2), length of
 *	    changes (1) and the changes, XORed over a sound message
 */
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "proto/chan.h"
#include "shm/doorbell.h"
#include "shm/memfd.h"
#include "shm/state.h"
#include "tests/fuzz/fuzz.h"
#include "util/log.h"
#include "util/sandbox.h"
#include "vmmd/boot.h"
#include "vmmd/kvm.h"
#include "vmmd/notice.h"
#include "vmmd/vcpu.h"
#include "vmmd/vm.h"

#define MEMORY		(UINT64_C(2) << 20)
#define QUEUES		2u
#define QUEUE_SIZE	64u
#define STEPS_MAX	60u
#define LOOPS		3u	/* for what a packet sets off */
#define FDS_MAX		16u

/* --- doubles ------------------------------------------------------------- */

static bool strict_fails, kvm_fails;
static struct notice *notice;	/* of the machine, once it has a vCPU */

int
sandbox_enter(const struct sandbox_policy *policy, struct sandbox **box,
    uint32_t *layers, char *why, size_t size)
{
	(void)policy;
	*box = NULL;
	*layers = strict_fails ? 0 : PROTO_LAYERS;
	snprintf(why, size, "%s", "");
	return 0;
}

uint32_t
sandbox_missing(uint32_t layers)
{
	return PROTO_LAYERS & ~layers;
}

const char *
sandbox_layer_name(uint32_t layer)
{
	(void)layer;
	return "layer";
}

void
sandbox_layer_names(uint32_t layers, char *text, size_t size)
{
	snprintf(text, size, "layers %x", layers);
}

int
sandbox_narrow(struct sandbox *box)
{
	(void)box;
	return 0;
}

void
sandbox_free(struct sandbox *box)
{
	(void)box;
}

struct kvm {
	int	sys;
};

struct kvm *
kvm_new(int sys, struct fail *fail)
{
	struct kvm *kvm = kvm_fails ? NULL : calloc(1, sizeof(*kvm));

	if (kvm == NULL) {
		close(sys);
		fail_set(fail, ENODEV, "no KVM");
		return NULL;
	}
	kvm->sys = sys;
	return kvm;
}

void
kvm_free(struct kvm *kvm)
{
	if (kvm != NULL)
		close(kvm->sys);
	free(kvm);
}

int
kvm_add_memory(struct kvm *kvm, const struct gmem *gmem, struct fail *fail)
{
	(void)kvm;
	(void)gmem;
	(void)fail;
	return 0;
}

int
kvm_add_interrupts(struct kvm *kvm, struct fail *fail)
{
	(void)kvm;
	(void)fail;
	return 0;
}

/* As KVM does: what is no eventfd is refused. */
static int
check_eventfd(int fd, struct fail *fail)
{
	uint64_t n = 0;

	if (write(fd, &n, sizeof(n)) != sizeof(n))
		return fail_errno(fail, "a line");
	return 0;
}

int
kvm_add_ioeventfd(struct kvm *kvm, uint64_t gpa, uint32_t match, int fd,
    struct fail *fail)
{
	(void)kvm;
	FUZZ_REQUIRE(gpa != 0 && match < PROTO_QUEUES_MAX);
	return check_eventfd(fd, fail);
}

int
kvm_add_irqfd(struct kvm *kvm, uint32_t gsi, int fd, struct fail *fail)
{
	(void)kvm;
	FUZZ_REQUIRE(gsi < 24);
	return check_eventfd(fd, fail);
}

void
kvm_set_line(struct kvm *kvm, uint32_t gsi, int level)
{
	(void)kvm;
	(void)gsi;
	(void)level;
}

struct vcpu {
	struct gate	*gate;
	pthread_t	 thread;
	bool		 started;
};

struct vcpu *
vcpu_new(const struct vcpu_setup *setup, struct fail *fail)
{
	(void)fail;
	notice = setup->notice;
	return calloc(1, sizeof(struct vcpu));
}

void
vcpu_free(struct vcpu *vcpu)
{
	free(vcpu);
}

int
vcpu_prepare_process(struct fail *fail)
{
	(void)fail;
	return 0;
}

int
vcpu_set_entry(struct vcpu *vcpu, const struct boot_entry *entry,
    struct fail *fail)
{
	(void)vcpu;
	(void)entry;
	(void)fail;
	return 0;
}

static void *
be_vcpu(void *arg)
{
	struct vcpu *vcpu = arg;

	gate_pass(vcpu->gate);
	return NULL;
}

int
vcpu_start(struct vcpu *vcpu, struct gate *gate, struct fail *fail)
{
	(void)fail;
	vcpu->gate = gate;
	FUZZ_REQUIRE(pthread_create(&vcpu->thread, NULL, be_vcpu,
	    vcpu) == 0);
	vcpu->started = true;
	return 0;
}

void
vcpu_stop(struct vcpu *vcpu)
{
	(void)vcpu;
}

int
vcpu_join(struct vcpu *vcpu, const struct timespec *until)
{
	(void)until;
	if (vcpu->started)
		FUZZ_REQUIRE(pthread_join(vcpu->thread, NULL) == 0);
	vcpu->started = false;
	return 0;
}

int
boot_file_open(struct boot_file *file, int fd, const char *what,
    struct fail *fail)
{
	(void)what;
	(void)fail;
	file->fd = fd;
	return 0;
}

int
boot_load(const struct boot_job *job, struct boot_entry *entry,
    struct fail *fail)
{
	(void)fail;
	FUZZ_REQUIRE(strlen(job->cmdline) <= PROTO_CMDLINE_MAX +
	    PROTO_DISKS_MAX * 48);
	memset(entry, 0, sizeof(*entry));
	return 0;
}

/* --- packets ------------------------------------------------------------- */

struct fds {
	int	fd[FDS_MAX];
	size_t	n;
};

static void
add_fd(struct fds *f, int fd)
{
	FUZZ_REQUIRE(fd != -1 && f->n < FDS_MAX);
	f->fd[f->n++] = fd;
}

static int
socket_end(bool good)
{
	int ends[2];

	if (good)
		FUZZ_REQUIRE(chan_pair(ends) == 0);
	else
		FUZZ_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
		    SOCK_CLOEXEC, 0, ends) == 0);
	close(ends[1]);
	return ends[0];
}

static void
machine_message(struct msg *m, struct fds *f, uint8_t value)
{
	struct proto_vm_machine *q = &m->machine;

	q->m_memory = MEMORY;
	q->m_vcpus = 1 + (value >> 6);
	q->m_disks = value & 3;
	q->m_flags = value >> 2 & PROTO_MACHINE_MMIO_CMDLINE;
	q->m_flags |= value & 0x10 ? PROTO_MACHINE_STRICT : 0;
	memcpy(q->m_name, "vm", 3);
	memset(q->m_cmdline, 'x', value & 0x20 ? PROTO_CMDLINE_MAX - 1 : 5);
	add_fd(f, eventfd(0, EFD_CLOEXEC));
	add_fd(f, memfd_make("gmem", MEMORY));
	add_fd(f, memfd_make("kernel", 4096));
	add_fd(f, open("/dev/null", O_RDONLY | O_CLOEXEC));
	add_fd(f, open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static void
disk_message(struct msg *m, struct fds *f, uint8_t value)
{
	struct proto_vm_disk *q = &m->vm_disk;
	unsigned i;

	q->m_index = value & 3;
	q->m_flags = value >> 2 & PROTO_VM_DISK_FLAGS;
	q->m_queues = QUEUES;
	q->m_queue_size = QUEUE_SIZE;
	memcpy(q->m_name, "vda", 4);
	add_fd(f, socket_end(true));
	if (q->m_flags & PROTO_VM_DISK_SUCCESSOR)
		return;
	add_fd(f, memfd_make("doorbell", DOORBELL_BYTES));
	add_fd(f, eventfd(0, EFD_CLOEXEC));
	add_fd(f, state_make(QUEUES, QUEUE_SIZE));
	for (i = 0; i < QUEUES; i++)
		add_fd(f, eventfd(0, EFD_CLOEXEC));
}

/* A client who has said what it wants to say. */
static void
client_message(struct msg *m, struct fds *f, uint8_t value)
{
	static const char *const lines[] = {
		"{\"command\": \"status\"}\n", "{\"command\": \"stats\"}\n",
		"{\"command\": \"stop\"}\n{", "junk\n",
		"{\"command\": \"pause\", \"disk\": \"vda\"}\n", "",
		"{\"command\": \"fault\", \"disk\": \"vda\"}\n", "\n\n\n",
	};
	const char *line = lines[value >> 3 & 7];
	int ends[2];

	m->client.m_client = value & 7;
	FUZZ_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0, ends) == 0);
	(void)!write(ends[1], line, strlen(line));
	close(ends[1]);
	add_fd(f, ends[0]);
}

static void
answer_message(struct msg *m, uint8_t value)
{
	struct proto_vm_answer *a = &m->answer;

	a->m_client = value & 7;
	a->m_errno = value & 8 ? EIO : 0;
	if (a->m_errno != 0)
		memcpy(a->m_text, "no", 3);
	memcpy(a->m_machine.m_name, "vm", 3);
	memcpy(a->m_machine.m_serial, "none", 5);
	memcpy(a->m_disk.m_state, "running", 8);
	a->m_row[0].m_fault.m_action = PROTO_FAULT_FIRST;
}

static void
send_packet(int channel, struct msg *m, size_t size, const struct fds *f)
{
	union {
		struct cmsghdr	hdr;
		char		room[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control;
	struct iovec iov = { m->bytes, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	memset(&control, 0, sizeof(control));
	if (f->n > 0) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * f->n);
		control.hdr.cmsg_level = SOL_SOCKET;
		control.hdr.cmsg_type = SCM_RIGHTS;
		control.hdr.cmsg_len = CMSG_LEN(sizeof(int) * f->n);
		memcpy(CMSG_DATA(&control.hdr), f->fd, sizeof(int) * f->n);
	}
	(void)sendmsg(channel, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Descriptors that are something else, or one too many. */
static void
spoil(struct fds *f, uint16_t wrong)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (wrong >> i & 1)
			FUZZ_REQUIRE(dup3(f->fd[(i + 1) % f->n] == f->fd[i] ?
			    0 : f->fd[(i + 1) % f->n], f->fd[i],
			    O_CLOEXEC) != -1);
	if (wrong >> 15 && f->n < FDS_MAX)
		add_fd(f, socket_end(false));
	if (wrong >> 14 & 1 && f->n > 0)
		close(f->fd[--f->n]);
}

static void
send_message(int channel, struct fuzz_input *in, uint32_t sequence)
{
	static const enum proto_type types[] = {
		PROTO_VM_MACHINE, PROTO_VM_DISK, PROTO_VM_RUN, PROTO_VM_STOP,
		PROTO_VM_CLIENT, PROTO_VM_ANSWER, PROTO_VM_CLIENT,
		PROTO_VM_ANSWER,
	};
	uint8_t type = fuzz_u8(in), value = fuzz_u8(in), changes[255], n = 0;
	const struct proto_fact *fact = type & 0x80 ?
	    proto_fact_at(type % 24) : proto_fact(types[type % 8]);
	struct fds f = { .n = 0 };
	struct msg m;
	unsigned i;

	if (fact == NULL)
		return;
	memset(&m, 0, sizeof(m));
	chan_header(&m.hdr, (enum proto_type)fact->type, sequence);
	if (fact->type == PROTO_VM_MACHINE)
		machine_message(&m, &f, value);
	else if (fact->type == PROTO_VM_DISK)
		disk_message(&m, &f, value);
	else if (fact->type == PROTO_VM_CLIENT)
		client_message(&m, &f, value);
	else if (fact->type == PROTO_VM_ANSWER)
		answer_message(&m, value);
	if (type & 0x40)
		spoil(&f, fuzz_u16(in));
	if (type & 0x20)
		n = fuzz_u8(in);
	fuzz_take(in, changes, n);
	for (i = 0; i < n; i++)
		m.bytes[(sizeof(m.hdr) + i) % fact->size] ^= changes[i];
	send_packet(channel, &m, fact->size, &f);
	while (f.n > 0)
		close(f.fd[--f.n]);
}

/* --- the loop: the monitor and the guest take turns with the process ----- */

static struct fuzz_input input;
static int monitor_end;
static uint32_t asked;		/* the number of the newest question */

/* What a vCPU would tell, once there is one. */
static void
guest_says(uint8_t what)
{
	struct end end = { .reason = 0 };

	if (notice == NULL)
		return;
	if (what & 1) {
		notice_stuck(notice, what >> 1 & (PROTO_DISKS_MAX - 1));
		return;
	}
	end_set(&end, 1 + (what >> 1) % PROTO_EXIT_LAST, what, "the end");
	notice_end(notice, &end);
}

static void
listen_to_it(void)
{
	struct msg m;

	while (chan_recv_nowait(monitor_end, &m) == PROTO_OK) {
		FUZZ_REQUIRE(m.hdr.m_type >= PROTO_VM_READY);
		if (m.hdr.m_type == PROTO_VM_ASK)
			asked = m.hdr.m_sequence;
		msg_clear(&m);
	}
}

/* In the place of libevent's: returns where that would. */
int
event_base_dispatch(struct event_base *base)
{
	unsigned step, i;

	for (step = 0; step < STEPS_MAX && input.left > 0; step++) {
		if ((*input.p & 0x1f) == 0x1f) {
			(void)fuzz_u8(&input);
			guest_says(fuzz_u8(&input));
		} else
			send_message(monitor_end, &input, asked);
		for (i = 0; i < LOOPS; i++) {
			(void)event_base_loop(base, EVLOOP_NONBLOCK);
			if (event_base_got_break(base))
				return 0;
			listen_to_it();
		}
	}
	shutdown(monitor_end, SHUT_WR);
	do {
		(void)event_base_loop(base, EVLOOP_ONCE);
	} while (!event_base_got_break(base));
	return 0;
}

static int
lowest_free(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int ends[2], lowest = lowest_free(), code;
	uint8_t how;

	input = (struct fuzz_input) { data, size };
	how = fuzz_u8(&input);
	strict_fails = (how & 7) == 7;
	kvm_fails = (how >> 3 & 7) == 7;
	notice = NULL;
	asked = 0;
	FUZZ_REQUIRE(chan_pair(ends) == 0);
	monitor_end = ends[1];
	code = vm_main(ends[0], 0, 0);
	FUZZ_REQUIRE(code == EX_OK || code == EX_UNAVAILABLE ||
	    code == EX_SOFTWARE);
	listen_to_it();
	close(ends[1]);
	FUZZ_REQUIRE(lowest_free() == lowest);
	return 0;
}
