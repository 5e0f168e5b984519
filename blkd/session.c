/* SPDX-License-Identifier: ISC */
/*
 * The channels of a blkd.  Runs in blkd, register thread, inside the sandbox.
 * The monitor and the vm process are peers: what they send has been checked
 * by proto/ for its form, and by the tables here for its time.
 */
#include <sys/eventfd.h>

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "blkd/attach.h"
#include "blkd/backing.h"
#include "blkd/engine.h"
#include "blkd/engine_fault.h"
#include "blkd/faults.h"
#include "blkd/fence.h"
#include "blkd/limiter.h"
#include "blkd/regs.h"
#include "blkd/session_impl.h"
#include "blkd/throttle.h"
#include "blkd/uring.h"
#include "proto/peer.h"
#include "shm/shared.h"
#include "shm/state.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sandbox.h"

/* What follows what; the one setter is session_set_state. */
static const unsigned transitions[] = {
	[WAITING] = PEER_IN(STANDING) | PEER_IN(RUNNING) | PEER_IN(PAUSED) |
	    PEER_IN(DETACHING) | PEER_IN(ENDING),
	[STANDING] = PEER_IN(RUNNING) | PEER_IN(PAUSED) | PEER_IN(DETACHING) |
	    PEER_IN(ENDING),
	[RUNNING] = PEER_IN(PAUSING) | PEER_IN(DETACHING) | PEER_IN(ENDING),
	[PAUSING] = PEER_IN(PAUSED) | PEER_IN(RUNNING) | PEER_IN(DETACHING) |
	    PEER_IN(ENDING),
	[PAUSED] = PEER_IN(RUNNING) | PEER_IN(DETACHING) | PEER_IN(ENDING),
	[DETACHING] = PEER_IN(ENDING),
	[ENDING] = PEER_IN(ENDING),
};

static void	on_control_ended(void *, const struct peer_end *);
static void	on_mmio_ended(void *, const struct peer_end *);

void
session_set_state(struct session *s, enum session_state to)
{
	assert(transitions[s->state] & PEER_IN(to));
	s->state = to;
	peer_set_state(s->control, to);
}

void
session_answer(struct peer *p, uint32_t sequence, enum proto_type type)
{
	struct proto_empty m;

	/* A peer that does not listen has ended: the loop finds that. */
	(void)peer_answer(p, sequence, type, &m, NULL, 0);
}

/* --- the end ----------------------------------------------------------- */

/* Leave the loop as soon as nothing is in flight; at the latest in a second. */
void
session_end(struct session *s, int status)
{
	const struct timeval limit = {
		SESSION_END_MS / 1000, SESSION_END_MS % 1000 * 1000
	};

	if (s->state == ENDING)
		return;
	session_set_state(s, ENDING);
	s->status = status;
	peer_free(s->mmio);
	s->mmio = NULL;
	if (s->regs == NULL || (regs_pause(s->regs), regs_is_quiet(s->regs)))
		event_base_loopbreak(s->base);
	else
		evtimer_add(s->end_timer, &limit);
}

static void
on_end_timer(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd;
	(void)what;
	log_warning("I/O in flight outlives blkd");
	event_base_loopbreak(s->base);
}

static void
log_peer_end(const struct peer_role *role, const struct peer_end *e)
{
	char line[256];

	peer_end_describe(role, e, line, sizeof(line));
	/* How a machine ends; where it is none, the monitor says what died. */
	if (e->error == PROTO_E_EOF)
		log_debug("%s", line);
	else
		log_error("%s", line);
}

/* --- registers --------------------------------------------------------- */

/* What an access or the queues have brought to its end. */
static void
settle(struct session *s)
{
	if (s->mmio != NULL && peer_state(s->mmio) == MMIO_RESETTING &&
	    !regs_is_resetting(s->regs)) {
		evtimer_del(s->reset_timer);
		peer_set_state(s->mmio, MMIO_SERVING);
		session_answer(s->mmio, s->reset_sequence, PROTO_MMIO_ACK);
	}
	if (!regs_is_quiet(s->regs))
		return;
	if (s->state == PAUSING) {
		session_set_state(s, PAUSED);
		session_answer(s->control, s->pause_sequence, PROTO_BLK_PAUSED);
	} else if (s->state == DETACHING || s->state == ENDING)
		event_base_loopbreak(s->base);
}

static void
on_queues(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;
	uint64_t count;

	(void)what;
	if (s->faults != NULL)
		faults_hang_if_stopped(s->faults);
	/* Only to make it unreadable again: what happened is asked below. */
	if (read(fd, &count, sizeof(count)) == -1 || s->regs == NULL)
		return;
	regs_update(s->regs);
	settle(s);
}

static void
on_mmio_read(void *arg, struct msg *m)
{
	struct session *s = arg;
	struct proto_mmio_data data = {
		.m_value = regs_read(s->regs, m->mmio_read.m_offset,
		    m->mmio_read.m_size),
	};

	(void)peer_answer(s->mmio, m->hdr.m_sequence, PROTO_MMIO_DATA, &data,
	    NULL, 0);
}

static void
on_mmio_write(void *arg, struct msg *m)
{
	const struct timeval limit = {
		SESSION_RESET_MS / 1000, SESSION_RESET_MS % 1000 * 1000
	};
	struct session *s = arg;

	regs_write(s->regs, m->mmio_write.m_offset, m->mmio_write.m_size,
	    m->mmio_write.m_value);
	if (!regs_is_resetting(s->regs)) {
		session_answer(s->mmio, m->hdr.m_sequence, PROTO_MMIO_ACK);
		return;
	}
	s->reset_sequence = m->hdr.m_sequence;
	peer_set_state(s->mmio, MMIO_RESETTING);
	evtimer_add(s->reset_timer, &limit);
}

static void
on_mmio_notify(void *arg, struct msg *m)
{
	struct session *s = arg;

	regs_notify(s->regs, m->notify.m_queue);
}

static void
on_reset_timer(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;
	struct proto_blk_replace m = { .m_reason = PROTO_REPLACE_RESET };

	(void)fd;
	(void)what;
	if (s->mmio == NULL || peer_state(s->mmio) != MMIO_RESETTING)
		return;
	log_warning("a reset has waited for I/O in flight for %d ms:"
	    " asking for a successor", SESSION_RESET_MS);
	peer_set_state(s->mmio, MMIO_REPLACING);
	(void)peer_send(s->control, PROTO_BLK_REPLACE, &m, NULL, 0);
}

static const struct peer_rule mmio_rules[] = {
	{ PROTO_MMIO_READ, PEER_IN(MMIO_SERVING), on_mmio_read },
	{ PROTO_MMIO_WRITE, PEER_IN(MMIO_SERVING), on_mmio_write },
	{ PROTO_MMIO_NOTIFY, PEER_ANY, on_mmio_notify },
};

const struct peer_role session_mmio_role = {
	.name = "vm",
	.rules = mmio_rules,
	.nrules = sizeof(mmio_rules) / sizeof(mmio_rules[0]),
	.ended = on_mmio_ended,
};

static void
on_mmio_ended(void *arg, const struct peer_end *e)
{
	struct session *s = arg;

	log_peer_end(&session_mmio_role, e);
	peer_free(s->mmio);
	s->mmio = NULL;
	evtimer_del(s->reset_timer);
	if (e->error != PROTO_E_EOF)
		session_end(s, EX_PROTOCOL);
}

/* --- the monitor's messages -------------------------------------------- */

static void
on_fault(void *arg, struct msg *m)
{
	struct session *s = arg;
	struct proto_blk_faulted faulted = { .m_errno = ENOTSUP };

	if (s->faults != NULL) {
		faulted.m_errno = faults_command(s->faults,
		    &m->fault.m_fault);
		faults_list(s->faults, faulted.m_row);
		/* Queues that run write what no rule holds any more. */
		if (m->fault.m_fault.m_action == PROTO_FAULT_CLEAR)
			regs_nudge(s->regs);
	}
	(void)peer_answer(s->control, m->hdr.m_sequence, PROTO_BLK_FAULTED,
	    &faulted, NULL, 0);
}

static void
on_detach(void *arg, struct msg *m)
{
	struct session *s = arg;

	(void)m;
	session_set_state(s, DETACHING);
	s->status = EX_OK;
	/* The vm process keeps what is not answered for the successor. */
	peer_free(s->mmio);
	s->mmio = NULL;
	if (s->regs == NULL) {
		event_base_loopbreak(s->base);
		return;
	}
	regs_pause(s->regs);
	settle(s);
}

static void
on_pause(void *arg, struct msg *m)
{
	struct session *s = arg;

	session_set_state(s, PAUSING);
	s->pause_sequence = m->hdr.m_sequence;
	regs_pause(s->regs);
	settle(s);
}

static void
on_resume(void *arg, struct msg *m)
{
	struct session *s = arg;

	session_set_state(s, RUNNING);
	regs_resume(s->regs);
	session_answer(s->control, m->hdr.m_sequence, PROTO_BLK_RESUMED);
}

static void
on_limits(void *arg, struct msg *m)
{
	struct session *s = arg;
	struct throttle_limits limits, group;

	attach_limits(&m->limits.m_limits, &limits);
	attach_limits(&m->limits.m_group, &group);
	if (throttle_check(&limits) != NULL || throttle_check(&group) != NULL) {
		peer_end(s->control, PROTO_E_VALUE);
		return;
	}
	limiter_set(s->disk.limiter, &limits);
	limiter_regroup(s->disk.limiter, &group, m->limits.m_group_epoch,
	    m->limits.m_group_slot);
	regs_nudge(s->regs);
	session_answer(s->control, m->hdr.m_sequence, PROTO_BLK_LIMITED);
}

/* A backing that cannot be asked keeps its size. */
static void
on_resize(void *arg, struct msg *m)
{
	struct session *s = arg;
	struct proto_blk_resized resized;
	int64_t bytes = backing_size(s->disk.backing);

	if (bytes == -1)
		log_warning("cannot ask the backing for its size: %s",
		    strerror(errno));
	else
		regs_resize(s->regs, disk_sectors(&s->disk, bytes));
	resized.m_capacity = shared_load(&s->disk.sectors);
	(void)peer_answer(s->control, m->hdr.m_sequence, PROTO_BLK_RESIZED,
	    &resized, NULL, 0);
}

static void
on_ping(void *arg, struct msg *m)
{
	struct session *s = arg;

	session_answer(s->control, m->hdr.m_sequence, PROTO_BLK_PONG);
}

#define ATTACHED	(PEER_IN(RUNNING) | PEER_IN(PAUSING) | PEER_IN(PAUSED))

static const struct peer_rule control_rules[] = {
	{ PROTO_BLK_ATTACH, PEER_IN(WAITING), session_on_attach },
	{ PROTO_BLK_TAKE_OVER, PEER_IN(STANDING), session_on_take_over },
	{ PROTO_BLK_DETACH, PEER_IN(WAITING) | PEER_IN(STANDING) | ATTACHED,
	    on_detach },
	{ PROTO_BLK_PAUSE, PEER_IN(RUNNING), on_pause },
	{ PROTO_BLK_RESUME, PEER_IN(PAUSING) | PEER_IN(PAUSED), on_resume },
	{ PROTO_BLK_PING, PEER_ANY, on_ping },
	{ PROTO_BLK_LIMITS, ATTACHED, on_limits },
	{ PROTO_BLK_RESIZE, ATTACHED, on_resize },
	{ PROTO_BLK_FAULTS, PEER_IN(WAITING), session_on_faults },
	{ PROTO_BLK_FAULT, ATTACHED, on_fault },
};

static const struct peer_role control_role = {
	.name = "monitor",
	.rules = control_rules,
	.nrules = sizeof(control_rules) / sizeof(control_rules[0]),
	.ended = on_control_ended,
};

static void
on_control_ended(void *arg, const struct peer_end *e)
{
	struct session *s = arg;

	log_peer_end(&control_role, e);
	session_end(s, e->error == PROTO_E_EOF ? EX_UNAVAILABLE : EX_PROTOCOL);
}

/* --- making and running ------------------------------------------------ */

struct session *
session_make(struct event_base *base, int control, struct uring_set *uring)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		close(control);
		return NULL;
	}
	s->base = base;
	s->uring = uring;
	attach_init(&s->disk);
	s->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->control = peer_new(base, control, &control_role, s);
	s->reset_timer = evtimer_new(base, on_reset_timer, s);
	s->end_timer = evtimer_new(base, on_end_timer, s);
	if (s->eventfd != -1)
		s->queues = event_new(base, s->eventfd, EV_READ | EV_PERSIST,
		    on_queues, s);
	if (s->control == NULL || s->reset_timer == NULL ||
	    s->end_timer == NULL || s->queues == NULL ||
	    event_add(s->queues, NULL) == -1) {
		session_free(s);
		errno = ENOMEM;
		return NULL;
	}
	return s;
}

/* After DETACH nothing is in flight: what was written becomes stable. */
static int
finish(struct session *s)
{
	if (s->status != EX_OK || !s->serves || s->disk.readonly)
		return s->status;
	if ((s->faults != NULL && engine_fault_settle(&s->disk) == -1) ||
	    backing_flush(s->disk.backing) == -1) {
		log_error("cannot flush the backing");
		return EX_IOERR;
	}
	return EX_OK;
}

int
session_run(struct session *s, struct sandbox *sandbox, uint32_t layers)
{
	s->sandbox = sandbox;
	s->layers = layers;
	s->status = EX_SOFTWARE;
	if (event_base_dispatch(s->base) == -1) {
		log_error("the event loop failed");
		return EX_OSERR;
	}
	return finish(s);
}

void
session_free(struct session *s)
{
	if (s == NULL)
		return;
	peer_free(s->mmio);
	peer_free(s->control);
	if (s->queues != NULL)
		event_free(s->queues);
	if (s->reset_timer != NULL)
		event_free(s->reset_timer);
	if (s->end_timer != NULL)
		event_free(s->end_timer);
	/* I/O that outlives blkd still uses the disk: the kernel ends both. */
	if (s->regs == NULL || regs_is_quiet(s->regs)) {
		regs_free(s->regs);
		fence_drop(s->fence);
		attach_release(&s->disk);
		faults_close(s->faults);
		fd_close(&s->eventfd);
	}
	free(s);
}
