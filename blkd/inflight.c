/* SPDX-License-Identifier: ISC */
/*
 * The journal.  Runs in blkd, queue thread (recovery: register thread, while
 * the queue thread is parked).  Trusts nothing that it finds in the state;
 * touches the journal of its queue and, through virtq, the used ring.
 *
 * A blkd can be killed between any two instructions.  Its stores are then
 * seen up to that point, in program order; so it is the compiler alone that
 * has to be kept from moving them, and journal_step says where.
 */
#include <errno.h>
#include <stdlib.h>

#include "blkd/inflight.h"
#include "blkd/virtq.h"
#include "shm/shared.h"

/* No order number that is honest comes near the end of its 56 bits. */
#define ORDER_PLAUSIBLE	(STATE_INFLIGHT_ORDER_MAX >> 1)

static inline void
journal_step(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void
store_word(struct inflight *f, uint16_t head, uint64_t word)
{
	f->word[head] = word;
	shared_store(&f->state->s_inflight[head], word);
	journal_step();
}

static void
count_marked(struct inflight *f, int n)
{
	f->marked += (unsigned)n;
	counter_set(f->counters, COUNTER_IN_FLIGHT, f->marked);
}

void
inflight_init(struct inflight *f, struct state_queue *sq, uint16_t num)
{
	memset(f, 0, sizeof(*f));
	f->state = sq;
	f->counters = &sq->s_counters;
	f->num = num;
	count_marked(f, 0);
}

void
inflight_begin(struct inflight *f, struct state_queue *sq, struct virtq *vq,
    uint16_t base)
{
	unsigned i;

	shared_store(&sq->s_ready, 0);
	journal_step();
	inflight_init(f, sq, vq->num);
	vq->cursor = vq->seen = base;
	vq->used_idx = virtq_published(vq);
	for (i = 0; i < STATE_QUEUE_SIZE_MAX; i++)
		if (shared_load(&sq->s_inflight[i]) != 0)
			shared_store(&sq->s_inflight[i], 0);
	shared_store(&sq->s_base, base);
	shared_store(&sq->s_publish, state_publish_word(vq->used_idx,
	    vq->used_idx, 0));
	shared_store(&sq->s_poisoned, 0);
	/* Release: a journal that is ready is whole. */
	shared_store_release(&sq->s_ready, 1);
	journal_step();
}

void
inflight_count_in(struct inflight *f, struct state_counters *counters)
{
	f->counters = counters;
	count_marked(f, 0);
}

void
inflight_mark(struct inflight *f, uint16_t head)
{
	store_word(f, head, state_inflight_word(++f->order, 0, 1));
	count_marked(f, 1);
}

void
inflight_drop(struct inflight *f, uint16_t head)
{
	store_word(f, head, state_inflight_word(++f->order, 0, 0));
}

void
inflight_again(struct inflight *f, uint16_t head)
{
	unsigned deaths = inflight_deaths(f, head);

	if (deaths > STATE_INFLIGHT_DEATHS_MAX)
		deaths = STATE_INFLIGHT_DEATHS_MAX;
	store_word(f, head, state_inflight_word(
	    state_inflight_order(f->word[head]), deaths, 1));
}

void
inflight_forget(struct inflight *f, uint16_t head)
{
	store_word(f, head, f->word[head] & ~STATE_INFLIGHT_MARK);
	count_marked(f, -1);
}

/* From the record on: what a successor does again if it has to. */
static void
publish_recorded(struct virtq *vq, const struct state_used *batch, uint16_t n)
{
	uint16_t i;

	for (i = 0; i < n; i++)
		virtq_put(vq, i, batch[i].s_id, batch[i].s_len);
	virtq_publish(vq, n);
	journal_step();
}

/* After used.idx: the heads are the driver's again, the record is done. */
static void
free_recorded(struct inflight *f, const struct virtq *vq,
    const struct state_used *batch, uint16_t n)
{
	uint16_t i;

	for (i = 0; i < n; i++)
		if (inflight_has(f, (uint16_t)batch[i].s_id))
			inflight_forget(f, (uint16_t)batch[i].s_id);
	shared_store_release(&f->state->s_publish, state_publish_word(
	    (uint16_t)(vq->used_idx - n), vq->used_idx, 0));
	journal_step();
}

void
inflight_publish(struct inflight *f, struct virtq *vq,
    const struct state_used *batch, uint16_t n)
{
	struct state_used *record = f->state->s_batch;
	uint16_t i;

	for (i = 0; i < n; i++) {
		shared_store(&record[i].s_id, batch[i].s_id);
		shared_store(&record[i].s_len, batch[i].s_len);
	}
	/* Release: who sees the pending bit sees the batch. */
	shared_store_release(&f->state->s_publish, state_publish_word(
	    vq->used_idx, (uint16_t)(vq->used_idx + n), 1));
	journal_step();
	publish_recorded(vq, batch, n);
	free_recorded(f, vq, batch, n);
}

/* --- recovery ----------------------------------------------------------- */

/* What was found in the state: private copies, being checked. */
struct found {
	struct inflight		*f;
	uint16_t		 nheads;	/* in heads[] */
	uint16_t		 heads[STATE_QUEUE_SIZE_MAX];
	bool			 pending;	/* a record to settle */
	bool			 published;	/* used.idx is past it */
	uint16_t		 nbatch;
	struct state_used	 batch[STATE_QUEUE_SIZE_MAX];
};

static int
by_order(const void *a, const void *b, void *arg)
{
	const struct inflight *f = arg;
	uint64_t x = f->word[*(const uint16_t *)a] >> 8;
	uint64_t y = f->word[*(const uint16_t *)b] >> 8;

	return x < y ? -1 : x > y;
}

/*
 * Load the in-flight table.  Every word that was ever used has an order
 * number of its own; the newest one gives the cursor.
 */
static int
load_table(struct found *found)
{
	struct inflight *f = found->f;
	uint64_t word;
	unsigned i;

	for (i = 0; i < STATE_QUEUE_SIZE_MAX; i++) {
		word = shared_load(&f->state->s_inflight[i]);
		if (word == 0)
			continue;
		if (i >= f->num || state_inflight_order(word) == 0 ||
		    state_inflight_order(word) > ORDER_PLAUSIBLE)
			return -1;
		f->word[i] = word;
		found->heads[found->nheads++] = (uint16_t)i;
	}
	qsort_r(found->heads, found->nheads, sizeof(found->heads[0]),
	    by_order, f);
	for (i = 1; i < found->nheads; i++)
		if (state_inflight_order(f->word[found->heads[i - 1]]) ==
		    state_inflight_order(f->word[found->heads[i]]))
			return -1;
	if (found->nheads > 0)
		f->order = state_inflight_order(
		    f->word[found->heads[found->nheads - 1]]);
	return 0;
}

/* Load the batch: each head once, and all still marked if not published. */
static int
load_batch(struct found *found)
{
	bool seen[STATE_QUEUE_SIZE_MAX] = { false };
	struct state_used *e;
	uint16_t i;

	for (i = 0; i < found->nbatch; i++) {
		e = &found->batch[i];
		e->s_id = shared_load(&found->f->state->s_batch[i].s_id);
		e->s_len = shared_load(&found->f->state->s_batch[i].s_len);
		if (e->s_id >= found->f->num || seen[e->s_id])
			return -1;
		seen[e->s_id] = true;
		if (!found->published &&
		    !inflight_has(found->f, (uint16_t)e->s_id))
			return -1;
	}
	return 0;
}

/* Compare the publish record with the guest's used.idx. */
static int
load_record(struct found *found, struct virtq *vq)
{
	uint64_t word = shared_load_acquire(&found->f->state->s_publish);
	uint16_t old_idx = (uint16_t)word, new_idx = (uint16_t)(word >> 16);
	uint16_t at = virtq_published(vq);

	if ((word & ~(STATE_PUBLISH_PENDING | UINT32_MAX)) != 0)
		return -1;
	vq->used_idx = at;
	if ((word & STATE_PUBLISH_PENDING) == 0)
		return at == new_idx ? 0 : -1;
	found->pending = true;
	found->nbatch = (uint16_t)(new_idx - old_idx);
	if (found->nbatch == 0 || found->nbatch > found->f->num ||
	    (at != new_idx && at != old_idx))
		return -1;
	found->published = at == new_idx;
	return load_batch(found);
}

/* All is checked: settle the record, then see what is left to replay. */
static int
settle(struct found *found, struct virtq *vq, uint16_t *replay)
{
	struct inflight *f = found->f;
	uint16_t i;
	int n = 0;

	if (found->pending) {
		if (!found->published)
			publish_recorded(vq, found->batch, found->nbatch);
		free_recorded(f, vq, found->batch, found->nbatch);
	}
	for (i = 0; i < found->nheads; i++)
		if (inflight_has(f, found->heads[i]))
			replay[n++] = found->heads[i];
	return n;
}

int
inflight_recover(struct inflight *f, struct state_queue *sq, struct virtq *vq,
    uint16_t *replay)
{
	struct found found = { .f = f };
	unsigned i;

	inflight_init(f, sq, vq->num);
	if (load_table(&found) == -1 || load_record(&found, vq) == -1)
		goto corrupt;
	/* From the base on, the newest number is the next ring index. */
	vq->cursor = vq->seen = (uint16_t)(shared_load(&sq->s_base) +
	    f->order);
	if (virtq_ahead(vq) > vq->num)
		goto corrupt;
	for (i = 0; i < found.nheads; i++)
		count_marked(f, inflight_has(f, found.heads[i]));
	return settle(&found, vq, replay);

corrupt:
	errno = EPROTO;
	return -1;
}
