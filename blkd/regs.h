/* SPDX-License-Identifier: ISC */
/*
 * The virtio-mmio register machine of a disk (virtio 1.2, 4.2.2; DESIGN
 * section 4): what a vCPU reads and writes in its 4 KiB window, and when the
 * queues run.
 *
 *	regs.c		the register table: offset, access, when writable
 *	regs_status.c	device status, reset, pause, a corrupt ring
 *	regs_queue.c	queue registers, what makes a queue ready
 *	regs_recover.c	the registers from the state of a predecessor
 *
 * The private copy here is the truth; each change is stored through to the
 * state, in the order that shm/state.h gives.  An access changes at most one
 * register, and repeating it changes nothing more: the vm process sends the
 * one that was not answered again.
 *
 * All functions are called by the register thread; none waits for backing
 * I/O, but for regs_free.
 */
#ifndef BLKD_REGS_H
#define BLKD_REGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk;
struct regs;

/* When a write is heard: phases of the device status. */
enum regs_phase {
	REGS_PHASE_NEGOTIATE,	/* before FEATURES_OK */
	REGS_PHASE_QUEUES,	/* FEATURES_OK, not yet DRIVER_OK */
	REGS_PHASE_LIVE,	/* DRIVER_OK */
	REGS_PHASE_FAILED,	/* the driver has given up */
};
#define REGS_IN(phase)	(1u << (phase))
#define REGS_ALWAYS	(REGS_IN(REGS_PHASE_NEGOTIATE) | \
	REGS_IN(REGS_PHASE_QUEUES) | REGS_IN(REGS_PHASE_LIVE) | \
	REGS_IN(REGS_PHASE_FAILED))

struct regs_row {
	uint32_t	 offset;
	const char	*name;		/* as in the specification */
	uint32_t	(*read)(const struct regs *);	/* NULL: reads 0 */
	void		(*write)(struct regs *, uint32_t); /* NULL: dropped */
	unsigned	 writable;	/* mask of REGS_IN(phase) */
};

/* The rows of the register table, by offset: NULL past the last. */
const struct regs_row *regs_row(size_t index);

/*
 * Make the registers of a disk and its queues, parked.  `eventfd` (stays the
 * caller's) is signalled when regs_update has something to do.  The disk must
 * outlive the registers.  Returns NULL and errno.
 */
struct regs	*regs_make(struct disk *, int eventfd);

/* The predecessor is gone: the fences of the queues are ours (queue_hold). */
void		 regs_hold(struct regs *);

/*
 * Take the registers from the state and start the queues of a live device.
 * What the state says is checked as if the driver had written it; what is
 * not legal makes the device need a reset.  Returns the number of requests
 * that a predecessor left and that run again.
 */
unsigned	 regs_recover(struct regs *, uint32_t incarnation);

/* A register access by a vCPU: any offset; size 1, 2, 4 or 8. */
uint64_t	 regs_read(const struct regs *, uint32_t offset, uint32_t size);
void		 regs_write(struct regs *, uint32_t offset, uint32_t size,
		    uint64_t value);

/*
 * Is a reset still waiting for I/O in flight?  Then the write that asked for
 * it must not be answered yet, and no other access may come before.
 */
bool		 regs_is_resetting(const struct regs *);

/* After the eventfd: a ring is corrupt, or a reset can be finished. */
void		 regs_update(struct regs *);

/* A kick by message, of any queue number. */
void		 regs_notify(struct regs *, uint32_t queue);

/*
 * Stop and go on: while paused registers are answered, and a device that
 * becomes live starts its queues with regs_resume.  Paused before
 * regs_recover, the queues of the predecessor are recovered by regs_resume.
 */
void		 regs_pause(struct regs *);
void		 regs_resume(struct regs *);
/* Is nothing in flight, and will nothing be taken? */
bool		 regs_is_quiet(const struct regs *);

/* The throttle has other limits: queues that wait for it ask again. */
void		 regs_nudge(struct regs *);

/* The backing has another size: tell the driver, if it is one. */
void		 regs_resize(struct regs *, uint64_t sectors);

/* Ends the queues: waits for what is in flight.  NULL is accepted. */
void		 regs_free(struct regs *);

#endif /* BLKD_REGS_H */
