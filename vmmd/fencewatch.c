/* SPDX-License-Identifier: ISC */
/*
 * Wait for robust futexes.  Monitor: its loop, and a thread that touches the
 * fences of one state, the stop word, an eventfd, and nothing else.  It
 * holds no lock and makes no libc call that takes one: the loop's thread
 * forks.
 */
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include <linux/futex.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "shm/shared.h"
#include "shm/state.h"
#include "util/fd.h"
#include "vmmd/fencewatch.h"
#include "vmmd/hurry.h"

#define STACK_BYTES	(256u << 10)
/* What shares the page wakes the thread as it likes: so often, for a word. */
#define HURRIED_WAKES	64
/* What shares the page could move the waiter away: it looks again. */
#define LOOK_S		5

struct fencewatch {
	struct state	*state;
	unsigned	 queues;
	pthread_t	 thread;
	bool		 running;	/* there is a thread */
	uint32_t	 round;		/* of the loop; see below */
	uint32_t	 wanted;	/* the loop's: the round to watch, or 0 */
	uint32_t	 fallen;	/* the thread's: the round that ended so */
	bool		 quit;		/* the loop's: no round will come */
	struct hurry	*hurry;
	int		 eventfd;	/* the thread says: all are down */
	struct event	*event;
	void		(*down)(void *ctx);
	void		*ctx;
};

/*
 * Each start is a round of its own.  The thread lives as long as the watch:
 * to make one and to wait for its end would be on the way of a successor.
 */

static long
futex(uint32_t *word, int op, uint32_t value)
{
	return syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

/* --- the thread ----------------------------------------------------------- */

/* It is woken again, and no death to be told of. */
static void
count_wake(struct fencewatch *w, unsigned *wakes)
{
	if (++*wakes == HURRIED_WAKES && hurry_is_allowed(w->hurry))
		hurry_calm_self();
}

/*
 * Wait for the death of the holder.  False: the round is over, or nobody
 * has died here.
 */
static bool
wait_for(struct fencewatch *w, struct state_fence *fence, uint32_t round,
    bool always_held)
{
	const struct timespec look = { LOOK_S, 0 };
	uint32_t v, *word = &fence->s_futex;
	unsigned wakes = 0;

	for (;;) {
		v = shared_load_acquire(word);
		if (__atomic_load_n(&w->wanted, __ATOMIC_SEQ_CST) != round)
			return false;
		if ((v & FUTEX_TID_MASK) == 0)
			return (v & FUTEX_OWNER_DIED) != 0 || !always_held;
		if ((v & FUTEX_WAITERS) == 0) {
			/* Only with it does the kernel wake; look again. */
			__atomic_compare_exchange_n(word, &v,
			    v | FUTEX_WAITERS, false, __ATOMIC_SEQ_CST,
			    __ATOMIC_SEQ_CST);
			count_wake(w, &wakes);
			continue;
		}
		syscall(SYS_futex, word, FUTEX_WAIT, v, &look, NULL, 0);
		count_wake(w, &wakes);
	}
}

/*
 * A queue thread, and then those that had work of it: what it has not taken
 * for them before its death, nobody takes.
 */
static bool
queue_fell(struct fencewatch *w, unsigned queue, uint32_t round)
{
	unsigned i;

	if (!wait_for(w, &w->state->fence[1 + queue], round, true))
		return false;
	for (i = 0; i < STATE_THREADS_MAX; i++)
		if (!wait_for(w, &w->state->thread_fence[queue][i], round,
		    false))
			return false;
	return true;
}

/* The register thread, asleep as a rule, is the last to die. */
static bool
all_fell(struct fencewatch *w, uint32_t round)
{
	unsigned i;

	for (i = w->queues; i-- > 0;)
		if (!queue_fell(w, i, round))
			return false;
	return wait_for(w, &w->state->fence[0], round, true);
}

static void *
watch_main(void *arg)
{
	struct fencewatch *w = arg;
	uint32_t round, seen = 0;

	while (!__atomic_load_n(&w->quit, __ATOMIC_ACQUIRE)) {
		round = __atomic_load_n(&w->wanted, __ATOMIC_SEQ_CST);
		if (round == 0 || round == seen) {
			futex(&w->wanted, FUTEX_WAIT_PRIVATE, round);
			continue;
		}
		seen = round;
		/*
		 * A wake-up at ordinary priority lasts until the next tick,
		 * now and then: the dying blkd takes its memory apart on the
		 * CPU that the thread was on.
		 */
		(void)hurry_self(w->hurry);
		if (!all_fell(w, round))
			continue;
		shared_store_release(&w->fallen, round);
		hurry_loop(w->hurry);
		(void)eventfd_write(w->eventfd, 1);
	}
	return NULL;
}

/* --- the loop ------------------------------------------------------------- */

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct fencewatch *w = arg;
	eventfd_t n;

	(void)what;
	/* The thread has raised the loop: whatever else, that ends. */
	hurry_begin(w->hurry);
	if (eventfd_read(fd, &n) == -1 || w->wanted == 0 ||
	    shared_load_acquire(&w->fallen) != w->wanted)
		return;
	w->wanted = 0;
	w->down(w->ctx);
}

static void
let_go(struct state_fence *fence)
{
	__atomic_fetch_and(&fence->s_futex, ~FUTEX_WAITERS, __ATOMIC_SEQ_CST);
	futex(&fence->s_futex, FUTEX_WAKE, INT_MAX);
}

/*
 * Say what is wanted.  The word that is waited for loses its bit: so either
 * it is not what the thread wants to sleep on any more, or the thread sleeps
 * and is woken.  Whoever else writes to the word can undo that: then the
 * thread sleeps on, and a blkd that dies is found when it is reaped.
 */
static void
want(struct fencewatch *w, uint32_t round)
{
	unsigned i, j;

	__atomic_store_n(&w->wanted, round, __ATOMIC_SEQ_CST);
	futex(&w->wanted, FUTEX_WAKE_PRIVATE, 1);
	for (i = 0; i < 1 + w->queues; i++)
		let_go(&w->state->fence[i]);
	for (i = 0; i < w->queues; i++)
		for (j = 0; j < STATE_THREADS_MAX; j++)
			let_go(&w->state->thread_fence[i][j]);
}

struct fencewatch *
fencewatch_new(struct event_base *base, int state_fd, unsigned queues,
    unsigned queue_size, struct hurry *hurry, void (*down)(void *ctx),
    void *ctx)
{
	struct fencewatch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->hurry = hurry;
	w->down = down;
	w->ctx = ctx;
	w->queues = queues;
	w->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->eventfd == -1 ||
	    (w->state = state_map(state_fd, queues, queue_size)) == NULL ||
	    (w->event = event_new(base, w->eventfd, EV_READ | EV_PERSIST,
	    on_event, w)) == NULL || event_add(w->event, NULL) == -1) {
		fencewatch_free(w);
		return NULL;
	}
	return w;
}

static int
start_thread(struct fencewatch *w)
{
	sigset_t all, before;
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = pthread_create(&w->thread, &attr, watch_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	w->running = errno == 0;
	return w->running ? 0 : -1;
}

int
fencewatch_start(struct fencewatch *w)
{
	if (!w->running && start_thread(w) == -1)
		return -1;
	if (++w->round == 0)
		w->round = 1;
	want(w, w->round);
	return 0;
}

void
fencewatch_stop(struct fencewatch *w)
{
	if (w->wanted != 0)
		want(w, 0);
}

static void
end_thread(struct fencewatch *w)
{
	struct timespec until;

	if (!w->running)
		return;
	__atomic_store_n(&w->quit, true, __ATOMIC_RELEASE);
	/* Again and again: nobody undoes that for ever. */
	do {
		want(w, 0);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += (until.tv_nsec + 10000000) / 1000000000;
		until.tv_nsec = (until.tv_nsec + 10000000) % 1000000000;
	} while (pthread_timedjoin_np(w->thread, NULL, &until) != 0);
}

void
fencewatch_free(struct fencewatch *w)
{
	if (w == NULL)
		return;
	end_thread(w);
	if (w->event != NULL)
		event_free(w->event);
	fd_close(&w->eventfd);
	if (w->state != NULL)
		state_unmap(w->state);
	free(w);
}
