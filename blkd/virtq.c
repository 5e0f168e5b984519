/* SPDX-License-Identifier: ISC */
/*
 * The split virtqueue.  Runs in blkd, queue thread; trusts nothing in the
 * rings; touches the three rings of its queue and no other guest memory.
 */
#include <linux/virtio_ring.h>

#include <errno.h>

#include "blkd/queue.h"
#include "blkd/virtq.h"
#include "shm/gmem.h"
#include "shm/shared.h"

static void *
map_ring(const struct gmem *g, uint64_t gpa, uint64_t bytes, uint64_t align)
{
	void *p = gpa % align == 0 ? gmem_at(g, gpa, bytes) : NULL;

	/* Behind an aligned address a front-end may have put an odd one. */
	return (uintptr_t)p % align == 0 ? p : NULL;
}

int
virtq_map(struct virtq *vq, const struct gmem *g, const struct queue_setup *s)
{
	uint64_t avail = sizeof(struct virtq_avail) +
	    sizeof(uint16_t) * (uint64_t)s->num;
	uint64_t used = sizeof(struct virtq_used) +
	    sizeof(struct virtq_used_elem) * (uint64_t)s->num;
	struct virtq v = {
		.num = s->num,
		.event_idx = s->features >> VIRTIO_RING_F_EVENT_IDX & 1,
		.indirect = s->features >> VIRTIO_RING_F_INDIRECT_DESC & 1,
	};

	v.desc = map_ring(g, s->desc, sizeof(*v.desc) * (uint64_t)s->num,
	    VRING_DESC_ALIGN_SIZE);
	v.avail = map_ring(g, s->driver, avail, VRING_AVAIL_ALIGN_SIZE);
	v.used = map_ring(g, s->device, used, VRING_USED_ALIGN_SIZE);
	if (s->num == 0 || (s->num & (s->num - 1)) != 0 ||
	    v.desc == NULL || v.avail == NULL || v.used == NULL) {
		errno = EFAULT;
		return -1;
	}
	/* The last two bytes of a ring may lie past the end of memory. */
	v.used_event = gmem_at(g, s->driver + avail, sizeof(uint16_t));
	v.avail_event = gmem_at(g, s->device + used, sizeof(uint16_t));
	*vq = v;
	return 0;
}

uint16_t
virtq_published(const struct virtq *vq)
{
	return shared_load_acquire(&vq->used->g_idx);
}

void
virtq_kicks_off(struct virtq *vq)
{
	/*
	 * With EVENT_IDX the event that was asked for last has passed, and
	 * comes again only after 65536 heads: nothing to write.
	 */
	if (!vq->event_idx)
		shared_store(&vq->used->g_flags, VRING_USED_F_NO_NOTIFY);
}

bool
virtq_kicks_on(struct virtq *vq)
{
	if (!vq->event_idx)
		shared_store(&vq->used->g_flags, 0);
	else if (vq->avail_event != NULL)
		shared_store(vq->avail_event, vq->cursor);
	/*
	 * Partner: the driver's full barrier between its store of avail.idx
	 * and its load of avail_event (or used.flags).  Either it sees that
	 * we want a kick, or we see its head.
	 */
	shared_fence();
	return virtq_ahead(vq) != 0;
}

void
virtq_publish(struct virtq *vq, uint16_t n)
{
	vq->used_idx = (uint16_t)(vq->used_idx + n);
	/*
	 * Release: the driver's acquire load of used.idx sees the elements,
	 * the status bytes and the data.
	 */
	shared_store_release(&vq->used->g_idx, vq->used_idx);
}

bool
virtq_wants_irq(const struct virtq *vq, uint16_t n)
{
	uint16_t event;

	/*
	 * Partner: the driver's full barrier between its store of used_event
	 * (or avail.flags) and its next load of used.idx.  Either it sees
	 * the new index, or we see that it wants to be woken.
	 */
	shared_fence();
	if (!vq->event_idx)
		return (shared_load(&vq->avail->g_flags) &
		    VRING_AVAIL_F_NO_INTERRUPT) == 0;
	if (vq->used_event == NULL)
		return true;
	/* 2.7.10: is the event among the elements just published? */
	event = shared_load(vq->used_event);
	return (uint16_t)(vq->used_idx - 1 - event) < n;
}
