/* SPDX-License-Identifier: ISC */
/*
 * A disk as the vm process sees it.  Runs in the vm process, on the vCPU
 * threads (accesses) and the main thread (successors, stop).  Trusts neither
 * the guest nor the blkd at the other end, which can only make its own disk
 * unusable.
 */
#include <sys/socket.h>
#include <sys/time.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/chan.h"
#include "shm/doorbell.h"
#include "shm/memfd.h"
#include "util/log.h"
#include "vmmd/blkchan.h"

/* virtio 1.2, 4.2.2: the registers that this side knows */
#define REG_QUEUE_NOTIFY	0x050
#define REG_INTERRUPT_STATUS	0x060
#define REG_INTERRUPT_ACK	0x064

struct blkchan {
	uint32_t	 index;
	uint32_t	 queues;
	bool		 message;
	unsigned	 timeout_ms;
	struct notice	*notice;
	struct doorbell	*doorbell;

	/* Held over a whole access: one is outstanding. */
	pthread_mutex_t	 turn;
	uint32_t	 sequence;	/* under turn */

	/* Held for moments only, so that the main thread never waits. */
	pthread_mutex_t	 lock;
	pthread_cond_t	 changed;
	int		 fd;		/* -1: a successor has to come */
	int		 next;		/* came while fd was in use, or -1 */
	bool		 busy;		/* an access uses fd without the lock */
	bool		 told;		/* stuck, and the monitor knows */
	bool		 stopping;
};

/* The time limit of an answer; the wait is in recvmsg(2). */
static void
set_timeout(const struct blkchan *bc, int fd)
{
	struct timeval tv = {
		.tv_sec = bc->timeout_ms / 1000,
		.tv_usec = (suseconds_t)(bc->timeout_ms % 1000) * 1000,
	};

	/* Fails for what is no socket alone: then so will the access. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
}

struct blkchan *
blkchan_new(const struct blkchan_setup *setup)
{
	struct blkchan *bc = calloc(1, sizeof(*bc));
	pthread_condattr_t attr;

	if (bc == NULL) {
		close(setup->channel);
		return NULL;
	}
	bc->index = setup->index;
	bc->queues = setup->queues;
	bc->message = setup->message;
	bc->timeout_ms = setup->timeout_ms;
	bc->notice = setup->notice;
	bc->fd = setup->channel;
	bc->next = -1;
	pthread_mutex_init(&bc->turn, NULL);
	pthread_mutex_init(&bc->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&bc->changed, &attr);
	pthread_condattr_destroy(&attr);
	set_timeout(bc, bc->fd);
	if (memfd_check(setup->doorbell, DOORBELL_BYTES) == 0)
		bc->doorbell = memfd_map(setup->doorbell, DOORBELL_BYTES,
		    true);
	if (bc->doorbell == NULL) {
		blkchan_free(bc);
		return NULL;
	}
	return bc;
}

void
blkchan_free(struct blkchan *bc)
{
	int saved = errno;

	if (bc == NULL)
		return;
	if (bc->fd != -1)
		close(bc->fd);
	if (bc->next != -1)
		close(bc->next);
	if (bc->doorbell != NULL)
		memfd_unmap(bc->doorbell, DOORBELL_BYTES);
	pthread_cond_destroy(&bc->changed);
	pthread_mutex_destroy(&bc->lock);
	pthread_mutex_destroy(&bc->turn);
	free(bc);
	errno = saved;
}

void
blkchan_attach(struct blkchan *bc, int channel)
{
	set_timeout(bc, channel);
	pthread_mutex_lock(&bc->lock);
	if (bc->next != -1)
		close(bc->next);
	bc->next = channel;
	if (bc->busy) {
		/* The access sees the end, and takes the next one itself. */
		shutdown(bc->fd, SHUT_RDWR);
	} else {
		if (bc->fd != -1)
			close(bc->fd);
		bc->fd = bc->next;
		bc->next = -1;
	}
	bc->told = false;
	pthread_cond_broadcast(&bc->changed);
	pthread_mutex_unlock(&bc->lock);
}

void
blkchan_stop(struct blkchan *bc)
{
	pthread_mutex_lock(&bc->lock);
	bc->stopping = true;
	if (bc->fd != -1)
		shutdown(bc->fd, SHUT_RDWR);
	pthread_cond_broadcast(&bc->changed);
	pthread_mutex_unlock(&bc->lock);
}

/* With the lock held. */
static void
tell_stuck(struct blkchan *bc)
{
	if (bc->told || bc->stopping)
		return;
	bc->told = true;
	notice_stuck(bc->notice, bc->index);
}

/* Wait for a channel, with the lock held; false: the machine stops. */
static bool
wait_channel(struct blkchan *bc)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += bc->timeout_ms / 1000;
	until.tv_nsec += bc->timeout_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	while (bc->fd == -1 && !bc->stopping) {
		if (bc->told)
			pthread_cond_wait(&bc->changed, &bc->lock);
		else if (pthread_cond_timedwait(&bc->changed, &bc->lock,
		    &until) == ETIMEDOUT && bc->fd == -1)
			tell_stuck(bc);
	}
	return !bc->stopping;
}

/* One question and its answer. */
static enum proto_error
exchange(int fd, const void *question, enum proto_type answer, struct msg *m)
{
	const struct proto_header *q = question;
	enum proto_error error;

	if (chan_send(fd, question, NULL, 0) == -1)
		return errno == EPIPE || errno == ECONNRESET ? PROTO_E_EOF :
		    errno == EAGAIN ? PROTO_E_AGAIN : PROTO_E_SYSTEM;
	error = chan_recv(fd, m);
	if (error != PROTO_OK)
		return error;
	if (m->hdr.m_type != answer)
		error = PROTO_E_STATE;
	else if (m->hdr.m_sequence != q->m_sequence)
		error = PROTO_E_SEQUENCE;
	msg_clear(m);
	return error;
}

/* The channel failed in an access: drop it, with the lock held. */
static void
drop_channel(struct blkchan *bc, enum proto_error error)
{
	bool replaced = bc->next != -1;

	close(bc->fd);
	bc->fd = bc->next;
	bc->next = -1;
	if (replaced || bc->stopping)
		return;
	/* The end of blkd is no news: the monitor is its parent. */
	if (error == PROTO_E_EOF)
		return;
	log_warning("disk %u: register access: %s: waiting for a successor",
	    bc->index, proto_error(error));
	tell_stuck(bc);
}

/*
 * Ask until there is an answer, of this channel or of a successor's.  False:
 * the machine stops.  With the turn held.
 */
static bool
ask(struct blkchan *bc, void *question, enum proto_type type,
    enum proto_type answer, struct msg *m)
{
	enum proto_error error = PROTO_E_EOF;
	bool goes_on;
	int fd;

	chan_header(question, type, ++bc->sequence);
	for (;;) {
		pthread_mutex_lock(&bc->lock);
		goes_on = wait_channel(bc);
		bc->busy = goes_on;
		fd = bc->fd;
		pthread_mutex_unlock(&bc->lock);
		if (!goes_on)
			return false;
		error = exchange(fd, question, answer, m);
		pthread_mutex_lock(&bc->lock);
		bc->busy = false;
		if (error != PROTO_OK)
			drop_channel(bc, error);
		pthread_mutex_unlock(&bc->lock);
		if (error == PROTO_OK)
			return true;
	}
}

/*
 * A kick by message.  One that cannot be delivered because blkd is gone
 * needs no repetition: a successor looks at every queue when it starts.
 */
static void
notify(struct blkchan *bc, uint32_t queue)
{
	struct proto_mmio_notify n = { .m_queue = queue };
	struct pollfd pfd = { .events = POLLOUT };
	bool usable, full;

	pthread_mutex_lock(&bc->turn);
	chan_header(&n.m_hdr, PROTO_MMIO_NOTIFY, ++bc->sequence);
	pthread_mutex_lock(&bc->lock);
	usable = bc->fd != -1 && !bc->stopping;
	bc->busy = usable;
	pfd.fd = bc->fd;
	pthread_mutex_unlock(&bc->lock);
	if (usable) {
		full = chan_send(pfd.fd, &n, NULL, 0) == -1 &&
		    errno == EAGAIN;
		/* It does not read: wait as for an answer, then once more. */
		if (full && poll(&pfd, 1, (int)bc->timeout_ms) == 1)
			full = chan_send(pfd.fd, &n, NULL, 0) == -1 &&
			    errno == EAGAIN;
		pthread_mutex_lock(&bc->lock);
		bc->busy = false;
		if (full || bc->next != -1)
			drop_channel(bc, PROTO_E_AGAIN);
		pthread_mutex_unlock(&bc->lock);
	}
	pthread_mutex_unlock(&bc->turn);
}

uint64_t
blkchan_read(struct blkchan *bc, uint32_t offset, uint32_t size)
{
	struct proto_mmio_read q = { .m_offset = offset, .m_size = size };
	uint64_t value = UINT64_MAX;
	struct msg m;

	if (offset == REG_INTERRUPT_STATUS && size == 4)
		return doorbell_pending(bc->doorbell);
	pthread_mutex_lock(&bc->turn);
	if (ask(bc, &q, PROTO_MMIO_READ, PROTO_MMIO_DATA, &m))
		value = m.mmio_data.m_value;
	pthread_mutex_unlock(&bc->turn);
	return value;
}

void
blkchan_write(struct blkchan *bc, uint32_t offset, uint32_t size,
    uint64_t value)
{
	struct proto_mmio_write q = {
		.m_offset = offset, .m_size = size, .m_value = value,
	};
	struct msg m;

	if (offset == REG_INTERRUPT_ACK && size == 4) {
		doorbell_ack(bc->doorbell, (uint32_t)value);
		return;
	}
	if (bc->message && offset == REG_QUEUE_NOTIFY && size == 4 &&
	    value < bc->queues) {
		notify(bc, (uint32_t)value);
		return;
	}
	pthread_mutex_lock(&bc->turn);
	(void)ask(bc, &q, PROTO_MMIO_WRITE, PROTO_MMIO_ACK, &m);
	pthread_mutex_unlock(&bc->turn);
}
