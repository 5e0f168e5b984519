/* SPDX-License-Identifier: ISC */
/*
 * A vCPU and its thread.  Runs in the vm process.  The thread does nothing
 * but run the guest and answer its exits; it makes no decision about the
 * process, it tells the main thread.
 */
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmmd/layout.h"
#include "vmmd/vcpu.h"

#define VCPU_SIGNAL	SIGUSR1

#define CR0_PE		(UINT64_C(1) << 0)
#define CR0_ET		(UINT64_C(1) << 4)
#define CR0_PG		(UINT64_C(1) << 31)
#define CR4_PAE		(UINT64_C(1) << 5)
#define EFER_LME	(UINT64_C(1) << 8)
#define EFER_LMA	(UINT64_C(1) << 10)
#define RFLAGS_ONE	UINT64_C(2)

struct vcpu {
	struct kvm		*kvm;
	uint32_t		 index;
	struct kvmexit_buses	 buses;
	struct notice		*notice;
	struct gate		*gate;
	int			 fd;
	struct kvm_run		*run;
	pthread_t		 thread;
	bool			 started;
	atomic_bool		 stop;
};

static void
on_signal(int number)
{
	/* Only to interrupt KVM_RUN. */
	(void)number;
}

int
vcpu_prepare_process(struct fail *fail)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigemptyset(&sa.sa_mask);
	if (sigaction(VCPU_SIGNAL, &sa, NULL) == -1)
		return fail_errno(fail, "the vCPU signal");
	return 0;
}

struct vcpu *
vcpu_new(const struct vcpu_setup *setup, struct fail *fail)
{
	struct vcpu *v = calloc(1, sizeof(*v));

	if (v == NULL) {
		fail_errno(fail, "vCPU %u", setup->index);
		return NULL;
	}
	v->kvm = setup->kvm;
	v->index = setup->index;
	v->buses = setup->buses;
	v->notice = setup->notice;
	v->fd = kvm_add_vcpu(setup->kvm, setup->index, setup->count, &v->run,
	    fail);
	if (v->fd == -1) {
		free(v);
		return NULL;
	}
	return v;
}

void
vcpu_free(struct vcpu *v)
{
	if (v == NULL)
		return;
	kvm_unmap_run(v->kvm, v->run);
	close(v->fd);
	free(v);
}

static struct kvm_segment
flat_segment(uint16_t selector, uint8_t type, enum boot_mode mode)
{
	bool code = type & 8;

	return (struct kvm_segment) {
		.base = 0, .limit = UINT32_MAX, .selector = selector,
		.type = type, .present = 1, .s = 1, .g = 1,
		.l = code && mode == BOOT_LONG,
		.db = !(code && mode == BOOT_LONG),
	};
}

static void
set_mode(struct kvm_sregs *s, enum boot_mode mode)
{
	s->cs = flat_segment(BOOT_SELECTOR_CODE, 0xb, mode);
	s->ds = flat_segment(BOOT_SELECTOR_DATA, 0x3, mode);
	s->es = s->fs = s->gs = s->ss = s->ds;
	/* A busy 32-bit (or 64-bit) task, as both protocols ask for. */
	s->tr = (struct kvm_segment) {
		.limit = 0x67, .selector = BOOT_SELECTOR_TASK, .type = 0xb,
		.present = 1,
	};
	s->gdt.base = LAYOUT_GDT;
	s->gdt.limit = BOOT_GDT_BYTES - 1;
	s->idt.base = 0;
	s->idt.limit = 0;
	s->cr0 = CR0_PE | CR0_ET;
	if (mode == BOOT_LONG) {
		s->cr0 |= CR0_PG;
		s->cr3 = LAYOUT_PAGE_TABLES;
		s->cr4 = CR4_PAE;
		s->efer = EFER_LME | EFER_LMA;
	}
}

int
vcpu_set_entry(struct vcpu *v, const struct boot_entry *entry,
    struct fail *fail)
{
	struct kvm_regs regs = {
		.rip = entry->rip, .rsp = LAYOUT_BOOT_STACK,
		.rflags = RFLAGS_ONE,
	};
	struct kvm_sregs sregs;

	/* rsi: bzImage, rbx: PVH. */
	if (entry->mode == BOOT_LONG)
		regs.rsi = entry->info;
	else
		regs.rbx = entry->info;
	if (ioctl(v->fd, KVM_GET_SREGS, &sregs) == -1)
		return fail_errno(fail, "KVM gives no registers");
	set_mode(&sregs, entry->mode);
	if (ioctl(v->fd, KVM_SET_SREGS, &sregs) == -1 ||
	    ioctl(v->fd, KVM_SET_REGS, &regs) == -1)
		return fail_errno(fail, "KVM refuses the first registers");
	return 0;
}

/* The end comes from this vCPU: say where it was. */
static void
report_end(struct vcpu *v, struct end *end)
{
	struct kvm_regs regs;

	if (ioctl(v->fd, KVM_GET_REGS, &regs) == 0)
		end->rip = regs.rip;
	notice_end(v->notice, end);
}

static void *
run_guest(void *arg)
{
	struct vcpu *v = arg;
	struct end end = { .reason = 0 };

	gate_pass(v->gate);
	while (!atomic_load(&v->stop) && end.reason == 0) {
		if (ioctl(v->fd, KVM_RUN, 0) == 0)
			kvmexit_handle(&v->buses, v->run, &end);
		else if (errno != EINTR && errno != EAGAIN)
			end_set(&end, PROTO_EXIT_KVM, (uint32_t)errno,
			    "KVM does not run vCPU %u: %s", v->index,
			    strerror(errno));
	}
	if (end.reason != 0)
		report_end(v, &end);
	return NULL;
}

int
vcpu_start(struct vcpu *v, struct gate *gate, struct fail *fail)
{
	int error;

	v->gate = gate;
	error = pthread_create(&v->thread, NULL, run_guest, v);
	if (error != 0)
		return fail_set(fail, error, "the thread of vCPU %u: %s",
		    v->index, strerror(error));
	v->started = true;
	return 0;
}

void
vcpu_stop(struct vcpu *v)
{
	atomic_store(&v->stop, true);
	/*
	 * Before the signal: a thread that is about to enter the guest when
	 * the signal comes then leaves it at once.
	 */
	__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	if (v->started)
		pthread_kill(v->thread, VCPU_SIGNAL);
}

int
vcpu_join(struct vcpu *v, const struct timespec *until)
{
	int error;

	if (!v->started)
		return 0;
	error = pthread_clockjoin_np(v->thread, NULL, CLOCK_MONOTONIC, until);
	if (error != 0) {
		errno = error;
		return -1;
	}
	v->started = false;
	return 0;
}
