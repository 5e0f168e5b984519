/* SPDX-License-Identifier: ISC */
/*
 * What disks, the machine and operators report to the monitor and ask of it,
 * and the hosts by which they reach it.  Runs in the monitor; what it is told
 * was checked by those who received it (disk_child.c, machine.c, operator.c).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/log.h"
#include "vmmd/monitor_impl.h"

/* Milliseconds: see struct disk_host. */
#define SPARE_MS	100
#define HANG_MS		4000

/* --- what the children report --- */

static void
listen_to_operators(struct monitor *mon)
{
	if (mon->listener.error != 0)
		log_warning("there is no control socket: %s: choose a place with"
		    " control = ...", strerror(mon->listener.error));
	if (mon->listener.fd == -1)
		return;
	mon->operator_host.ndisks = mon->ndisks;
	mon->operators = operator_new(&mon->operator_host);
	if (mon->operators == NULL)
		log_error("control: %s", strerror(errno));
}

static void
run_when_ready(struct monitor *mon)
{
	size_t i;

	if (mon->phase != PHASE_STARTING || !mon->machine_ready)
		return;
	for (i = 0; i < mon->ndisks; i++) {
		if (!disk_is_ready(mon->disk[i]))
			return;
	}
	mon->phase = PHASE_RUNNING;
	mon->result.ran = true;
	mon->options->running(mon->options->ctx);
	/* Now, that is: to where the log goes from here on. */
	for (i = 0; i < mon->ndisks; i++)
		disk_log_sandbox(mon->disk[i]);
	machine_log_sandbox(mon->machine);
	tty_begin(&mon->tty);
	machine_run(mon->machine);
	listen_to_operators(mon);
}

static void
on_disk_ready(void *ctx, struct disk *disk)
{
	struct monitor *mon = ctx;

	/* At the start the vm process has the channel already. */
	if (mon->phase != PHASE_STARTING && mon->machine != NULL)
		machine_replace_channel(mon->machine, disk);
	run_when_ready(mon);
}

static void
on_disk_failed(void *ctx, struct disk *disk, enum exitcode_reason reason)
{
	(void)disk;
	monitor_begin_end(ctx, reason, 0);
}

static void
on_disk_gone(void *ctx, struct disk *disk)
{
	(void)disk;
	monitor_leave_when_gone(ctx);
}

static void
on_machine_ready(void *ctx)
{
	struct monitor *mon = ctx;

	mon->machine_ready = true;
	run_when_ready(mon);
}

static void
on_machine_ended(void *ctx, enum exitcode_reason reason, uint32_t detail)
{
	monitor_begin_end(ctx, reason, detail);
}

static void
on_machine_stuck(void *ctx, unsigned index)
{
	struct monitor *mon = ctx;

	if (index < mon->ndisks)
		disk_replace(mon->disk[index],
		    "a register access is not answered");
}

static void
on_disk_answered(void *ctx, struct disk *disk, const struct disk_asker *asker,
    int error, const char *text)
{
	struct monitor *mon = ctx;

	operator_disk_answered(mon->operators, disk, asker, error, text);
}

/* --- what operators ask --- */

/* A vm process without one to ask for does not obey the protocol. */
static void
on_asked(void *ctx, const struct proto_vm_ask *ask, uint32_t sequence)
{
	struct monitor *mon = ctx;

	if (mon->operators != NULL)
		operator_ask(mon->operators, ask, sequence);
}

static void
on_client_gone(void *ctx, uint32_t client)
{
	struct monitor *mon = ctx;

	if (mon->operators != NULL)
		operator_gone(mon->operators, client);
}

static void
send_client(void *ctx, uint32_t client, int fd)
{
	struct monitor *mon = ctx;

	machine_send_client(mon->machine, client, fd);
}

static void
send_answer(void *ctx, uint32_t sequence, struct proto_vm_answer *m)
{
	struct monitor *mon = ctx;

	machine_answer(mon->machine, sequence, m);
}

static void
describe_machine(void *ctx, struct proto_machine_status *status)
{
	struct monitor *mon = ctx;

	status->m_monitor = getpid();
	machine_status(mon->machine, status);
	snprintf(status->m_serial, sizeof(status->m_serial), "%s",
	    tty_kind(&mon->conf->vm.serial));
	memcpy(status->m_terminal, mon->tty.name, sizeof(status->m_terminal));
}

static void
stop_for_operator(void *ctx)
{
	monitor_begin_end(ctx, EXITCODE_STOPPED, 0);
}

static void
on_machine_gone(void *ctx)
{
	struct monitor *mon = ctx;

	monitor_stop_disks(mon);
	monitor_leave_when_gone(mon);
}

/* --- the hosts --- */

void
monitor_fill_hosts(struct monitor *mon)
{
	mon->disk_host = (struct disk_host) {
		.base = mon->base,
		.children = mon->children,
		.blkd = mon->options->blkd,
		.uid = mon->users.disk.uid,
		.gid = mon->users.disk.gid,
		.strict = mon->users.strict,
		.gmem_fd = mon->input.gmem_fd,
		.memory = mon->conf->vm.memory,
		.group = mon->group,
		.spare_ms = SPARE_MS,
		.hang_ms = HANG_MS,
		.ctx = mon,
		.ready = on_disk_ready,
		.failed = on_disk_failed,
		.gone = on_disk_gone,
		.answered = on_disk_answered,
		.regroup = monitor_on_regroup,
	};
	mon->machine_host = (struct machine_host) {
		.base = mon->base,
		.children = mon->children,
		.vmmd = mon->options->vmmd,
		.conf = &mon->conf->vm,
		.uid = mon->users.vm.uid,
		.gid = mon->users.vm.gid,
		.strict = mon->users.strict,
		.kvm_fd = mon->input.kvm_fd,
		.gmem_fd = mon->input.gmem_fd,
		.kernel_fd = mon->input.kernel_fd,
		.initrd_fd = mon->input.initrd_fd,
		.serial_in = mon->tty.in,
		.serial_out = mon->tty.out,
		.ctx = mon,
		.ready = on_machine_ready,
		.ended = on_machine_ended,
		.stuck = on_machine_stuck,
		.asked = on_asked,
		.client_gone = on_client_gone,
		.gone = on_machine_gone,
	};
	mon->operator_host = (struct operator_host) {
		.base = mon->base,
		.listener = &mon->listener,
		.disk = mon->disk,
		.ctx = mon,
		.client = send_client,
		.answer = send_answer,
		.status = describe_machine,
		.stop = stop_for_operator,
	};
}
