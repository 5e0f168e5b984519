/* SPDX-License-Identifier: ISC */
/*
 * The vm process, seen by the monitor.  The guest may own it: its messages
 * are well formed and in state (peer.h), and nothing more is believed.
 */
#include <sys/wait.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "proto/peer.h"
#include "util/log.h"
#include "vmmd/children.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"
#include "vmmd/machine.h"

/* Seconds. */
#define START_S	30	/* for READY: it reads kernel and initrd */
#define END_S	5	/* for the end, after STOP or EXIT */

enum machine_state {
	MACHINE_STARTING,	/* MACHINE is sent, READY is awaited */
	MACHINE_READY,		/* READY came, RUN is not sent yet */
	MACHINE_RUNNING,
	MACHINE_STOPPING,	/* STOP is sent, EXIT is awaited */
	MACHINE_ENDED,		/* EXIT or FAIL came: it ends by itself */
	MACHINE_GONE,		/* reaped */
};

struct machine {
	const struct machine_host *host;
	struct child		*child;
	struct event		*timer;
	enum machine_state	 state;
	bool			 told;		/* `ended` was called */
	uint32_t		 layers;	/* of its sandbox, as it says */
};

static void
set_state(struct machine *mc, enum machine_state state, int seconds)
{
	struct timeval tv = { seconds, 0 };

	mc->state = state;
	if (mc->child != NULL)
		peer_set_state(child_peer(mc->child), state);
	event_del(mc->timer);
	if (seconds > 0)
		event_add(mc->timer, &tv);
}

/* The first reason counts. */
static void
tell_end(struct machine *mc, enum exitcode_reason reason, uint32_t detail)
{
	if (mc->told)
		return;
	mc->told = true;
	mc->host->ended(mc->host->ctx, reason, detail);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct machine *mc = arg;

	(void)fd;
	(void)what;
	log_warning("vm: does not %s in time: killed",
	    mc->state == MACHINE_STARTING ? "start" : "end");
	child_kill(mc->child);
}

/* --- messages of the vm process --- */

/* It refuses by itself: one that says this is not the one we started. */
static bool
refuse_unboxed(struct machine *mc)
{
	char missing[CHILDREN_LAYERS_MAX];

	if (!mc->host->strict || !children_miss_layers(mc->layers, missing,
	    sizeof(missing)))
		return false;
	log_error("vm: its process lacks what sandbox = strict wants: %s:"
	    " killed", missing);
	child_kill(mc->child);
	set_state(mc, MACHINE_ENDED, END_S);
	tell_end(mc, EXITCODE_SANDBOX, 0);
	return true;
}

static void
on_ready(void *ctx, struct msg *m)
{
	struct machine *mc = child_owner(ctx);

	if (mc->state != MACHINE_STARTING)
		return;
	mc->layers = m->vm_ready.m_layers;
	if (refuse_unboxed(mc))
		return;
	set_state(mc, MACHINE_READY, 0);
	mc->host->ready(mc->host->ctx);
}

static enum exitcode_reason
reason_of_errno(int error)
{
	switch (error) {
	case ENOEXEC:
		return EXITCODE_DATA;
	case ENOMEM:
		return EXITCODE_OS;
	case EPERM:
		return EXITCODE_SANDBOX;
	case ENODEV:
		return EXITCODE_NOKVM;
	default:
		return EXITCODE_VM;
	}
}

static void
on_fail(void *ctx, struct msg *m)
{
	struct machine *mc = child_owner(ctx);

	/* Ending already: of what failed at once, one is told. */
	if (mc->state == MACHINE_ENDED) {
		log_debug("vm: %s", m->fail.m_text);
		return;
	}
	log_error("vm: %s", m->fail.m_text);
	set_state(mc, MACHINE_ENDED, END_S);
	tell_end(mc, reason_of_errno(m->fail.m_errno), 0);
}

static enum exitcode_reason
reason_of_exit(uint32_t reason)
{
	switch ((enum proto_exit_reason)reason) {
	case PROTO_EXIT_POWEROFF:
		return EXITCODE_POWEROFF;
	case PROTO_EXIT_RESET:
		return EXITCODE_RESET;
	case PROTO_EXIT_CRASH:
		return EXITCODE_CRASH;
	case PROTO_EXIT_KVM:
		return EXITCODE_KVM;
	case PROTO_EXIT_DEBUG:
		return EXITCODE_GUEST;
	case PROTO_EXIT_STOPPED:
		return EXITCODE_STOPPED;
	}
	return EXITCODE_VM;
}

static void
log_exit(enum exitcode_reason reason, const struct proto_vm_exit *exit)
{
	const char *text = exit->m_text;

	if (reason == EXITCODE_KVM)
		log_error("vm: KVM error at rip 0x%llx: %s",
		    (unsigned long long)exit->m_rip, text);
	else if (reason == EXITCODE_CRASH)
		log_error("vm: the guest crashed at rip 0x%llx: %s",
		    (unsigned long long)exit->m_rip, text);
	else if (reason == EXITCODE_GUEST &&
	    exit->m_detail > EXITCODE_GUEST_MAX)
		log_warning("vm: the guest's status is %u: the exit code is"
		    " %d", exit->m_detail, EXITCODE_GUEST_MAX);
	else if (text[0] != '\0')
		log_info("vm: %s", text);
}

static void
on_exit_message(void *ctx, struct msg *m)
{
	struct machine *mc = child_owner(ctx);
	enum exitcode_reason reason = reason_of_exit(m->vm_exit.m_reason);

	log_exit(reason, &m->vm_exit);
	set_state(mc, MACHINE_ENDED, END_S);
	tell_end(mc, reason, m->vm_exit.m_detail);
}

static void
on_stuck(void *ctx, struct msg *m)
{
	struct machine *mc = child_owner(ctx);

	mc->host->stuck(mc->host->ctx, m->stuck.m_index);
}

static void
on_ask(void *ctx, struct msg *m)
{
	struct machine *mc = child_owner(ctx);

	mc->host->asked(mc->host->ctx, &m->ask, m->hdr.m_sequence);
}

static void
on_client_gone(void *ctx, struct msg *m)
{
	struct machine *mc = child_owner(ctx);

	mc->host->client_gone(mc->host->ctx, m->client_gone.m_client);
}

static void
on_closed(void *owner, struct child *child)
{
	struct machine *mc = owner;

	(void)child;
	/* It may be on its way out; if not, it is of no use any more. */
	if (mc->state != MACHINE_ENDED)
		set_state(mc, mc->state, END_S);
}

static void
on_gone(void *owner, struct child *child, int status)
{
	struct machine *mc = owner;
	char text[64];
	bool boxed;

	(void)child;
	child_describe_status(status, text, sizeof(text));
	/* Without its sandbox it has said why on its own. */
	boxed = !WIFEXITED(status) || WEXITSTATUS(status) != EX_NOPERM;
	if (mc->state != MACHINE_ENDED && boxed)
		log_warning("vm: the process ended: %s", text);
	mc->child = NULL;
	set_state(mc, MACHINE_GONE, 0);
	tell_end(mc, boxed ? EXITCODE_VM : EXITCODE_SANDBOX, 0);
	mc->host->gone(mc->host->ctx);
}

/* Messages may be on their way when the monitor has made up its mind. */
#define ENDING	(PEER_IN(MACHINE_STOPPING) | PEER_IN(MACHINE_ENDED))

static const struct peer_rule vm_rules[] = {
	{ PROTO_VM_READY, PEER_IN(MACHINE_STARTING) | ENDING, on_ready },
	{ PROTO_VM_FAIL, PEER_ANY, on_fail },
	{ PROTO_VM_EXIT, PEER_IN(MACHINE_RUNNING) | ENDING, on_exit_message },
	{ PROTO_VM_STUCK, PEER_IN(MACHINE_RUNNING) | ENDING, on_stuck },
	{ PROTO_VM_ASK, PEER_IN(MACHINE_RUNNING) | ENDING, on_ask },
	{ PROTO_VM_CLIENT_GONE, PEER_IN(MACHINE_RUNNING) | ENDING,
	    on_client_gone },
};

static const struct child_kind vm_kind = {
	.role = {
		.name = "vm",
		.rules = vm_rules,
		.nrules = sizeof(vm_rules) / sizeof(vm_rules[0]),
		.ended = child_on_ended,
	},
	.closed = on_closed,
	.gone = on_gone,
};

/* --- messages to it --- */

static int
send_machine(struct machine *mc, size_t ndisks)
{
	const struct machine_host *host = mc->host;
	const struct conf_vm *conf = host->conf;
	bool initrd = host->initrd_fd != -1;
	struct proto_vm_machine machine = {
		.m_memory = conf->memory,
		.m_vcpus = (uint32_t)conf->vcpus,
		.m_disks = (uint32_t)ndisks,
		.m_flags = (initrd ? PROTO_MACHINE_INITRD : 0) |
		    (host->strict ? PROTO_MACHINE_STRICT : 0) |
		    (conf->mmio_cmdline ? PROTO_MACHINE_MMIO_CMDLINE : 0),
	};
	int fds[] = {
		[PROTO_MACHINE_KVM] = host->kvm_fd,
		[PROTO_MACHINE_GMEM] = host->gmem_fd,
		[PROTO_MACHINE_KERNEL] = host->kernel_fd,
		[PROTO_MACHINE_SERIAL_IN] = host->serial_in,
		[PROTO_MACHINE_SERIAL_OUT] = host->serial_out,
		[PROTO_MACHINE_INITRD_FD] = host->initrd_fd,
	};

	memcpy(machine.m_name, conf->name, sizeof(machine.m_name));
	memcpy(machine.m_cmdline, conf->cmdline, sizeof(machine.m_cmdline));
	return peer_send(child_peer(mc->child), PROTO_VM_MACHINE, &machine,
	    fds, PROTO_MACHINE_INITRD_FD + (size_t)initrd) == 0 ? -1 : 0;
}

static int
send_disk(struct machine *mc, struct disk *disk)
{
	int fds[PROTO_FDS_MAX], channel = disk_take_channel(disk);
	struct disk_vm_part part;
	struct proto_vm_disk message;
	uint32_t sequence;

	disk_describe(disk, &part);
	message = (struct proto_vm_disk) {
		.m_index = disk_index(disk),
		.m_flags = part.flags,
		.m_queues = part.queues,
		.m_queue_size = part.queue_size,
	};
	memcpy(message.m_name, part.name, sizeof(message.m_name));
	fds[PROTO_VM_DISK_MMIO] = channel;
	fds[PROTO_VM_DISK_DOORBELL] = part.doorbell_fd;
	fds[PROTO_VM_DISK_IRQ] = part.irq_fd;
	fds[PROTO_VM_DISK_STATE] = part.state_fd;
	memcpy(&fds[PROTO_VM_DISK_KICK], part.kick_fd,
	    part.queues * sizeof(int));
	sequence = peer_send(child_peer(mc->child), PROTO_VM_DISK, &message,
	    fds, PROTO_VM_DISK_KICK + part.queues);
	if (channel != -1)
		close(channel);
	return sequence == 0 ? -1 : 0;
}

void
machine_replace_channel(struct machine *mc, struct disk *disk)
{
	int channel = disk_take_channel(disk);
	struct disk_vm_part part;
	struct proto_vm_disk message;

	disk_describe(disk, &part);
	message = (struct proto_vm_disk) {
		.m_index = disk_index(disk),
		.m_flags = part.flags | PROTO_VM_DISK_SUCCESSOR,
		.m_queues = part.queues,
		.m_queue_size = part.queue_size,
	};
	memcpy(message.m_name, part.name, sizeof(message.m_name));
	/* A vm process that is gone needs no channel: its end is handled. */
	if (mc->child != NULL && channel != -1)
		peer_send(child_peer(mc->child), PROTO_VM_DISK, &message,
		    &channel, 1);
	if (channel != -1)
		close(channel);
}

/* --- for the monitor --- */

static int
spawn(struct machine *mc)
{
	char uid[16], gid[16];
	const char *argv[] = { "vmmd: vm", "-V", "-u", uid, "-g", gid, NULL };

	snprintf(uid, sizeof(uid), "%u", (unsigned)mc->host->uid);
	snprintf(gid, sizeof(gid), "%u", (unsigned)mc->host->gid);
	if (mc->host->uid == 0)
		argv[2] = NULL;
	mc->child = child_start(mc->host->children, &vm_kind, mc->host->vmmd,
	    argv, "vm", mc);
	return mc->child == NULL ? -1 : 0;
}

struct machine *
machine_start(const struct machine_host *host, struct disk *const disks[],
    size_t ndisks)
{
	struct machine *mc = calloc(1, sizeof(*mc));
	size_t i;

	if (mc == NULL)
		goto fail;
	mc->host = host;
	mc->timer = evtimer_new(host->base, on_timer, mc);
	if (mc->timer == NULL || spawn(mc) == -1)
		goto fail;
	set_state(mc, MACHINE_STARTING, START_S);
	/* What cannot be sent shows as the end of the channel. */
	if (send_machine(mc, ndisks) == 0) {
		for (i = 0; i < ndisks; i++) {
			if (send_disk(mc, disks[i]) == -1)
				break;
		}
	}
	return mc;
fail:
	log_error("vm: cannot start its process: %s", strerror(errno));
	machine_free(mc);
	return NULL;
}

void
machine_free(struct machine *mc)
{
	if (mc == NULL)
		return;
	if (mc->timer != NULL)
		event_free(mc->timer);
	free(mc);
}

void
machine_run(struct machine *mc)
{
	struct proto_empty run;

	set_state(mc, MACHINE_RUNNING, 0);
	peer_send(child_peer(mc->child), PROTO_VM_RUN, &run, NULL, 0);
}

void
machine_stop(struct machine *mc)
{
	struct proto_empty stop;

	switch (mc->state) {
	case MACHINE_RUNNING:
		set_state(mc, MACHINE_STOPPING, END_S);
		peer_send(child_peer(mc->child), PROTO_VM_STOP, &stop, NULL,
		    0);
		break;
	case MACHINE_STARTING:
	case MACHINE_READY:
		/* There is no guest yet. */
		set_state(mc, MACHINE_ENDED, END_S);
		child_kill(mc->child);
		break;
	case MACHINE_STOPPING:
	case MACHINE_ENDED:
	case MACHINE_GONE:
		break;
	}
}

void
machine_log_sandbox(const struct machine *mc)
{
	char layers[CHILDREN_LAYERS_MAX];

	children_describe_layers(mc->layers, layers, sizeof(layers));
	log_info("vm: %u vcpus, sandbox: %s",
	    (unsigned)mc->host->conf->vcpus, layers);
}

void
machine_send_client(struct machine *mc, uint32_t client, int fd)
{
	struct proto_vm_client m = { .m_client = client };

	if (mc->child != NULL)
		peer_send(child_peer(mc->child), PROTO_VM_CLIENT, &m, &fd, 1);
}

void
machine_answer(struct machine *mc, uint32_t sequence,
    struct proto_vm_answer *m)
{
	if (mc->child != NULL)
		(void)peer_answer(child_peer(mc->child), sequence,
		    PROTO_VM_ANSWER, m, NULL, 0);
}

void
machine_status(const struct machine *mc, struct proto_machine_status *status)
{
	const struct conf_vm *conf = mc->host->conf;

	status->m_vm = mc->child != NULL ? child_pid(mc->child) : 0;
	status->m_layers = mc->layers;
	status->m_vcpus = (uint32_t)conf->vcpus;
	status->m_memory = conf->memory;
	memcpy(status->m_name, conf->name, sizeof(status->m_name));
}

bool
machine_is_gone(const struct machine *mc)
{
	return mc->state == MACHINE_GONE;
}
