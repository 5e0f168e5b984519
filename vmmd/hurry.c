/* SPDX-License-Identifier: ISC */
/*
 * A few milliseconds in real time.  Monitor: its loop, and what other threads
 * of it may call, which reads two words that never change.  Touches how its
 * own threads and its children's are scheduled, and nothing else.
 */
#include <sys/syscall.h>

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "vmmd/hurry.h"

#define TURN_MS		3
#define THREADS_MAX	256	/* at once; others are not raised */

/* What may not be hostile is above what may. */
enum { HURRY_CHILD = 1, HURRY_LOOP = 2 };

struct hurry {
	bool		 allowed;
	pid_t		 loop;		/* its thread */
	struct event	*timer;		/* the end of the turn */
	bool		 turn;
	size_t		 threads;
	struct {
		pid_t	 pid;
		pid_t	 tid;
	}		 thread[THREADS_MAX];
};

/* What one forks meanwhile is not in a hurry. */
static int
raise_thread(pid_t tid, int priority)
{
	const struct sched_param param = { .sched_priority = priority };

	return sched_setscheduler(tid, SCHED_FIFO | SCHED_RESET_ON_FORK,
	    &param);
}

/*
 * Only CAP_SYS_NICE takes SCHED_RESET_ON_FORK back: who was allowed by
 * RLIMIT_RTPRIO keeps it, and is at ordinary priority all the same.
 */
static int
lower_thread(pid_t tid)
{
	const struct sched_param param = { .sched_priority = 0 };

	if (sched_setscheduler(tid, SCHED_OTHER, &param) == 0)
		return 0;
	return sched_setscheduler(tid, SCHED_OTHER | SCHED_RESET_ON_FORK,
	    &param);
}

/* The number may be another's by now, if the thread has ended. */
static bool
is_thread_of(pid_t pid, pid_t tid)
{
	return syscall(SYS_tgkill, pid, tid, 0) == 0;
}

static void
end_turn(struct hurry *h)
{
	if (!h->turn)
		return;
	h->turn = false;
	while (h->threads > 0) {
		h->threads--;
		if (is_thread_of(h->thread[h->threads].pid,
		    h->thread[h->threads].tid))
			(void)lower_thread(h->thread[h->threads].tid);
	}
	(void)lower_thread(h->loop);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	end_turn(arg);
}

/* Who was given a policy on purpose keeps it, and so do the children. */
static bool
try_it(pid_t loop)
{
	if ((sched_getscheduler(loop) & ~SCHED_RESET_ON_FORK) != SCHED_OTHER ||
	    raise_thread(loop, HURRY_LOOP) == -1)
		return false;
	return lower_thread(loop) == 0;
}

struct hurry *
hurry_new(struct event_base *base)
{
	struct hurry *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->loop = (pid_t)syscall(SYS_gettid);
	if ((h->timer = evtimer_new(base, on_timer, h)) == NULL) {
		free(h);
		errno = ENOMEM;
		return NULL;
	}
	h->allowed = try_it(h->loop);
	return h;
}

void
hurry_free(struct hurry *h)
{
	if (h == NULL)
		return;
	end_turn(h);
	event_free(h->timer);
	free(h);
}

bool
hurry_is_allowed(const struct hurry *h)
{
	return h != NULL && h->allowed;
}

bool
hurry_self(const struct hurry *h)
{
	return hurry_is_allowed(h) && raise_thread(0, HURRY_LOOP) == 0;
}

void
hurry_calm_self(void)
{
	(void)lower_thread(0);
}

void
hurry_loop(const struct hurry *h)
{
	if (hurry_is_allowed(h))
		(void)raise_thread(h->loop, HURRY_LOOP);
}

void
hurry_begin(struct hurry *h)
{
	const struct timeval turn = { 0, TURN_MS * 1000 };

	if (!hurry_is_allowed(h))
		return;
	/* Without its end there is none. */
	if (!h->turn && event_add(h->timer, &turn) == -1) {
		(void)lower_thread(h->loop);
		return;
	}
	h->turn = true;
	(void)raise_thread(h->loop, HURRY_LOOP);
}

void
hurry_add(struct hurry *h, pid_t pid, const pid_t *thread, size_t threads)
{
	size_t i;

	hurry_begin(h);
	for (i = 0; h->turn && i < threads && h->threads < THREADS_MAX; i++) {
		if (!is_thread_of(pid, thread[i]) ||
		    raise_thread(thread[i], HURRY_CHILD) == -1)
			continue;
		h->thread[h->threads].pid = pid;
		h->thread[h->threads++].tid = thread[i];
	}
}

void
hurry_drop(struct hurry *h, pid_t pid)
{
	size_t i, kept = 0;

	for (i = 0; i < h->threads; i++) {
		if (h->thread[i].pid != pid)
			h->thread[kept++] = h->thread[i];
		else if (is_thread_of(pid, h->thread[i].tid))
			(void)lower_thread(h->thread[i].tid);
	}
	h->threads = kept;
}
