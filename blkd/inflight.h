/* SPDX-License-Identifier: ISC */
/*
 * The journal of a queue: which requests are in flight, which batch is being
 * published (shm/state.h has the layout and the order of the stores).
 *
 *	inflight_mark		a head is taken; before it is executed
 *	inflight_drop		a head is taken and will never be answered
 *	inflight_publish	a batch goes into the used ring
 *	inflight_recover	what a predecessor left
 *	inflight_again		such a request is run again; before it is
 *
 * The state is written, and read only by inflight_recover: what is asked in
 * between is answered from private copies.
 */
#ifndef BLKD_INFLIGHT_H
#define BLKD_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/state.h"

struct virtq;

struct inflight {
	struct state_queue	*state;
	struct state_counters	*counters;	/* the journal's, or elsewhere */
	uint16_t		 num;
	unsigned		 marked;	/* how many heads */
	uint64_t		 order;		/* the newest number */
	uint64_t		 word[STATE_QUEUE_SIZE_MAX];	/* as stored */
};

/* A queue after a reset: nothing was ever taken, the state says so too. */
void	inflight_init(struct inflight *, struct state_queue *, uint16_t num);

/*
 * The same for a ring that has been in use, whose journal may hold anything:
 * the next head is at `base` of the avail ring, the used ring goes on where
 * it stands.  At the end, s_ready says that there is a journal.
 */
void	inflight_begin(struct inflight *, struct state_queue *,
	    struct virtq *, uint16_t base);

/* Count what is in flight there, from now on. */
void	inflight_count_in(struct inflight *, struct state_counters *);

/* head < num. */
static inline bool
inflight_has(const struct inflight *f, uint16_t head)
{
	return (f->word[head] & STATE_INFLIGHT_MARK) != 0;
}

/*
 * Of a head that inflight_recover gave: how many blkds have died since they
 * had begun to run it.  One that died before it came to it does not count.
 */
static inline unsigned
inflight_deaths(const struct inflight *f, uint16_t head)
{
	return state_inflight_deaths(f->word[head]) + 1;
}

void	inflight_mark(struct inflight *, uint16_t head);
void	inflight_drop(struct inflight *, uint16_t head);

/* It is run again, once for each recovery: the deaths until now are stored. */
void	inflight_again(struct inflight *, uint16_t head);

/* A marked head is given up without an answer: a replay that is dropped. */
void	inflight_forget(struct inflight *, uint16_t head);

/*
 * Publish n > 0 finished, marked heads: record, used elements, used.idx,
 * marks, record.  The status bytes are written already.
 */
void	inflight_publish(struct inflight *, struct virtq *,
	    const struct state_used *, uint16_t n);

/*
 * Take the journal over from a predecessor: check it against itself and
 * against the rings, settle the publish record, set the cursors of the
 * virtq.  Gives the heads to
 * replay in their order (room for num).  Returns how many, or -1 and EPROTO
 * where the state contradicts itself or the rings; then nothing was written.
 */
int	inflight_recover(struct inflight *, struct state_queue *,
	    struct virtq *, uint16_t *replay);

#endif /* BLKD_INFLIGHT_H */
