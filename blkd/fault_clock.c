/* SPDX-License-Identifier: ISC */
/* Alarms for delays.  Runs in blkd, in a thread of its own. */
#include <sys/eventfd.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "blkd/fault_clock.h"
#include "proto/proto.h"

#define NS		UINT64_C(1000000000)
#define CLOCK_STACK	(256u << 10)

struct fault_clock {
	pthread_t	 thread;
	pthread_mutex_t	 lock;
	pthread_cond_t	 changed;
	bool		 quit;
	sem_t		 up;		/* the thread has started */
	struct {
		uint64_t at;
		int	 fd;
	} alarm[PROTO_QUEUES_MAX];
};

uint64_t
fault_clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}

/* Signal what is due; returns the time of the next alarm, 0: none. */
static uint64_t
ring(struct fault_clock *c)
{
	uint64_t now = fault_clock_now(), next = 0;
	unsigned i;

	for (i = 0; i < PROTO_QUEUES_MAX; i++) {
		if (c->alarm[i].at == 0)
			continue;
		if (c->alarm[i].at <= now) {
			c->alarm[i].at = 0;
			(void)eventfd_write(c->alarm[i].fd, 1);
		} else if (next == 0 || c->alarm[i].at < next)
			next = c->alarm[i].at;
	}
	return next;
}

static void *
clock_main(void *arg)
{
	struct fault_clock *c = arg;
	struct timespec ts;
	uint64_t next;

	pthread_setname_np(pthread_self(), "delay");
	sem_post(&c->up);
	pthread_mutex_lock(&c->lock);
	while (!c->quit) {
		if ((next = ring(c)) == 0) {
			pthread_cond_wait(&c->changed, &c->lock);
			continue;
		}
		ts.tv_sec = (time_t)(next / NS);
		ts.tv_nsec = (long)(next % NS);
		pthread_cond_timedwait(&c->changed, &c->lock, &ts);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/*
 * Signals are the register thread's.  What libc asks of the kernel for the
 * start of a thread is over when this returns: the sandbox may narrow.
 */
static int
start(struct fault_clock *c)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int error;

	sem_init(&c->up, 0, 0);
	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, CLOCK_STACK);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&c->thread, &attr, clock_main, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	while (error == 0 && sem_wait(&c->up) == -1)
		;
	return error;
}

struct fault_clock *
fault_clock_make(void)
{
	struct fault_clock *c = calloc(1, sizeof(*c));
	pthread_condattr_t attr;
	int error;

	if (c == NULL)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
	if ((error = start(c)) == 0)
		return c;
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c);
	errno = error;
	return NULL;
}

void
fault_clock_free(struct fault_clock *c)
{
	if (c == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	c->quit = true;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	sem_destroy(&c->up);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

void
fault_clock_set(struct fault_clock *c, unsigned index, uint64_t at, int fd)
{
	pthread_mutex_lock(&c->lock);
	c->alarm[index].at = at;
	c->alarm[index].fd = fd;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
}
