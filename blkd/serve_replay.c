/* SPDX-License-Identifier: ISC */
/*
 * The requests that a dead predecessor left in flight.  Runs in blkd, queue
 * thread; trusts nothing in guest memory; touches what serve.c touches.
 *
 * A blkd may have died of a request.  So each keeps, in its journal word, in
 * how many deaths it had begun to run, stored before it is run again; one
 * that reaches DEATHS_MAX is given up.  None of its neighbours is, for the
 * last number is stored only while the request has the whole disk alone: no
 * request of any queue runs, and a death then is charged to it and to no
 * other one that had come so far.
 */
#include <linux/virtio_blk.h>

#include "blkd/disk.h"
#include "blkd/engine.h"
#include "blkd/exec.h"
#include "blkd/lone.h"
#include "blkd/request.h"
#include "blkd/serve_impl.h"
#include "util/log.h"

/* A request that was in flight in so many deaths is not run again. */
#define DEATHS_MAX	3u

/*
 * Does it touch what an earlier one of the replay, still under way, changes?
 * The dead one may have carried out any of them: they keep their order.
 */
static bool
must_follow(const struct serve *s, const struct request *r)
{
	const struct request *other;
	unsigned i;

	for (i = 0; s->running > 0 && i < s->replayed; i++) {
		other = &s->request[s->replay[i]];
		if (other->running && exec_overlaps(other, r))
			return true;
	}
	return false;
}

/* Nothing runs here, and nothing in any other queue, until we let it. */
static bool
has_disk_alone(struct serve *s)
{
	struct lone *lone = s->disk->lone;

	if (s->running > 0)
		return false;
	serve_publish(s);
	if (lone_is_alone(lone, s->index))
		return true;
	lone_ask(lone, s->index);
	return lone_may_run(lone, s->index);
}

/*
 * In flight in too many deaths: the answer, instead of a run.  A journal of a
 * front-end's may say so of all requests, at each of its connections:
 * `given_up` counts those of which no line tells.
 */
static enum gates_verdict
give_up(struct serve *s, const struct request *r)
{
	if (serve_may_say(s, &s->gave_up_ns))
		log_warning("%s: a request of type %u for sector %ju was in"
		    " flight in %u deaths: it is answered with an I/O error",
		    s->disk->name, r->type, (uintmax_t)r->sector, DEATHS_MAX);
	serve_count(s, COUNTER_GIVEN_UP, 1);
	return GATES_IOERR;
}

/*
 * A request of a dead predecessor: judged afresh, but it has paid.  Returns
 * false where it must wait for another one that still runs, here or, for its
 * last run, in any queue.
 */
static bool
replay(struct serve *s, uint16_t head)
{
	struct request *r = &s->request[head];
	unsigned deaths = inflight_deaths(&s->inflight, head);
	enum gates_verdict verdict;
	bool last;

	if (chain_read(&s->chain, &s->vq, s->disk->gmem, head) == -1) {
		serve_poison(s);
		return true;
	}
	verdict = gates_check(&s->gates, &s->chain, r, 0);
	last = verdict == GATES_PASS && deaths == DEATHS_MAX - 1;
	if (verdict == GATES_PASS && (last ? !has_disk_alone(s) :
	    must_follow(s, r)))
		return false;
	serve_count(s, COUNTER_REPLAYED, 1);
	if (verdict == GATES_DROP) {
		inflight_forget(&s->inflight, head);
		serve_count_drop(s);
		return true;
	}
	if (verdict == GATES_PASS && deaths >= DEATHS_MAX)
		verdict = give_up(s, r);
	s->alone = last;
	inflight_again(&s->inflight, head);
	serve_run(s, r, verdict);
	return true;
}

bool
serve_replays_left(const struct serve *s)
{
	return (s->replayed < s->nreplay || s->alone) && !s->poisoned;
}

/* Returns false where it waits. */
static bool
replay_next(struct serve *s)
{
	if (s->alone) {
		if (s->running > 0)
			return false;
		serve_publish(s);
		s->alone = false;
	} else if (replay(s, s->replay[s->replayed]))
		s->replayed++;
	else
		return false;
	return true;
}

void
serve_replay(struct serve *s)
{
	unsigned running;

	while (serve_replays_left(s)) {
		if (replay_next(s))
			continue;
		running = s->running;
		serve_kick(s);
		serve_collect(s);
		if (s->running == running)
			return;
	}
	lone_share(s->disk->lone, s->index);
	if (s->running == 0 && s->fire) {
		serve_publish(s);
		if (s->fire)
			serve_fire(s);
	}
}
