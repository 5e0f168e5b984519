/* SPDX-License-Identifier: ISC */
/*
 * The driver's side of a virtqueue.  Runs in tests and fuzzers, in one
 * process with the queue thread that it drives.
 */
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <err.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blkd/backing.h"
#include "blkd/limiter.h"
#include "blkd/ring_harness.h"
#include "shm/doorbell.h"
#include "shm/gmem.h"
#include "shm/memfd.h"
#include "shm/shared.h"

#define PATIENCE_S	10

static int
must_fd(int fd, const char *what)
{
	if (fd == -1)
		err(1, "ring_harness: %s", what);
	return fd;
}

static void *
must(void *p, const char *what)
{
	if (p == NULL)
		err(1, "ring_harness: %s", what);
	return p;
}

static void
make_disk(struct ring_harness *h, uint16_t num, unsigned queues)
{
	struct disk *d = &h->disk;

	d->block_size = 512;
	d->queues = queues;
	d->queue_size = num;
	d->sectors = RING_DISK_SECTORS;
	d->writeback = 1;
	memcpy(d->name, "test", sizeof("test"));
	memcpy(d->serial, "serial-of-20-bytes..", PROTO_SERIAL_SIZE);
	h->gmemfd = must_fd(memfd_make("gmem", RING_MEMORY), "gmem");
	d->gmem = must(gmem_open(h->gmemfd, RING_MEMORY), "gmem");
	h->statefd = must_fd(state_make(queues, num), "state");
	d->state = must(state_map(h->statefd, queues,
	    num), "state");
	d->doorbell = must(calloc(1, sizeof(*d->doorbell)), "doorbell");
	d->irqfd = must_fd(eventfd(0, EFD_NONBLOCK), "irq");
	d->kickfd[h->index] = must_fd(eventfd(0, 0), "kick");
	h->eventfd = must_fd(eventfd(0, EFD_NONBLOCK), "event");
	h->backingfd = must_fd(memfd_create("backing", MFD_CLOEXEC), "backing");
	if (ftruncate(h->backingfd, RING_DISK_SECTORS * 512) == -1)
		err(1, "ring_harness: backing");
	d->backing = must(backing_open(h->backingfd, false, 512), "backing");
}

static void
make(struct ring_harness *h, uint16_t num, uint64_t features, unsigned queues)
{
	make_disk(h, num, queues);
	h->setup = (struct queue_setup) {
		.num = num, .desc = RING_DESC_GPA, .driver = RING_AVAIL_GPA,
		.device = RING_USED_GPA, .features = features,
	};
	h->desc = ring_harness_at(h, RING_DESC_GPA);
	h->avail = ring_harness_at(h, RING_AVAIL_GPA);
	h->used = ring_harness_at(h, RING_USED_GPA);
	memset(ring_harness_at(h, RING_STATUS_GPA), RING_STATUS_UNTOUCHED,
	    STATE_QUEUE_SIZE_MAX);
}

void
ring_harness_make(struct ring_harness *h, uint16_t num, uint64_t features)
{
	memset(h, 0, sizeof(*h));
	make(h, num, features, 1);
}

void
ring_harness_make_of_two(struct ring_harness *h, uint16_t num,
    uint64_t features, unsigned index, struct lone *lone)
{
	memset(h, 0, sizeof(*h));
	h->index = index;
	h->disk.lone = lone;
	make(h, num, features, 2);
}

void
ring_harness_free(struct ring_harness *h)
{
	ring_harness_stop(h);
	backing_close(h->disk.backing);
	limiter_free(h->disk.limiter);
	gmem_close(h->disk.gmem);
	state_unmap(h->disk.state);
	free(h->disk.doorbell);
	close(h->disk.irqfd);
	close(h->disk.kickfd[h->index]);
	close(h->eventfd);
	close(h->gmemfd);
	close(h->statefd);
}

int
ring_harness_start(struct ring_harness *h, bool recover)
{
	if (h->queue == NULL)
		h->queue = must(queue_make(&h->disk, h->index,
		    h->eventfd), "queue");
	return queue_start(h->queue, &h->setup, recover);
}

void
ring_harness_stop(struct ring_harness *h)
{
	queue_free(h->queue);
	h->queue = NULL;
}

void
ring_harness_move(struct ring_harness *h, uint16_t idx)
{
	struct state_queue *q = &h->disk.state->queue[h->index];

	shared_store(&q->s_inflight[0],
	    state_inflight_word(UINT64_C(65536) + idx, 0, 0));
	shared_store(&q->s_publish, state_publish_word(0, idx, 0));
	shared_store(&h->avail->g_idx, idx);
	shared_store(&h->used->g_idx, idx);
	h->avail_idx = h->used_idx = idx;
}

void *
ring_harness_at(struct ring_harness *h, uint64_t gpa)
{
	return must(gmem_at(h->disk.gmem, gpa, 1), "address");
}

/* --- requests ----------------------------------------------------------- */

void
ring_harness_chain(struct ring_harness *h, uint16_t first,
    const struct virtq_desc *d, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		h->desc[first + i] = d[i];
		h->desc[first + i].g_next = (uint16_t)(first + i + 1);
		if (i + 1 < n)
			h->desc[first + i].g_flags |= VRING_DESC_F_NEXT;
	}
}

void
ring_harness_header(struct ring_harness *h, unsigned slot, uint32_t type,
    uint64_t sector)
{
	struct virtio_blk_outhdr hdr = { .type = type, .sector = sector };

	memcpy(ring_harness_at(h, RING_HEADER_GPA + slot * 16), &hdr, 16);
}

void
ring_harness_request(struct ring_harness *h, unsigned slot, uint32_t type,
    uint64_t sector, uint32_t bytes)
{
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	struct virtq_desc d[3] = {
		{ RING_HEADER_GPA + slot * 16, 16, 0, 0 },
		{ RING_DATA_GPA + (uint64_t)slot * RING_DATA_BYTES, bytes,
		    in ? VRING_DESC_F_WRITE : 0, 0 },
		{ RING_STATUS_GPA + slot, 1, VRING_DESC_F_WRITE, 0 },
	};

	ring_harness_header(h, slot, type, sector);
	*(uint8_t *)ring_harness_at(h, RING_STATUS_GPA + slot) =
	    RING_STATUS_UNTOUCHED;
	if (bytes == 0)
		d[1] = d[2];
	ring_harness_chain(h, ring_harness_head(slot), d, bytes == 0 ? 2 : 3);
}

void
ring_harness_offer(struct ring_harness *h, uint16_t head)
{
	shared_store(&h->avail->g_ring[h->avail_idx++ & (h->setup.num - 1)],
	    head);
}

void
ring_harness_show(struct ring_harness *h)
{
	shared_store_release(&h->avail->g_idx, h->avail_idx);
}

void
ring_harness_kick(struct ring_harness *h)
{
	ring_harness_show(h);
	if (eventfd_write(h->disk.kickfd[h->index], 1) == -1)
		err(1, "ring_harness: kick");
}

/* What a driver asks after it has shown n heads (virtio 1.2, 2.7.13.4). */
bool
ring_harness_kick_wanted(struct ring_harness *h, uint16_t n)
{
	uint16_t *event = (uint16_t *)(void *)&h->used->g_ring[h->setup.num];

	shared_fence();
	if (h->setup.features >> VIRTIO_RING_F_EVENT_IDX & 1)
		return vring_need_event(shared_load(event), h->avail_idx,
		    (uint16_t)(h->avail_idx - n));
	return (shared_load(&h->used->g_flags) & VRING_USED_F_NO_NOTIFY) == 0;
}

/* --- waiting ------------------------------------------------------------ */

static time_t
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void
pause_until(time_t deadline, const char *what)
{
	if (seconds() > deadline)
		errx(1, "ring_harness: waited %d s for %s", PATIENCE_S, what);
	sched_yield();
}

void
ring_harness_wait_used(struct ring_harness *h, uint16_t n)
{
	time_t deadline = seconds() + PATIENCE_S;

	while ((uint16_t)(shared_load_acquire(&h->used->g_idx) - h->used_idx) <
	    n)
		pause_until(deadline, "used elements");
}

struct virtq_used_elem
ring_harness_take_used(struct ring_harness *h)
{
	struct virtq_used_elem *e =
	    &h->used->g_ring[h->used_idx++ & (h->setup.num - 1)];

	return (struct virtq_used_elem) {
		shared_load(&e->g_id), shared_load(&e->g_len)
	};
}

uint8_t
ring_harness_run(struct ring_harness *h, unsigned slot, uint32_t *len)
{
	struct virtq_used_elem e;

	ring_harness_offer(h, ring_harness_head(slot));
	ring_harness_kick(h);
	ring_harness_wait_used(h, 1);
	e = ring_harness_take_used(h);
	if (e.g_id != ring_harness_head(slot))
		errx(1, "ring_harness: used head %u, not %u", e.g_id,
		    ring_harness_head(slot));
	if (len != NULL)
		*len = e.g_len;
	return ring_harness_status(h, slot);
}

uint8_t
ring_harness_status(struct ring_harness *h, unsigned slot)
{
	return shared_load((uint8_t *)ring_harness_at(h,
	    RING_STATUS_GPA + slot));
}

uint8_t *
ring_harness_data(struct ring_harness *h, unsigned slot)
{
	return ring_harness_at(h,
	    RING_DATA_GPA + (uint64_t)slot * RING_DATA_BYTES);
}

void
ring_harness_wait_for(struct ring_harness *h, enum queue_condition c)
{
	time_t deadline = seconds() + PATIENCE_S;

	while (queue_poll(h->queue) != c)
		pause_until(deadline, "a condition");
}

uint64_t
ring_harness_counter(struct ring_harness *h, enum counter which)
{
	return shared_load(
	    &h->disk.state->queue[h->index].s_counters.s_value[which]);
}

void
ring_harness_wait_counter(struct ring_harness *h, enum counter which,
    uint64_t n)
{
	time_t deadline = seconds() + PATIENCE_S;

	while (ring_harness_counter(h, which) != n)
		pause_until(deadline, counter_row(which)->name);
}

void
ring_harness_used_event(struct ring_harness *h, uint16_t idx)
{
	shared_store(&h->avail->g_ring[h->setup.num], idx);
	shared_fence();
}

uint64_t
ring_harness_irqs(struct ring_harness *h)
{
	eventfd_t n;

	return eventfd_read(h->disk.irqfd, &n) == -1 ? 0 : n;
}

void
ring_harness_sector(struct ring_harness *h, uint64_t sector, uint8_t to[512])
{
	if (pread(h->backingfd, to, 512, (off_t)(sector * 512)) != 512)
		err(1, "ring_harness: sector");
}
