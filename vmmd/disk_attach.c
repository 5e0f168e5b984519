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
#include "proto/peer.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sandbox.h"
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
#define CORPSE_MS	20	/* that a corpse gives way after READY */

/* A spare may write up to where the image ended when it was told. */
static bool
fits(struct disk *d)
{
	struct stat st;

	if (fstat(d->fds.image.path_fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size <= d->file_bytes)
		return true;
	if (sandbox_raise_file(child_pid(d->child), (uint64_t)st.st_size) == -1)
		return false;
	d->file_bytes = (uint64_t)st.st_size;
	return true;
}

/* The spare becomes the one; false: there is none that is of use. */
static bool
take_spare(struct disk *d)
{
	struct disk_parts *parts = &d->spare_parts;

	d->stands = d->spare_stands;
	fd_close(&d->next_fd);
	if ((d->child = disk_spare_take(d)) == NULL)
		return false;
	if (!d->stands)
		return true;
	fd_close(&d->backing_fd);
	d->backing_fd = fd_move(&parts->backing_fd);
	d->next_fd = fd_move(&parts->channel_fd);
	d->file_bytes = parts->file_bytes;
	if (fits(d))
		return true;
	/* Another one measures anew. */
	disk_spare_refuse(d, d->child);
	d->child = NULL;
	fd_close(&d->backing_fd);
	fd_close(&d->next_fd);
	return false;
}

enum disk_event
disk_attach_spawn(struct disk *d)
{
	d->fence_ms = FENCE_MIN_MS;
	d->fence_tries = 0;
	d->said = false;
	if (!take_spare(d)) {
		d->stands = false;
		d->child = disk_child_start(d, false);
	}
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
	if (!disk_child_all_reaped(d) && !d->rings &&
	    (d->corpse_fd = fcntl(d->backing_fd, F_DUPFD_CLOEXEC, 0)) != -1)
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
send_attach(struct disk *d, struct child *child,
    const struct diskfds_attach *one, uint64_t *file_bytes)
{
	struct stat st;

	/* Before it looks itself: what grows in between is not counted. */
	*file_bytes = fstat(one->backing, &st) == -1 ? 0 :
	    S_ISREG(st.st_mode) ? (uint64_t)st.st_size : UINT64_MAX;
	return diskfds_send_attach(&d->fds, d->host, d->conf,
	    child_peer(child), one);
}

void
disk_attach_close(struct disk_parts *parts)
{
	fd_close(&parts->backing_fd);
	fd_close(&parts->channel_fd);
}

int
disk_attach_stand_by(struct disk *d, struct child *child,
    struct disk_parts *parts)
{
	int ret, ends[2];
	struct diskfds_attach one = {
		.engine = d->engine, .threads = d->threads, .standby = true,
		.limits = &d->limits,
	};

	disk_attach_close(parts);
	if ((parts->backing_fd = image_reopen(&d->fds.image)) == -1)
		return -1;
	if (chan_pair(ends) == -1) {
		disk_attach_close(parts);
		return -1;
	}
	parts->channel_fd = ends[0];
	one.backing = parts->backing_fd;
	one.mmio = ends[1];
	ret = send_attach(d, child, &one, &parts->file_bytes);
	close(ends[1]);
	if (ret == -1)
		disk_attach_close(parts);
	return ret;
}

/* Rings end last of all: then the successor waits for the corpse. */
static void
each_corpse(struct disk *d, void (*act)(struct child *))
{
	size_t i;

	for (i = 0; i < DISK_CORPSES_MAX && !d->rings; i++)
		if (d->corpse[i].child != NULL)
			act(d->corpse[i].child);
}

static int
send_take_over(struct disk *d)
{
	struct proto_blk_take_over m = {
		.m_flags = d->paused ? PROTO_DISK_PAUSED : 0,
		.m_incarnation = d->incarnation,
		.m_limits = d->limits,
	};

	d->channel_fd = fd_move(&d->next_fd);
	child_raise(d->child);
	if (peer_send(child_peer(d->child), PROTO_BLK_TAKE_OVER, &m, NULL,
	    0) == 0)
		return -1;
	/* Its group's may be others than when it began to stand by. */
	disk_command_say_group(d);
	return 0;
}

static int
send_whole(struct disk *d)
{
	struct diskfds_attach one = {
		.backing = d->backing_fd,
		.incarnation = d->incarnation,
		.engine = d->engine,
		.threads = d->threads,
		.paused = d->paused,
		.limits = &d->limits,
	};
	int ret, ends[2];

	if (chan_pair(ends) == -1)
		return -1;
	d->channel_fd = ends[0];
	one.mmio = ends[1];
	ret = send_attach(d, d->child, &one, &d->file_bytes);
	close(ends[1]);
	return ret;
}

enum disk_event
disk_attach_send(struct disk *d)
{
	unsigned ms;

	fd_close(&d->channel_fd);
	d->told_paused = d->paused;
	/* A failure shows as the end of the channel or of the process. */
	if ((d->stands ? send_take_over(d) : send_whole(d)) == 0)
		d->incarnation++;
	else if (d->channel_fd == -1) {
		log_error("disk %s: cannot make a channel: %s",
		    d->conf->name, strerror(errno));
		return ON_BROKEN;
	}
	/* From here the description, and so the lock, is the blkd's alone. */
	fd_close(&d->backing_fd);
	each_corpse(d, child_give_way);
	ms = d->host->attach_ms != 0 ? d->host->attach_ms : ATTACH_MS;
	disk_life_arm(d, d->hurry ? ms : ms * PATIENCE);
	return ON_NOTHING;
}

/*
 * The lock may be given back: the description of the one that serves gets it.  A
 * child between fork and exec may have a copy of the old one for a moment.
 */
static void
on_corpse_timer(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval soon = { 0, FENCE_MAX_MS * 1000 };
	struct disk *d = arg;

	(void)fd;
	(void)what;
	each_corpse(d, child_hasten);
	if (d->corpse_fd == -1)
		return;
	if (imagelock_take(d->corpse_fd, IMAGELOCK_FENCE,
	    d->fds.image.readonly) == -1) {
		if (errno == EAGAIN) {
			/* Another corpse will say when it is gone. */
			if (disk_child_all_reaped(d))
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

void
disk_attach_hasten(struct disk *d)
{
	const struct timeval soon = { 0, CORPSE_MS * 1000 };

	if (!disk_child_all_reaped(d))
		event_add(d->corpse_timer, &soon);
}

int
disk_attach_init(struct disk *d)
{
	d->next_fd = d->spare_parts.backing_fd = d->spare_parts.channel_fd = -1;
	d->corpse_timer = evtimer_new(d->host->base, on_corpse_timer, d);
	return d->corpse_timer == NULL ? -1 : 0;
}

void
disk_attach_free(struct disk *d)
{
	disk_attach_close(&d->spare_parts);
	fd_close(&d->next_fd);
	if (d->corpse_timer != NULL)
		event_free(d->corpse_timer);
}
