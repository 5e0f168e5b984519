/* SPDX-License-Identifier: ISC */
/*
 * What the two halves of the torture tell each other: a page that both map.
 * torture.c is the monitor's part, driver.c the guest's driver; one process
 * each, as in a machine.
 */
#ifndef TORTURE_SCORE_H
#define TORTURE_SCORE_H

#include <stdbool.h>
#include <stdint.h>

/* Where things lie in guest memory. */
#define SCORE_QUEUE_SIZE	512u
#define SCORE_DEPTH		128u	/* requests in flight, always */
#define SCORE_DESC_GPA		UINT64_C(0x10000)
#define SCORE_AVAIL_GPA		UINT64_C(0x20000)
#define SCORE_USED_GPA		UINT64_C(0x30000)
#define SCORE_HEADER_GPA	UINT64_C(0x40000)	/* 16 bytes a slot */
#define SCORE_STATUS_GPA	UINT64_C(0x50000)	/* 1 byte a slot */
#define SCORE_DATA_GPA		(UINT64_C(16) << 20)	/* and up */

/* Each field has one writer; relaxed accesses, by shared.h. */
struct score {
	/* torture.c */
	uint32_t	stop;		/* finish what is in flight, and end */
	uint32_t	rest;		/* issue nothing for now */
	uint32_t	touch;		/* touch all memory: a number to reach */

	/* driver.c */
	uint32_t	touched;	/* the number that was reached */
	uint64_t	done;		/* requests completed */
	uint64_t	lost;		/* never completed */
	uint64_t	duplicated;	/* completed that were not in flight */
	uint64_t	corrupt;	/* blocks with wrong data */
	uint64_t	failed;		/* status other than OK */
	uint64_t	progress_ns;	/* of the last completion */

	/* Both: the longest time without a completion since the last look. */
	uint64_t	gap_ns;
};

struct driver_setup {
	struct score	*score;
	int		 gmem_fd;
	uint64_t	 memory;	/* bytes */
	int		 kick_fd;
	int		 irq_fd;
	const char	*image;
	uint64_t	 sectors;
	uint64_t	 seed;
	bool		 unordered;	/* completion in any order is right */
	int		 priority;	/* in real time; 0: as it comes */
};

/* Runs until score->stop, or something was lost; returns an exit status. */
int	driver_run(const struct driver_setup *);

/* The block of a sector in its generation: both halves make it. */
#define SCORE_SECTOR		512u
void	driver_fill(void *block, uint64_t sector, uint64_t generation);

static inline uint64_t
score_random(uint64_t *seed)
{
	/* xorshift64*, Marsaglia and Vigna. */
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * UINT64_C(2685821657736338717);
}

uint64_t score_clock(void);
/* This process in real time: others do not disturb what is measured. */
void	score_hurry(int priority);

#endif /* TORTURE_SCORE_H */
