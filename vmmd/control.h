/* SPDX-License-Identifier: ISC */
/*
 * The control socket's connections, in the vm process: lines in, lines out.
 * Main thread; never blocks, and is bounded in everything: clients, bytes of
 * a line, questions, time without a word.
 */
#ifndef VMMD_CONTROL_H
#define VMMD_CONTROL_H

#include <stdint.h>

#include "proto/proto.h"

struct control;
struct event_base;

#define CONTROL_IDLE_S	60	/* seconds without progress: disconnected */

/* How to reach the monitor; outlives the control. */
struct control_host {
	struct event_base *base;
	void		*ctx;
	/* Ask; returns the sequence number of the question, 0: cannot. */
	uint32_t	(*ask)(void *ctx, struct proto_vm_ask *);
	/* A connection is closed. */
	void		(*gone)(void *ctx, uint32_t client);
};

/*
 * Before the sandbox is narrow: takes the randomness that jansson wants.
 * NULL and errno.
 */
struct control	*control_new(const struct control_host *);
void		 control_free(struct control *);	/* NULL is fine */

/*
 * A disk of the machine, with its state (the descriptor stays the caller's).
 * 0, or -1 and errno: it is not what it should be.
 */
int		 control_add_disk(struct control *,
		    const struct proto_vm_disk *, int state_fd);

/*
 * A connection, nonblocking, which becomes the control's; -1: the number is
 * in use, or out of range.
 */
int		 control_add_client(struct control *, uint32_t client, int fd);

/* The monitor answers. */
void		 control_answer(struct control *,
		    const struct proto_vm_answer *, uint32_t sequence);

#endif /* VMMD_CONTROL_H */
