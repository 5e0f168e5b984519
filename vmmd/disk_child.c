/* SPDX-License-Identifier: ISC */
/*
 * The process of a disk: how it is started, what it says, how it ends.
 * Monitor; a blkd is hostile: its messages are well formed (peer.h) and
 * allowed in the state, and nothing more is believed.
 */
#include <sys/wait.h>

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>

#include "proto/peer.h"
#include "util/fd.h"
#include "util/log.h"
#include "vmmd/children.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"
#include "vmmd/disk_impl.h"
#include "vmmd/fencewatch.h"

static const struct child_kind blkd_kind;

struct child *
disk_child_start(struct disk *d, bool spare)
{
	struct child *child;
	char uid[16], gid[16], name[PROTO_NAME_MAX + 16];
	char title[PROTO_NAME_MAX + 16], rings[32], threads[16];
	const char *argv[9] = { title };
	size_t n = 1;

	snprintf(uid, sizeof(uid), "%u", (unsigned)d->host->uid);
	snprintf(gid, sizeof(gid), "%u", (unsigned)d->host->gid);
	if (d->host->uid != 0) {
		argv[n++] = "-u";
		argv[n++] = uid;
		argv[n++] = "-g";
		argv[n++] = gid;
	}
	/* Made before its sandbox: it learns too late what else it will be. */
	snprintf(rings, sizeof(rings), "-r%u,%u", (unsigned)d->conf->queues,
	    (unsigned)d->conf->queue_size);
	if (d->rings)
		argv[n++] = rings;
	snprintf(threads, sizeof(threads), "-t%u", d->threads);
	if (d->threads > 0)
		argv[n++] = threads;
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

/* blkd refuses by itself: one that says this is not the one we started. */
static bool
refuse_unboxed(struct disk *d)
{
	char missing[CHILDREN_LAYERS_MAX];

	if (!d->host->strict || !children_miss_layers(d->layers, missing,
	    sizeof(missing)))
		return false;
	log_error("disk %s: its blkd lacks what sandbox = strict wants: %s:"
	    " killed", d->conf->name, missing);
	d->said = true;
	disk_life_handle(d, ON_BROKEN);
	if (!d->was_ready)
		d->host->failed(d->host->ctx, d, EXITCODE_SANDBOX);
	return true;
}

static void
on_ready(void *ctx, struct msg *m)
{
	struct disk *d = child_owner(ctx);

	if (ctx != d->child)
		return;
	d->layers = m->ready.m_layers;
	d->capacity = m->ready.m_capacity;
	if (d->state == DISK_ATTACHING && refuse_unboxed(d))
		return;
	d->engine_now = (enum proto_engine)m->ready.m_engine;
	disk_life_handle(d, ON_READY);
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
	disk_life_handle(d, ON_BROKEN);
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
		disk_life_handle(d, ON_CLOSED);
	else
		child_kill(child);
}

void
disk_child_fence_down(void *ctx)
{
	struct disk *d = ctx;

	/* Not without bounds; the end has no hurry. */
	if (d->child != NULL && disk_child_corpse(d, NULL) != NULL &&
	    !d->stopping)
		disk_life_handle(d, ON_FENCED);
}

static void
log_end(const struct disk *d, int status)
{
	char text[64];

	child_describe_status(status, text, sizeof(text));
	log_warning("disk %s: blkd ended: %s", d->conf->name, text);
}

struct disk_corpse *
disk_child_corpse(struct disk *d, const struct child *child)
{
	size_t i;

	for (i = 0; i < DISK_CORPSES_MAX; i++) {
		if (d->corpse[i].child == child)
			return &d->corpse[i];
	}
	return NULL;
}

bool
disk_child_all_reaped(const struct disk *d)
{
	size_t i;

	for (i = 0; i < DISK_CORPSES_MAX; i++) {
		if (d->corpse[i].child != NULL)
			return false;
	}
	return true;
}

static void
corpse_is_gone(struct disk *d, struct disk_corpse *corpse, int status)
{
	if (!corpse->renewed)
		log_end(d, status);
	*corpse = (struct disk_corpse) { .child = NULL };
	disk_attach_relock(d);
}

static void
on_gone(void *owner, struct child *child, int status)
{
	struct disk *d = owner;
	struct disk_corpse *corpse;
	bool orderly = d->state == DISK_DETACHING && status == 0;
	bool boxed = !WIFEXITED(status) || WEXITSTATUS(status) != EX_NOPERM;

	if (child != d->child) {
		if ((corpse = disk_child_corpse(d, child)) != NULL)
			corpse_is_gone(d, corpse, status);
		else
			disk_spare_lost(d);
		disk_life_tell_gone(d);
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
	disk_life_handle(d, d->was_ready && !d->stopping ? ON_DEATH : ON_END);
}

#define ALIVE	(PEER_IN(DISK_ATTACHING) | PEER_IN(DISK_RUNNING) | \
	PEER_IN(DISK_DETACHING) | PEER_IN(DISK_DYING))

/* An answer may cross with what ends it. */
#define SERVED	(ALIVE & ~PEER_IN(DISK_ATTACHING))

static const struct peer_rule blkd_rules[] = {
	{ PROTO_BLK_READY, ALIVE & ~PEER_IN(DISK_RUNNING), on_ready },
	{ PROTO_BLK_FAIL, ALIVE | PEER_IN(DISK_LOCKING), on_fail },
	{ PROTO_BLK_PONG, ALIVE | PEER_IN(DISK_LOCKING), disk_watch_on_pong },
	{ PROTO_BLK_STANDING, ALIVE | PEER_IN(DISK_LOCKING),
	    disk_spare_on_standing },
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
