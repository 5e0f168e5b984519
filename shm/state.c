/* SPDX-License-Identifier: ISC */
/*
 * The state of a disk.  Runs in the monitor (which makes it), in blkd (which
 * writes it) and in the vm process (which reads statistics); what is found
 * in it is as hostile as the guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm/memfd.h"
#include "shm/shared.h"
#include "shm/state.h"

static int
shape_is_valid(unsigned queues, unsigned queue_size)
{
	return queues >= 1 && queues <= STATE_QUEUES_MAX && queue_size >= 1 &&
	    queue_size <= STATE_QUEUE_SIZE_MAX &&
	    (queue_size & (queue_size - 1)) == 0;
}

static void
unmap_keeping_errno(struct state *s)
{
	int saved = errno;

	memfd_unmap(s, sizeof(*s));
	errno = saved;
}

/* The head of what is empty. */
static int
begin(int fd, unsigned queues, unsigned queue_size)
{
	struct state *s = memfd_map(fd, sizeof(*s), true);

	if (s == NULL)
		return -1;
	s->head = (struct state_head) {
		.s_magic = STATE_MAGIC, .s_version = STATE_VERSION,
		.s_bytes = sizeof(*s),
		.s_queues = queues, .s_queue_size = queue_size,
	};
	memfd_unmap(s, sizeof(*s));
	return 0;
}

int
state_make(unsigned queues, unsigned queue_size)
{
	int fd, saved;

	if (!shape_is_valid(queues, queue_size)) {
		errno = EINVAL;
		return -1;
	}
	fd = memfd_make("vmmd-state", sizeof(struct state));
	if (fd != -1 && begin(fd, queues, queue_size) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int
state_make_again(int fd, unsigned queues, unsigned queue_size)
{
	if (!shape_is_valid(queues, queue_size)) {
		errno = EINVAL;
		return -1;
	}
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
	    sizeof(struct state)) == -1)
		return -1;
	return begin(fd, queues, queue_size);
}

static struct state *
map(int fd, unsigned queues, unsigned queue_size, bool writable)
{
	struct state *s;

	if (!shape_is_valid(queues, queue_size)) {
		errno = EINVAL;
		return NULL;
	}
	if (memfd_check(fd, sizeof(*s)) == -1 ||
	    (s = memfd_map(fd, sizeof(*s), writable)) == NULL)
		return NULL;
	if (shared_load(&s->head.s_magic) != STATE_MAGIC ||
	    shared_load(&s->head.s_version) != STATE_VERSION ||
	    shared_load(&s->head.s_bytes) != sizeof(*s) ||
	    shared_load(&s->head.s_queues) != queues ||
	    shared_load(&s->head.s_queue_size) != queue_size) {
		errno = EPROTO;
		unmap_keeping_errno(s);
		return NULL;
	}
	return s;
}

struct state *
state_map(int fd, unsigned queues, unsigned queue_size)
{
	return map(fd, queues, queue_size, true);
}

const struct state *
state_map_readonly(int fd, unsigned queues, unsigned queue_size)
{
	return map(fd, queues, queue_size, false);
}

void
state_unmap(const struct state *s)
{
	memfd_unmap((void *)(uintptr_t)s, sizeof(*s));
}

static void
reset_device(struct state_device *d)
{
	shared_store(&d->s_device_features_sel, 0);
	shared_store(&d->s_driver_features_sel, 0);
	shared_store(&d->s_driver_features[0], 0);
	shared_store(&d->s_driver_features[1], 0);
	shared_store(&d->s_queue_sel, 0);
	shared_store(&d->s_writeback, 0);
	shared_store(&d->s_generation, shared_load(&d->s_generation) + 1);
	shared_store(&d->s_status, 0);
}

static void
reset_queue(struct state_queue *q)
{
	size_t i;

	shared_store(&q->s_ready, 0);
	shared_store(&q->s_num, 0);
	for (i = 0; i < 2; i++) {
		shared_store(&q->s_desc[i], 0);
		shared_store(&q->s_driver[i], 0);
		shared_store(&q->s_device[i], 0);
	}
	shared_store(&q->s_publish, 0);
	shared_store(&q->s_base, 0);
	for (i = 0; i < STATE_QUEUE_SIZE_MAX; i++) {
		/* Untouched pages of the table stay untouched. */
		if (shared_load(&q->s_inflight[i]) != 0)
			shared_store(&q->s_inflight[i], 0);
	}
	shared_store(&q->s_poisoned, 0);
}

void
state_reset(struct state *s)
{
	size_t i;

	shared_store_release(&s->device.s_resetting, 1);
	for (i = 0; i < STATE_QUEUES_MAX; i++)
		reset_queue(&s->queue[i]);
	reset_device(&s->device);
	shared_store_release(&s->device.s_resetting, 0);
}

void
state_throttle_store(struct state *s, const struct state_levels *l)
{
	uint32_t other = (shared_load(&s->s_throttle_slot) & 1) ^ 1;
	struct state_throttle *t = &s->throttle[other];

	shared_store(&t->s_ops.s_level, l->ops_level);
	shared_store(&t->s_ops.s_remainder, l->ops_remainder);
	shared_store(&t->s_bytes.s_level, l->bytes_level);
	shared_store(&t->s_bytes.s_remainder, l->bytes_remainder);
	shared_store(&t->s_stamp, l->stamp);
	/* Release: the slot is whole before it is the one that counts. */
	shared_store_release(&s->s_throttle_slot, other);
}

void
state_throttle_load(const struct state *s, struct state_levels *l)
{
	uint32_t slot = shared_load_acquire(&s->s_throttle_slot) & 1;
	const struct state_throttle *t = &s->throttle[slot];

	*l = (struct state_levels) {
		.ops_level = shared_load(&t->s_ops.s_level),
		.ops_remainder = shared_load(&t->s_ops.s_remainder),
		.bytes_level = shared_load(&t->s_bytes.s_level),
		.bytes_remainder = shared_load(&t->s_bytes.s_remainder),
		.stamp = shared_load(&t->s_stamp),
	};
}
