/* SPDX-License-Identifier: ISC */
/*
 * A disk as the monitor knows it: made, started, ended, asked.  Monitor.
 * What happens to it in between is in disk_life.c.
 */
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "proto/table.h"
#include "shm/state.h"
#include "util/fd.h"
#include "util/log.h"
#include "vmmd/children.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"
#include "vmmd/disk_impl.h"
#include "vmmd/diskfds.h"
#include "vmmd/fencewatch.h"
#include "vmmd/image.h"

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	disk_life_handle(arg, ON_TIMER);
}

static int
watch_state(struct disk *d)
{
	unsigned queues = (unsigned)d->conf->queues;
	unsigned size = (unsigned)d->conf->queue_size;

	d->shared = state_map_readonly(d->fds.state_readonly, queues, size);
	d->fence = fencewatch_new(d->host->base, d->fds.state, queues, size,
	    children_hurry(d->host->children), disk_child_fence_down, d);
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
	    disk_attach_init(d) == -1 || disk_command_init(d) == -1 ||
	    disk_spare_init(d) == -1 || disk_watch_init(d) == -1)
		goto out;
	if ((reason = diskfds_open(&d->fds, conf)) != EXITCODE_NONE) {
		disk_free(d);
		return reason;
	}
	d->engine = image_engine(&d->fds.image,
	    (enum proto_engine)conf->engine);
	/* AUTO, if it still is, has rings, whatever its blkd says of them. */
	d->rings = d->engine == PROTO_ENGINE_URING ||
	    d->engine == PROTO_ENGINE_AUTO;
	/* Faults on purpose have an engine of their own. */
	d->threads = conf->faults || d->engine == PROTO_ENGINE_URING ||
	    d->engine == PROTO_ENGINE_MMAP ? 0 :
	    image_threads(&d->fds.image, (unsigned)conf->threads,
	    (unsigned)conf->slow_us);
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
	disk_attach_free(d);
	disk_command_free(d);
	disk_spare_free(d);
	disk_watch_free(d);
	if (d->timer != NULL)
		event_free(d->timer);
	free(d);
}

void
disk_start(struct disk *d)
{
	disk_life_handle(d, ON_START);
}

void
disk_stop(struct disk *d)
{
	d->stopping = true;
	d->said |= d->state == DISK_LOCKING;
	disk_spare_end(d);
	disk_life_handle(d, ON_STOP);
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
	disk_life_handle(d, ON_BROKEN);
}

void
disk_log_sandbox(const struct disk *d)
{
	char layers[CHILDREN_LAYERS_MAX];

	children_describe_layers(d->layers, layers, sizeof(layers));
	log_info("disk %s: attached, engine %s, sandbox: %s", d->conf->name,
	    proto_engine_name(d->engine_now), layers);
}

void
disk_renew(struct disk *d)
{
	log_info("disk %s: another blkd takes over", d->conf->name);
	d->said = true;
	disk_life_handle(d, ON_RENEW);
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
	return d->state == DISK_GONE && d->spare == NULL &&
	    disk_child_all_reaped(d);
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
