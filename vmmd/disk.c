/* SPDX-License-Identifier: ISC */
/*
 * A disk's life.  Monitor; a blkd is hostile: its messages are well formed
 * (peer.h) and allowed in the state, and nothing more is believed.
 *
 *	OFF -> LOCKING -> ATTACHING -> RUNNING -> DETACHING -> GONE
 *	          ^           |           |
 *	          |           v           v
 *	       BACKOFF  <-  DYING  <-  (ended, stuck, asks for it)
 *
 * A blkd that dies while it serves is left as soon as its fence is down
 * (fencewatch.h): the successor starts beside the corpse, whose memory the
 * kernel still takes apart.  The corpse's description of the image holds the
 * lock until it is reaped; then the successor's gets it.  That is sound for
 * an engine that does its I/O in the threads that hold the fence.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "proto/chan.h"
#include "proto/peer.h"
#include "shm/state.h"
#include "util/fd.h"
#include "util/log.h"
#include "vmmd/children.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"
#include "vmmd/disk_impl.h"
#include "vmmd/diskfds.h"
#include "vmmd/fencewatch.h"
#include "vmmd/imagelock.h"

/* Milliseconds. */
#define ATTACH_MS	5000	/* for READY, after ATTACH */
#define PATIENCE	6	/* times that, where no guest waits */
#define DETACH_MS	5000	/* for the end, after DETACH */
#define HEALTHY_MS	10000	/* then deaths are forgotten */
#define BACKOFF_MIN_MS	10
#define BACKOFF_MAX_MS	1000
#define FENCE_MIN_MS	1	/* between two tries for the lock */
#define FENCE_MAX_MS	64

static const struct {
	const char	*name;
	const char	*sentence;
} states[DISK_STATES] = {
	[DISK_OFF] = { "off", "Nothing was started yet." },
	[DISK_BACKOFF] = { "back-off", "A blkd has died; the next waits." },
	[DISK_LOCKING] = { "locking", "A blkd waits in its sandbox until"
	    " nothing of its predecessor can reach the image." },
	[DISK_ATTACHING] = { "attaching", "A blkd has ATTACH and recovers." },
	[DISK_RUNNING] = { "running", "A blkd serves the guest." },
	[DISK_DETACHING] = { "detaching", "A blkd has DETACH and flushes." },
	[DISK_DYING] = { "dying", "A blkd was killed and is not reaped." },
	[DISK_GONE] = { "gone", "No blkd is left, and none will come." },
};

enum disk_event {
	ON_NOTHING,
	ON_START,	/* the monitor: begin */
	ON_STOP,	/* the monitor: end */
	ON_TIMER,	/* the time of the state is over */
	ON_LOCKED,	/* the fence is ours */
	ON_READY,	/* blkd serves */
	ON_RENEW,	/* another blkd is wanted, without a hurry */
	ON_BROKEN,	/* this blkd is of no use any more */
	ON_CLOSED,	/* its channel is closed */
	ON_FENCED,	/* nothing of it can reach the image or the guest */
	ON_DEATH,	/* it is gone, and a successor is wanted */
	ON_END,		/* it is gone, and none is */
	EVENTS
};

static void	disk_handle(struct disk *, enum disk_event);

static void
arm(struct disk *d, unsigned ms)
{
	struct timeval tv = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	event_add(d->timer, &tv);
}

/* --- actions: each runs in the new state; may return what follows --- */

static const struct child_kind blkd_kind;

struct child *
disk_start_child(struct disk *d, bool spare)
{
	struct child *child;
	char uid[16], gid[16], name[PROTO_NAME_MAX + 16];
	char title[PROTO_NAME_MAX + 16];
	const char *argv[] = { title, "-u", uid, "-g", gid, NULL };

	snprintf(uid, sizeof(uid), "%u", (unsigned)d->host->uid);
	snprintf(gid, sizeof(gid), "%u", (unsigned)d->host->gid);
	if (d->host->uid == 0)
		argv[1] = NULL;
	snprintf(name, sizeof(name), "blkd %s", d->conf->name);
	/* setproctitle(3) has no more room than this. */
	snprintf(title, sizeof(title), spare ? "blkd: (spare %s)" : "blkd: %s",
	    d->conf->name);
	child = child_start(d->host->children, &blkd_kind, d->host->blkd,
	    argv, name, d);
	if (child != NULL)
		peer_set_state(child_peer(child), DISK_LOCKING);
	return child;
}

static enum disk_event
do_spawn(struct disk *d)
{
	d->fence_ms = FENCE_MIN_MS;
	d->fence_tries = 0;
	d->said = false;
	if ((d->child = disk_spare_take(d)) == NULL)
		d->child = disk_start_child(d, false);
	if (d->child == NULL) {
		log_error("disk %s: cannot start %s: %s", d->conf->name,
		    d->host->blkd, strerror(errno));
		if (d->was_ready)
			return ON_DEATH;
		d->host->failed(d->host->ctx, d, EXITCODE_INTERNAL);
		return ON_END;
	}
	return ON_TIMER;
}

/* Try for the fence: a description of its own for this incarnation. */
static enum disk_event
do_lock(struct disk *d)
{
	if (d->backing_fd == -1 &&
	    (d->backing_fd = image_reopen(&d->fds.image)) == -1) {
		log_error("disk %s: cannot open the image %s again: %s",
		    d->conf->name, d->conf->path, strerror(errno));
		return ON_BROKEN;
	}
	if (imagelock_take(d->backing_fd, IMAGELOCK_FENCE,
	    d->fds.image.readonly) == 0)
		return ON_LOCKED;
	if (errno != EAGAIN) {
		log_error("disk %s: cannot lock the image %s: %s",
		    d->conf->name, d->conf->path, strerror(errno));
		return ON_BROKEN;
	}
	/* Its threads are gone: the lock is only not given back yet. */
	fd_close(&d->corpse_fd);
	if (d->corpse != NULL && (d->corpse_fd = fcntl(d->backing_fd,
	    F_DUPFD_CLOEXEC, 0)) != -1)
		return ON_LOCKED;
	if (++d->fence_tries == 16)
		log_info("disk %s: waits for I/O of the last blkd to end",
		    d->conf->name);
	arm(d, d->fence_ms);
	if (d->fence_ms < FENCE_MAX_MS)
		d->fence_ms *= 2;
	return ON_NOTHING;
}

static int
send_attach(struct disk *d, int mmio)
{
	const struct diskfds_attach one = {
		.backing = d->backing_fd,
		.mmio = mmio,
		.incarnation = d->incarnation,
		.paused = d->paused,
		.limits = &d->limits,
	};
	struct stat st;

	/* Before it looks itself: what grows in between is not counted. */
	d->file_bytes = fstat(d->backing_fd, &st) == -1 ? 0 :
	    S_ISREG(st.st_mode) ? (uint64_t)st.st_size : UINT64_MAX;
	d->told_paused = d->paused;
	return diskfds_send_attach(&d->fds, d->host, d->conf,
	    child_peer(d->child), &one);
}

static enum disk_event
do_attach(struct disk *d)
{
	unsigned ms;
	int ends[2];

	fd_close(&d->channel_fd);
	if (chan_pair(ends) == -1) {
		log_error("disk %s: cannot make a channel: %s",
		    d->conf->name, strerror(errno));
		return ON_BROKEN;
	}
	d->channel_fd = ends[0];
	/* A failure shows as the end of the channel or of the process. */
	if (send_attach(d, ends[1]) == 0)
		d->incarnation++;
	close(ends[1]);
	/* From here the description, and so the lock, is the blkd's alone. */
	fd_close(&d->backing_fd);
	ms = d->host->attach_ms != 0 ? d->host->attach_ms : ATTACH_MS;
	arm(d, d->hurry ? ms : ms * PATIENCE);
	return ON_NOTHING;
}

static enum disk_event
do_run(struct disk *d)
{
	if (d->deaths > 0)
		log_info("disk %s: attached again after death %llu",
		    d->conf->name, (unsigned long long)d->deaths);
	d->was_ready = true;
	d->hurry = true;
	arm(d, d->host->healthy_ms != 0 ? d->host->healthy_ms : HEALTHY_MS);
	if (fencewatch_start(d->fence) == -1)
		log_warning("disk %s: cannot watch its blkd's fence: %s",
		    d->conf->name, strerror(errno));
	disk_watch_start(d);
	disk_spare_want(d);
	d->host->ready(d->host->ctx, d);
	disk_command_go(d);
	return ON_NOTHING;
}

static enum disk_event
do_forget(struct disk *d)
{
	d->backoff_ms = 0;
	return ON_NOTHING;
}

static enum disk_event
do_detach(struct disk *d)
{
	struct proto_empty detach;

	if (d->cut) {
		child_kill(d->child);
		return ON_NOTHING;
	}
	peer_send(child_peer(d->child), PROTO_BLK_DETACH, &detach, NULL, 0);
	arm(d, DETACH_MS);
	return ON_NOTHING;
}

/* Killed it is already, or it exits, unless it lies. */
static void
bury(struct disk *d)
{
	d->corpse = d->child;
	d->child = NULL;
	peer_set_state(child_peer(d->corpse), DISK_DYING);
	child_bury(d->corpse);
}

/* The one that was asked to detach has gone in order. */
static enum disk_event
do_again(struct disk *d)
{
	fd_close(&d->backing_fd);
	return ON_TIMER;
}

/* The same, and it is not reaped yet. */
static enum disk_event
do_again_fenced(struct disk *d)
{
	bury(d);
	d->renewed = true;
	return do_again(d);
}

static enum disk_event
do_kill(struct disk *d)
{
	child_kill(d->child);
	return ON_NOTHING;
}

static enum disk_event
do_kill_late(struct disk *d)
{
	log_warning("disk %s: blkd does not answer in time: killed",
	    d->conf->name);
	d->said = true;
	/* A host this slow is too slow for the next one, too. */
	d->hurry = false;
	return do_kill(d);
}

/* The first respawn is at once. */
static enum disk_event
do_backoff(struct disk *d)
{
	unsigned ms = d->backoff_ms;

	fd_close(&d->backing_fd);
	d->deaths++;
	d->backoff_ms = ms == 0 ? BACKOFF_MIN_MS :
	    ms * 2 < BACKOFF_MAX_MS ? ms * 2 : BACKOFF_MAX_MS;
	if (ms == 0)
		return ON_TIMER;
	log_warning("disk %s: the next blkd waits %u ms", d->conf->name, ms);
	arm(d, ms);
	return ON_NOTHING;
}

static enum disk_event
do_leave(struct disk *d)
{
	bury(d);
	return do_backoff(d);
}

static void
tell_gone(struct disk *d)
{
	if (disk_is_gone(d))
		d->host->gone(d->host->ctx, d);
}

static enum disk_event
do_gone(struct disk *d)
{
	fd_close(&d->backing_fd);
	disk_command_end(d);
	disk_spare_end(d);
	tell_gone(d);
	return ON_NOTHING;
}

/* --- the table --- */

static const struct transition {
	enum disk_state	  from;
	enum disk_event	  on;
	enum disk_state	  to;
	enum disk_event	(*action)(struct disk *);
} transitions[] = {
	{ DISK_OFF,	  ON_START,  DISK_LOCKING,   do_spawn },
	{ DISK_OFF,	  ON_STOP,   DISK_GONE,	     do_gone },

	{ DISK_BACKOFF,	  ON_TIMER,  DISK_LOCKING,   do_spawn },
	{ DISK_BACKOFF,	  ON_STOP,   DISK_GONE,	     do_gone },

	{ DISK_LOCKING,	  ON_TIMER,  DISK_LOCKING,   do_lock },
	{ DISK_LOCKING,	  ON_LOCKED, DISK_ATTACHING, do_attach },
	{ DISK_LOCKING,	  ON_BROKEN, DISK_DYING,     do_kill },
	{ DISK_LOCKING,	  ON_CLOSED, DISK_DYING,     do_kill },
	{ DISK_LOCKING,	  ON_STOP,   DISK_DYING,     do_kill },
	{ DISK_LOCKING,	  ON_DEATH,  DISK_BACKOFF,   do_backoff },
	{ DISK_LOCKING,	  ON_END,    DISK_GONE,	     do_gone },

	{ DISK_ATTACHING, ON_READY,  DISK_RUNNING,   do_run },
	{ DISK_ATTACHING, ON_TIMER,  DISK_DYING,     do_kill_late },
	{ DISK_ATTACHING, ON_BROKEN, DISK_DYING,     do_kill },
	{ DISK_ATTACHING, ON_CLOSED, DISK_DYING,     do_kill },
	{ DISK_ATTACHING, ON_STOP,   DISK_DETACHING, do_detach },
	{ DISK_ATTACHING, ON_DEATH,  DISK_BACKOFF,   do_backoff },
	{ DISK_ATTACHING, ON_END,    DISK_GONE,	     do_gone },

	{ DISK_RUNNING,	  ON_TIMER,  DISK_RUNNING,   do_forget },
	{ DISK_RUNNING,	  ON_RENEW,  DISK_DETACHING, do_detach },
	{ DISK_RUNNING,	  ON_BROKEN, DISK_DYING,     do_kill },
	{ DISK_RUNNING,	  ON_CLOSED, DISK_DYING,     do_kill },
	{ DISK_RUNNING,	  ON_STOP,   DISK_DETACHING, do_detach },
	{ DISK_RUNNING,	  ON_FENCED, DISK_BACKOFF,   do_leave },
	{ DISK_RUNNING,	  ON_DEATH,  DISK_BACKOFF,   do_backoff },
	{ DISK_RUNNING,	  ON_END,    DISK_GONE,	     do_gone },

	{ DISK_DETACHING, ON_TIMER,  DISK_DYING,     do_kill_late },
	{ DISK_DETACHING, ON_FENCED, DISK_BACKOFF,   do_again_fenced },
	{ DISK_DETACHING, ON_DEATH,  DISK_BACKOFF,   do_again },
	{ DISK_DETACHING, ON_END,    DISK_GONE,	     do_gone },

	{ DISK_DYING,	  ON_FENCED, DISK_BACKOFF,   do_leave },
	{ DISK_DYING,	  ON_DEATH,  DISK_BACKOFF,   do_backoff },
	{ DISK_DYING,	  ON_END,    DISK_GONE,	     do_gone },
};

#define NTRANSITIONS	(sizeof(transitions) / sizeof(transitions[0]))

static const struct transition *
find_transition(enum disk_state from, enum disk_event on)
{
	size_t i;

	for (i = 0; i < NTRANSITIONS; i++) {
		if (transitions[i].from == from && transitions[i].on == on)
			return &transitions[i];
	}
	return NULL;
}

/* The one setter of the state.  What is not in the table changes nothing. */
static void
disk_handle(struct disk *d, enum disk_event on)
{
	const struct transition *t;

	while (on != ON_NOTHING &&
	    (t = find_transition(d->state, on)) != NULL) {
		if (t->from != t->to)
			log_debug("disk %s: %s -> %s", d->conf->name,
			    states[t->from].name, states[t->to].name);
		event_del(d->timer);
		d->state = t->to;
		if (d->child != NULL)
			peer_set_state(child_peer(d->child), d->state);
		on = t->action(d);
	}
}

/* --- the blkd --- */

static void
on_ready(void *ctx, struct msg *m)
{
	struct disk *d = child_owner(ctx);

	if (ctx != d->child)
		return;
	d->layers = m->ready.m_layers;
	d->capacity = m->ready.m_capacity;
	disk_handle(d, ON_READY);
}

static void
on_fail(void *ctx, struct msg *m)
{
	struct disk *d = child_owner(ctx);

	if (ctx != d->child)
		return;
	/* Ending already: of what failed at once, one is told. */
	if (d->stopping)
		log_debug("disk %s: %s", d->conf->name, m->fail.m_text);
	else
		log_error("disk %s: %s", d->conf->name, m->fail.m_text);
	d->said = true;
	disk_handle(d, ON_BROKEN);
	if (!d->was_ready)
		d->host->failed(d->host->ctx, d,
		    m->fail.m_errno == EPERM ? EXITCODE_SANDBOX :
		    EXITCODE_DISK);
}

static void
on_replace(void *ctx, struct msg *m)
{
	struct disk *d = child_owner(ctx);

	(void)m;
	if (ctx == d->child)
		disk_replace(d, "a reset waits for I/O in flight");
}

static void
on_closed(void *owner, struct child *child)
{
	struct disk *d = owner;

	if (child == d->child)
		disk_handle(d, ON_CLOSED);
	else
		child_kill(child);
}

static void
on_fence_down(void *ctx)
{
	struct disk *d = ctx;

	/* One corpse at a time; the end has no hurry. */
	if (d->child != NULL && d->corpse == NULL && !d->stopping)
		disk_handle(d, ON_FENCED);
}

static void
log_end(const struct disk *d, int status)
{
	char text[64];

	child_describe_status(status, text, sizeof(text));
	log_warning("disk %s: blkd ended: %s", d->conf->name, text);
}

/*
 * The lock is given back: the description of the one that serves gets it.  A
 * child between fork and exec may have a copy of the old one for a moment.
 */
static void
on_corpse_timer(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval soon = { 0, FENCE_MAX_MS * 1000 };
	struct disk *d = arg;

	(void)fd;
	(void)what;
	if (d->corpse != NULL || d->corpse_fd == -1)
		return;
	if (imagelock_take(d->corpse_fd, IMAGELOCK_FENCE,
	    d->fds.image.readonly) == -1) {
		if (errno == EAGAIN) {
			event_add(d->corpse_timer, &soon);
			return;
		}
		log_error("disk %s: cannot lock the image %s again: %s",
		    d->conf->name, d->conf->path, strerror(errno));
	}
	fd_close(&d->corpse_fd);
}

static void
corpse_is_gone(struct disk *d, int status)
{
	if (!d->renewed)
		log_end(d, status);
	d->renewed = false;
	d->corpse = NULL;
	on_corpse_timer(-1, 0, d);
}

static void
on_gone(void *owner, struct child *child, int status)
{
	struct disk *d = owner;
	bool orderly = d->state == DISK_DETACHING && status == 0;
	bool boxed = !WIFEXITED(status) || WEXITSTATUS(status) != EX_NOPERM;

	if (child != d->child) {
		if (child == d->corpse)
			corpse_is_gone(d, status);
		else
			disk_spare_lost(d);
		tell_gone(d);
		return;
	}
	/* Without its sandbox it has said why on its own. */
	if (!orderly && !d->said && (boxed || d->was_ready))
		log_end(d, status);
	fencewatch_stop(d->fence);
	d->child = NULL;
	fd_close(&d->corpse_fd);
	if (!d->was_ready && !d->stopping)
		d->host->failed(d->host->ctx, d,
		    boxed ? EXITCODE_DISK : EXITCODE_SANDBOX);
	disk_handle(d, d->was_ready && !d->stopping ? ON_DEATH : ON_END);
}

#define ALIVE	(PEER_IN(DISK_ATTACHING) | PEER_IN(DISK_RUNNING) | \
	PEER_IN(DISK_DETACHING) | PEER_IN(DISK_DYING))

/* An answer may cross with what ends it. */
#define SERVED	(ALIVE & ~PEER_IN(DISK_ATTACHING))

static const struct peer_rule blkd_rules[] = {
	{ PROTO_BLK_READY, ALIVE & ~PEER_IN(DISK_RUNNING), on_ready },
	{ PROTO_BLK_FAIL, ALIVE | PEER_IN(DISK_LOCKING), on_fail },
	{ PROTO_BLK_PONG, ALIVE | PEER_IN(DISK_LOCKING), disk_watch_on_pong },
	{ PROTO_BLK_REPLACE, ALIVE & ~PEER_IN(DISK_ATTACHING), on_replace },
	{ PROTO_BLK_PAUSED, SERVED, disk_command_on_done },
	{ PROTO_BLK_RESUMED, SERVED, disk_command_on_done },
	{ PROTO_BLK_LIMITED, SERVED, disk_command_on_done },
	{ PROTO_BLK_RESIZED, SERVED, disk_command_on_resized },
	{ PROTO_BLK_FAULTED, SERVED, disk_command_on_faulted },
};

static const struct child_kind blkd_kind = {
	.role = {
		.name = "blkd",
		.rules = blkd_rules,
		.nrules = sizeof(blkd_rules) / sizeof(blkd_rules[0]),
		.ended = child_on_ended,
	},
	.closed = on_closed,
	.gone = on_gone,
};

/* --- for the monitor --- */

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	disk_handle(arg, ON_TIMER);
}

static int
watch_state(struct disk *d)
{
	unsigned queues = (unsigned)d->conf->queues;
	unsigned size = (unsigned)d->conf->queue_size;

	d->shared = state_map_readonly(d->fds.state_readonly, queues, size);
	d->fence = fencewatch_new(d->host->base, d->fds.state, queues, size,
	    on_fence_down, d);
	return d->shared == NULL || d->fence == NULL ? -1 : 0;
}

enum exitcode_reason
disk_new(const struct disk_host *host, const struct conf_disk *conf,
    unsigned index, struct disk **out)
{
	enum exitcode_reason reason = EXITCODE_OS;
	struct disk *d = calloc(1, sizeof(*d));

	if (d == NULL)
		goto out;
	d->host = host;
	d->conf = conf;
	d->index = index;
	d->state = DISK_OFF;
	d->backing_fd = d->channel_fd = d->corpse_fd = -1;
	diskfds_init(&d->fds);
	if ((d->timer = evtimer_new(host->base, on_timer, d)) == NULL ||
	    disk_command_init(d) == -1 || disk_spare_init(d) == -1 ||
	    disk_watch_init(d) == -1 || (d->corpse_timer =
	    evtimer_new(host->base, on_corpse_timer, d)) == NULL)
		goto out;
	if ((reason = diskfds_open(&d->fds, conf)) != EXITCODE_NONE) {
		disk_free(d);
		return reason;
	}
	if (watch_state(d) == 0) {
		*out = d;
		return EXITCODE_NONE;
	}
	reason = EXITCODE_OS;
out:
	log_error("disk %s: no memory for it", conf->name);
	disk_free(d);
	return reason;
}

void
disk_free(struct disk *d)
{
	if (d == NULL)
		return;
	fencewatch_free(d->fence);
	if (d->shared != NULL)
		state_unmap(d->shared);
	diskfds_close(&d->fds);
	fd_close(&d->backing_fd);
	fd_close(&d->corpse_fd);
	fd_close(&d->channel_fd);
	disk_command_free(d);
	disk_spare_free(d);
	disk_watch_free(d);
	if (d->corpse_timer != NULL)
		event_free(d->corpse_timer);
	if (d->timer != NULL)
		event_free(d->timer);
	free(d);
}

void
disk_start(struct disk *d)
{
	disk_handle(d, ON_START);
}

void
disk_stop(struct disk *d)
{
	d->stopping = true;
	d->said |= d->state == DISK_LOCKING;
	disk_spare_end(d);
	disk_handle(d, ON_STOP);
}

void
disk_cut_power(struct disk *d)
{
	d->cut = d->conf->faults;
	d->said |= d->cut;
	disk_stop(d);
}

void
disk_replace(struct disk *d, const char *why)
{
	if (d->state != DISK_RUNNING)
		return;
	log_warning("disk %s: blkd is replaced: %s", d->conf->name, why);
	d->said = true;
	disk_handle(d, ON_BROKEN);
}

void
disk_log_sandbox(const struct disk *d)
{
	char layers[256];

	children_describe_layers(d->layers, layers, sizeof(layers));
	log_info("disk %s: attached, sandbox: %s", d->conf->name, layers);
}

void
disk_renew(struct disk *d)
{
	log_info("disk %s: another blkd takes over", d->conf->name);
	d->said = true;
	disk_handle(d, ON_RENEW);
}

bool
disk_can_reopen(const struct disk *d)
{
	int fd = image_reopen(&d->fds.image);

	if (fd == -1)
		return false;
	close(fd);
	return true;
}

unsigned
disk_index(const struct disk *d)
{
	return d->index;
}

bool
disk_is_ready(const struct disk *d)
{
	return d->state == DISK_RUNNING;
}

bool
disk_is_gone(const struct disk *d)
{
	return d->state == DISK_GONE && d->spare == NULL && d->corpse == NULL;
}

int
disk_take_channel(struct disk *d)
{
	return fd_move(&d->channel_fd);
}

void
disk_describe(const struct disk *d, struct disk_vm_part *part)
{
	*part = (struct disk_vm_part) {
		.flags = d->conf->notify == CONF_NOTIFY_MESSAGE ?
		    PROTO_VM_DISK_MESSAGE : 0,
		.queues = (unsigned)d->conf->queues,
		.queue_size = (unsigned)d->conf->queue_size,
		.name = d->conf->name,
		.state_fd = d->fds.state_readonly,
		.doorbell_fd = d->fds.doorbell,
		.irq_fd = d->fds.irq,
		.kick_fd = d->fds.kick,
	};
}

const char *
disk_state_name(const struct disk *d)
{
	return states[d->state].name;
}
