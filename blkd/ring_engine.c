/* SPDX-License-Identifier: ISC */
/* The engine that holds back.  Runs in tests. */
#include <sys/eventfd.h>

#include <err.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "blkd/backing.h"
#include "blkd/ring_engine.h"

#define HELD_MAX	1024u

struct engine {
	pthread_mutex_t		 lock;
	int			 fd;
	struct engine		*sync;	/* engine_sync's */
	struct engine_op	*held[HELD_MAX];
	unsigned		 nheld;
	struct engine_op	*ready[HELD_MAX];
	unsigned		 nready;
};

static struct engine *the_engine;	/* the test's handle */

static struct engine *
ring_make(const struct engine_setup *setup)
{
	struct engine *e;

	if ((e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	pthread_mutex_init(&e->lock, NULL);
	e->sync = engine_sync.make(setup);
	e->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (e->fd == -1 || e->sync == NULL)
		err(1, "ring_engine");
	the_engine = e;
	return e;
}

static void
ring_submit(struct engine *e, struct engine_op *op)
{
	pthread_mutex_lock(&e->lock);
	e->held[e->nheld++] = op;
	pthread_mutex_unlock(&e->lock);
}

static void
ring_kick(struct engine *e)
{
	(void)e;
}

static struct engine_op *
ring_reap(struct engine *e)
{
	struct engine_op *op = NULL;
	eventfd_t n;

	(void)eventfd_read(e->fd, &n);
	pthread_mutex_lock(&e->lock);
	if (e->nready > 0) {
		op = e->ready[--e->nready];
		if (e->nready > 0)
			(void)eventfd_write(e->fd, 1);
	}
	pthread_mutex_unlock(&e->lock);
	if (op != NULL) {
		engine_sync.submit(e->sync, op);
		op = engine_sync.reap(e->sync);
	}
	return op;
}

static int
ring_wait_fd(struct engine *e)
{
	return e->fd;
}

static void
ring_free(struct engine *e)
{
	engine_sync.free(e->sync);
	pthread_mutex_destroy(&e->lock);
	close(e->fd);
	free(e);
	the_engine = NULL;
}

const struct engine_ops ring_engine = {
	.name = "ring",
	.make = ring_make,
	.submit = ring_submit,
	.kick = ring_kick,
	.reap = ring_reap,
	.wait_fd = ring_wait_fd,
	.free = ring_free,
};

void
ring_engine_wait(unsigned n)
{
	struct engine *e = the_engine;
	time_t end = time(NULL) + 10;
	unsigned held;

	for (;;) {
		pthread_mutex_lock(&e->lock);
		held = e->nheld;
		pthread_mutex_unlock(&e->lock);
		if (held == n)
			return;
		if (time(NULL) > end)
			errx(1, "ring_engine: %u held, not %u", held, n);
		sched_yield();
	}
}

void
ring_engine_release(unsigned i)
{
	struct engine *e = the_engine;

	pthread_mutex_lock(&e->lock);
	if (i >= e->nheld)
		errx(1, "ring_engine: nothing held at %u", i);
	e->ready[e->nready++] = e->held[i];
	for (e->nheld--; i < e->nheld; i++)
		e->held[i] = e->held[i + 1];
	pthread_mutex_unlock(&e->lock);
	(void)eventfd_write(e->fd, 1);
}
