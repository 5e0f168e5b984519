/* SPDX-License-Identifier: ISC */
/*
 * The life of a front-end's connection.  Runs in blkd, main thread, inside
 * the sandbox; what the front-end sends is checked here for its form, by the
 * table of vhost_messages.c.
 */
#include <sys/eventfd.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blkd/disk.h"
#include "blkd/limiter.h"
#include "blkd/queue.h"
#include "blkd/throttle.h"
#include "blkd/vhost_fault.h"
#include "blkd/vhost_impl.h"
#include "shm/gmem.h"
#include "shm/shared.h"
#include "shm/state.h"
#include "util/fd.h"
#include "util/log.h"

/* So many messages, then others have their turn. */
#define MESSAGES_MAX	32

/* --- the end of a connection -------------------------------------------- */

/* Nothing is in flight: as before there was a front-end. */
static void
finish(struct vhost *v)
{
	unsigned i;

	for (i = 0; i < v->disk->queues; i++) {
		vhost_ring_reset(v, i);
		/* The journal of a front-end that keeps it stays as it is. */
		shared_store(&v->disk->state->queue[i].s_ready, 0);
	}
	vhost_mem_clear(&v->mem);
	(void)vhost_set_memory(v);
	vhost_fault_forget();
	state_unmap(v->disk->journal);
	v->disk->journal = NULL;
	v->features = v->protocol = 0;
	shared_store(&v->disk->writeback, 1);
	v->ending = false;
}

void
vhost_end(struct vhost *v)
{
	vhost_conn_close(&v->conn);
	vhost_resize_forget(v);
	v->waiting = NULL;
	v->ending = true;
	if (vhost_ring_rest_all(v))
		finish(v);
}

static void
refused(struct vhost *v, const char *message)
{
	const uint64_t no = 1;

	vhost_log_line(v, LOG_LEVEL_ERROR, "front-end: %s: %s: the connection"
	    " is closed", message, v->why);
	if ((v->conn.msg.h.m_flags & VHOST_NEED_REPLY) != 0)
		(void)vhost_conn_reply(&v->conn, v->conn.msg.h.m_request, &no,
		    sizeof(no), -1);
	vhost_end(v);
}

/* --- memory ------------------------------------------------------------- */

int
vhost_set_memory(struct vhost *v)
{
	unsigned i;

	gmem_close(v->gmem);
	v->gmem = v->disk->gmem = NULL;
	for (i = 0; i < v->disk->queues; i++)
		v->ring[i].broken = false;
	if (v->mem.n == 0)
		return 0;
	if ((v->gmem = vhost_mem_open(&v->mem)) == NULL)
		return vhost_messages_refuse(v, "%s", strerror(errno));
	v->disk->gmem = v->gmem;
	return 0;
}

/* --- messages ----------------------------------------------------------- */

static uint64_t
ring_of(const struct vhost_rule *rule, const struct vhost_msg *m)
{
	switch (rule->names) {
	case VHOST_NAMES_INDEX:
		return m->p.m_state.m_index;
	case VHOST_NAMES_U64:
		return m->p.m_u64 & VHOST_RING_MASK;
	case VHOST_NAMES_NONE:
		break;
	}
	return 0;
}

static int
check_fds(struct vhost *v, const struct vhost_rule *rule,
    const struct vhost_msg *m)
{
	size_t least = 0, most = 0;

	switch (rule->fds) {
	case VHOST_FDS_NONE:
		break;
	case VHOST_FDS_ONE:
		least = most = 1;
		break;
	case VHOST_FDS_ONE_OR_NONE:
		most = 1;
		break;
	case VHOST_FDS_RING:
		least = most = (m->p.m_u64 & VHOST_RING_NO_FD) == 0;
		break;
	case VHOST_FDS_TABLE:
		if (m->p.m_table.m_regions > VHOST_TABLE_REGIONS ||
		    m->h.m_size != rule->least + m->p.m_table.m_regions *
		    sizeof(struct vhost_mem_region))
			return vhost_messages_refuse(v, "%u regions in %u"
			    " bytes", m->p.m_table.m_regions, m->h.m_size);
		least = most = m->p.m_table.m_regions;
		break;
	}
	if (m->nfds < least || m->nfds > most)
		return vhost_messages_refuse(v, "it has %zu descriptors, and"
		    " not %zu", m->nfds, least);
	return 0;
}

static int
check_ring(struct vhost *v, const struct vhost_rule *rule,
    const struct vhost_msg *m)
{
	uint64_t ring = ring_of(rule, m);

	if (ring >= v->disk->queues)
		return vhost_messages_refuse(v, "there is no ring %ju",
		    (uintmax_t)ring);
	if (rule->names == VHOST_NAMES_U64 &&
	    (m->p.m_u64 & ~(VHOST_RING_MASK | VHOST_RING_NO_FD)) != 0)
		return vhost_messages_refuse(v, "%#jx is no ring",
		    (uintmax_t)m->p.m_u64);
	if (rule->stopped && v->ring[ring].kicked)
		return vhost_messages_refuse(v, "ring %ju is started",
		    (uintmax_t)ring);
	return 0;
}

static int
check(struct vhost *v, const struct vhost_rule *rule,
    const struct vhost_msg *m)
{
	if ((m->h.m_flags & ~VHOST_NEED_REPLY) != VHOST_VERSION)
		return vhost_messages_refuse(v, "flags %#x", m->h.m_flags);
	if ((m->h.m_flags & VHOST_NEED_REPLY) != 0 &&
	    (v->protocol & VHOST_PROTOCOL(REPLY_ACK)) == 0)
		return vhost_messages_refuse(v, "it asks for a reply, and"
		    " REPLY_ACK is not negotiated");
	if (rule->handle == NULL)
		return vhost_messages_refuse(v, "it is not offered");
	if ((v->protocol & rule->needs) != rule->needs)
		return vhost_messages_refuse(v, "its protocol feature is not"
		    " negotiated");
	if (m->h.m_size < rule->least || m->h.m_size > (rule->most != 0 ?
	    rule->most : rule->least))
		return vhost_messages_refuse(v, "a payload of %u bytes",
		    m->h.m_size);
	if (check_ring(v, rule, m) == -1)
		return -1;
	return check_fds(v, rule, m);
}

static int
send_reply(struct vhost *v)
{
	struct vhost_reply *r = &v->reply;
	int rc;

	if (!r->wanted) {
		if ((v->conn.msg.h.m_flags & VHOST_NEED_REPLY) == 0)
			return 0;
		r->p.m_u64 = 0;
		r->bytes = sizeof(r->p.m_u64);
	}
	rc = vhost_conn_reply(&v->conn, v->conn.msg.h.m_request, &r->p,
	    r->bytes, r->fd);
	if (rc == -1)
		return vhost_messages_refuse(v, "the reply cannot be sent: %s",
		    strerror(errno));
	return 0;
}

/* The message in v->conn, once what it needs at rest rests. */
static void
carry_out(struct vhost *v, const struct vhost_rule *rule)
{
	struct vhost_msg *m = &v->conn.msg;
	bool rests = true;

	if (rule->still == VHOST_STILL_RING)
		rests = vhost_ring_rest(v, (unsigned)ring_of(rule, m));
	else if (rule->still == VHOST_STILL_ALL)
		rests = vhost_ring_rest_all(v);
	v->waiting = rests ? NULL : rule;
	if (!rests)
		return;
	v->reply = (struct vhost_reply) { .fd = -1 };
	if (rule->handle(v, m) == -1 || send_reply(v) == -1)
		refused(v, rule->name);
	else
		vhost_ring_start_all(v);
}

static void
dispatch(struct vhost *v)
{
	const struct vhost_msg *m = &v->conn.msg;
	const struct vhost_rule *rule = vhost_messages_rule(m->h.m_request);
	char number[32];

	if (rule == NULL) {
		snprintf(number, sizeof(number), "message %u",
		    m->h.m_request);
		(void)vhost_messages_refuse(v, "there is no such message");
		refused(v, number);
	} else if (check(v, rule, m) == -1)
		refused(v, rule->name);
	else
		carry_out(v, rule);
}

/* No whole message: returns true where the connection is over. */
static bool
is_over(struct vhost *v, enum vhost_conn_result r)
{
	const char *why = strerror(errno);

	switch (r) {
	case VHOST_CONN_MESSAGE:
	case VHOST_CONN_MORE:
		return false;
	case VHOST_CONN_ENDED:
		vhost_log_line(v, LOG_LEVEL_INFO, "the front-end has closed"
		    " the connection");
		return true;
	case VHOST_CONN_CUT:
		why = "it ended within a message";
		break;
	case VHOST_CONN_LONG:
		why = "a payload longer than that of any message";
		break;
	case VHOST_CONN_FDS:
		why = "more descriptors than any message has";
		break;
	case VHOST_CONN_FAILED:
		break;
	}
	vhost_log_line(v, LOG_LEVEL_ERROR, "front-end: %s: the connection is"
	    " closed", why);
	return true;
}

void
vhost_on_message(struct vhost *v)
{
	enum vhost_conn_result r = VHOST_CONN_MESSAGE;
	unsigned n;

	for (n = 0; n < MESSAGES_MAX && vhost_message_fd(v) != -1; n++) {
		if ((r = vhost_conn_read(&v->conn)) != VHOST_CONN_MESSAGE)
			break;
		dispatch(v);
	}
	if (is_over(v, r))
		vhost_end(v);
}

/* --- events ------------------------------------------------------------- */

void
vhost_on_event(struct vhost *v)
{
	eventfd_t n;

	(void)eventfd_read(v->eventfd, &n);
	vhost_ring_look(v);
	if (vhost_fault_happened() && !v->ending) {
		vhost_log_line(v, LOG_LEVEL_ERROR, "front-end: its memory has"
		    " shrunk: the connection is closed");
		vhost_end(v);
	}
	if (v->waiting != NULL)
		carry_out(v, v->waiting);
	if (v->ending && vhost_ring_rest_all(v))
		finish(v);
}

bool
vhost_is_waiting(const struct vhost *v)
{
	return v->waiting != NULL || v->ending;
}

void
vhost_on_patience(struct vhost *v)
{
	vhost_ring_unstick(v);
}

int
vhost_message_fd(const struct vhost *v)
{
	return v->waiting == NULL ? v->conn.fd : -1;
}

int
vhost_event_fd(const struct vhost *v)
{
	return v->eventfd;
}

bool
vhost_is_busy(const struct vhost *v)
{
	return v->conn.fd != -1 || v->ending;
}

void
vhost_connect(struct vhost *v, int fd)
{
	vhost_conn_open(&v->conn, fd);
	vhost_log_line(v, LOG_LEVEL_INFO, "a front-end has connected");
}

/* --- limits ------------------------------------------------------------- */

void
vhost_limit(struct vhost *v, const struct throttle_limits *l)
{
	unsigned i;

	limiter_set(v->disk->limiter, l);
	for (i = 0; i < v->disk->queues; i++)
		queue_nudge(v->ring[i].queue);
	log_info("%s: limits: iops=%ju,iops-burst=%ju,bps=%ju,bps-burst=%ju,"
	    "iops-size=%ju", v->disk->name, (uintmax_t)l->ops.rate,
	    (uintmax_t)l->ops.burst, (uintmax_t)l->bytes.rate,
	    (uintmax_t)l->bytes.burst, (uintmax_t)l->iops_size);
}

/* --- making ------------------------------------------------------------- */

struct vhost *
vhost_make(struct disk *disk)
{
	struct vhost *v;
	unsigned i;

	if ((v = calloc(1, sizeof(*v))) == NULL)
		return NULL;
	v->disk = disk;
	v->nothing = v->newsfd = -1;
	vhost_conn_init(&v->conn);
	for (i = 0; i < VHOST_JOURNALS; i++)
		v->journalfd[i] = -1;
	for (i = 0; i < PROTO_QUEUES_MAX; i++)
		v->ring[i].kickslot = v->ring[i].callslot =
		    v->ring[i].errfd = -1;
	v->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (v->eventfd != -1 && vhost_fault_watch(&v->mem, v->eventfd) == 0 &&
	    vhost_inflight_make(v) == 0 && vhost_ring_make(v) == 0)
		return v;
	vhost_free(v);
	errno = ENOMEM;
	return NULL;
}

void
vhost_free(struct vhost *v)
{
	if (v == NULL)
		return;
	vhost_conn_close(&v->conn);
	vhost_resize_forget(v);
	vhost_ring_free(v);
	vhost_mem_clear(&v->mem);
	(void)vhost_set_memory(v);
	(void)vhost_fault_watch(NULL, -1);
	state_unmap(v->disk->journal);
	v->disk->journal = NULL;
	vhost_inflight_free(v);
	fd_close(&v->eventfd);
	free(v);
}
