/* SPDX-License-Identifier: ISC */
/*
 * What a queue thread does with its ring: the way of a request, without the
 * thread around it (queue_thread.c).
 *
 *	serve_round
 *	  take		virtq_peek, chain_read, gates_check, inflight_mark
 *	  run		exec_start, the engine
 *	  publish	status bytes, inflight_publish, counters, interrupt
 *
 * A corrupt ring stops the taking at once.  What was taken before it is let
 * finish and is published: those requests were in order, the used ring is
 * the device's own, and a driver that looks at it learns what became of
 * them.  Replays that have not begun are left alone.
 *
 * All of it belongs to the queue thread, or to the register thread while the
 * queue is parked.
 */
#ifndef BLKD_SERVE_H
#define BLKD_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "blkd/chain.h"
#include "blkd/gates.h"
#include "blkd/inflight.h"
#include "blkd/virtq.h"

struct disk;
struct engine;
struct engine_ops;
struct queue_setup;
struct request;

/*
 * Finished requests that wait for a publish: room for so many, and so many
 * usually, so that the driver has work while the device has.  When it is
 * woken is another matter: serve_publish.c.
 */
#define SERVE_BATCH_MAX	32u
#define SERVE_BATCH	8u

struct serve {
	const struct disk	*disk;
	unsigned		 index;		/* of the queue */
	struct state_queue	*state;		/* the journal */
	struct state_counters	*counters;	/* never in others' hands */
	uint64_t		*beat;		/* in the state */
	uint64_t		 beats;
	const int		*callfd;
	const uint32_t		*condition;	/* enum queue_condition */
	const struct engine_ops	*ops;
	struct engine		*engine;
	struct request		*request;	/* one a head */
	struct iovec		*iovs;

	struct virtq		 vq;
	struct gates		 gates;
	struct inflight		 inflight;
	struct chain		 chain;
	unsigned		 running;	/* in the engine */

	struct request		*done;		/* finished, oldest first */
	struct request		**done_last;
	unsigned		 ndone;
	unsigned		 batch_max;	/* ndone that is published */
	uint64_t		 now_ns;	/* the last look at the clock */

	unsigned		 nreplay;
	unsigned		 replayed;
	uint16_t		 replay[STATE_QUEUE_SIZE_MAX];

	bool			 alone;		/* a replay that no other joins */
	bool			 fire;		/* an interrupt, whatever is wanted */
	bool			 owed;		/* one was put off */
	bool			 taking;	/* in a round: there may be more */
	uint64_t		 owed_ns;	/* since when */
	uint64_t		 each_ns;	/* a request took, lately */
	bool			 stalled;
	bool			 poisoned;
	uint64_t		 wait_ns;	/* while stalled */
	uint64_t		 logged_ns;
	uint64_t		 gave_up_ns;	/* the same of give_up */
};

/* Returns 0, or -1 and errno.  The disk outlives it. */
int	serve_init(struct serve *, const struct disk *, unsigned index,
	    const uint32_t *condition);
void	serve_free(struct serve *);

/* The thread that will serve has begun.  0, or -1 and errno. */
int	serve_enter(struct serve *);

/* queue_start's: see there. */
int	serve_set_up(struct serve *, const struct queue_setup *, bool recover);

enum serve_result {
	SERVE_DRAINED,	/* nothing to take: sleep until a kick */
	SERVE_REPLAYING, /* sleep until the engine has finished something, or
			  * another queue lets us go on (lone.h) */
	SERVE_STALLED,	/* sleep for wait_ns, kicks do not matter */
	SERVE_STOPPED,	/* the condition is not RUNNING any more */
	SERVE_POISONED,	/* the ring is corrupt */
};

/* What the thread does from now on: state.h.  No part of the journal. */
static inline void
serve_beat(struct serve *s, enum state_beat what)
{
	__atomic_store_n(s->beat, ++s->beats << STATE_BEAT_BITS | what,
	    __ATOMIC_RELAXED);
}

/* CLOCK_MONOTONIC, ns. */
uint64_t serve_clock(void);

/* Replay what is left to replay, then take and run all there is. */
enum serve_result serve_round(struct serve *);

/*
 * Drained: look on for work, for up to `ns`, without a system call; in this
 * time the driver does not kick.  Returns true when serve_round is due.
 */
bool	serve_look(struct serve *, uint64_t ns);

/*
 * One step towards nothing in flight: finish replays, reap, publish.
 * Returns true when nothing is left; else sleep as when replaying.
 */
bool	serve_settle(struct serve *);

/* Settled: other queues do not wait for this one. */
void	serve_rest(struct serve *);

#endif /* BLKD_SERVE_H */
