/* SPDX-License-Identifier: ISC */
/*
 * Peers on a libevent loop.  Runs in every process; believes nothing that a
 * peer sends beyond what proto_check and the role's table allow.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "proto/chan.h"
#include "proto/peer.h"

struct peer {
	const struct peer_role	*role;
	void			*ctx;
	struct event		*event;
	int			 fd;
	unsigned		 state;
	uint32_t		 sequence;	/* of the last packet sent */
	struct peer_end		 end;		/* error set: to be ended */
	bool			 busy;		/* inside on_event */
	bool			 freed;		/* by its own handler */
};

static const struct peer_rule *
find_rule(const struct peer_role *role, uint16_t type)
{
	size_t i;

	for (i = 0; i < role->nrules; i++) {
		if (role->rules[i].type == (enum proto_type)type)
			return &role->rules[i];
	}
	return NULL;
}

static void
set_end(struct peer *p, enum proto_error error, int errnum,
    const struct msg *m)
{
	if (p->end.error != PROTO_OK)
		return;
	p->end = (struct peer_end) {
		.error = error,
		.errnum = error == PROTO_E_SYSTEM ? errnum : 0,
		.type = m != NULL ? m->hdr.m_type : 0,
		.length = m != NULL ? (uint32_t)m->length : 0,
		.state = p->state,
	};
}

static void
dispatch(struct peer *p, struct msg *m)
{
	const struct peer_rule *rule = find_rule(p->role, m->hdr.m_type);

	if (rule == NULL)
		set_end(p, PROTO_E_ROLE, 0, m);
	else if ((rule->states & PEER_IN(p->state)) == 0)
		set_end(p, PROTO_E_STATE, 0, m);
	else
		rule->handle(p->ctx, m);
}

static void
read_one(struct peer *p)
{
	struct msg m;
	enum proto_error error = chan_recv_nowait(p->fd, &m);

	if (error == PROTO_E_AGAIN)
		return;
	if (error != PROTO_OK) {
		set_end(p, error, errno, NULL);
		return;
	}
	dispatch(p, &m);
	msg_clear(&m);
}

static void
peer_close(struct peer *p)
{
	if (p->event != NULL)
		event_free(p->event);
	p->event = NULL;
	if (p->fd != -1)
		close(p->fd);
	p->fd = -1;
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;

	(void)fd;
	(void)what;
	p->busy = true;
	if (p->end.error == PROTO_OK)
		read_one(p);
	if (!p->freed && p->end.error != PROTO_OK && p->fd != -1) {
		peer_close(p);
		p->role->ended(p->ctx, &p->end);
	}
	p->busy = false;
	if (p->freed)
		free(p);
}

struct peer *
peer_new(struct event_base *base, int fd, const struct peer_role *role,
    void *ctx)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		close(fd);
		return NULL;
	}
	p->role = role;
	p->ctx = ctx;
	p->fd = fd;
	p->event = event_new(base, fd, EV_READ | EV_PERSIST, on_event, p);
	if (p->event == NULL || event_add(p->event, NULL) == -1) {
		peer_close(p);
		free(p);
		errno = ENOMEM;
		return NULL;
	}
	return p;
}

void
peer_free(struct peer *p)
{
	if (p == NULL || p->freed)
		return;
	peer_close(p);
	p->freed = true;
	if (!p->busy)
		free(p);
}

unsigned
peer_state(const struct peer *p)
{
	return p->state;
}

void
peer_set_state(struct peer *p, unsigned state)
{
	p->state = state;
}

bool
peer_is_open(const struct peer *p)
{
	return p->fd != -1 && p->end.error == PROTO_OK;
}

void
peer_end(struct peer *p, enum proto_error error)
{
	set_end(p, error, 0, NULL);
	if (p->event != NULL && !p->busy)
		event_active(p->event, EV_READ, 1);
}

static int
send_packet(struct peer *p, uint32_t sequence, enum proto_type type,
    void *packet, const int *fds, size_t nfds)
{
	if (!peer_is_open(p)) {
		errno = EPIPE;
		return -1;
	}
	chan_header(packet, type, sequence);
	if (chan_send(p->fd, packet, fds, nfds) == 0)
		return 0;
	/*
	 * A peer that is gone may have left a last message, which says why:
	 * the loop reads it, then finds the end.
	 */
	if (errno != EPIPE && errno != ECONNRESET && errno != EINVAL) {
		set_end(p, PROTO_E_SYSTEM, errno, NULL);
		if (!p->busy)
			event_active(p->event, EV_READ, 1);
	}
	return -1;
}

uint32_t
peer_send(struct peer *p, enum proto_type type, void *packet, const int *fds,
    size_t nfds)
{
	if (++p->sequence == 0)
		p->sequence = 1;
	if (send_packet(p, p->sequence, type, packet, fds, nfds) == -1)
		return 0;
	return p->sequence;
}

int
peer_answer(struct peer *p, uint32_t sequence, enum proto_type type,
    void *packet, const int *fds, size_t nfds)
{
	return send_packet(p, sequence, type, packet, fds, nfds);
}

void
peer_end_describe(const struct peer_role *role, const struct peer_end *end,
    char *line, size_t size)
{
	const char *why = end->error == PROTO_E_SYSTEM ?
	    strerror(end->errnum) : proto_error(end->error);

	if (end->type != 0)
		snprintf(line, size, "%s: %s (%u bytes, state %u): %s",
		    role->name, proto_name(end->type), end->length,
		    end->state, why);
	else
		snprintf(line, size, "%s: %s", role->name, why);
}
