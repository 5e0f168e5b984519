/* SPDX-License-Identifier: ISC */
/*
 * The spare of a disk: a blkd that has all that it needs, in its sandbox, and
 * waits for TAKE_OVER, so that a successor costs no fork, no exec, no sandbox,
 * no mapping and no thread.  Monitor; a spare is as hostile as any blkd.
 *
 * It is started a while after READY, when the disk has gone back to work.
 */
#include <errno.h>
#include <string.h>

#include <event2/event.h>

#include "proto/peer.h"
#include "util/log.h"
#include "vmmd/children.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"
#include "vmmd/disk_impl.h"

/* After one that did not last. */
#define LOST_MS	10000

static void
arm(struct disk *d, unsigned ms)
{
	struct timeval tv = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	event_add(d->spare_timer, &tv);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct disk *d = arg;
	struct proto_empty ping;

	(void)fd;
	(void)what;
	if (d->spare != NULL || d->stopping)
		return;
	d->spare_waits = d->spare_stands = d->spare_stale = false;
	if ((d->spare = disk_child_start(d, true)) == NULL) {
		log_warning("disk %s: cannot start a spare blkd: %s",
		    d->conf->name, strerror(errno));
		arm(d, LOST_MS);
		return;
	}
	/* The answer says that its sandbox is closed. */
	peer_send(child_peer(d->spare), PROTO_BLK_PING, &ping, NULL, 0);
}

int
disk_spare_init(struct disk *d)
{
	d->spare_timer = evtimer_new(d->host->base, on_timer, d);
	return d->spare_timer == NULL ? -1 : 0;
}

void
disk_spare_free(struct disk *d)
{
	if (d->spare_timer != NULL)
		event_free(d->spare_timer);
}

/* Is it time to put the new program in the place of the old one? */
static void
go_on(struct disk *d)
{
	if (!d->upgrading || d->state != DISK_RUNNING)
		return;
	if (d->spare == NULL)
		arm(d, 0);
	else if (disk_has_spare(d)) {
		d->upgrading = false;
		disk_renew(d);
	}
}

void
disk_spare_want(struct disk *d)
{
	if (d->upgrading)
		go_on(d);
	else if (d->host->spare_ms != 0 && d->spare == NULL)
		arm(d, d->host->spare_ms);
}

struct child *
disk_spare_take(struct disk *d)
{
	struct child *child = d->spare;

	/* It may be dead and not yet reaped. */
	if (child == NULL || d->spare_stale || !peer_is_open(child_peer(child)))
		return NULL;
	d->spare = NULL;
	d->spare_waits = false;
	return child;
}

void
disk_spare_refuse(struct disk *d, struct child *child)
{
	d->spare = child;
	d->spare_stale = true;
	child_kill(child);
}

void
disk_spare_lost(struct disk *d)
{
	bool stale = d->spare_stale;

	d->spare = NULL;
	d->spare_waits = d->spare_stands = false;
	disk_attach_close(&d->spare_parts);
	d->spare_stale = false;
	if (d->stopping || d->state == DISK_GONE)
		return;
	if (d->upgrading && stale) {
		arm(d, 0);
		return;
	}
	if (d->upgrading) {
		d->upgrading = false;
		log_error("disk %s: the new blkd does not start: the old one"
		    " goes on", d->conf->name);
		disk_command_no_upgrade(d);
	}
	log_warning("disk %s: the spare blkd has ended", d->conf->name);
	arm(d, LOST_MS);
}

void
disk_spare_end(struct disk *d)
{
	event_del(d->spare_timer);
	if (d->spare != NULL)
		child_kill(d->spare);
}

void
disk_spare_on_pong(struct disk *d)
{
	if (d->spare_stands || d->spare_waits)
		return;
	if (disk_attach_stand_by(d, d->spare, &d->spare_parts) == 0) {
		d->spare_stands = true;
		return;
	}
	/* ATTACH later, then. */
	d->spare_waits = true;
	go_on(d);
}

void
disk_spare_on_standing(void *child, struct msg *m)
{
	struct disk *d = child_owner(child);

	(void)m;
	if (child != d->spare)
		return;
	child_look(child);
	d->spare_waits = true;
	go_on(d);
}

void
disk_upgrade(struct disk *d)
{
	if (d->stopping || d->state == DISK_GONE)
		return;
	d->upgrading = true;
	/* The one that waits is of the old program. */
	if (d->spare != NULL && !d->spare_stale) {
		d->spare_stale = true;
		child_kill(d->spare);
	}
	go_on(d);
}

bool
disk_has_spare(const struct disk *d)
{
	return d->spare != NULL && d->spare_waits && !d->spare_stale;
}
