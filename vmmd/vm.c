/* SPDX-License-Identifier: ISC */
/*
 * The vm process: its life and the machine channel.  Holds KVM, the guest's
 * memory and the terminal; opens nothing.  Trusts the monitor to say what
 * it means, the guest and the disks not at all.
 *
 * The story: shut in, MACHINE and its DISKs, build, narrow, READY; RUN; the
 * guest ends or STOP comes; EXIT.
 */
#include <event2/event.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "proto/peer.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sandbox.h"
#include "vmmd/control.h"
#include "vmmd/guest.h"
#include "vmmd/vm.h"
#include "vmmd/vm_seccomp.h"

enum vm_state {
	VM_EMPTY,	/* waits for MACHINE */
	VM_DISKS,	/* waits for the rest of the DISKs */
	VM_READY,	/* waits for RUN */
	VM_RUNNING,
	VM_ENDED,	/* FAIL or EXIT is sent */
};

struct vm {
	struct event_base	*base;
	struct peer		*monitor;
	struct sandbox		*box;
	uint32_t		 layers;	/* enum proto_layer that hold */
	struct notice		*notice;
	struct event		*noticed;
	struct guest		*guest;
	struct control_host	 control_host;
	struct control		*control;
	bool			 started;	/* there are threads */
	int			 code;		/* of exit */
};

/* --- to the monitor ---------------------------------------------------- */

static void
finish(struct vm *vm, int code)
{
	vm->code = code;
	peer_set_state(vm->monitor, VM_ENDED);
	event_base_loopbreak(vm->base);
}

/*
 * End the threads.  Where one hangs in the kernel nothing is freed: the
 * guest is forgotten, and the end of the process takes all.
 */
static void
end_guest(struct vm *vm)
{
	if (vm->started && vm->guest != NULL && guest_stop(vm->guest) == -1)
		vm->guest = NULL;
}

static void
send_fail(struct vm *vm, const struct fail *why)
{
	struct proto_fail m = { .m_errno = why->errnum };

	end_guest(vm);
	snprintf(m.m_text, sizeof(m.m_text), "%s", why->text);
	if (peer_send(vm->monitor, PROTO_VM_FAIL, &m, NULL, 0) == 0)
		log_error("%s", why->text);
	finish(vm, EX_UNAVAILABLE);
}

/* The guest is over: its threads end first, so that EXIT is final. */
static void
send_exit(struct vm *vm, const struct end *end)
{
	struct proto_vm_exit m = {
		.m_reason = end->reason, .m_detail = end->detail,
		.m_rip = end->rip,
	};

	snprintf(m.m_text, sizeof(m.m_text), "%s", end->text);
	end_guest(vm);
	if (peer_send(vm->monitor, PROTO_VM_EXIT, &m, NULL, 0) == 0)
		log_error("%s", m.m_text);
	finish(vm, EX_OK);
}

static void
on_notice(evutil_socket_t fd, short what, void *arg)
{
	struct vm *vm = arg;
	struct proto_vm_stuck m;
	struct end end;
	uint32_t stuck, i;
	bool ended;

	(void)fd;
	(void)what;
	ended = notice_take(vm->notice, &stuck, &end);
	for (i = 0; i < PROTO_DISKS_MAX; i++) {
		if ((stuck & UINT32_C(1) << i) == 0)
			continue;
		m.m_index = i;
		peer_send(vm->monitor, PROTO_VM_STUCK, &m, NULL, 0);
	}
	if (ended)
		send_exit(vm, &end);
}

/* The machine is complete: build it, and close the last doors. */
static void
get_ready(struct vm *vm)
{
	struct proto_vm_ready m = { .m_layers = vm->layers };
	struct fail fail;

	vm->started = true;
	if (guest_start(vm->guest, &fail) == -1) {
		send_fail(vm, &fail);
		return;
	}
	if (sandbox_narrow(vm->box) == -1) {
		fail_errno(&fail, "the filter of system calls");
		send_fail(vm, &fail);
		return;
	}
	peer_set_state(vm->monitor, VM_READY);
	peer_send(vm->monitor, PROTO_VM_READY, &m, NULL, 0);
}

/* --- from the monitor -------------------------------------------------- */

static int
check_layers(const struct vm *vm, uint32_t flags, struct fail *fail)
{
	uint32_t missing = sandbox_missing(vm->layers);
	char names[SANDBOX_WHY_MAX];

	if (!(flags & PROTO_MACHINE_STRICT) || missing == 0)
		return 0;
	sandbox_layer_names(missing, names, sizeof(names));
	return fail_set(fail, EPERM, "the sandbox of the vm process is strict,"
	    " and lacks %s", names);
}

static void
on_machine(void *ctx, struct msg *m)
{
	struct vm *vm = ctx;
	const struct proto_vm_machine *q = &m->machine;
	struct fail fail;
	struct guest_setup setup = {
		.memory = q->m_memory, .vcpus = q->m_vcpus,
		.disks = q->m_disks, .flags = q->m_flags,
		.cmdline = q->m_cmdline, .notice = vm->notice,
	};

	if (check_layers(vm, q->m_flags, &fail) == -1) {
		send_fail(vm, &fail);
		return;
	}
	setup.kvm = msg_take_fd(m, PROTO_MACHINE_KVM);
	setup.gmem = msg_take_fd(m, PROTO_MACHINE_GMEM);
	setup.kernel = msg_take_fd(m, PROTO_MACHINE_KERNEL);
	setup.serial_in = msg_take_fd(m, PROTO_MACHINE_SERIAL_IN);
	setup.serial_out = msg_take_fd(m, PROTO_MACHINE_SERIAL_OUT);
	setup.initrd = q->m_flags & PROTO_MACHINE_INITRD ?
	    msg_take_fd(m, PROTO_MACHINE_INITRD_FD) : -1;
	vm->guest = guest_new(&setup, &fail);
	if (vm->guest == NULL) {
		send_fail(vm, &fail);
		return;
	}
	peer_set_state(vm->monitor, VM_DISKS);
	if (guest_disks_missing(vm->guest) == 0)
		get_ready(vm);
}

static void
add_disk(struct vm *vm, struct msg *m)
{
	const struct proto_vm_disk *q = &m->vm_disk;
	struct fail fail;
	struct guest_disk disk = {
		.index = q->m_index, .flags = q->m_flags,
		.queues = q->m_queues,
		.channel = msg_take_fd(m, PROTO_VM_DISK_MMIO),
		.doorbell = m->fd[PROTO_VM_DISK_DOORBELL],
		.irq = m->fd[PROTO_VM_DISK_IRQ],
		.kicks = &m->fd[PROTO_VM_DISK_KICK],
	};

	if (guest_add_disk(vm->guest, &disk, &fail) == -1)
		send_fail(vm, &fail);
	else if (control_add_disk(vm->control, q,
	    m->fd[PROTO_VM_DISK_STATE]) == -1) {
		fail_errno(&fail, "disk %u: state", q->m_index);
		send_fail(vm, &fail);
	}
	else if (guest_disks_missing(vm->guest) == 0)
		get_ready(vm);
}

static void
on_disk(void *ctx, struct msg *m)
{
	struct vm *vm = ctx;
	const struct proto_vm_disk *q = &m->vm_disk;
	bool successor = q->m_flags & PROTO_VM_DISK_SUCCESSOR;

	/* A disk that dies early may be replaced before all are there. */
	if (!successor && peer_state(vm->monitor) == VM_DISKS)
		add_disk(vm, m);
	else if (!successor || guest_replace_channel(vm->guest, q->m_index,
	    msg_take_fd(m, PROTO_VM_DISK_MMIO)) == -1)
		peer_end(vm->monitor, PROTO_E_VALUE);
}

static void
on_run(void *ctx, struct msg *m)
{
	struct vm *vm = ctx;

	(void)m;
	peer_set_state(vm->monitor, VM_RUNNING);
	guest_run(vm->guest);
}

static void
on_stop(void *ctx, struct msg *m)
{
	struct vm *vm = ctx;
	struct end end = { .reason = 0 };

	(void)m;
	end_set(&end, PROTO_EXIT_STOPPED, 0, "stopped");
	send_exit(vm, &end);
}

static void
on_client(void *ctx, struct msg *m)
{
	struct vm *vm = ctx;

	if (control_add_client(vm->control, m->client.m_client,
	    msg_take_fd(m, 0)) == -1)
		peer_end(vm->monitor, PROTO_E_VALUE);
}

static void
on_answer(void *ctx, struct msg *m)
{
	struct vm *vm = ctx;

	control_answer(vm->control, &m->answer, m->hdr.m_sequence);
}

static uint32_t
ask_monitor(void *ctx, struct proto_vm_ask *ask)
{
	struct vm *vm = ctx;

	return peer_send(vm->monitor, PROTO_VM_ASK, ask, NULL, 0);
}

static void
on_client_gone(void *ctx, uint32_t client)
{
	struct proto_vm_client_gone m = { .m_client = client };
	struct vm *vm = ctx;

	/* At the end there is nobody to tell. */
	if (vm->monitor != NULL && peer_is_open(vm->monitor))
		peer_send(vm->monitor, PROTO_VM_CLIENT_GONE, &m, NULL, 0);
}

static const struct peer_rule rules[];
static const struct peer_role role;

static void
on_monitor_end(void *ctx, const struct peer_end *end)
{
	struct vm *vm = ctx;
	char line[256];

	if (peer_state(vm->monitor) == VM_ENDED)
		return;
	peer_end_describe(&role, end, line, sizeof(line));
	log_error("%s", line);
	/* Without the monitor there is no machine: everything ends. */
	end_guest(vm);
	finish(vm, EX_SOFTWARE);
}

static const struct peer_rule rules[] = {
	{ PROTO_VM_MACHINE, PEER_IN(VM_EMPTY), on_machine },
	{ PROTO_VM_DISK,
	    PEER_IN(VM_DISKS) | PEER_IN(VM_READY) | PEER_IN(VM_RUNNING),
	    on_disk },
	{ PROTO_VM_RUN, PEER_IN(VM_READY), on_run },
	{ PROTO_VM_CLIENT, PEER_IN(VM_RUNNING), on_client },
	{ PROTO_VM_ANSWER, PEER_IN(VM_RUNNING), on_answer },
	{ PROTO_VM_STOP, PEER_IN(VM_EMPTY) | PEER_IN(VM_DISKS) |
	    PEER_IN(VM_READY) | PEER_IN(VM_RUNNING), on_stop },
};

static const struct peer_role role = {
	.name = "monitor",
	.rules = rules,
	.nrules = sizeof(rules) / sizeof(rules[0]),
	.ended = on_monitor_end,
};

/* --- life -------------------------------------------------------------- */

static int
shut_in(struct vm *vm, uid_t uid, gid_t gid)
{
	struct sandbox_policy policy;
	char why[SANDBOX_WHY_MAX];

	vm_seccomp_policy(&policy);
	policy.uid = uid;
	policy.gid = gid;
	if (sandbox_enter(&policy, &vm->box, &vm->layers, why,
	    sizeof(why)) == -1) {
		log_error("sandbox: %s", why);
		return -1;
	}
	if (sandbox_missing(vm->layers) != 0)
		log_warning("the sandbox is not whole: %s", why);
	else if (why[0] != '\0')
		log_debug("sandbox: another layer stands in: %s", why);
	return 0;
}

static int
wire_events(struct vm *vm, int channel)
{
	vm->control_host = (struct control_host) {
		.base = vm->base, .ctx = vm,
		.ask = ask_monitor, .gone = on_client_gone,
	};
	vm->control = control_new(&vm->control_host);
	vm->notice = notice_new();
	if (vm->notice == NULL || vm->control == NULL) {
		close(channel);
		return -1;
	}
	vm->monitor = peer_new(vm->base, channel, &role, vm);
	if (vm->monitor == NULL)
		return -1;
	vm->noticed = event_new(vm->base, notice_fd(vm->notice),
	    EV_READ | EV_PERSIST, on_notice, vm);
	if (vm->noticed == NULL || event_add(vm->noticed, NULL) == -1)
		return -1;
	return 0;
}

static void
tear_down(struct vm *vm)
{
	peer_free(vm->monitor);
	vm->monitor = NULL;
	control_free(vm->control);
	guest_free(vm->guest);
	if (vm->noticed != NULL)
		event_free(vm->noticed);
	notice_free(vm->notice);
	sandbox_free(vm->box);
	if (vm->base != NULL)
		event_base_free(vm->base);
}

int
vm_main(int channel, uid_t uid, gid_t gid)
{
	struct vm vm = { .code = EX_OSERR };

	/* A terminal that is gone is told by write(2), to console.c. */
	signal(SIGPIPE, SIG_IGN);
	vm.base = event_base_new();
	if (vm.base == NULL) {
		log_error("the event loop: %s", strerror(errno));
		close(channel);
		return EX_OSERR;
	}
	if (shut_in(&vm, uid, gid) == -1) {
		close(channel);
		tear_down(&vm);
		return EX_NOPERM;
	}
	if (wire_events(&vm, channel) == -1)
		log_error("the event loop: %s", strerror(errno));
	else
		event_base_dispatch(vm.base);
	if (vm.started && vm.guest == NULL)
		_exit(vm.code);		/* see end_guest */
	tear_down(&vm);
	return vm.code;
}
