/* SPDX-License-Identifier: ISC */
/*
 * The two ways to a disk.  Runs in the load generator; starts and ends the
 * process behind the door.
 */
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "proto/proto.h"
#include "shm/memfd.h"
#include "tests/bench/load/backend.h"
#include "tests/bench/load/door.h"
#include "tests/driver/mmiodrv.h"
#include "util/fd.h"

#define FEATURE(f)	(UINT64_C(1) << (f))
#define NUM_MIN		128u
#define PAGE		UINT64_C(4096)

/* What of a device's features is used where it has them. */
#define FEATURES	(FEATURE(VIRTIO_F_VERSION_1) | \
	FEATURE(VIRTIO_RING_F_EVENT_IDX) | FEATURE(VIRTIO_BLK_F_FLUSH))

static uint16_t
ring_size(const struct options *o)
{
	unsigned num = NUM_MIN;

	while (num < o->depth * DOOR_SLOT_DESCS)
		num *= 2;
	return (uint16_t)num;
}

static void
size_memory(struct door *d)
{
	const struct options *o = d->options;

	d->stride = (o->bytes + PAGE - 1) / PAGE * PAGE;
	d->memory = DRIVERQ_DATA_GPA + o->depth * d->stride;
}

/* The queue, in memory that is there. */
static void
set_up(struct door *d, uint8_t *gmem, int kickfd, uint64_t features)
{
	memset(gmem, 0, d->memory);
	driverq_init(&d->q, gmem, ring_size(d->options),
	    (features & FEATURE(VIRTIO_RING_F_EVENT_IDX)) != 0, kickfd);
}

/* --- blkd --------------------------------------------------------------- */

static int
learn_blkd(struct door *d, uint64_t *features)
{
	uint64_t low, high;
	int channel = d->blkd.mmio;

	if (mmiodrv_features(channel, features) == -1 ||
	    mmiodrv_read(channel, VIRTIO_MMIO_CONFIG, 4, &low) == -1 ||
	    mmiodrv_read(channel, VIRTIO_MMIO_CONFIG + 4, 4, &high) == -1)
		return -1;
	d->sectors = high << 32 | low;
	*features &= FEATURES;
	return 0;
}

static int
open_mmio(struct door *d)
{
	const struct options *o = d->options;
	const struct blkdproc_disk disk = {
		.blkd = o->blkd, .path = o->file,
		.flags = o->direct ? PROTO_DISK_DIRECT : 0,
		.memory = d->memory, .queue_size = ring_size(o),
		.poll_us = o->poll_us, .engine = o->engine,
		.threads = o->threads, .slow_us = o->slow_us,
		.core = o->core[1], .loud = o->loud,
	};
	struct blkdproc *p = &d->blkd;
	uint64_t features;

	if (blkdproc_make(p, &disk) == -1) {
		warn("%s", o->file);
		return -1;
	}
	if (blkdproc_spawn(p, &disk) == -1 ||
	    blkdproc_attach(p, &disk) == -1 ||
	    learn_blkd(d, &features) == -1) {
		warn("%s: no disk (-l shows its log)", o->blkd);
		return -1;
	}
	set_up(d, p->gmem, p->kickfd, features);
	if (blkdproc_go_live(p, d->q.num, features) == -1) {
		warn("the device does not start");
		return -1;
	}
	d->irqfd = p->irqfd;
	d->pid = p->pid;
	return 0;
}

/* --- vhost-user --------------------------------------------------------- */

static int
make_memory(struct door *d)
{
	d->gmemfd = memfd_make("gmem", d->memory);
	d->kickfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d->irqfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->gmemfd == -1 || d->kickfd == -1 || d->irqfd == -1 ||
	    (d->gmem = memfd_map(d->gmemfd, d->memory, true)) == NULL) {
		warn("guest memory");
		return -1;
	}
	return 0;
}

static pid_t
peer_of(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return 0;
	return cred.pid;
}

static int
open_vhost(struct door *d)
{
	const struct options *o = d->options;
	struct vhostfe_queue queue;

	if (make_memory(d) == -1)
		return -1;
	if (o->command != NULL && (d->started = backend_start(o->command,
	    o->core[1], o->loud)) == -1) {
		warn("fork");
		d->started = 0;
		return -1;
	}
	if (vhostfe_connect(&d->front, o->socket, !o->no_inflight) == -1) {
		warn("%s", o->socket);
		return -1;
	}
	d->sectors = d->front.sectors;
	queue = (struct vhostfe_queue) {
		.features = d->front.offered & FEATURES,
		.gmemfd = d->gmemfd, .gmem = d->gmem, .memory = d->memory,
		.num = ring_size(o), .kickfd = d->kickfd, .callfd = d->irqfd,
	};
	set_up(d, d->gmem, d->kickfd, queue.features);
	if (vhostfe_start(&d->front, &queue) == -1) {
		warn("%s: the device does not start", o->socket);
		return -1;
	}
	d->pid = d->started != 0 ? d->started : peer_of(d->front.fd);
	return 0;
}

/* --- either ------------------------------------------------------------- */

int
door_open(struct door *d, const struct options *o)
{
	*d = (struct door) {
		.options = o, .irqfd = -1, .gmemfd = -1, .kickfd = -1,
		.front = { .fd = -1, .inflightfd = -1 },
	};
	size_memory(d);
	return o->what == OPTIONS_MMIO ? open_mmio(d) : open_vhost(d);
}

void
door_close(struct door *d)
{
	if (d->options->what == OPTIONS_MMIO) {
		blkdproc_free(&d->blkd);
		return;
	}
	if (d->front.fd != -1 && vhostfe_stop(&d->front) == -1)
		warn("the queue does not stop");
	vhostfe_close(&d->front);
	backend_end(d->started);
	memfd_unmap(d->gmem, d->memory);
	fd_close(&d->gmemfd);
	fd_close(&d->kickfd);
	fd_close(&d->irqfd);
}
