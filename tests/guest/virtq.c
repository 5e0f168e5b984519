/* SPDX-License-Identifier: ISC */
/*
 * The test guest: a split virtqueue, the driver's side. Runs in the guest.
 * What the device writes is read once, then checked.
 */
#include "lib.h"
#include "virtq.h"
#include "x86.h"

enum {
	FLAGS = 0,		/* words of both rings */
	IDX = 1,
	RING = 2,

	NO_INTERRUPT = 1,	/* avail.flags */
	NO_NOTIFY = 1		/* used.flags */
};

void
virtq_init(struct virtq *vq, volatile struct virtq_memory *memory,
    uint32_t size, bool event_idx)
{
	uint32_t i;

	memset((void *)memory, 0, sizeof(*memory));
	memset(vq, 0, sizeof(*vq));
	vq->memory = memory;
	vq->size = size;
	vq->event_idx = event_idx;
	vq->free_count = size;
	for (i = 0; i < size; i++)
		memory->desc[i].next = (uint16_t)(i + 1);
}

void
virtq_shuffle(struct virtq *vq, uint32_t *seed)
{
	uint16_t order[VIRTQ_SIZE_MAX], swap;
	uint32_t i, j;

	for (i = 0; i < vq->size; i++)
		order[i] = (uint16_t)i;
	for (i = vq->size - 1; i > 0; i--) {
		j = lib_random_below(seed, i + 1);
		swap = order[i];
		order[i] = order[j];
		order[j] = swap;
	}
	vq->free_head = order[0];
	for (i = 0; i + 1 < vq->size; i++)
		vq->memory->desc[order[i]].next = order[i + 1];
}

int
virtq_add(struct virtq *vq, const struct virtq_seg *segs, uint32_t n,
    void *owner)
{
	volatile struct virtq_desc *desc = NULL;
	uint16_t head = vq->free_head, at = head;
	uint32_t i;

	if (n == 0 || n > vq->free_count)
		return -1;
	for (i = 0; i < n; i++) {
		desc = &vq->memory->desc[at];
		desc->addr_low = (uint32_t)segs[i].addr;
		desc->addr_high = (uint32_t)(segs[i].addr >> 32);
		desc->len = segs[i].len;
		desc->flags = (i + 1 < n ? VIRTQ_NEXT : 0) |
		    (segs[i].device_writes ? VIRTQ_WRITE : 0);
		at = desc->next;
	}
	vq->free_head = at;
	vq->free_count -= n;
	vq->owner[head] = owner;
	vq->length[head] = (uint16_t)n;
	vq->memory->avail[RING + (vq->avail_idx & (vq->size - 1))] = head;
	vq->avail_idx++;
	return head;
}

bool
virtq_publish(struct virtq *vq)
{
	uint16_t old = vq->published_idx, new = vq->avail_idx, event;

	/* The device's load of avail.idx pairs with this. */
	x86_wmb();
	vq->memory->avail[IDX] = new;
	vq->published_idx = new;
	/*
	 * avail.idx before avail_event or used.flags: the device stores those
	 * and then looks at avail.idx once more.
	 */
	x86_mb();
	if (!vq->event_idx)
		return (vq->memory->used[FLAGS] & NO_NOTIFY) == 0;
	event = vq->memory->used[RING + 4 * vq->size];
	return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

bool
virtq_has_used(const struct virtq *vq)
{
	return vq->memory->used[IDX] != vq->used_idx;
}

static void
free_chain(struct virtq *vq, uint16_t head)
{
	uint16_t tail = head, n;

	for (n = vq->length[head]; n > 1; n--)
		tail = vq->memory->desc[tail].next;
	vq->memory->desc[tail].next = vq->free_head;
	vq->free_head = head;
	vq->free_count += vq->length[head];
	vq->owner[head] = NULL;
}

int
virtq_take(struct virtq *vq, void **owner, uint32_t *len)
{
	volatile uint16_t *elem;
	uint32_t id;

	if (!virtq_has_used(vq))
		return 0;
	/* used.idx before the element; the device's store order pairs. */
	x86_rmb();
	elem = &vq->memory->used[RING + 4 * (vq->used_idx & (vq->size - 1))];
	id = elem[0] | (uint32_t)elem[1] << 16;
	*len = elem[2] | (uint32_t)elem[3] << 16;
	if (id >= vq->size || vq->owner[id] == NULL)
		return -1;
	*owner = vq->owner[id];
	free_chain(vq, (uint16_t)id);
	vq->used_idx++;
	return 1;
}

void
virtq_ask_interrupts(struct virtq *vq, bool on)
{
	if (vq->event_idx)
		vq->memory->avail[RING + vq->size] =
		    (uint16_t)(on ? vq->used_idx : vq->used_idx - 1);
	else
		vq->memory->avail[FLAGS] = on ? 0 : NO_INTERRUPT;
	/* Before the caller looks at used.idx once more. */
	x86_mb();
}
