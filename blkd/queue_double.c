/* SPDX-License-Identifier: ISC */
/* A queue without a thread.  Unit tests only; one thread. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "blkd/queue_double.h"
#include "proto/proto.h"

static struct queue *queues[PROTO_QUEUES_MAX];
static unsigned living;

struct queue *
queue_double_at(unsigned index)
{
	return queues[index];
}

unsigned
queue_double_living(void)
{
	return living;
}

void
queue_double_become(struct queue *q, enum queue_condition condition)
{
	const uint64_t one = 1;

	q->condition = condition;
	if (write(q->eventfd, &one, sizeof(one)) == -1)
		abort();
}

struct queue *
queue_make(const struct disk *disk, unsigned index, int eventfd)
{
	struct queue *q = calloc(1, sizeof(*q));

	(void)disk;
	if (q == NULL)
		abort();
	q->index = index;
	q->eventfd = eventfd;
	q->condition = QUEUE_PARKED;
	queues[index] = q;
	living++;
	return q;
}

void
queue_hold(struct queue *q)
{
	(void)q;
}

int
queue_start(struct queue *q, const struct queue_setup *setup, bool recover)
{
	q->starts++;
	q->setup = *setup;
	q->recover = recover;
	if (q->start_result == -1) {
		q->condition = QUEUE_POISONED;
		errno = EPROTO;
		return -1;
	}
	q->condition = QUEUE_RUNNING;
	return q->start_result;
}

void
queue_park(struct queue *q)
{
	q->parks++;
	if (q->condition == QUEUE_RUNNING)
		q->condition = q->busy ? QUEUE_PARKING : QUEUE_PARKED;
}

void
queue_resume(struct queue *q)
{
	q->resumes++;
	q->condition = QUEUE_RUNNING;
}

void
queue_kick(struct queue *q)
{
	q->kicks++;
}

void
queue_nudge(struct queue *q)
{
	q->nudges++;
}

enum queue_condition
queue_poll(const struct queue *q)
{
	return q->condition;
}

void
queue_free(struct queue *q)
{
	if (q == NULL)
		return;
	queues[q->index] = NULL;
	living--;
	free(q);
}
