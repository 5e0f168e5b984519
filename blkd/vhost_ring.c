/* SPDX-License-Identifier: ISC */
/*
 * The rings of a front-end.  Runs in blkd, main thread, inside the sandbox.
 * Addresses and sizes are checked when a ring starts; descriptors when they
 * come.
 *
 * A kick and a call have a descriptor number each that stays, and what the
 * front-end sends is put in its place (dup3): so they can change while the
 * queue runs, which sees the one or the other.  A front-end may fill or empty
 * an eventfd of its own at the wrong moment; so that nobody waits for it
 * longer than it lives, they do not block, and vhost_ring_unstick looks after
 * those that were made to.
 */
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "blkd/disk.h"
#include "blkd/features.h"
#include "blkd/lone.h"
#include "blkd/queue.h"
#include "blkd/vhost_impl.h"
#include "shm/shared.h"
#include "shm/state.h"
#include "util/fd.h"

static struct state *
journal(struct vhost *v)
{
	return v->disk->journal != NULL ? v->disk->journal : v->disk->state;
}

/* --- descriptors -------------------------------------------------------- */

/*
 * An anonymous inode that takes 8-byte writes, tried with an address that
 * cannot be read, and refuses the one value that a counter cannot hold.
 */
static int
check_eventfd(int fd)
{
	const void *volatile nowhere = NULL;
	const uint64_t too_much = UINT64_MAX;
	struct statx st;
	int flags;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE,
	    &st) == -1 || (flags = fcntl(fd, F_GETFL)) == -1)
		return -1;
	if ((st.stx_mode & S_IFMT) != 0 || (flags & O_ACCMODE) != O_RDWR ||
	    (flags & O_PATH) != 0)
		goto bad;
	if ((flags & O_NONBLOCK) == 0 &&
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		return -1;
	if (write(fd, nowhere, sizeof(too_much)) != -1 || errno != EFAULT ||
	    write(fd, &too_much, sizeof(too_much)) != -1 || errno != EINVAL)
		goto bad;
	return 0;

bad:
	errno = EINVAL;
	return -1;
}

static void
unblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags != -1 && (flags & O_NONBLOCK) == 0)
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static bool
is_full(int fd)
{
	const struct timespec now = { 0, 0 };
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return ppoll(&p, 1, &now, NULL) == 0;
}

/* One that is full, or was made to block, does not hold us. */
static void
signal_fd(int fd)
{
	unblock(fd);
	if (!is_full(fd))
		(void)eventfd_write(fd, 1);
}

/* What is in the slot from now on; -1: what nobody signals. */
static int
put(struct vhost *v, int slot, int fd)
{
	int from = fd != -1 ? fd : v->nothing;

	if ((fd != -1 && check_eventfd(fd) == -1) ||
	    dup3(from, slot, O_CLOEXEC) == -1) {
		fd_close(&fd);
		return -1;
	}
	fd_close(&fd);
	return 0;
}

int
vhost_ring_set_kick(struct vhost *v, unsigned i, int fd)
{
	struct vhost_ring *r = &v->ring[i];

	shared_store(&v->disk->polled[i], fd == -1);
	if (put(v, r->kickslot, fd) == -1)
		return -1;
	/* It may sleep on the one before. */
	queue_nudge(r->queue);
	r->kicked = true;
	r->broken = false;
	return 0;
}

int
vhost_ring_set_call(struct vhost *v, unsigned i, int fd)
{
	struct vhost_ring *r = &v->ring[i];
	int slot = fd != -1 ? r->callslot : -1;

	if (put(v, r->callslot, fd) == -1)
		return -1;
	shared_store(&v->callfd[i], slot);
	/*
	 * What was published before may have been told to the one before, or
	 * to nobody: some QEMUs start the rings first.  Who fires from now on
	 * does so here.
	 */
	if (fd != -1 && r->started)
		signal_fd(r->callslot);
	return 0;
}

int
vhost_ring_set_err(struct vhost *v, unsigned i, int fd)
{
	if (fd != -1 && check_eventfd(fd) == -1) {
		fd_close(&fd);
		return -1;
	}
	fd_close(&v->ring[i].errfd);
	v->ring[i].errfd = fd;
	return 0;
}

void
vhost_ring_unstick(struct vhost *v)
{
	struct vhost_ring *r;
	eventfd_t n;
	unsigned i;

	for (i = 0; i < v->disk->queues; i++) {
		r = &v->ring[i];
		if (!r->running || queue_poll(r->queue) != QUEUE_PARKING)
			continue;
		/* In a write of a full counter, or a read of an empty one. */
		unblock(r->callslot);
		if (is_full(r->callslot))
			(void)eventfd_read(r->callslot, &n);
		signal_fd(r->kickslot);
	}
}

/* --- starting ----------------------------------------------------------- */

static void
give_up(struct vhost *v, unsigned i, const char *why)
{
	struct vhost_ring *r = &v->ring[i];

	r->broken = true;
	if (r->errfd != -1)
		signal_fd(r->errfd);
	vhost_log_line(v, LOG_LEVEL_WARNING, "ring %u is not served: %s", i,
	    why);
}

static const char *
make_setup(const struct vhost *v, const struct vhost_ring *r,
    struct queue_setup *s)
{
	*s = (struct queue_setup) {
		.num = (uint16_t)r->num, .used = true, .base = r->base,
		.features = v->features &
		    ~FEATURE(VHOST_F_PROTOCOL_FEATURES),
	};
	if (!features_acceptable(features_offered(v->disk), s->features))
		return "VIRTIO_F_VERSION_1 is not negotiated";
	if (!vhost_mem_gpa(&v->mem, r->desc, &s->desc) ||
	    !vhost_mem_gpa(&v->mem, r->avail, &s->driver) ||
	    !vhost_mem_gpa(&v->mem, r->used, &s->device))
		return "its addresses are not in guest memory";
	return NULL;
}

/*
 * The cache mode goes with the journal: a guest that chose write-through is
 * not asked again when its blkd was killed.
 */
static void
agree_on_writeback(struct vhost *v, bool recover)
{
	uint32_t *kept = &journal(v)->device.s_writeback;

	if (!recover)
		shared_store(kept, v->disk->writeback);
	else if ((v->features & FEATURE(VIRTIO_BLK_F_CONFIG_WCE)) != 0 &&
	    shared_load(kept) == 0)
		shared_store(&v->disk->writeback, 0);
}

static void
start(struct vhost *v, unsigned i)
{
	struct vhost_ring *r = &v->ring[i];
	struct queue_setup setup;
	const char *why = make_setup(v, r, &setup);
	bool recover;
	int n;

	if (why != NULL) {
		give_up(v, i, why);
		return;
	}
	recover = shared_load(&journal(v)->queue[i].s_ready) == 1;
	agree_on_writeback(v, recover);
	n = queue_start(r->queue, &setup, recover);
	if (n == -1) {
		give_up(v, i, errno == EPROTO ? "its journal and the ring"
		    " contradict each other, or it was corrupt before" :
		    "its size or its addresses are not those of a ring");
		return;
	}
	r->running = r->started = true;
	r->said = false;
	vhost_resize_tell(v);
	if (n > 0)
		vhost_log_line(v, LOG_LEVEL_INFO, "ring %u: %d requests run"
		    " again", i, n);
}

void
vhost_ring_start_all(struct vhost *v)
{
	struct vhost_ring *r;
	unsigned i;

	for (i = 0; i < v->disk->queues; i++) {
		r = &v->ring[i];
		if (r->kicked && r->enabled && r->addressed && r->num != 0 &&
		    v->gmem != NULL && !r->running && !r->broken)
			start(v, i);
	}
}

/* --- stopping ----------------------------------------------------------- */

bool
vhost_ring_rest(struct vhost *v, unsigned i)
{
	struct vhost_ring *r = &v->ring[i];

	if (!r->running)
		return true;
	queue_park(r->queue);
	vhost_ring_look(v);
	switch (queue_poll(r->queue)) {
	case QUEUE_PARKED:
	case QUEUE_POISONED:
		r->running = false;
		return true;
	default:
		return false;
	}
}

bool
vhost_ring_rest_all(struct vhost *v)
{
	bool rest = true;
	unsigned i;

	for (i = 0; i < v->disk->queues; i++)
		rest &= vhost_ring_rest(v, i);
	return rest;
}

void
vhost_ring_stop(struct vhost *v, unsigned i)
{
	struct vhost_ring *r = &v->ring[i];
	struct state_queue *q = &journal(v)->queue[i];

	if (r->started)
		r->base = queue_cursor(r->queue);
	/* Nothing is in flight: the next start is a fresh one. */
	shared_store_release(&q->s_ready, 0);
	r->started = r->kicked = r->broken = false;
	(void)put(v, r->kickslot, -1);
}

void
vhost_ring_reset(struct vhost *v, unsigned i)
{
	struct vhost_ring *r = &v->ring[i];

	(void)put(v, r->kickslot, -1);
	(void)vhost_ring_set_call(v, i, -1);
	fd_close(&r->errfd);
	*r = (struct vhost_ring) {
		.kickslot = r->kickslot, .callslot = r->callslot,
		.errfd = -1, .queue = r->queue,
	};
}

void
vhost_ring_look(struct vhost *v)
{
	unsigned i;

	for (i = 0; i < v->disk->queues; i++) {
		struct vhost_ring *r = &v->ring[i];

		if (r->running && !r->said &&
		    queue_poll(r->queue) == QUEUE_POISONED) {
			r->said = true;
			give_up(v, i, "it is corrupt");
		}
	}
}

/* --- making ------------------------------------------------------------- */

int
vhost_ring_make(struct vhost *v)
{
	struct vhost_ring *r;
	unsigned i;

	v->nothing = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	v->disk->callfd = v->callfd;
	if (v->disk->queues > 1 && (v->disk->lone = lone_make()) == NULL)
		return -1;
	for (i = 0; i < v->disk->queues; i++) {
		r = &v->ring[i];
		v->callfd[i] = -1;
		r->errfd = -1;
		r->kickslot = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		r->callslot = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		v->disk->kickfd[i] = r->kickslot;
		if (v->nothing == -1 || r->kickslot == -1 ||
		    r->callslot == -1 || (r->queue = queue_make(v->disk, i,
		    v->eventfd)) == NULL)
			return -1;
	}
	return 0;
}

void
vhost_ring_free(struct vhost *v)
{
	struct vhost_ring *r;
	unsigned i;

	for (i = 0; i < v->disk->queues; i++) {
		r = &v->ring[i];
		queue_free(r->queue);
		v->disk->kickfd[i] = -1;
		fd_close(&r->errfd);
		fd_close(&r->kickslot);
		fd_close(&r->callslot);
	}
	lone_free(v->disk->lone);
	v->disk->lone = NULL;
	v->disk->callfd = NULL;
	fd_close(&v->nothing);
}
