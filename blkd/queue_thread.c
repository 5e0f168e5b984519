/* SPDX-License-Identifier: ISC */
/*
 * The thread of a queue.  Runs in blkd; the register thread commands, the
 * queue thread obeys.  Trusts nothing in the rings (serve.c); touches, here,
 * the kick eventfd and the queue's own.
 *
 * One word says what the queue is (enum queue_condition); it changes by
 * these steps alone:
 *
 *	PARKED, POISONED -> RUNNING	queue_start	register thread
 *	PARKED, PARKING -> RUNNING	queue_resume	register thread
 *	RUNNING -> PARKING		queue_park	register thread
 *	any -> QUITTING			queue_free	register thread
 *	PARKING -> PARKED		nothing is left in flight
 *	RUNNING, PARKING -> POISONED	the ring is corrupt, same
 *
 * While it is PARKED or POISONED the queue thread touches nothing but the
 * word and its eventfd, so the rest is the register thread's.
 */
#include <sys/eventfd.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blkd/disk.h"
#include "blkd/engine.h"
#include "blkd/fence.h"
#include "blkd/lone.h"
#include "blkd/polling.h"
#include "blkd/queue.h"
#include "blkd/serve.h"
#include "shm/shared.h"
#include "shm/state.h"
#include "util/log.h"

#define QUEUE_QUITTING	(QUEUE_POISONED + 1)
#define QUEUE_STACK	(256u << 10)
/* Between two looks at a ring whose driver cannot kick. */
#define QUEUE_NAP_NS	UINT64_C(50000)

struct queue {
	uint32_t	 condition;	/* shared_load; see above */
	unsigned	 index;
	int		 commandfd;	/* wakes the queue thread */
	int		 kickfd;	/* the guest's; not ours */
	int		 eventfd;	/* the register thread's */
	unsigned	 cpu;		/* of the thread, + 1; 0: any */
	pthread_t	 thread;
	sem_t		 up;		/* the thread has started */
	int		 error;		/* or cannot: 0 or errno, after up */
	struct fence	*fence;		/* the thread's; before `up` */
	struct polling	 polling;
	struct serve	 serve;
};

/* --- the word ----------------------------------------------------------- */

static bool
step(struct queue *q, uint32_t from, uint32_t to)
{
	/*
	 * Both ways: whoever sees the new condition sees what the other
	 * thread did before it.
	 */
	return __atomic_compare_exchange_n(&q->condition, &from, to, false,
	    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static void
wake(const struct queue *q)
{
	(void)eventfd_write(q->commandfd, 1);
}

/* --- queue thread ------------------------------------------------------- */

enum wait_for {
	WAIT_COMMAND	= 0,
	WAIT_KICK	= 1u << 0,
	WAIT_ENGINE	= 1u << 1,
};

static void
count_kicks(struct queue *q)
{
	eventfd_t kicks;

	if (eventfd_read(q->kickfd, &kicks) == 0)
		counter_add(q->serve.counters, COUNTER_KICKS,
		    (int64_t)kicks);
}

/* Sleep until something happens; ns: at most so long, 0: without limit. */
static void
sleep_for(struct queue *q, unsigned what, uint64_t ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(ns / 1000000000u),
		.tv_nsec = (long)(ns % 1000000000u),
	};
	struct pollfd fds[3] = {
		{ .fd = q->commandfd, .events = POLLIN },
		{ .fd = what & WAIT_KICK ? q->kickfd : -1, .events = POLLIN },
		{ .fd = what & WAIT_ENGINE ?
		    q->serve.ops->wait_fd(q->serve.engine) : -1,
		    .events = POLLIN },
	};
	eventfd_t commands;

	if (ppoll(fds, 3, ns > 0 ? &ts : NULL, NULL) <= 0)
		return;
	if ((fds[0].revents & POLLIN) != 0)
		(void)eventfd_read(q->commandfd, &commands);
	if ((fds[1].revents & POLLIN) != 0)
		count_kicks(q);
}

/* The same for one that serves: who watches it is told. */
static void
sleep_watched(struct queue *q, unsigned what, uint64_t ns)
{
	serve_beat(&q->serve, STATE_BEAT_ASLEEP);
	sleep_for(q, what, ns);
	serve_beat(&q->serve, STATE_BEAT_RUNS);
}

/* How long to sleep for a kick; 0: until it comes. */
static uint64_t
nap(const struct queue *q)
{
	return shared_load(&q->serve.disk->polled[q->index]) != 0 ?
	    QUEUE_NAP_NS : 0;
}

/*
 * Nothing to take: look on for a while, then ask for a kick and sleep.  How
 * long it was dry decides how long to look the next time.
 */
static void
idle(struct queue *q, unsigned engine)
{
	uint64_t since = q->serve.now_ns;
	/*
	 * What is in flight in the engine is finished by the kernel, some of
	 * it in a worker on this very core, which we must not keep from it.
	 */
	uint64_t look = engine == 0 ? q->polling.window_ns : 0;

	if (serve_look(&q->serve, look))
		return;
	if (!virtq_kicks_on(&q->serve.vq))
		sleep_watched(q, WAIT_KICK | engine, nap(q));
	if (q->polling.max_ns > 0)
		polling_learn(&q->polling, serve_clock() - since);
}

/* Serve until the condition changes or the ring turns out corrupt. */
static void
serve(struct queue *q)
{
	unsigned engine;

	for (;;) {
		enum serve_result r = serve_round(&q->serve);

		engine = q->serve.running > 0 ? WAIT_ENGINE : 0;
		switch (r) {
		case SERVE_DRAINED:
			idle(q, engine);
			break;
		case SERVE_REPLAYING:
			sleep_watched(q, engine, 0);
			break;
		case SERVE_STALLED:
			sleep_watched(q, engine, q->serve.wait_ns);
			break;
		case SERVE_STOPPED:
		case SERVE_POISONED:
			return;
		}
	}
}

/* Nothing in flight any more: say what the queue has become. */
static void
come_to_rest(struct queue *q)
{
	while (!serve_settle(&q->serve))
		sleep_watched(q, q->serve.running > 0 ? WAIT_ENGINE : 0, 0);
	serve_rest(&q->serve);
	serve_beat(&q->serve, STATE_BEAT_ASLEEP);
	if (q->serve.poisoned ? step(q, QUEUE_RUNNING, QUEUE_POISONED) ||
	    step(q, QUEUE_PARKING, QUEUE_POISONED) :
	    step(q, QUEUE_PARKING, QUEUE_PARKED))
		(void)eventfd_write(q->eventfd, 1);
}

static void *
queue_main(void *arg)
{
	struct queue *q = arg;
	char name[16];

	snprintf(name, sizeof(name), "q%u", q->index);
	pthread_setname_np(pthread_self(), name);
	q->fence = fence_prepare(&q->serve.disk->state->fence[1 + q->index]);
	if (q->fence == NULL)
		log_warning("queue %u: no fence: %s", q->index,
		    strerror(errno));
	q->error = serve_enter(&q->serve) == -1 ? errno : 0;
	sem_post(&q->up);
	while (q->error == 0) {
		switch (shared_load_acquire(&q->condition)) {
		case QUEUE_RUNNING:
			serve(q);
			come_to_rest(q);
			break;
		case QUEUE_PARKING:
			come_to_rest(q);
			break;
		case QUEUE_PARKED:
		case QUEUE_POISONED:
			sleep_for(q, WAIT_COMMAND, 0);
			break;
		default:
			return NULL;
		}
	}
	return NULL;
}

/* --- register thread ---------------------------------------------------- */

/*
 * Signals are the register thread's.  The thread has what libc asks of the
 * kernel for its start behind it when this returns: the sandbox may narrow.
 */
static int
start_thread(struct queue *q)
{
	sigset_t all, before;
	pthread_attr_t attr;
	cpu_set_t cpus;
	int error;

	sem_init(&q->up, 0, 0);
	sigfillset(&all);
	/* A fault of its own it cannot leave to others. */
	sigdelset(&all, SIGBUS);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, QUEUE_STACK);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (q->cpu != 0) {
		CPU_ZERO(&cpus);
		CPU_SET(q->cpu - 1, &cpus);
		pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	}
	error = pthread_create(&q->thread, &attr, queue_main, q);
	/* Better anywhere than not at all: CPUs come and go. */
	if (q->cpu != 0 && error == EINVAL) {
		log_warning("queue %u: CPU %u is not there: it runs on any",
		    q->index, q->cpu - 1);
		pthread_attr_destroy(&attr);
		pthread_attr_init(&attr);
		pthread_attr_setstacksize(&attr, QUEUE_STACK);
		error = pthread_create(&q->thread, &attr, queue_main, q);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	while (error == 0 && sem_wait(&q->up) == -1)
		;
	if (error == 0 && (error = q->error) != 0)
		pthread_join(q->thread, NULL);
	errno = error;
	return error == 0 ? 0 : -1;
}

struct queue *
queue_make(const struct disk *disk, unsigned index, int eventfd_)
{
	struct queue *q;
	int saved;

	if ((q = calloc(1, sizeof(*q))) == NULL)
		return NULL;
	q->condition = QUEUE_PARKED;
	q->index = index;
	q->polling.max_ns = disk->poll_us * UINT64_C(1000);
	q->cpu = disk->cpu[index];
	q->kickfd = disk->kickfd[index];
	q->eventfd = eventfd_;
	q->commandfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->commandfd != -1 &&
	    serve_init(&q->serve, disk, index, &q->condition) == 0 &&
	    start_thread(q) == 0) {
		lone_wake_by(disk->lone, index, q->commandfd);
		return q;
	}
	saved = errno;
	serve_free(&q->serve);
	if (q->commandfd != -1)
		close(q->commandfd);
	free(q);
	errno = saved;
	return NULL;
}

void
queue_hold(struct queue *q)
{
	struct state *state = q->serve.disk->state;
	unsigned i;

	/* A predecessor's is no longer true. */
	serve_beat(&q->serve, STATE_BEAT_ASLEEP);
	/* Nor are those and the fences of threads without work so far. */
	for (i = 0; i < STATE_THREADS_MAX; i++) {
		shared_store(&state->thread_fence[q->index][i].s_futex, 0);
		shared_store(&state->thread_fence[q->index][i].s_beat, 0);
	}
	fence_take(q->fence);
}

int
queue_start(struct queue *q, const struct queue_setup *setup, bool recover)
{
	enum queue_condition now = queue_poll(q);
	int n;

	if (now != QUEUE_PARKED && now != QUEUE_POISONED) {
		errno = EBUSY;
		return -1;
	}
	n = serve_set_up(&q->serve, setup, recover);
	if (n == -1 && errno == EPROTO)
		step(q, QUEUE_PARKED, QUEUE_POISONED);
	if (n == -1)
		return -1;
	step(q, now, QUEUE_RUNNING);
	wake(q);
	return n;
}

void
queue_park(struct queue *q)
{
	if (step(q, QUEUE_RUNNING, QUEUE_PARKING))
		wake(q);
}

void
queue_resume(struct queue *q)
{
	if (step(q, QUEUE_PARKED, QUEUE_RUNNING) ||
	    step(q, QUEUE_PARKING, QUEUE_RUNNING))
		wake(q);
}

uint16_t
queue_cursor(const struct queue *q)
{
	return q->serve.vq.cursor;
}

void
queue_kick(struct queue *q)
{
	(void)eventfd_write(q->kickfd, 1);
}

void
queue_nudge(struct queue *q)
{
	wake(q);
}

enum queue_condition
queue_poll(const struct queue *q)
{
	return (enum queue_condition)shared_load_acquire(&q->condition);
}

void
queue_free(struct queue *q)
{
	if (q == NULL)
		return;
	__atomic_store_n(&q->condition, QUEUE_QUITTING, __ATOMIC_RELEASE);
	wake(q);
	pthread_join(q->thread, NULL);
	sem_destroy(&q->up);
	lone_wake_by(q->serve.disk->lone, q->index, -1);
	serve_free(&q->serve);
	close(q->commandfd);
	free(q);
}
