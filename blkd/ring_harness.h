/* SPDX-License-Identifier: ISC */
/*
 * The driver's side of a virtqueue, for tests and fuzzers: real guest
 * memory, state, doorbell and eventfds with a real queue thread behind them,
 * and a driver that can write anything into the rings.
 *
 * Slots make the usual requests short: slot i owns four descriptors (head
 * i * 4), a header, a status byte and RING_DATA_BYTES of data.
 *
 * What fails in here ends the program with a message.
 */
#ifndef BLKD_RING_HARNESS_H
#define BLKD_RING_HARNESS_H

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blkd/disk.h"
#include "blkd/queue.h"
#include "blkd/virtq.h"
#include "shm/state.h"

#define RING_MEMORY		(UINT64_C(64) << 20)
#define RING_DISK_SECTORS	(UINT64_C(16384))	/* 8 MiB */
#define RING_SLOT_DESCS		4u
#define RING_DATA_BYTES		(64u << 10)

/* Where things lie in guest memory. */
#define RING_DESC_GPA		UINT64_C(0x10000)
#define RING_AVAIL_GPA		UINT64_C(0x20000)
#define RING_USED_GPA		UINT64_C(0x30000)
#define RING_HEADER_GPA		UINT64_C(0x40000)	/* 16 bytes a slot */
#define RING_STATUS_GPA		UINT64_C(0x50000)	/* 1 byte a slot */
#define RING_TABLE_GPA		UINT64_C(0x60000)	/* for indirect ones */
#define RING_DATA_GPA		UINT64_C(0x200000)

#define RING_FEATURE(f)		(UINT64_C(1) << (f))
#define RING_FEATURES		(RING_FEATURE(VIRTIO_F_VERSION_1) | \
	RING_FEATURE(VIRTIO_BLK_F_FLUSH))

#define RING_STATUS_UNTOUCHED	0xaau

struct lone;

struct ring_harness {
	struct disk		 disk;
	struct queue		*queue;
	struct queue_setup	 setup;
	unsigned		 index;		/* of the queue */
	int			 statefd, gmemfd, backingfd, eventfd;
	struct virtq_desc	*desc;
	struct virtq_avail	*avail;
	struct virtq_used	*used;
	uint16_t		 avail_idx;	/* next to offer */
	uint16_t		 used_idx;	/* next to look at */
};

/* A disk, and a ring of `num` entries with every status untouched. */
void	 ring_harness_make(struct ring_harness *, uint16_t num,
	    uint64_t features);
/* The same, for a queue of two whose other one is in another harness. */
void	 ring_harness_make_of_two(struct ring_harness *, uint16_t num,
	    uint64_t features, unsigned index, struct lone *);
void	 ring_harness_free(struct ring_harness *);

/*
 * As if the ring had been in use: both indices are at `idx`, nothing is in
 * flight.  Then start with `recover`.
 */
void	 ring_harness_move(struct ring_harness *, uint16_t idx);

/* queue_make and queue_start; what queue_start returns. */
int	 ring_harness_start(struct ring_harness *, bool recover);
/* queue_free: what was in the state and in the rings stays. */
void	 ring_harness_stop(struct ring_harness *);

/* Host address of guest memory. */
void	*ring_harness_at(struct ring_harness *, uint64_t gpa);

/* Write n descriptors from `first` on, linked; flags without NEXT. */
void	 ring_harness_chain(struct ring_harness *, uint16_t first,
	    const struct virtq_desc *, size_t n);
/* Write slot i's header: type and sector. */
void	 ring_harness_header(struct ring_harness *, unsigned slot,
	    uint32_t type, uint64_t sector);
/* Header, `bytes` of data (0: none), status, as a driver does it. */
void	 ring_harness_request(struct ring_harness *, unsigned slot,
	    uint32_t type, uint64_t sector, uint32_t bytes);

static inline uint16_t
ring_harness_head(unsigned slot)
{
	return (uint16_t)(slot * RING_SLOT_DESCS);
}

void	 ring_harness_offer(struct ring_harness *, uint16_t head);
/* Make what was offered visible, and kick; or kick only if asked to. */
void	 ring_harness_show(struct ring_harness *);
void	 ring_harness_kick(struct ring_harness *);
bool	 ring_harness_kick_wanted(struct ring_harness *, uint16_t n);

/* Wait (10 s at most) until n more used elements are there. */
void	 ring_harness_wait_used(struct ring_harness *, uint16_t n);
/* The next used element. */
struct virtq_used_elem ring_harness_take_used(struct ring_harness *);
/* Offer slot i, kick, wait; returns the status byte and the used length. */
uint8_t	 ring_harness_run(struct ring_harness *, unsigned slot,
	    uint32_t *len);

uint8_t	 ring_harness_status(struct ring_harness *, unsigned slot);
uint8_t	*ring_harness_data(struct ring_harness *, unsigned slot);

void	 ring_harness_wait_for(struct ring_harness *, enum queue_condition);
uint64_t ring_harness_counter(struct ring_harness *, enum counter);
/* Wait (10 s at most) until a counter is n. */
void	 ring_harness_wait_counter(struct ring_harness *, enum counter,
	    uint64_t n);
/* EVENT_IDX: interrupt me when the used index passes this one. */
void	 ring_harness_used_event(struct ring_harness *, uint16_t);
/* Interrupts since the last call. */
uint64_t ring_harness_irqs(struct ring_harness *);
/* The 512 bytes of a sector of the backing. */
void	 ring_harness_sector(struct ring_harness *, uint64_t sector,
	    uint8_t [512]);

#endif /* BLKD_RING_HARNESS_H */
