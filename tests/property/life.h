/* SPDX-License-Identifier: ISC */
/*
 * The lives of a disk: registers, queue, journal and throttle of blkd, as
 * they are, in one thread (still_queue.h), with a driver, a vm process and a
 * monitor around them that do what theirs is when a blkd dies: the successor
 * is attached to the same memory, and what was not answered is asked again.
 *
 *	life_make	a disk that no blkd serves yet
 *	life_arm	the next blkds die before their n-th stores
 *	life_write, life_rest, life_pause, ...
 *			a step: repeated by successors until one outlives it
 *	life_free
 *
 * One disk at a time.  What fails in here ends the test case.
 */
#ifndef PROPERTY_LIFE_H
#define PROPERTY_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "blkd/ring_harness.h"

struct throttle_limits;

#define LIFE_RING	128u
#define LIFE_ALL	(LIFE_RING / RING_SLOT_DESCS)

/* The disk, its memory and the driver's side of its ring. */
extern struct ring_harness life;

/* limits NULL: no throttle. */
void	 life_make(const struct throttle_limits *limits);
void	 life_free(void);

/*
 * From now on: the blkd that lives dies before its store number `first`, the
 * next one before its `second`; the rest live for ever, as with 0.
 */
void	 life_arm(unsigned first, unsigned second);
/* Nobody dies any more.  Which of the two have not died? */
void	 life_disarm(bool *first, bool *second);

/* Death between two steps. */
void	 life_die(void);
/* As if the ring had been in use, at these indices; no blkd lives. */
void	 life_move(uint16_t avail, uint16_t used);

/* --- steps -------------------------------------------------------------- */

/* The driver's: a register; and from reset to DRIVER_OK with queue 0. */
void	 life_write(uint32_t offset, uint32_t value);
void	 life_go_live(void);
/* A write of 0 to the status, and what follows it. */
void	 life_reset(void);

/* The queue's: one turn, or as many as there is work for. */
void	 life_turn(unsigned batch);
void	 life_rest(unsigned batch);

/* The monitor's.  Quiet when life_pause returns. */
void	 life_pause(unsigned batch);
void	 life_resume(void);

/* ns that have gone by, of the throttle's clock; it moves in life_rest. */
uint64_t life_clock(void);

/* --- what was tried ------------------------------------------------------ */

/* Deaths before each store, since life_forget. */
struct life_store {
	const char	*function;
	const char	*what;		/* an expression, as in the source */
	unsigned	 deaths;
};
void	 life_forget(void);
const struct life_store *life_stores(unsigned *n);

#endif /* PROPERTY_LIFE_H */
