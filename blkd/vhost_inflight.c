/* SPDX-License-Identifier: ISC */
/*
 * The inflight buffer: a state (shm/state.h) that the front-end keeps while
 * blkds come and go.  Runs in blkd, main thread, inside the sandbox.
 *
 * To a front-end it is bytes.  Its journals are this project's own, so that
 * recovery is the same code; what comes back in SET_INFLIGHT_FD is checked as
 * a state of vmmd's is: the memfd and the head here, a ring's journal when
 * the ring starts (inflight.c).  Registers, throttle and counters of that
 * state are not used: they would be in the hands of others.
 *
 * A few are made before the sandbox narrows, and given in turn: one that may
 * make memfds as it likes can fill the host's memory.
 */
#include <errno.h>
#include <string.h>

#include "blkd/disk.h"
#include "blkd/vhost_impl.h"
#include "shm/state.h"
#include "util/fd.h"

static int
check_shape(struct vhost *v, const struct vhost_inflight *i)
{
	if (i->m_queues == 0 || i->m_queues > v->disk->queues ||
	    i->m_queue_size > v->disk->queue_size)
		return vhost_messages_refuse(v, "%u queues of %u entries; at"
		    " most %u of %u are allowed (-Q, -q)", i->m_queues,
		    i->m_queue_size, v->disk->queues, v->disk->queue_size);
	return 0;
}

int
vhost_inflight_make(struct vhost *v)
{
	unsigned i;

	for (i = 0; i < VHOST_JOURNALS; i++) {
		v->journalfd[i] = state_make(v->disk->queues,
		    v->disk->queue_size);
		if (v->journalfd[i] == -1)
			return -1;
	}
	return 0;
}

void
vhost_inflight_free(struct vhost *v)
{
	unsigned i;

	for (i = 0; i < VHOST_JOURNALS; i++)
		fd_close(&v->journalfd[i]);
}

int
vhost_inflight_get(struct vhost *v, struct vhost_msg *m)
{
	const struct vhost_inflight *i = &m->p.m_inflight;

	if (check_shape(v, i) == -1)
		return -1;
	/* In turn: what a front-end of before has may be wanted again. */
	v->reply.fd = v->journalfd[v->journals++ % VHOST_JOURNALS];
	if (state_make_again(v->reply.fd, v->disk->queues,
	    v->disk->queue_size) == -1)
		return vhost_messages_refuse(v, "cannot make a buffer: %s",
		    strerror(errno));
	v->reply.wanted = true;
	v->reply.bytes = sizeof(v->reply.p.m_inflight);
	v->reply.p.m_inflight = (struct vhost_inflight) {
		.m_bytes = sizeof(struct state), .m_queues = i->m_queues,
		.m_queue_size = i->m_queue_size,
	};
	return 0;
}

int
vhost_inflight_set(struct vhost *v, struct vhost_msg *m)
{
	const struct vhost_inflight *i = &m->p.m_inflight;
	struct state *journal;
	unsigned r;

	if (check_shape(v, i) == -1)
		return -1;
	for (r = 0; r < v->disk->queues; r++)
		if (v->ring[r].kicked)
			return vhost_messages_refuse(v, "ring %u is started",
			    r);
	if (i->m_bytes != sizeof(*journal) || i->m_offset != 0)
		return vhost_messages_refuse(v, "%ju bytes at %ju are not"
		    " what GET_INFLIGHT_FD gave", (uintmax_t)i->m_bytes,
		    (uintmax_t)i->m_offset);
	journal = state_map(m->fd[0], v->disk->queues, v->disk->queue_size);
	if (journal == NULL)
		return vhost_messages_refuse(v, "the buffer is not of a blkd"
		    " of this version with the same -Q and -q: %s",
		    strerror(errno));
	state_unmap(v->disk->journal);
	v->disk->journal = journal;
	return 0;
}
