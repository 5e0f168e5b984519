/* SPDX-License-Identifier: ISC */
/*
 * The threads of the synchronous engine.  Runs in blkd: the queue thread, and
 * the threads themselves, which touch the backing and the buffers that they
 * are given.
 *
 * What is to do is a list under a lock.  What is done is a stack without one:
 * who finishes pushes, the queue thread takes all.  An eventfd is written
 * only if the queue thread has said that it is going to sleep.
 */
#include <sys/eventfd.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blkd/engine.h"
#include "blkd/fence.h"
#include "blkd/pool.h"
#include "shm/shared.h"
#include "shm/state.h"
#include "util/log.h"

#define STACK_BYTES	(128u << 10)

struct worker {
	struct pool		*pool;
	unsigned		 index;
	pthread_t		 thread;
	struct fence		*fence;	/* its own; before `up` */
	uint64_t		*beat;	/* in the state */
	uint64_t		 beats;	/* so far */
};

struct pool {
	struct pool_setup	 setup;
	int			 eventfd;
	sem_t			 up;		/* one more has begun */
	unsigned		 nworkers;	/* that have begun */

	/* The queue thread's. */
	unsigned		 running;
	bool			 held;		/* the fences are taken */
	bool			 slept;		/* the eventfd may be set */

	/* Everybody's, under the lock. */
	pthread_mutex_t		 lock __attribute__((aligned(64)));
	pthread_cond_t		 work;
	struct engine_op	*todo;		/* oldest first */
	struct engine_op	**todo_last;
	unsigned		 idle;		/* that wait for work */
	bool			 quit;

	/* Everybody's, without. */
	struct engine_op	*done __attribute__((aligned(64)));
	bool			 armed;		/* the eventfd is wanted */

	struct worker		 worker[];
};

static uint64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* --- a thread of the pool ------------------------------------------------ */

/* What the thread does from now on, for who watches: state.h. */
static void
beat(struct worker *w, enum state_beat what)
{
	w->beats++;
	if (w->beat != NULL)
		shared_store(w->beat, w->beats << STATE_BEAT_BITS | what);
}

/* The next one; NULL: there will be none. */
static struct engine_op *
next(struct worker *w)
{
	struct pool *p = w->pool;
	struct engine_op *op;

	pthread_mutex_lock(&p->lock);
	while (p->todo == NULL && !p->quit) {
		p->idle++;
		beat(w, STATE_BEAT_ASLEEP);
		pthread_cond_wait(&p->work, &p->lock);
		beat(w, STATE_BEAT_RUNS);
		p->idle--;
	}
	if ((op = p->todo) != NULL && (p->todo = op->next) == NULL)
		p->todo_last = &p->todo;
	pthread_mutex_unlock(&p->lock);
	return op;
}

/*
 * Give it back.  Of a push and of the look at `armed`, and of the arming and
 * the look at what is done (pool_wait_fd), one sees the other: all four are
 * in one order.
 */
static void
give(struct pool *p, struct engine_op *op)
{
	op->next = __atomic_load_n(&p->done, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&p->done, &op->next, op, true,
	    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
	if (__atomic_load_n(&p->armed, __ATOMIC_SEQ_CST) &&
	    __atomic_exchange_n(&p->armed, false, __ATOMIC_SEQ_CST))
		(void)eventfd_write(p->eventfd, 1);
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;
	struct engine_op *op;
	uint64_t began;
	char name[32];

	snprintf(name, sizeof(name), "q%uw%u", p->setup.queue, w->index);
	pthread_setname_np(pthread_self(), name);
	if (p->setup.fence != NULL)
		w->fence = fence_prepare(&p->setup.fence[w->index]);
	if (p->setup.fence != NULL && w->fence == NULL)
		log_warning("%s: no fence, so no threads for slow I/O: %s",
		    name, strerror(errno));
	sem_post(&p->up);
	while ((op = next(w)) != NULL) {
		began = now();
		beat(w, STATE_BEAT_IN_IO);
		op->error = p->setup.run(p->setup.backing, op) == -1 ?
		    errno : 0;
		beat(w, STATE_BEAT_RUNS);
		op->took_ns = now() - began;
		give(p, op);
	}
	return NULL;
}

/* --- the queue thread ---------------------------------------------------- */

void
pool_hand(struct pool *p, struct engine_op *first, struct engine_op *last,
    unsigned n)
{
	unsigned i, wake;

	if (!p->held) {
		p->held = true;
		for (i = 0; i < p->nworkers; i++)
			fence_take(p->worker[i].fence);
	}
	p->running += n;
	last->next = NULL;
	pthread_mutex_lock(&p->lock);
	*p->todo_last = first;
	p->todo_last = &last->next;
	wake = p->idle < n ? p->idle : n;
	pthread_mutex_unlock(&p->lock);
	while (wake-- > 0)
		pthread_cond_signal(&p->work);
}

static struct engine_op *
reverse(struct engine_op *op)
{
	struct engine_op *list = NULL, *rest;

	for (; op != NULL; op = rest) {
		rest = op->next;
		op->next = list;
		list = op;
	}
	return list;
}

struct engine_op *
pool_take(struct pool *p)
{
	struct engine_op *op, *each;
	eventfd_t n;

	if (p->slept) {
		/* A late write costs one sleep that is none. */
		__atomic_store_n(&p->armed, false, __ATOMIC_SEQ_CST);
		(void)eventfd_read(p->eventfd, &n);
		p->slept = false;
	}
	if (__atomic_load_n(&p->done, __ATOMIC_RELAXED) == NULL)
		return NULL;
	/* Acquire: what was done is seen. */
	op = reverse(__atomic_exchange_n(&p->done, NULL, __ATOMIC_ACQUIRE));
	for (each = op; each != NULL; each = each->next)
		p->running--;
	return op;
}

unsigned
pool_running(const struct pool *p)
{
	return p->running;
}

int
pool_wait_fd(struct pool *p)
{
	p->slept = true;
	__atomic_store_n(&p->armed, true, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&p->done, __ATOMIC_SEQ_CST) != NULL &&
	    __atomic_exchange_n(&p->armed, false, __ATOMIC_SEQ_CST))
		(void)eventfd_write(p->eventfd, 1);
	return p->eventfd;
}

/* --- making -------------------------------------------------------------- */

struct pool *
pool_make(const struct pool_setup *setup)
{
	size_t bytes = sizeof(struct pool) +
	    setup->threads * sizeof(struct worker);
	struct pool *p;

	/* Whole lines: aligned_alloc wants them. */
	bytes = (bytes + 63) & ~(size_t)63;
	if ((p = aligned_alloc(64, bytes)) == NULL)
		return NULL;
	memset(p, 0, bytes);
	p->setup = *setup;
	p->todo_last = &p->todo;
	if ((p->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1) {
		free(p);
		return NULL;
	}
	sem_init(&p->up, 0, 0);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	return p;
}

int
pool_start(struct pool *p)
{
	pthread_attr_t attr;
	struct worker *w;
	unsigned i;
	int error = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	while (p->nworkers < p->setup.threads && error == 0) {
		w = &p->worker[p->nworkers];
		*w = (struct worker) { .pool = p, .index = p->nworkers };
		if (p->setup.fence != NULL)
			w->beat = &p->setup.fence[w->index].s_beat;
		error = pthread_create(&w->thread, &attr, worker_main, w);
		p->nworkers += error == 0;
	}
	pthread_attr_destroy(&attr);
	/* They have behind them what the sandbox will not let them do. */
	for (i = 0; i < p->nworkers; i++)
		while (sem_wait(&p->up) == -1)
			;
	/* Nobody would wait for what it has in flight. */
	for (i = 0; i < p->nworkers; i++)
		if (p->setup.fence != NULL && p->worker[i].fence == NULL)
			return -1;
	if (error != 0)
		log_warning("queue %u: %u threads for slow I/O, not %u: %s",
		    p->setup.queue, p->nworkers, p->setup.threads,
		    strerror(error));
	errno = error;
	return p->nworkers > 0 ? 0 : -1;
}

void
pool_free(struct pool *p)
{
	unsigned i;

	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->quit = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (i = 0; i < p->nworkers; i++)
		pthread_join(p->worker[i].thread, NULL);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	sem_destroy(&p->up);
	close(p->eventfd);
	free(p);
}
