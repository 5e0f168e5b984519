/* SPDX-License-Identifier: ISC */
/*
 * What an operator wants of a disk: other limits, its size, pause, resume,
 * faults.
 * Monitor; a blkd is believed in nothing but that it has answered.
 *
 * What is wanted is kept here, and said to each blkd in turn; the answer
 * waits until one has confirmed it.
 */
#include <sys/stat.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "proto/peer.h"
#include "proto/table.h"
#include "util/log.h"
#include "util/sandbox.h"
#include "vmmd/children.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"
#include "vmmd/disk_impl.h"

static const char *const verbs[] = {
	[PROTO_VERB_THROTTLE] = "throttle",
	[PROTO_VERB_RESIZE] = "resize",
	[PROTO_VERB_PAUSE] = "pause",
	[PROTO_VERB_RESUME] = "resume",
	[PROTO_VERB_FAULT] = "fault",
	[PROTO_VERB_UPGRADE] = "upgrade",
};

/* NULL: it is in none. */
static const struct disk_group *
group_of(const struct disk *d)
{
	return d->conf->group[0] == '\0' ? NULL :
	    &d->host->group[d->conf->group_index];
}

static void __attribute__((__format__(__printf__, 4, 5)))
answer(struct disk *d, const struct disk_asker *asker, int error,
    const char *fmt, ...)
{
	char text[PROTO_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	d->host->answered(d->host->ctx, d, asker, error, text);
}

/* The one that waits is over; its answer follows. */
static struct disk_asker
take(struct disk *d)
{
	struct disk_asker asker = d->command.asker;

	d->command.verb = 0;
	d->command.sequence = 0;
	d->command.begun = false;
	event_del(d->command.timer);
	return asker;
}

static void
done(struct disk *d)
{
	struct disk_asker asker = take(d);

	answer(d, &asker, 0, "%s", "");
}

/* --- to the blkd ----------------------------------------------------------- */

/* Each returns whether there was nothing to say. */

static bool
say_empty(struct disk *d, enum proto_type type)
{
	struct proto_empty m;

	d->command.sequence = peer_send(child_peer(d->child), type, &m, NULL,
	    0);
	return false;
}

static bool
say_limits(struct disk *d)
{
	struct proto_blk_limits m = { .m_limits = d->limits };
	const struct disk_group *g = group_of(d);

	if (g != NULL) {
		m.m_group = g->limits;
		m.m_group_epoch = g->epoch;
		m.m_group_slot = g->slot;
	}
	d->command.sequence = peer_send(child_peer(d->child),
	    PROTO_BLK_LIMITS, &m, NULL, 0);
	return false;
}

static bool
say_pause(struct disk *d)
{
	if (d->told_paused == d->paused)
		return true;
	d->told_paused = d->paused;
	return say_empty(d, d->paused ? PROTO_BLK_PAUSE : PROTO_BLK_RESUME);
}

/*
 * A blkd can write to the end that the image had at ATTACH.  Where that
 * cannot be raised from outside, another one, which measures anew, is the
 * way.
 */
static bool
say_resize(struct disk *d)
{
	struct stat st;

	if (fstat(d->fds.image.path_fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size > d->file_bytes) {
		if (sandbox_raise_file(child_pid(d->child),
		    (uint64_t)st.st_size) == -1) {
			disk_renew(d);
			return false;
		}
		d->file_bytes = (uint64_t)st.st_size;
	}
	return say_empty(d, PROTO_BLK_RESIZE);
}

/* blkds hand on what they were told; one that was told before knows it. */
static bool
say_fault(struct disk *d)
{
	struct proto_blk_fault m = { .m_fault = d->command.fault };

	d->command.sequence = peer_send(child_peer(d->child),
	    PROTO_BLK_FAULT, &m, NULL, 0);
	return false;
}

/* This is called again when the successor serves. */
static bool
say_upgrade(struct disk *d)
{
	if (d->command.begun)
		return !d->upgrading;
	d->command.begun = true;
	disk_upgrade(d);
	return false;
}

void
disk_command_go(struct disk *d)
{
	bool nothing = false;

	d->command.sequence = 0;
	switch (d->command.verb) {
	case PROTO_VERB_THROTTLE:
		nothing = say_limits(d);
		break;
	case PROTO_VERB_RESIZE:
		nothing = say_resize(d);
		break;
	case PROTO_VERB_PAUSE:
	case PROTO_VERB_RESUME:
		nothing = say_pause(d);
		break;
	case PROTO_VERB_FAULT:
		nothing = say_fault(d);
		break;
	case PROTO_VERB_UPGRADE:
		nothing = say_upgrade(d);
		break;
	default:
		break;
	}
	if (nothing)
		done(d);
}

/* --- from the blkd --------------------------------------------------------- */

void
disk_command_on_done(void *child, struct msg *m)
{
	struct disk *d = child_owner(child);

	if (child != d->child)
		return;
	/* What was given up, or is confirmed late, is nobody's answer. */
	if (d->command.sequence != 0 &&
	    d->command.sequence == m->hdr.m_sequence)
		done(d);
}

void
disk_command_on_resized(void *child, struct msg *m)
{
	struct disk *d = child_owner(child);

	if (child != d->child)
		return;
	d->capacity = m->resized.m_capacity;
	disk_command_on_done(child, m);
}

void
disk_command_on_faulted(void *child, struct msg *m)
{
	struct disk *d = child_owner(child);
	uint32_t id = d->command.fault.m_id;
	struct disk_asker asker;

	if (child != d->child || d->command.verb != PROTO_VERB_FAULT ||
	    d->command.sequence != m->hdr.m_sequence)
		return;
	memcpy(d->row, m->faulted.m_row, sizeof(d->row));
	if (m->faulted.m_errno == 0) {
		done(d);
		return;
	}
	asker = take(d);
	if (m->faulted.m_errno == ENOSPC)
		answer(d, &asker, ENOSPC, "disk %s: %d faults can still strike:"
		    " clear some", d->conf->name, PROTO_FAULTS_MAX);
	else if (m->faulted.m_errno == ENOENT)
		answer(d, &asker, ENOENT, "disk %s: there is no fault %u",
		    d->conf->name, id);
	else
		answer(d, &asker, m->faulted.m_errno, "disk %s: its blkd takes"
		    " no faults", d->conf->name);
}

/* --- time is over ---------------------------------------------------------- */

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct disk *d = arg;
	enum proto_verb verb = d->command.verb;
	bool said = d->command.sequence != 0;
	struct disk_asker asker = take(d);

	(void)fd;
	(void)what;
	if (verb == PROTO_VERB_PAUSE) {
		d->paused = false;
		if (d->state == DISK_RUNNING)
			say_pause(d);
		/* Nobody waits for its answer. */
		d->command.sequence = 0;
		answer(d, &asker, ETIMEDOUT, "disk %s: requests are still in"
		    " flight after %d s: it goes on", d->conf->name,
		    DISK_COMMAND_MS / 1000);
		return;
	}
	answer(d, &asker, ETIMEDOUT, "disk %s: not confirmed within %d s, in"
	    " state %s: %s", d->conf->name, DISK_COMMAND_MS / 1000,
	    disk_state_name(d), verb == PROTO_VERB_FAULT ? "try again" :
	    "it will hold for the next blkd");
	if (said)
		disk_replace(d, "a command is not answered");
}

/* --- for the monitor ------------------------------------------------------- */

int
disk_command_init(struct disk *d)
{
	d->limits = d->conf->limits;
	d->command.timer = evtimer_new(d->host->base, on_timer, d);
	return d->command.timer == NULL ? -1 : 0;
}

void
disk_command_free(struct disk *d)
{
	if (d->command.timer != NULL)
		event_free(d->command.timer);
}

void
disk_command_no_upgrade(struct disk *d)
{
	struct disk_asker asker;

	if (d->command.verb != PROTO_VERB_UPGRADE)
		return;
	asker = take(d);
	answer(d, &asker, ENOEXEC, "disk %s: the new blkd does not start: the"
	    " old one goes on", d->conf->name);
}

void
disk_command_end(struct disk *d)
{
	struct disk_asker asker;

	if (d->command.verb == 0)
		return;
	asker = take(d);
	answer(d, &asker, ESHUTDOWN, "disk %s: the machine ends",
	    d->conf->name);
}

/* Those that are named change; together they must make sense. */
static int
merge_limits(struct disk *d, const struct proto_vm_ask *ask)
{
	bool group = (ask->m_set & PROTO_LIMIT_OF_GROUP) != 0;
	struct proto_limits new = group ? group_of(d)->limits : d->limits;
	const struct proto_limits *l = &ask->m_limits;

	if (ask->m_set & PROTO_LIMIT_OPS_RATE)
		new.m_ops_rate = l->m_ops_rate;
	if (ask->m_set & PROTO_LIMIT_OPS_BURST)
		new.m_ops_burst = l->m_ops_burst;
	if (ask->m_set & PROTO_LIMIT_BYTES_RATE)
		new.m_bytes_rate = l->m_bytes_rate;
	if (ask->m_set & PROTO_LIMIT_BYTES_BURST)
		new.m_bytes_burst = l->m_bytes_burst;
	if (ask->m_set & PROTO_LIMIT_IOPS_SIZE)
		new.m_iops_size = l->m_iops_size;
	/* No limit has no burst. */
	if (new.m_ops_rate == 0 && !(ask->m_set & PROTO_LIMIT_OPS_BURST))
		new.m_ops_burst = 0;
	if (new.m_bytes_rate == 0 && !(ask->m_set & PROTO_LIMIT_BYTES_BURST))
		new.m_bytes_burst = 0;
	if (!proto_limits_valid(&new))
		return -1;
	if (group)
		d->host->regroup(d->host->ctx, d->conf->group_index, &new);
	else
		d->limits = new;
	return 0;
}

/* Nobody waits for the answer. */
void
disk_command_say_group(struct disk *d)
{
	uint32_t waiting = d->command.sequence;

	if (group_of(d) == NULL)
		return;
	(void)say_limits(d);
	d->command.sequence = waiting;
}

/*
 * One that has ATTACH hears it after that, one
 * that is attached later knows it.
 */
void
disk_tell_limits(struct disk *d, unsigned group)
{
	if (d->conf->group[0] == '\0' || d->conf->group_index != group ||
	    (d->state != DISK_RUNNING && d->state != DISK_ATTACHING))
		return;
	disk_command_say_group(d);
}

/* A fault gets its number here: what is said twice is one. */
static int
take_fault(struct disk *d, const struct proto_vm_ask *ask)
{
	struct proto_fault fault = ask->m_fault;

	if (fault.m_action >= PROTO_FAULT_FIRST)
		fault.m_id = d->fault_id + 1;
	if (!d->conf->faults || !proto_fault_valid(&fault))
		return -1;
	if (fault.m_action >= PROTO_FAULT_FIRST)
		d->fault_id++;
	d->command.fault = fault;
	return 0;
}

void
disk_ask(struct disk *d, const struct proto_vm_ask *ask,
    const struct disk_asker *asker)
{
	struct timeval limit = {
		DISK_COMMAND_MS / 1000,
		(suseconds_t)(DISK_COMMAND_MS % 1000) * 1000
	};
	enum proto_verb verb = (enum proto_verb)ask->m_verb;

	if (d->stopping || d->state == DISK_GONE) {
		answer(d, asker, ESHUTDOWN, "disk %s: the machine ends",
		    d->conf->name);
		return;
	}
	if (d->command.verb != 0) {
		answer(d, asker, EBUSY, "disk %s: %s is not finished yet: try"
		    " again", d->conf->name, verbs[d->command.verb]);
		return;
	}
	if (verb == PROTO_VERB_THROTTLE && group_of(d) == NULL &&
	    (ask->m_set & PROTO_LIMIT_OF_GROUP) != 0) {
		answer(d, asker, EINVAL, "disk %s: it is in no group: name one"
		    " of a group, or leave out group", d->conf->name);
		return;
	}
	if (verb == PROTO_VERB_THROTTLE && merge_limits(d, ask) == -1) {
		answer(d, asker, EINVAL, "disk %s: a burst needs its rate and"
		    " must not be below it: give both", d->conf->name);
		return;
	}
	if (verb == PROTO_VERB_FAULT && take_fault(d, ask) == -1) {
		answer(d, asker, EINVAL, "disk %s: %s", d->conf->name,
		    d->conf->faults ? "there is no such fault" : "has no"
		    " faults on purpose: allow them with faults = yes");
		return;
	}
	if (verb == PROTO_VERB_PAUSE || verb == PROTO_VERB_RESUME)
		d->paused = verb == PROTO_VERB_PAUSE;
	d->command.verb = verb;
	d->command.asker = *asker;
	event_add(d->command.timer, &limit);
	if (d->state == DISK_RUNNING)
		disk_command_go(d);
}

void
disk_status(const struct disk *d, struct proto_disk_status *status)
{
	const struct disk_group *g = group_of(d);

	*status = (struct proto_disk_status) {
		.m_pid = d->child != NULL ? child_pid(d->child) : 0,
		.m_layers = d->layers,
		.m_incarnation = d->incarnation,
		.m_paused = d->paused,
		.m_engine = (uint16_t)d->engine_now,
		.m_deaths = d->deaths,
		.m_hangs = d->hangs,
		.m_capacity = d->capacity,
		.m_limits = d->limits,
	};
	if (g != NULL) {
		status->m_group = g->limits;
		snprintf(status->m_group_name, sizeof(status->m_group_name),
		    "%s", g->name);
	}
	snprintf(status->m_state, sizeof(status->m_state), "%s",
	    disk_state_name(d));
}

void
disk_faults(const struct disk *d, struct proto_fault_row row[PROTO_FAULTS_MAX])
{
	memcpy(row, d->row, sizeof(d->row));
}

const char *
disk_name(const struct disk *d)
{
	return d->conf->name;
}
