/* SPDX-License-Identifier: ISC */
/*
 * A disk, a guest and their doubles: blkd's own data path (blkd/serve.h) on
 * real memfds, and beside it a copy of guest memory and backing on which
 * the model works.  After each run the two are compared byte by byte.
 *
 *	world_make	a disk, memory, the journal
 *	world_set_up	rings and features, as after a reset
 *	world_put	the driver writes memory
 *	world_offer	a chain that the model has judged
 *	world_run	the data path runs until it rests; all is compared
 *	world_rest, world_check	the same in two steps; between them
 *	world_die	a blkd is gone, world_recover: its successor
 *
 * What does not hold ends the program with a message.
 */
#ifndef PROPERTY_WORLD_H
#define PROPERTY_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blkd/disk.h"
#include "blkd/queue.h"
#include "blkd/serve.h"
#include "tests/property/model.h"
#include "tests/property/rng.h"

#define WORLD_BATCH	16u
#define WORLD_SLOT	8192u		/* bytes of memory a chain may use */
#define WORLD_WINDOWS	3u

/* Where things lie in guest memory. */
#define WORLD_DESC	UINT64_C(0x0)		/* 1024 * 16 */
#define WORLD_AVAIL	UINT64_C(0x4000)
#define WORLD_USED	UINT64_C(0x6000)
#define WORLD_SLOTS	UINT64_C(0x10000)
#define WORLD_LOW	(UINT64_C(256) << 10)	/* of small memory */

struct world_config {
	uint64_t	memory;		/* bytes; over 3 GiB: two regions */
	uint64_t	sectors;
	uint64_t	file_bytes;	/* can be less than the sectors */
	uint32_t	queue_size;
	uint32_t	block_size;
	bool		readonly;
	bool		writeback;
	bool		shuffle;	/* requests finish in any order */
	bool		faults;		/* some of them fail */
	bool		throttle;
};

/* A part of guest memory that is compared. */
struct world_window {
	uint64_t	 gpa;
	uint64_t	 bytes;
	uint8_t		*real, *copy;
};

struct engine;

struct world {
	struct rng		*rng;
	struct world_config	 config;
	struct disk		 disk;
	struct serve		 serve;
	uint32_t		 condition;
	uint64_t		 clock_ns;	/* the throttle's */
	int			 gmemfd, statefd, filefd;

	struct model		 model;
	uint64_t		 copy_bytes;	/* of model.mem's mapping */
	struct queue_setup	 setup;
	size_t			 nwindows;
	struct world_window	 window[WORLD_WINDOWS];
	uint8_t			*file;		/* scratch to read it into */

	uint16_t		 avail_idx, used_idx;
	unsigned		 noffered;
	struct model_request	 offered[WORLD_BATCH];
	int			 by_head[STATE_QUEUE_SIZE_MAX];	/* or -1 */
	bool			 poison;	/* avail.idx is absurd */
	bool			 lawless;	/* nothing is predicted */
	unsigned		 deaths;	/* since the last check */
	int			 ran_last;	/* of offered, by this blkd */
	bool			 file_touched;
	unsigned		 quiet_runs;	/* file not compared */

	uint64_t		 expected[COUNTER_COUNT];
	uint64_t		 seen[COUNTER_COUNT];
	uint64_t		 taken, answered, dropped;	/* chains */
	uint64_t		 verdicts[MODEL_RUN + 1];
};

void	 world_make(struct world *, struct rng *, const struct world_config *);
void	 world_free(struct world *);
void	 world_set_up(struct world *, uint16_t num, uint64_t features);

/* gpa..gpa+len must be memory. */
void	 world_put(struct world *, uint64_t gpa, const void *, size_t len);

/* Judge the chain at head and put it into the avail ring. */
void	 world_offer(struct world *, uint16_t head);
/* avail.idx: what was offered, and `extra` more that was not. */
void	 world_show(struct world *, uint16_t extra);

/*
 * Run until nothing moves, compare.  Returns false where the ring was
 * poisoned, as predicted; then set up again.
 */
bool	 world_run(struct world *);

void	 world_rest(struct world *);
bool	 world_check(struct world *);

/*
 * What is left of the data path after a kill is put away.  Then recover,
 * which can be killed too: what serve_set_up returns.
 */
void	 world_die(struct world *);
int	 world_recover(struct world *);

/* Whatever has happened to memory and backing: believe it. */
void	 world_resync(struct world *);

/* The seed's story ends here. */
void	 world_fail(const struct world *, const char *fmt, ...)
	    __attribute__((__format__(__printf__, 2, 3), __noreturn__));

#endif /* PROPERTY_WORLD_H */
