/* SPDX-License-Identifier: ISC */
/*
 * Does a blkd that has something to do still answer, and do its queues?
 * Monitor.  The register thread is asked by PING; of a queue thread, which
 * has better things to do, and of the threads of its pool, the beat word in
 * the state is looked at.
 *
 * A disk that is idle is left asleep: one that hangs then is found with its
 * next request, or by the vm process with its next register access.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "proto/peer.h"
#include "shm/shared.h"
#include "shm/state.h"
#include "vmmd/children.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"
#include "vmmd/disk_impl.h"

/* A kick that nobody has read, or requests in flight. */
static bool
has_work(const struct disk *d)
{
	struct pollfd pfd[PROTO_QUEUES_MAX];
	nfds_t i, n = (nfds_t)d->conf->queues;

	for (i = 0; i < n; i++) {
		pfd[i] = (struct pollfd) {
			.fd = d->fds.kick[i], .events = POLLIN
		};
		if (shared_load(&d->shared->queue[i].s_counters
		    .s_value[COUNTER_IN_FLIGHT]) != 0)
			return true;
	}
	return poll(pfd, n, 0) > 0;
}

/*
 * It has run for two whole intervals without a step.  One that is in I/O is
 * left alone: a device may take what time it wants, and what waits for it in
 * the kernel could not be killed either.
 */
static bool
is_still(struct disk_pulse *p, uint64_t beat)
{
	if (beat != p->beat || state_beat_what(beat) != STATE_BEAT_RUNS)
		p->still = 0;
	else
		p->still++;
	p->beat = beat;
	return p->still >= 2;
}

/* Which thread of a queue: 0 is its own, then those of its pool; or -1. */
static int
find_stuck(struct disk *d, unsigned queue)
{
	const struct state *s = d->shared;
	struct disk_pulse *p = d->pulse[queue];
	unsigned i;

	if (is_still(&p[0], shared_load(&s->queue[queue].s_beat)))
		return 0;
	for (i = 0; i < STATE_THREADS_MAX; i++)
		if (is_still(&p[1 + i],
		    shared_load(&s->thread_fence[queue][i].s_beat)))
			return (int)i + 1;
	return -1;
}

static bool
is_stuck(struct disk *d)
{
	char why[64], who[32] = "";
	unsigned queue;
	int thread = -1;

	for (queue = 0; queue < d->conf->queues; queue++)
		if ((thread = find_stuck(d, queue)) != -1)
			break;
	if (thread == -1)
		return false;
	if (thread > 0)
		snprintf(who, sizeof(who), ", thread %d,", thread - 1);
	snprintf(why, sizeof(why), "queue %u%s hangs: it runs, and takes no"
	    " step", queue, who);
	d->hangs++;
	disk_replace(d, why);
	return true;
}

static void
arm(struct disk *d)
{
	/* Half of it until the question, half of it for the answer. */
	unsigned ms = d->host->hang_ms / 2 + 1;
	struct timeval tv = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	event_add(d->watch_timer, &tv);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct disk *d = arg;
	struct proto_empty ping;

	(void)fd;
	(void)what;
	if (d->state != DISK_RUNNING)
		return;
	if (d->ping != 0) {
		d->hangs++;
		disk_replace(d, "it does not answer, and has work to do");
		return;
	}
	if (is_stuck(d))
		return;
	if (has_work(d))
		d->ping = peer_send(child_peer(d->child), PROTO_BLK_PING,
		    &ping, NULL, 0);
	arm(d);
}

void
disk_watch_on_pong(void *child, struct msg *m)
{
	struct disk *d = child_owner(child);

	if (child == d->spare)
		disk_spare_on_pong(d);
	else if (child == d->child && m->hdr.m_sequence == d->ping)
		d->ping = 0;
}

int
disk_watch_init(struct disk *d)
{
	d->watch_timer = evtimer_new(d->host->base, on_timer, d);
	return d->watch_timer == NULL ? -1 : 0;
}

void
disk_watch_free(struct disk *d)
{
	if (d->watch_timer != NULL)
		event_free(d->watch_timer);
}

void
disk_watch_start(struct disk *d)
{
	d->ping = 0;
	memset(d->pulse, 0, sizeof(d->pulse));
	if (d->host->hang_ms != 0)
		arm(d);
}
