/* SPDX-License-Identifier: ISC */
/*
 * The driver's half of a split virtqueue.  Runs in test programs that play
 * the guest; touches guest memory and the kick eventfd.
 */
#include <linux/virtio_blk.h>
#include <sys/eventfd.h>

#include <string.h>

#include "shm/shared.h"
#include "tests/driver/driverq.h"

void
driverq_init_at(struct driverq *q, uint8_t *memory, unsigned index,
    uint16_t num, bool event_idx, int kickfd)
{
	uint64_t gpa = index * DRIVERQ_NEXT_GPA;

	*q = (struct driverq) {
		.num = num, .event_idx = event_idx, .kickfd = kickfd,
		.memory = memory, .gpa = gpa,
		.desc = (void *)(memory + gpa + DRIVERQ_DESC_GPA),
		.avail = (void *)(memory + gpa + DRIVERQ_AVAIL_GPA),
		.used = (void *)(memory + gpa + DRIVERQ_USED_GPA),
	};
}

void
driverq_init(struct driverq *q, uint8_t *memory, uint16_t num, bool event_idx,
    int kickfd)
{
	driverq_init_at(q, memory, 0, num, event_idx, kickfd);
}

static uint16_t *
avail_event(const struct driverq *q)
{
	return (uint16_t *)(void *)&q->used->ring[q->num];
}

static uint16_t *
used_event(const struct driverq *q)
{
	return &q->avail->ring[q->num];
}

static uint64_t
header_of(const struct driverq *q, unsigned slot)
{
	return q->gpa + DRIVERQ_HEADER_GPA + slot * UINT64_C(64);
}

void
driverq_put(struct driverq *q, uint16_t head, unsigned slot,
    const struct driverq_request *r)
{
	struct virtio_blk_outhdr header = {
		.type = r->type, .sector = r->sector
	};
	bool in = r->type == VIRTIO_BLK_T_IN || r->type == VIRTIO_BLK_T_GET_ID;
	uint64_t header_gpa = header_of(q, slot);
	struct vring_desc *d = &q->desc[head];

	memcpy(q->memory + header_gpa, &header, sizeof(header));
	shared_store(q->memory + header_gpa + DRIVERQ_STATUS,
	    DRIVERQ_UNTOUCHED);
	*d++ = (struct vring_desc) { header_gpa, sizeof(header),
	    VRING_DESC_F_NEXT, (uint16_t)(head + 1) };
	if (r->bytes > 0)
		*d++ = (struct vring_desc) { r->gpa, r->bytes,
		    (uint16_t)(VRING_DESC_F_NEXT |
		    (in ? VRING_DESC_F_WRITE : 0)), (uint16_t)(head + 2) };
	*d = (struct vring_desc) { header_gpa + DRIVERQ_STATUS, 1,
	    VRING_DESC_F_WRITE, 0 };
	shared_store(&q->avail->ring[q->avail_idx++ & (q->num - 1)], head);
}

uint8_t
driverq_status(const struct driverq *q, unsigned slot)
{
	return shared_load(q->memory + header_of(q, slot) + DRIVERQ_STATUS);
}

int
driverq_show(struct driverq *q)
{
	uint16_t before = q->shown_idx;
	bool wanted;

	if (before == q->avail_idx)
		return 0;
	q->shown_idx = q->avail_idx;
	shared_store_release(&q->avail->idx, q->avail_idx);
	/* Pairs with the device's, between its wish and its last look. */
	shared_fence();
	if (q->event_idx)
		wanted = vring_need_event(shared_load(avail_event(q)),
		    q->avail_idx, before);
	else
		wanted = (shared_load(&q->used->flags) &
		    VRING_USED_F_NO_NOTIFY) == 0;
	if (!wanted)
		return 0;
	return eventfd_write(q->kickfd, 1) == -1 ? -1 : 1;
}

uint16_t
driverq_ready(const struct driverq *q)
{
	return (uint16_t)(shared_load_acquire(&q->used->idx) - q->used_idx);
}

uint32_t
driverq_take(struct driverq *q)
{
	return shared_load(&q->used->ring[q->used_idx++ & (q->num - 1)].id);
}

void
driverq_irq_off(struct driverq *q)
{
	/* With EVENT_IDX the flag means nothing: an index long gone does. */
	if (q->event_idx)
		shared_store(used_event(q), (uint16_t)(q->used_idx - 1));
	else
		shared_store(&q->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
}

bool
driverq_irq_on(struct driverq *q)
{
	if (q->event_idx)
		shared_store(used_event(q), q->used_idx);
	else
		shared_store(&q->avail->flags, 0);
	/* Pairs with the device's, between used.idx and its look at this. */
	shared_fence();
	return driverq_ready(q) != 0;
}
