/* SPDX-License-Identifier: ISC */
/*
 * One queue alone, or any beside each other.  Runs in blkd, queue threads;
 * private memory of the process, which ends with it: nothing to recover.
 */
#include <sys/eventfd.h>

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "blkd/lone.h"
#include "proto/proto.h"
#include "shm/shared.h"

enum place {
	PLACE_OUT,
	PLACE_IN,
	PLACE_WAITS,
	PLACE_ALONE,
};

/* A place changes under the lock, by its queue's thread, which may read it. */
struct lone {
	pthread_mutex_t	 lock;
	uint32_t	 asking;	/* WAIT or ALONE; shared_load */
	enum place	 place[PROTO_QUEUES_MAX];
	int		 fd[PROTO_QUEUES_MAX];	/* under the lock; -1: none */
};

struct lone *
lone_make(void)
{
	struct lone *l = calloc(1, sizeof(*l));
	unsigned i;

	if (l == NULL)
		return NULL;
	pthread_mutex_init(&l->lock, NULL);
	for (i = 0; i < PROTO_QUEUES_MAX; i++)
		l->fd[i] = -1;
	return l;
}

void
lone_free(struct lone *l)
{
	if (l == NULL)
		return;
	pthread_mutex_destroy(&l->lock);
	free(l);
}

void
lone_wake_by(struct lone *l, unsigned queue, int fd)
{
	if (l == NULL)
		return;
	pthread_mutex_lock(&l->lock);
	l->fd[queue] = fd;
	pthread_mutex_unlock(&l->lock);
}

static bool
asks(enum place place)
{
	return place == PLACE_WAITS || place == PLACE_ALONE;
}

static bool
runs(enum place place)
{
	return place == PLACE_IN || place == PLACE_ALONE;
}

/* Under the lock. */
static void
put(struct lone *l, unsigned queue, enum place to)
{
	uint32_t asking = l->asking;

	asking += asks(to);
	asking -= asks(l->place[queue]);
	l->place[queue] = to;
	shared_store(&l->asking, asking);
}

/* The same, and wake the others. */
static void
step(struct lone *l, unsigned queue, enum place to)
{
	unsigned i;

	pthread_mutex_lock(&l->lock);
	put(l, queue, to);
	for (i = 0; i < PROTO_QUEUES_MAX; i++)
		if (i != queue && l->fd[i] != -1)
			(void)eventfd_write(l->fd[i], 1);
	pthread_mutex_unlock(&l->lock);
}

/* Under the lock. */
static bool
others_run(const struct lone *l, unsigned queue)
{
	unsigned i;

	for (i = 0; i < PROTO_QUEUES_MAX; i++)
		if (i != queue && runs(l->place[i]))
			return true;
	return false;
}

bool
lone_may_run(struct lone *l, unsigned queue)
{
	if (l == NULL || runs(l->place[queue]))
		return true;
	pthread_mutex_lock(&l->lock);
	if (l->place[queue] == PLACE_WAITS) {
		if (!others_run(l, queue))
			put(l, queue, PLACE_ALONE);
	} else if (l->asking == 0)
		put(l, queue, PLACE_IN);
	pthread_mutex_unlock(&l->lock);
	return runs(l->place[queue]);
}

bool
lone_is_asked(const struct lone *l)
{
	return l != NULL && shared_load(&l->asking) != 0;
}

void
lone_ask(struct lone *l, unsigned queue)
{
	if (l != NULL)
		step(l, queue, PLACE_WAITS);
}

bool
lone_is_alone(const struct lone *l, unsigned queue)
{
	return l == NULL || l->place[queue] == PLACE_ALONE;
}

void
lone_share(struct lone *l, unsigned queue)
{
	if (l != NULL && l->place[queue] == PLACE_ALONE)
		step(l, queue, PLACE_IN);
}

void
lone_leave(struct lone *l, unsigned queue)
{
	if (l != NULL && l->place[queue] != PLACE_OUT)
		step(l, queue, PLACE_OUT);
}
