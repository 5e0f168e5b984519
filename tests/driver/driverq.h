/* SPDX-License-Identifier: ISC */
/*
 * The driver's half of a split virtqueue (virtio 1.2, 2.7), for programs that
 * play the guest: torture, the load generator.  blkd/virtq.h is the other
 * half, and draws the picture.
 *
 *	put a chain, offer its head ... show: one store, and a kick if wanted
 *	take what is used, one by one
 *
 * Between show and the next take a driver may sleep on its interrupt:
 * driverq_irq_on first, and no sleep where that says that something is there.
 *
 * It trusts the device in nothing but memory: what is taken is for the
 * caller to check.  A struct driverq belongs to one thread.
 */
#ifndef DRIVER_DRIVERQ_H
#define DRIVER_DRIVERQ_H

#include <linux/virtio_ring.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where things lie in guest memory; data from DRIVERQ_DATA_GPA on. */
#define DRIVERQ_DESC_GPA	UINT64_C(0x10000)
#define DRIVERQ_AVAIL_GPA	UINT64_C(0x20000)
#define DRIVERQ_USED_GPA	UINT64_C(0x30000)
#define DRIVERQ_HEADER_GPA	UINT64_C(0x40000)	/* 64 bytes a slot */
#define DRIVERQ_STATUS		16	/* of those: as in Linux, behind it */
#define DRIVERQ_DATA_GPA	(UINT64_C(16) << 20)
/* All of these but the data, of a disk's second queue, third queue ... */
#define DRIVERQ_NEXT_GPA	(UINT64_C(1) << 20)

#define DRIVERQ_UNTOUCHED	0xaau	/* a status that nobody has written */

struct driverq {
	uint16_t		 num;		/* power of two */
	bool			 event_idx;	/* negotiated */
	int			 kickfd;	/* the caller's */
	uint8_t			*memory;	/* of GPA 0 */
	uint64_t		 gpa;		/* added to those above */
	struct vring_desc	*desc;
	struct vring_avail	*avail;
	struct vring_used	*used;
	uint16_t		 avail_idx;	/* next to offer */
	uint16_t		 shown_idx;	/* as the device can see it */
	uint16_t		 used_idx;	/* next to take */
};

/* What a request is, as its header says it. */
struct driverq_request {
	uint32_t	type;		/* VIRTIO_BLK_T_* */
	uint64_t	sector;
	uint64_t	gpa;		/* of the data */
	uint32_t	bytes;		/* 0: no data */
};

/* `memory` is guest memory from GPA 0 to past the status bytes. */
void	driverq_init(struct driverq *, uint8_t *memory, uint16_t num,
	    bool event_idx, int kickfd);
/* The same for a queue of several: of this index. */
void	driverq_init_at(struct driverq *, uint8_t *memory, unsigned index,
	    uint16_t num, bool event_idx, int kickfd);

/*
 * Write header, status and descriptors (head, head + 1, head + 2) of a
 * request with the header and status byte of this slot, and offer the head.
 */
void	driverq_put(struct driverq *, uint16_t head, unsigned slot,
	    const struct driverq_request *);

/* The status byte of a slot, as it is now. */
uint8_t	driverq_status(const struct driverq *, unsigned slot);

/*
 * Make what was put visible; kick where the device asks for it.  Returns 1
 * for a kick, 0 for none, -1 and errno where it failed.
 */
int	driverq_show(struct driverq *);

/* How many used elements wait to be taken; acquires them. */
uint16_t driverq_ready(const struct driverq *);
/* The next of those: the head it names, unchecked. */
uint32_t driverq_take(struct driverq *);

/* Interrupts are not wanted from now on. */
void	driverq_irq_off(struct driverq *);
/* One is, at the next used element.  True: that is there already. */
bool	driverq_irq_on(struct driverq *);

#endif /* DRIVER_DRIVERQ_H */
