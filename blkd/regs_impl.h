/* SPDX-License-Identifier: ISC */
/*
 * The private side of the register machine: for regs*.c alone.
 *
 * Everything here is private memory: checked when it came in, believed ever
 * after.
 */
#ifndef BLKD_REGS_IMPL_H
#define BLKD_REGS_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "blkd/queue.h"
#include "blkd/regs.h"
#include "proto/proto.h"

struct disk;

struct regs_queue {
	/* As the driver wrote them: legal only while `ready`. */
	uint32_t	 num;
	uint32_t	 desc[2];	/* low, high */
	uint32_t	 driver[2];
	uint32_t	 device[2];
	bool		 ready;
	bool		 poisoned;	/* told the driver */
	bool		 started;	/* since the last reset */
	bool		 recover;	/* when it starts: paused till then */
	struct queue	*queue;
};

struct regs {
	struct disk	*disk;
	uint64_t	 offered;	/* features */
	uint32_t	 status;
	uint32_t	 device_features_sel;
	uint32_t	 driver_features_sel;
	uint32_t	 driver_features[2];
	uint32_t	 queue_sel;
	uint32_t	 generation;
	bool		 resetting;
	bool		 paused;
	struct regs_queue queue[PROTO_QUEUES_MAX];	/* disk->queues */
};

/* --- regs.c ------------------------------------------------------------ */

uint64_t	regs_features(const struct regs *);	/* the driver's */
void		regs_interrupt(struct regs *, uint32_t doorbell_bits);
/* The cache mode in force, to the queues and the state. */
void		regs_set_writeback(struct regs *, uint32_t);
void		regs_set_generation(struct regs *, uint32_t);

/* --- regs_status.c ----------------------------------------------------- */

enum regs_phase	regs_status_phase(const struct regs *);
/* Could a driver have brought the device here? */
bool		regs_status_is_legal(uint32_t status);
/* The highest legal status whose bits are all set in this one. */
uint32_t	regs_status_legal_part(uint32_t status);
void		regs_status_set(struct regs *, uint32_t);
uint32_t	regs_status_read(const struct regs *);
void		regs_status_write(struct regs *, uint32_t);
/* Only a reset helps: say so, with one config interrupt. */
void		regs_status_need_reset(struct regs *);
void		regs_status_finish_reset(struct regs *);

/* --- regs_queue.c ------------------------------------------------------ */

/* The selected queue, or NULL: QueueSel is out of range. */
const struct regs_queue	*regs_queue_selected(const struct regs *);
uint32_t	regs_queue_read_num_max(const struct regs *);
uint32_t	regs_queue_read_ready(const struct regs *);
void		regs_queue_write_num(struct regs *, uint32_t);
void		regs_queue_write_ready(struct regs *, uint32_t);
void		regs_queue_write_desc_low(struct regs *, uint32_t);
void		regs_queue_write_desc_high(struct regs *, uint32_t);
void		regs_queue_write_driver_low(struct regs *, uint32_t);
void		regs_queue_write_driver_high(struct regs *, uint32_t);
void		regs_queue_write_device_low(struct regs *, uint32_t);
void		regs_queue_write_device_high(struct regs *, uint32_t);
/* May this queue become ready? */
bool		regs_queue_is_sound(const struct regs *,
		    const struct regs_queue *);
/*
 * Start a ready queue of a live device.  Returns how many requests run
 * again; a queue that cannot start is poisoned.
 */
unsigned	regs_queue_start(struct regs *, unsigned index, bool recover);
/* Its ring is corrupt: until reset it is not touched. */
void		regs_queue_poison(struct regs *, unsigned index);

#endif /* BLKD_REGS_IMPL_H */
