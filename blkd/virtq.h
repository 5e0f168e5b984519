/* SPDX-License-Identifier: ISC */
/*
 * The split virtqueue (virtio 1.2, 2.7), seen from the device.
 *
 *	driver					device
 *	writes descriptors
 *	avail.ring[i] = head
 *	avail.idx++ (release)		->	virtq_peek (acquire)
 *	kick, if avail_event asks
 *						carries the request out
 *						virtq_put: used.ring[j]
 *	reads used.ring[j]		<-	virtq_publish: used.idx (release)
 *					<-	interrupt, if used_event asks
 *
 * Everything in the rings that the driver writes is hostile: each field is
 * loaded once and checked.  What the device writes (the used ring) is never
 * read back; the indices here are private.
 *
 * A struct virtq belongs to one queue thread.
 */
#ifndef BLKD_VIRTQ_H
#define BLKD_VIRTQ_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "shm/shared.h"

struct gmem;
struct queue_setup;

/* A descriptor as it lies in guest memory: a buffer, or a table of them. */
struct virtq_desc {
	uint64_t	g_addr;		/* guest-physical */
	uint32_t	g_len;
	uint16_t	g_flags;	/* VRING_DESC_F_* */
	uint16_t	g_next;		/* with _F_NEXT */
};
static_assert(sizeof(struct virtq_desc) == 16, "virtio 1.2, 2.7.5");

/* The driver's ring of heads.  used_event follows ring[num]. */
struct virtq_avail {
	uint16_t	g_flags;	/* VRING_AVAIL_F_NO_INTERRUPT */
	uint16_t	g_idx;		/* free-running */
	uint16_t	g_ring[];
};

struct virtq_used_elem {
	uint32_t	g_id;		/* the head */
	uint32_t	g_len;		/* bytes written into its buffers */
};

/* The device's ring of finished heads.  avail_event follows ring[num]. */
struct virtq_used {
	uint16_t	g_flags;	/* VRING_USED_F_NO_NOTIFY */
	uint16_t	g_idx;		/* free-running */
	struct virtq_used_elem g_ring[];
};

struct virtq {
	uint16_t			 num;	/* power of two */
	bool				 event_idx;	/* negotiated */
	bool				 indirect;	/* negotiated */
	const struct virtq_desc		*desc;
	const struct virtq_avail	*avail;
	struct virtq_used		*used;
	const uint16_t			*used_event;	/* NULL: unmapped */
	uint16_t			*avail_event;	/* NULL: unmapped */

	uint16_t	cursor;		/* next head to take from avail */
	uint16_t	seen;		/* avail.idx, as last loaded */
	uint16_t	used_idx;	/* next element to publish */
};

/*
 * Find the rings in guest memory, indices at 0.  Returns 0, or -1 and
 * EFAULT where a ring is not in guest memory or not aligned, or num is none.
 */
int	virtq_map(struct virtq *, const struct gmem *,
	    const struct queue_setup *);

/* How far the driver is ahead now: loads avail.idx. */
static inline uint16_t
virtq_ahead(const struct virtq *vq)
{
	return (uint16_t)(shared_load_acquire(&vq->avail->g_idx) - vq->cursor);
}

/*
 * The next head, without taking it.  Returns 1 and *head (not yet checked:
 * chain_read does), 0 for an empty ring, or -1 and EPROTO where avail.idx
 * is more than the queue size ahead.
 */
static inline int
virtq_peek(struct virtq *vq, uint16_t *head)
{
	uint16_t ahead;

	if (vq->cursor == vq->seen) {
		/*
		 * Acquire: the driver's release store of avail.idx comes
		 * after its stores of the heads and the descriptors.
		 */
		ahead = virtq_ahead(vq);
		if (ahead > vq->num) {
			errno = EPROTO;
			return -1;
		}
		vq->seen = (uint16_t)(vq->cursor + ahead);
		if (ahead == 0)
			return 0;
	}
	*head = shared_load(&vq->avail->g_ring[vq->cursor & (vq->num - 1)]);
	return 1;
}

/*
 * The head after the one that virtq_peek showed, `n` further on, if the
 * driver has put so many; else num or more.  A hint: nothing may be decided
 * by it.
 */
static inline uint16_t
virtq_hint(const struct virtq *vq, uint16_t n)
{
	if ((uint16_t)(vq->seen - vq->cursor) <= n)
		return UINT16_MAX;
	return shared_load(&vq->avail->g_ring[
	    (uint16_t)(vq->cursor + n) & (vq->num - 1)]);
}

/* Take the head that virtq_peek showed. */
static inline void
virtq_advance(struct virtq *vq)
{
	vq->cursor++;
}

/* used.idx as it lies in guest memory: recovery alone asks. */
uint16_t virtq_published(const struct virtq *);

/* Busy: the driver need not kick. */
void	virtq_kicks_off(struct virtq *);

/*
 * About to sleep: the driver is asked to kick.  Returns true when there is
 * something in the ring already; then do not sleep.
 */
bool	virtq_kicks_on(struct virtq *);

/* Fill the i-th used element of the batch; nobody sees it yet. */
static inline void
virtq_put(struct virtq *vq, uint16_t i, uint32_t id, uint32_t len)
{
	struct virtq_used_elem *e =
	    &vq->used->g_ring[(vq->used_idx + i) & (vq->num - 1)];

	shared_store(&e->g_id, id);
	shared_store(&e->g_len, len);
}

/* Make the n elements of the batch visible, with one store. */
void	virtq_publish(struct virtq *, uint16_t n);

/*
 * Does the driver want an interrupt for the n elements just published?
 * Where its wish cannot be read, yes.
 */
bool	virtq_wants_irq(const struct virtq *, uint16_t n);

#endif /* BLKD_VIRTQ_H */
