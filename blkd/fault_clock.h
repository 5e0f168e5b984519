/* SPDX-License-Identifier: ISC */
/*
 * One alarm for each queue: a thread of its own that signals an eventfd when
 * a time has come.  The sandbox has no timer that a queue could poll.
 */
#ifndef BLKD_FAULT_CLOCK_H
#define BLKD_FAULT_CLOCK_H

#include <stdint.h>

struct fault_clock;

/* Before the sandbox narrows.  NULL and errno. */
struct fault_clock *fault_clock_make(void);
void		 fault_clock_free(struct fault_clock *);	/* joins it */

/* Any thread: signal fd once at `at` (fault_clock_now); 0: never. */
void		 fault_clock_set(struct fault_clock *, unsigned index,
		    uint64_t at, int fd);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t	 fault_clock_now(void);

#endif /* BLKD_FAULT_CLOCK_H */
