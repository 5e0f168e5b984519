/* SPDX-License-Identifier: ISC */
/*
 * The doorbell page of a disk: the interrupt status word (virtio 1.2,
 * 4.2.2, InterruptStatus and InterruptACK), shared by blkd and the vm
 * process, so that an interrupt costs no message.
 *
 * blkd raises a bit, then signals the irqfd; the vm process answers the
 * guest's reads and clears what the guest acknowledges.  Both are atomic
 * read-modify-writes: a bit that is raised while another is acknowledged
 * is not lost.  Either side may write anything: readers mask.
 */
#ifndef SHM_DOORBELL_H
#define SHM_DOORBELL_H

#include <assert.h>
#include <stdint.h>

#define DOORBELL_BYTES	4096

enum doorbell_bit {
	DOORBELL_USED	= 1u << 0,	/* a used ring has moved */
	DOORBELL_CONFIG	= 1u << 1,	/* the configuration has changed */
};
#define DOORBELL_BITS	(DOORBELL_USED | DOORBELL_CONFIG)

struct doorbell {
	uint32_t	w_isr;		/* enum doorbell_bit; both write */
	uint8_t		w_pad[DOORBELL_BYTES - sizeof(uint32_t)];
};
static_assert(sizeof(struct doorbell) == DOORBELL_BYTES, "one page");

/* blkd, before it signals the irqfd. */
static inline void
doorbell_raise(struct doorbell *db, uint32_t bits)
{
	/* Release: the guest that sees the bit sees the used ring. */
	__atomic_fetch_or(&db->w_isr, bits, __ATOMIC_RELEASE);
}

/* vm, for the guest's read of InterruptStatus. */
static inline uint32_t
doorbell_pending(const struct doorbell *db)
{
	return __atomic_load_n(&db->w_isr, __ATOMIC_ACQUIRE) & DOORBELL_BITS;
}

/* vm, for the guest's write of InterruptACK. */
static inline void
doorbell_ack(struct doorbell *db, uint32_t bits)
{
	__atomic_fetch_and(&db->w_isr, ~bits, __ATOMIC_ACQ_REL);
}

/* blkd, on reset of the device. */
static inline void
doorbell_clear(struct doorbell *db)
{
	__atomic_store_n(&db->w_isr, 0, __ATOMIC_RELEASE);
}

#endif /* SHM_DOORBELL_H */
