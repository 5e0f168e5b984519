/* SPDX-License-Identifier: ISC */
/*
 * From a disk without a process to one that recovers: the blkd, the image
 * and the lock on it, the MMIO channel, ATTACH.  Monitor.
 *
 * The lock of a corpse (disk_life.c) is its successor's once it is reaped.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "proto/chan.h"
#include "util/fd.h"
#include "util/log.h"
#include "vmmd/children.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"
#include "vmmd/disk_impl.h"
#include "vmmd/diskfds.h"
#include "util/imagelock.h"

/* Milliseconds. */
#define ATTACH_MS	5000	/* for READY, after ATTACH */
#define PATIENCE	6	/* times that, where no guest waits */
#define FENCE_MIN_MS	1	/* between two tries for the lock */
#define FENCE_MAX_MS	64
#define FENCE_QUICK	64	/* tries, before they become rare */

enum disk_event
disk_attach_spawn(struct disk *d)
{
	d->fence_ms = FENCE_MIN_MS;
	d->fence_tries = 0;
	d->said = false;
	if ((d->child = disk_spare_take(d)) == NULL)
		d->child = disk_child_start(d, false);
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
enum disk_event
disk_attach_lock(struct disk *d)
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
	/*
	 * Its threads are gone: the lock is only not given back yet.  But
	 * requests in a ring outlive them, and the lock tells of those.
	 */
	fd_close(&d->corpse_fd);
	if (d->corpse != NULL && d->engine == PROTO_ENGINE_SYNC && (d->corpse_fd = fcntl(d->backing_fd,
	    F_DUPFD_CLOEXEC, 0)) != -1)
		return ON_LOCKED;
	if (++d->fence_tries == FENCE_QUICK)
		log_info("disk %s: waits for I/O of the last blkd to end",
		    d->conf->name);
	disk_life_arm(d, d->fence_ms);
	if (d->fence_tries >= FENCE_QUICK && d->fence_ms < FENCE_MAX_MS)
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
		.engine = d->engine,
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

enum disk_event
disk_attach_send(struct disk *d)
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
	disk_life_arm(d, d->hurry ? ms : ms * PATIENCE);
	return ON_NOTHING;
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

void
disk_attach_relock(struct disk *d)
{
	on_corpse_timer(-1, 0, d);
}

int
disk_attach_init(struct disk *d)
{
	d->corpse_timer = evtimer_new(d->host->base, on_corpse_timer, d);
	return d->corpse_timer == NULL ? -1 : 0;
}

void
disk_attach_free(struct disk *d)
{
	if (d->corpse_timer != NULL)
		event_free(d->corpse_timer);
}
