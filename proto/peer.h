/* SPDX-License-Identifier: ISC */
/*
 * A peer: a channel on an event loop, with the dispatch table of the role
 * that this process plays towards it.
 *
 * A role says, for each message that it accepts, in which of its states, and
 * the handler.  Any other message, and any malformed one, ends the peer: the
 * channel is closed and `ended` is called once with the reason.  That is the
 * one way in which a peer ends without peer_free.
 *
 * One thread: the one that runs the event loop.
 */
#ifndef PROTO_PEER_H
#define PROTO_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/msg.h"
#include "proto/proto.h"
#include "proto/table.h"

struct event_base;
struct peer;

#define PEER_IN(state)	(1u << (state))		/* for peer_rule.states */
#define PEER_ANY	(~0u)

struct peer_rule {
	enum proto_type	 type;
	unsigned	 states;	/* mask of PEER_IN(state) */
	/*
	 * The message is well formed.  The handler may take descriptors, send,
	 * set the state, and free or end the peer.
	 */
	void		(*handle)(void *ctx, struct msg *);
};

/* Why a peer ended, for one line of the log. */
struct peer_end {
	enum proto_error error;
	int		 errnum;	/* with PROTO_E_SYSTEM, else 0 */
	uint16_t	 type;		/* of the message, 0: none was read */
	uint32_t	 length;
	unsigned	 state;		/* in which it came */
};

struct peer_role {
	const char		*name;	/* of the peer, for the log */
	const struct peer_rule	*rules;
	size_t			 nrules;
	/* The channel is closed; the peer still has to be freed. */
	void			(*ended)(void *ctx, const struct peer_end *);
};

/*
 * Put a channel on the loop, in state 0.  The descriptor becomes the
 * peer's, also on failure.  Returns NULL and errno.
 */
struct peer	*peer_new(struct event_base *, int fd,
		    const struct peer_role *, void *ctx);
/* Close the channel and forget it; `ended` is not called.  NULL is fine. */
void		 peer_free(struct peer *);

unsigned	 peer_state(const struct peer *);
void		 peer_set_state(struct peer *, unsigned state);	/* < 32 */
bool		 peer_is_open(const struct peer *);

/*
 * Send a packet of `type`, whose header is filled in here, with copies of
 * nfds descriptors.  A peer that does not read (EAGAIN) or is gone is ended:
 * from the loop, not from inside this call.  Returns the sequence number
 * (> 0), or 0 and errno.
 */
uint32_t	 peer_send(struct peer *, enum proto_type, void *packet,
		    const int *fds, size_t nfds);
/* The same as an answer: with the sequence number of the question. */
int		 peer_answer(struct peer *, uint32_t sequence,
		    enum proto_type, void *packet, const int *fds,
		    size_t nfds);
/* End it for a reason of ours: `ended` is called from the loop. */
void		 peer_end(struct peer *, enum proto_error);

/* A line for the log: "NAME: MESSAGE (LENGTH bytes): why". */
void		 peer_end_describe(const struct peer_role *,
		    const struct peer_end *, char *line, size_t size);

#endif /* PROTO_PEER_H */
