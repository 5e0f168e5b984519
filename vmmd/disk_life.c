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
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <event2/event.h>

#include "proto/peer.h"
#include "util/fd.h"
#include "util/log.h"
#include "vmmd/children.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"
#include "vmmd/disk_impl.h"
#include "vmmd/fencewatch.h"

/* Milliseconds. */
#define DETACH_MS	5000	/* for the end, after DETACH */
#define HEALTHY_MS	10000	/* then deaths are forgotten */
#define BACKOFF_MIN_MS	10
#define BACKOFF_MAX_MS	1000

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

void
disk_life_arm(struct disk *d, unsigned ms)
{
	struct timeval tv = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	event_add(d->timer, &tv);
}

/* --- actions: each runs in the new state; may return what follows --- */

static enum disk_event
do_run(struct disk *d)
{
	if (d->deaths > 0)
		log_info("disk %s: attached again after death %llu",
		    d->conf->name, (unsigned long long)d->deaths);
	d->was_ready = true;
	d->hurry = true;
	disk_life_arm(d, d->host->healthy_ms != 0 ? d->host->healthy_ms :
	    HEALTHY_MS);
	if (fencewatch_start(d->fence) == -1)
		log_warning("disk %s: cannot watch its blkd's fence: %s",
		    d->conf->name, strerror(errno));
	disk_watch_start(d);
	disk_attach_hasten(d);
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
	disk_life_arm(d, DETACH_MS);
	return ON_NOTHING;
}

/* Killed it is already, or it exits, unless it lies. */
static void
bury(struct disk *d, bool renewed)
{
	struct disk_corpse *corpse = disk_child_corpse(d, NULL);

	corpse->child = d->child;
	corpse->renewed = renewed;
	d->child = NULL;
	peer_set_state(child_peer(corpse->child), DISK_DYING);
	/* Rings end last of all: then the successor waits for the corpse. */
	if (!d->rings)
		child_bury(corpse->child);
	else
		child_kill(corpse->child);
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
	bury(d, true);
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
	disk_life_arm(d, ms);
	return ON_NOTHING;
}

static enum disk_event
do_leave(struct disk *d)
{
	bury(d, false);
	return do_backoff(d);
}

void
disk_life_tell_gone(struct disk *d)
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
	disk_life_tell_gone(d);
	return ON_NOTHING;
}

/* --- the table --- */

static const struct transition {
	enum disk_state	  from;
	enum disk_event	  on;
	enum disk_state	  to;
	enum disk_event	(*action)(struct disk *);
} transitions[] = {
	{ DISK_OFF,	  ON_START,  DISK_LOCKING,   disk_attach_spawn },
	{ DISK_OFF,	  ON_STOP,   DISK_GONE,	     do_gone },

	{ DISK_BACKOFF,	  ON_TIMER,  DISK_LOCKING,   disk_attach_spawn },
	{ DISK_BACKOFF,	  ON_STOP,   DISK_GONE,	     do_gone },

	{ DISK_LOCKING,	  ON_TIMER,  DISK_LOCKING,   disk_attach_lock },
	{ DISK_LOCKING,	  ON_LOCKED, DISK_ATTACHING, disk_attach_send },
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

void
disk_life_handle(struct disk *d, enum disk_event on)
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

const char *
disk_state_name(const struct disk *d)
{
	return states[d->state].name;
}
