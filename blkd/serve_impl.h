/* SPDX-License-Identifier: ISC */
/*
 * The private side of the way of a request: for serve*.c alone.
 *
 *	serve.c		taking, running, rounds
 *	serve_replay.c	what a predecessor left in flight
 *	serve_publish.c	status bytes, used ring, counters, interrupt
 *
 * All of it is the queue thread's.
 */
#ifndef BLKD_SERVE_IMPL_H
#define BLKD_SERVE_IMPL_H

#include "blkd/gates.h"
#include "blkd/serve.h"
#include "shm/counters.h"

static inline void
serve_count(struct serve *s, enum counter which, int64_t n)
{
	counter_add(s->counters, which, n);
}

/* Once a second at most: when was it said, and may it be now? */
bool	serve_may_say(struct serve *, uint64_t *said_ns);
/* A request is answered with an I/O error: say so, once a second at most. */
void	serve_complain(struct serve *, const char *what, int error);

/* The ring is corrupt. */
void	serve_poison(struct serve *);

/* A marked request with a verdict that is an answer, or PASS. */
void	serve_run(struct serve *, struct request *, enum gates_verdict);

/* One that gets no answer. */
void	serve_count_drop(struct serve *);

/* To the engine; and what it has finished. */
void	serve_kick(struct serve *);
void	serve_collect(struct serve *);

/* --- serve_replay.c ---------------------------------------------------- */

/*
 * Until all have been run again, or one waits for what is in the engine or,
 * to be alone, for other queues.
 */
void	serve_replay(struct serve *);
bool	serve_replays_left(const struct serve *);

/* --- serve_publish.c --------------------------------------------------- */

/* Publish what is done; the interrupt may be put off while it is taking. */
void	serve_publish(struct serve *);

/* Interrupt the driver, whatever it wants. */
void	serve_fire(struct serve *);

/* Nothing more for now: the interrupt that was put off. */
void	serve_settle_interrupt(struct serve *);

#endif /* BLKD_SERVE_IMPL_H */
