/* SPDX-License-Identifier: ISC */
/*
 * The connection of a front-end: a stream socket, from which whole messages
 * are taken as their bytes arrive.  It knows how a message is framed, not
 * what it means.
 *
 * One thread, and it never blocks.
 */
#ifndef BLKD_VHOST_CONN_H
#define BLKD_VHOST_CONN_H

#include <stddef.h>

#include "blkd/vhost_wire.h"

/* A message, which owns its descriptors. */
struct vhost_msg {
	struct vhost_header	h;
	union vhost_payload	p;
	int			fd[VHOST_FDS_MAX];
	size_t			nfds;
};

struct vhost_conn {
	int			fd;	/* -1: none */
	size_t			got;	/* bytes of msg that are here */
	struct vhost_msg	msg;
};

enum vhost_conn_result {
	VHOST_CONN_MESSAGE,	/* in conn->msg, until the next call */
	VHOST_CONN_MORE,	/* must come first */
	VHOST_CONN_ENDED,	/* by the front-end, between two messages */
	VHOST_CONN_CUT,		/* by the front-end, in a message */
	VHOST_CONN_LONG,	/* a payload that no message has */
	VHOST_CONN_FDS,		/* more descriptors than a message can have */
	VHOST_CONN_FAILED,	/* errno */
};

void	vhost_conn_init(struct vhost_conn *);
/* The descriptor becomes the connection's; there is none before. */
void	vhost_conn_open(struct vhost_conn *, int fd);
/* With all that was received and not taken. */
void	vhost_conn_close(struct vhost_conn *);

/* What has arrived?  Descriptors of a message that nobody took are closed. */
enum vhost_conn_result vhost_conn_read(struct vhost_conn *);

/* A descriptor of the message, which becomes the caller's. */
int	vhost_conn_take(struct vhost_conn *, size_t index);

/*
 * Send a reply, with a descriptor (stays the caller's) or -1.  0, or -1 and
 * errno: EAGAIN, where the front-end does not read its replies.
 */
int	vhost_conn_reply(const struct vhost_conn *, uint32_t request,
	    const void *payload, uint32_t bytes, int fd);

#endif /* BLKD_VHOST_CONN_H */
