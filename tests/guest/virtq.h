/* SPDX-License-Identifier: ISC */
/*
 * The test guest: a split virtqueue, the driver's side (virtio 1.2, 2.7).
 *
 * The driver fills descriptors and puts the head of each chain into the
 * available ring; storing avail.idx shows them to the device. The device
 * answers in the used ring. All indices run freely through 16 bits.
 * "Fill" (virtq_add) and "make visible" (virtq_publish) are apart.
 */
#ifndef TESTS_GUEST_VIRTQ_H
#define TESTS_GUEST_VIRTQ_H

#include <stdbool.h>
#include <stdint.h>

enum { VIRTQ_SIZE_MAX = 256 };

enum virtq_desc_flag {
	VIRTQ_NEXT = 1,
	VIRTQ_WRITE = 2,
	VIRTQ_INDIRECT = 4
};

struct virtq_desc {
	uint32_t	addr_low;
	uint32_t	addr_high;
	uint32_t	len;
	uint16_t	flags;
	uint16_t	next;
};

struct virtq_used_elem {
	uint32_t	id;
	uint32_t	len;
};

/* A piece of a chain. */
struct virtq_seg {
	uint64_t	addr;
	uint32_t	len;
	bool		device_writes;
};

/* What the device sees; the sizes are those of the largest queue. */
struct virtq_memory {
	struct virtq_desc desc[VIRTQ_SIZE_MAX] __attribute__((aligned(16)));
	/* flags, idx, ring[size], used_event */
	uint16_t	avail[3 + VIRTQ_SIZE_MAX] __attribute__((aligned(2)));
	/* flags, idx, ring[size] of two words, avail_event */
	uint16_t	used[3 + 4 * VIRTQ_SIZE_MAX]
			    __attribute__((aligned(4)));
};

struct virtq {
	volatile struct virtq_memory *memory;
	uint32_t	size;
	bool		event_idx;
	uint16_t	avail_idx;	/* chains filled, visible or not */
	uint16_t	published_idx;	/* chains shown to the device */
	uint16_t	used_idx;	/* completions taken */
	uint16_t	free_head;
	uint32_t	free_count;
	void		*owner[VIRTQ_SIZE_MAX];	/* by head; NULL: not in flight */
	uint16_t	length[VIRTQ_SIZE_MAX];	/* descriptors of the chain */
};

/* An empty queue in this memory; size is a power of two up to the maximum. */
void	virtq_init(struct virtq *, volatile struct virtq_memory *,
	    uint32_t size, bool event_idx);

/* Puts the free descriptors of an idle queue into random order. */
void	virtq_shuffle(struct virtq *, uint32_t *seed);

/*
 * Fills a chain. owner, not NULL, comes back with its completion. The head,
 * or -1 where fewer than n descriptors are free.
 */
int	virtq_add(struct virtq *, const struct virtq_seg *, uint32_t n,
	    void *owner);

/* Shows what was filled; true where the device wants to be notified. */
bool	virtq_publish(struct virtq *);

/* Whether a completion waits to be taken. */
bool	virtq_has_used(const struct virtq *);

/*
 * Takes the next completion: 1, or 0 where there is none, or -1 where the
 * device names a chain that is not in flight (a second answer, for one).
 */
int	virtq_take(struct virtq *, void **owner, uint32_t *len);

/* Asks for an interrupt at the next completion, or for none. */
void	virtq_ask_interrupts(struct virtq *, bool on);

#endif
