/* SPDX-License-Identifier: ISC */
/*
 * The monitor: the one context of the process, the loop, the signals, and
 * the order in which a machine begins and ends.
 *
 *	begin	images, kernel, memory, /dev/kvm; then every blkd and the vm
 *		process at once; when all are ready, the guest runs
 *	end	the guest, then the vm process, then each disk (flushed),
 *		each step bounded in time
 */
#include <sys/ioctl.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "shm/memfd.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/slice.h"
#include "vmmd/children.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"
#include "vmmd/input.h"
#include "vmmd/listener.h"
#include "vmmd/machine.h"
#include "vmmd/monitor.h"
#include "vmmd/operator.h"
#include "vmmd/privilege.h"
#include "vmmd/sweeper.h"
#include "vmmd/tty.h"
#include "vmmd/users.h"

enum phase {
	PHASE_STARTING,
	PHASE_RUNNING,
	PHASE_ENDING,
};

#define NSIGNALS	3

/* Milliseconds: see struct disk_host. */
#define SPARE_MS	100
#define HANG_MS		4000

struct monitor {
	const struct monitor_options *options;
	const struct conf	*conf;
	struct event_base	*base;
	struct event		*signals[NSIGNALS];
	struct children		*children;
	struct input		 input;		/* kernel, memory, KVM */
	struct tty		 tty;
	struct users		 users;
	struct disk_host	 disk_host;
	struct machine_host	 machine_host;
	struct disk_group	 group[PROTO_DISKS_MAX];
	struct disk		*disk[PROTO_DISKS_MAX];
	size_t			 ndisks;	/* made so far */
	struct machine		*machine;	/* NULL: not started */
	struct listener		 listener;
	pid_t			 sweeper;
	struct operator_host	 operator_host;
	struct operators	*operators;	/* NULL: no control socket */
	bool			 machine_ready;
	enum phase		 phase;
	struct monitor_result	 result;
};

/* --- the end --- */

static void
stop_disks(struct monitor *mon)
{
	size_t i;

	for (i = 0; i < mon->ndisks; i++) {
		if (mon->result.reason == EXITCODE_VM)
			disk_cut_power(mon->disk[i]);
		else
			disk_stop(mon->disk[i]);
	}
}

static bool
all_gone(const struct monitor *mon)
{
	size_t i;

	if (mon->machine != NULL && !machine_is_gone(mon->machine))
		return false;
	for (i = 0; i < mon->ndisks; i++) {
		if (!disk_is_gone(mon->disk[i]))
			return false;
	}
	return true;
}

static void
leave_when_gone(struct monitor *mon)
{
	if (mon->phase == PHASE_ENDING && all_gone(mon))
		event_base_loopbreak(mon->base);
}

/* The machine ends, for the first reason that was given. */
static void
begin_end(struct monitor *mon, enum exitcode_reason reason, uint32_t detail)
{
	if (mon->phase == PHASE_ENDING)
		return;
	mon->phase = PHASE_ENDING;
	mon->result.reason = reason;
	mon->result.detail = detail;
	/* The disks serve the guest until it is gone. */
	if (mon->machine != NULL && !machine_is_gone(mon->machine))
		machine_stop(mon->machine);
	else
		stop_disks(mon);
	leave_when_gone(mon);
}

static void
on_hangup(evutil_socket_t signo, short what, void *arg)
{
	struct monitor *mon = arg;
	size_t i;

	(void)what;
	log_info("%s: each disk gets a new blkd", strsignal(signo));
	for (i = 0; i < mon->ndisks; i++)
		disk_upgrade(mon->disk[i]);
}

static void
on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct monitor *mon = arg;

	(void)what;
	if (mon->phase != PHASE_ENDING) {
		log_info("%s: the machine is stopped", strsignal(signo));
		begin_end(mon, EXITCODE_STOPPED, 0);
		return;
	}
	log_warning("%s while stopping: everything is killed",
	    strsignal(signo));
	stop_disks(mon);
	children_kill_all(mon->children);
}

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
	begin_end(ctx, reason, 0);
}

static void
on_disk_gone(void *ctx, struct disk *disk)
{
	(void)disk;
	leave_when_gone(ctx);
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
	begin_end(ctx, reason, detail);
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

/* --- operators --------------------------------------------------------------- */

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
	begin_end(ctx, EXITCODE_STOPPED, 0);
}

static void
on_machine_gone(void *ctx)
{
	struct monitor *mon = ctx;

	stop_disks(mon);
	leave_when_gone(mon);
}

/* --- the beginning --- */

static enum exitcode_reason
make_loop(struct monitor *mon)
{
	static const int signals[NSIGNALS] = { SIGTERM, SIGINT, SIGHUP };
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	if ((mon->base = event_base_new()) == NULL ||
	    (mon->children = children_new(mon->base)) == NULL)
		goto fail;
	for (i = 0; i < NSIGNALS; i++) {
		mon->signals[i] = evsignal_new(mon->base, signals[i],
		    signals[i] == SIGHUP ? on_hangup : on_signal, mon);
		if (mon->signals[i] == NULL ||
		    event_add(mon->signals[i], NULL) == -1)
			goto fail;
	}
	return EXITCODE_NONE;
fail:
	log_error("cannot make the event loop: %s", strerror(errno));
	return EXITCODE_OS;
}

static uint64_t
monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* A page of zeroes: nothing is spent. */
static enum exitcode_reason
make_groups(struct monitor *mon)
{
	size_t i;

	for (i = 0; i < mon->conf->ngroups; i++) {
		mon->group[i].name = mon->conf->group[i].name;
		mon->group[i].limits = mon->conf->group[i].limits;
		mon->group[i].epoch = monotonic();
		mon->group[i].fd = memfd_make("vmmd-group",
		    PROTO_GROUP_BYTES);
		if (mon->group[i].fd == -1) {
			log_error("group %s: %s", mon->conf->group[i].name,
			    strerror(errno));
			return EXITCODE_OS;
		}
	}
	return EXITCODE_NONE;
}

static uint64_t
burst_of(uint64_t rate, uint64_t burst)
{
	return burst != 0 ? burst : rate;
}

/*
 * The next slot begins with all of the burst spent, so that a change gives
 * nothing away.  A debt of the old limits is forgotten.
 */
static void
on_regroup(void *arg, unsigned index, const struct proto_limits *limits)
{
	struct monitor *mon = arg;
	struct disk_group *g = &mon->group[index];
	uint64_t spent[2] = {
		burst_of(limits->m_ops_rate, limits->m_ops_burst),
		burst_of(limits->m_bytes_rate, limits->m_bytes_burst),
	};
	uint32_t slot = (g->slot + 1) % PROTO_GROUP_SLOTS;
	size_t i;

	if (pwrite(g->fd, spent, sizeof(spent),
	    (off_t)(slot * sizeof(spent))) != (ssize_t)sizeof(spent))
		log_warning("group %s: %s: its burst is full", g->name,
		    strerror(errno));
	g->slot = slot;
	g->limits = *limits;
	g->epoch = monotonic();
	for (i = 0; i < mon->ndisks; i++)
		disk_tell_limits(mon->disk[i], index);
}

static void
fill_hosts(struct monitor *mon)
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
		.regroup = on_regroup,
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

static enum exitcode_reason
make_disks(struct monitor *mon)
{
	enum exitcode_reason reason = EXITCODE_NONE;
	size_t i;

	for (i = 0; i < mon->conf->ndisks; i++) {
		reason = disk_new(&mon->disk_host, &mon->conf->disk[i],
		    (unsigned)i, &mon->disk[i]);
		if (reason != EXITCODE_NONE)
			break;
		mon->ndisks++;
	}
	return reason;
}

static bool
can_remove(const char *path)
{
	char copy[PATH_MAX];

	if (path == NULL || path[0] == '\0')
		return true;
	snprintf(copy, sizeof(copy), "%s", path);
	return faccessat(AT_FDCWD, dirname(copy), W_OK | X_OK,
	    AT_EACCESS) == 0;
}

/* Would all that comes work with the rights that are in force? */
static bool
can_go_on(void *arg)
{
	struct monitor *mon = arg;
	size_t i;

	for (i = 0; i < mon->ndisks; i++) {
		if (!disk_can_reopen(mon->disk[i]))
			return false;
	}
	return faccessat(AT_FDCWD, mon->options->blkd, X_OK,
	    AT_EACCESS) == 0 &&
	    faccessat(AT_FDCWD, mon->options->vmmd, X_OK, AT_EACCESS) == 0 &&
	    can_remove(mon->listener.path) &&
	    can_remove(mon->options->pid_file);
}

static enum exitcode_reason
drop_privileges(struct monitor *mon)
{
	if (privilege_drop(can_go_on, mon) == 0)
		return EXITCODE_NONE;
	log_error("cannot drop capabilities: %s: see what started vmmd",
	    strerror(errno));
	return EXITCODE_SANDBOX;
}

/* Everything that can fail without a process to clean up. */
static enum exitcode_reason
prepare(struct monitor *mon)
{
	enum exitcode_reason reason;

	if ((reason = make_loop(mon)) != EXITCODE_NONE)
		return reason;
	reason = users_find(&mon->users, &mon->conf->vm);
	if (reason != EXITCODE_NONE)
		return reason;
	reason = input_open(&mon->input, &mon->conf->vm, mon->options->blkd);
	if (reason != EXITCODE_NONE)
		return reason;
	reason = tty_open(&mon->tty, &mon->conf->vm.serial);
	if (reason != EXITCODE_NONE)
		return reason;
	reason = listener_open(&mon->listener, &mon->conf->vm);
	if (reason != EXITCODE_NONE)
		return reason;
	fill_hosts(mon);
	if ((reason = make_groups(mon)) != EXITCODE_NONE)
		return reason;
	reason = make_disks(mon);
	if (reason != EXITCODE_NONE)
		return reason;
	if ((reason = drop_privileges(mon)) != EXITCODE_NONE)
		return reason;
	mon->sweeper = sweeper_start(mon->listener.path,
	    mon->options->pid_file);
	return EXITCODE_NONE;
}

/* All at once: none needs another to get ready. */
static void
start_children(struct monitor *mon)
{
	size_t i;

	for (i = 0; i < mon->ndisks && mon->phase == PHASE_STARTING; i++)
		disk_start(mon->disk[i]);
	if (mon->phase != PHASE_STARTING)
		return;
	mon->machine = machine_start(&mon->machine_host, mon->disk,
	    mon->ndisks);
	if (mon->machine == NULL)
		begin_end(mon, EXITCODE_INTERNAL, 0);
}

static void
clean_up(struct monitor *mon)
{
	size_t i;

	tty_close(&mon->tty);
	listener_close(&mon->listener);
	sweeper_end(mon->sweeper);
	operator_free(mon->operators);
	children_free(mon->children);
	machine_free(mon->machine);
	for (i = 0; i < mon->ndisks; i++)
		disk_free(mon->disk[i]);
	input_close(&mon->input);
	for (i = 0; i < PROTO_DISKS_MAX; i++)
		fd_close(&mon->group[i].fd);
	for (i = 0; i < NSIGNALS; i++) {
		if (mon->signals[i] != NULL)
			event_free(mon->signals[i]);
	}
	if (mon->base != NULL)
		event_base_free(mon->base);
	free(mon);
}

void
monitor_run(const struct monitor_options *options,
    struct monitor_result *result)
{
	struct monitor *mon = calloc(1, sizeof(*mon));
	size_t i;

	*result = (struct monitor_result) { .reason = EXITCODE_OS };
	if (mon == NULL) {
		log_error("no memory for the monitor");
		return;
	}
	mon->options = options;
	mon->conf = options->conf;
	input_init(&mon->input);
	tty_init(&mon->tty);
	listener_init(&mon->listener);
	for (i = 0; i < PROTO_DISKS_MAX; i++)
		mon->group[i].fd = -1;
	/* A guest waits while a disk has no process. */
	slice_shorten();
	mon->result.reason = prepare(mon);
	if (mon->result.reason == EXITCODE_NONE) {
		start_children(mon);
		if (!(mon->phase == PHASE_ENDING && all_gone(mon)))
			event_base_dispatch(mon->base);
	}
	*result = mon->result;
	clean_up(mon);
}
