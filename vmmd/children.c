/* SPDX-License-Identifier: ISC */
/*
 * The monitor's children.  A child is gone when it is reaped and its channel
 * has been read to the end, whichever comes first: so its last message (why
 * it failed, how the guest ended) is never lost to its death.
 */
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "util/log.h"
#include "util/sandbox.h"
#include "vmmd/childlog.h"
#include "vmmd/children.h"
#include "vmmd/hurry.h"
#include "vmmd/spawn.h"

/* Of a blkd: of its registers, its queues, their slow I/O. */
#define THREADS_MAX	(1 + PROTO_QUEUES_MAX * (1 + PROTO_THREADS_MAX))

struct child {
	struct child		*next;
	struct children		*children;
	const struct child_kind	*kind;
	void			*owner;
	char			 name[PROTO_NAME_MAX + 16];
	pid_t			 pid;		/* -1: reaped */
	pid_t			 thread[THREADS_MAX];	/* when last looked at */
	size_t			 threads;
	int			 status;	/* of waitpid */
	struct peer		*peer;
	struct childlog		*log;
};

struct children {
	struct child		*first;
	struct event_base	*base;
	struct event		*sigchld;
	struct hurry		*hurry;
};

static void
free_child(struct child *c)
{
	struct child **link = &c->children->first;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	peer_free(c->peer);
	childlog_free(c->log);
	free(c);
}

static bool
reap(struct child *c, int flags)
{
	pid_t pid;

	if (c->pid == -1)
		return true;
	do {
		pid = waitpid(c->pid, &c->status, flags);
	} while (pid == -1 && errno == EINTR);
	if (pid == 0)
		return false;
	hurry_drop(c->children->hurry, c->pid);
	c->pid = -1;
	return true;
}

/* Frees every child that is gone; returns whether there was one. */
static bool
sweep_one(struct children *cs)
{
	struct child *c;

	for (c = cs->first; c != NULL; c = c->next) {
		if (c->pid != -1 || peer_is_open(c->peer))
			continue;
		childlog_drain(c->log);
		c->kind->gone(c->owner, c, c->status);
		free_child(c);
		return true;
	}
	return false;
}

static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct children *cs = arg;
	struct child *c;

	(void)fd;
	(void)what;
	for (c = cs->first; c != NULL; c = c->next)
		reap(c, WNOHANG);
	/* An owner may start a successor meanwhile: begin anew each time. */
	while (sweep_one(cs))
		continue;
}

struct children *
children_new(struct event_base *base)
{
	struct children *cs = calloc(1, sizeof(*cs));

	if (cs == NULL)
		return NULL;
	cs->base = base;
	cs->hurry = hurry_new(base);
	cs->sigchld = evsignal_new(base, SIGCHLD, on_sweep, cs);
	if (cs->hurry == NULL || cs->sigchld == NULL ||
	    event_add(cs->sigchld, NULL) == -1) {
		children_free(cs);
		errno = ENOMEM;
		return NULL;
	}
	return cs;
}

void
children_kill_all(struct children *cs)
{
	struct child *c;

	for (c = cs->first; c != NULL; c = c->next)
		child_kill(c);
}

void
children_free(struct children *cs)
{
	struct child *c;

	if (cs == NULL)
		return;
	children_kill_all(cs);
	while ((c = cs->first) != NULL) {
		reap(c, 0);
		free_child(c);
	}
	if (cs->sigchld != NULL)
		event_free(cs->sigchld);
	hurry_free(cs->hurry);
	free(cs);
}

struct hurry *
children_hurry(const struct children *cs)
{
	return cs->hurry;
}

struct child *
child_start(struct children *cs, const struct child_kind *kind,
    const char *path, const char *const argv[], const char *name, void *owner)
{
	struct spawn_child sc;
	struct child *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	if (spawn_run(path, argv, &sc) == -1) {
		free(c);
		return NULL;
	}
	c->children = cs;
	c->kind = kind;
	c->owner = owner;
	c->pid = sc.pid;
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->next = cs->first;
	cs->first = c;
	c->log = childlog_new(cs->base, sc.log, name);
	c->peer = peer_new(cs->base, sc.channel, &kind->role, c);
	if (c->log == NULL || c->peer == NULL) {
		child_kill(c);
		reap(c, 0);
		free_child(c);
		errno = ENOMEM;
		return NULL;
	}
	return c;
}

void *
child_owner(const struct child *c)
{
	return c->owner;
}

pid_t
child_pid(const struct child *c)
{
	return c->pid;
}

struct peer *
child_peer(const struct child *c)
{
	return c->peer;
}

void
child_kill(struct child *c)
{
	/* Not yet reaped, so the number is still this child's. */
	if (c->pid != -1)
		kill(c->pid, SIGKILL);
}

void
child_look(struct child *c)
{
	struct dirent *entry;
	char path[64];
	pid_t tid;
	DIR *dir;

	c->threads = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)c->pid);
	if (c->pid == -1 || (dir = opendir(path)) == NULL)
		return;
	while (c->threads < THREADS_MAX && (entry = readdir(dir)) != NULL) {
		/* "." and "..": 0, which would be the monitor. */
		if ((tid = (pid_t)strtol(entry->d_name, NULL, 10)) > 0)
			c->thread[c->threads++] = tid;
	}
	closedir(dir);
}

void
child_raise(struct child *c)
{
	if (c->pid != -1)
		hurry_add(c->children->hurry, c->pid, c->thread, c->threads);
}

/* It is the last thread that takes the memory apart, whichever that is. */
static void
set_policy(struct child *c, int policy)
{
	const struct sched_param param = { .sched_priority = 0 };
	size_t i;

	if (c->threads == 0)
		child_look(c);
	/* One that has ended may have left its number to another process. */
	for (i = 0; i < c->threads; i++) {
		if (syscall(SYS_tgkill, c->pid, c->thread[i], 0) == 0)
			(void)sched_setscheduler(c->thread[i], policy, &param);
	}
}

/*
 * A CPU that SCHED_IDLE is on counts as idle for who wakes up.  But only
 * root can take it back, and on a busy host it would last: others take a
 * lower priority.  Root without CAP_SYS_NICE changes nothing.
 */
void
child_bury(struct child *c)
{
	const struct sched_param param = { .sched_priority = 0 };

	child_kill(c);
	if (c->pid == -1)
		return;
	hurry_drop(c->children->hurry, c->pid);
	if (geteuid() == 0)
		(void)sched_setscheduler(c->pid, SCHED_IDLE, &param);
	else
		(void)setpriority(PRIO_PGRP, (id_t)c->pid, 19);
}

void
child_give_way(struct child *c)
{
	if (c->pid != -1 && geteuid() == 0)
		set_policy(c, SCHED_IDLE);
}

void
child_hasten(struct child *c)
{
	if (c->pid != -1 && geteuid() == 0)
		set_policy(c, SCHED_OTHER);
}

void
child_on_ended(void *ctx, const struct peer_end *end)
{
	struct child *c = ctx;
	char line[256];

	/*
	 * A packet that could not be read as one: the channel is closed, the
	 * child is not to be trusted further.
	 */
	if (end->error != PROTO_E_EOF) {
		peer_end_describe(&c->kind->role, end, line, sizeof(line));
		log_warning("%s: channel closed: %s", c->name, line);
		child_kill(c);
	}
	c->kind->closed(c->owner, c);
	/* Was it reaped first?  Then no signal will say that it is gone. */
	event_active(c->children->sigchld, EV_SIGNAL, 1);
}

void
child_describe_status(int status, char *text, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(text, size, "signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		snprintf(text, size, "exit code %d", WEXITSTATUS(status));
}

void
children_describe_layers(uint32_t layers, char *text, size_t size)
{
	uint32_t missing = sandbox_missing(layers);
	size_t length;

	sandbox_layer_names(layers, text, size);
	length = strlen(text);
	if (missing == 0 || length + sizeof("; missing: ") >= size)
		return;
	length += (size_t)snprintf(text + length, size - length,
	    "; missing: ");
	sandbox_layer_names(missing, text + length, size - length);
}

bool
children_miss_layers(uint32_t layers, char *text, size_t size)
{
	uint32_t missing = sandbox_missing(layers);

	sandbox_layer_names(missing, text, size);
	return missing != 0;
}
