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

/* Each queue; tests/driver/driverq.h says where it lies. */
#define SCORE_QUEUE_SIZE	512u
#define SCORE_DEPTH		128u	/* in flight in all, at most */
#define SCORE_SECTORS		8u	/* of one request, at most */

/* Each field has one writer; relaxed accesses, by shared.h. */
struct score {
	/* torture.c */
	uint32_t	stop;		/* finish what is in flight, and end */
	uint32_t	rest;		/* issue nothing for now */
	uint32_t	touch;		/* touch all memory: a number to reach */
	uint64_t	until;		/* the outage ends with the oldest here */

	/* driver.c */
	uint32_t	touched;	/* the number that was reached */
	uint64_t	done;		/* requests completed */
	uint64_t	issued;		/* requests, so far */
	uint64_t	oldest;		/* in flight: its number of those */
	uint64_t	lost;		/* never completed */
	uint64_t	duplicated;	/* completed that were not in flight */
	uint64_t	corrupt;	/* blocks with wrong data */
	uint64_t	failed;		/* status other than OK */
	uint64_t	refused;	/* of those that have to: poison */
	uint64_t	progress_ns;	/* of the last completion */

	/*
	 * Both: the longest time without a completion since the last kill,
	 * until all that was in flight when its successor was READY had
	 * ended; and until the next look, some milliseconds later.
	 */
	uint64_t	outage_ns;
	uint64_t	gap_ns;
};

struct driver_setup {
	struct score	*score;
	int		 gmem_fd;
	uint64_t	 memory;	/* bytes */
	unsigned	 queues;	/* 1..PROTO_QUEUES_MAX */
	const int	*kick_fd;	/* one a queue */
	int		 irq_fd;
	const char	*image;
	uint64_t	 sectors;
	uint64_t	 seed;
	uint64_t	 poison;	/* sectors: a write there fails */
	unsigned	 depth;		/* requests in flight, always */
	uint64_t	 request_sectors;	/* of each; 0: any, and flushes */
	bool		 unordered;	/* completion in any order is right */
	int		 priority;	/* in real time; 0: as it comes */
};

/* Runs until score->stop, or something was lost; returns an exit status. */
int	driver_run(const struct driver_setup *);

uint64_t score_clock(void);
/* This process in real time: others do not disturb what is measured. */
void	score_hurry(int priority);

#endif /* TORTURE_SCORE_H */
