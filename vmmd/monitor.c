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
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "util/fd.h"
#include "util/log.h"
#include "util/slice.h"
#include "vmmd/children.h"
#include "vmmd/monitor_impl.h"
#include "vmmd/privilege.h"
#include "vmmd/sweeper.h"

/* --- the end --- */

void
monitor_stop_disks(struct monitor *mon)
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

void
monitor_leave_when_gone(struct monitor *mon)
{
	if (mon->phase == PHASE_ENDING && all_gone(mon))
		event_base_loopbreak(mon->base);
}

void
monitor_begin_end(struct monitor *mon, enum exitcode_reason reason,
    uint32_t detail)
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
		monitor_stop_disks(mon);
	monitor_leave_when_gone(mon);
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
		monitor_begin_end(mon, EXITCODE_STOPPED, 0);
		return;
	}
	log_warning("%s while stopping: everything is killed",
	    strsignal(signo));
	monitor_stop_disks(mon);
	children_kill_all(mon->children);
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
	monitor_fill_hosts(mon);
	if ((reason = monitor_make_groups(mon)) != EXITCODE_NONE)
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
		monitor_begin_end(mon, EXITCODE_INTERNAL, 0);
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
