/* SPDX-License-Identifier: ISC */
/*
 * Operators: those who are connected to the control socket, seen by the
 * monitor.  It accepts them, gives the connection to the vm process, which
 * reads their requests, and does what that asks for them.
 */
#ifndef VMMD_OPERATOR_H
#define VMMD_OPERATOR_H

#include <stddef.h>
#include <stdint.h>

#include "proto/proto.h"

struct disk;
struct disk_asker;
struct event_base;
struct listener;
struct operators;

/* What they can reach; outlives them. */
struct operator_host {
	struct event_base	*base;
	const struct listener	*listener;
	struct disk *const	*disk;
	size_t			 ndisks;

	void		*ctx;
	/* Send to the vm process. */
	void		(*client)(void *ctx, uint32_t client, int fd);
	void		(*answer)(void *ctx, uint32_t sequence,
			    struct proto_vm_answer *);
	/* The status of the machine. */
	void		(*status)(void *ctx, struct proto_machine_status *);
	/* End the machine. */
	void		(*stop)(void *ctx);
};

/* Accept from now on.  NULL and errno. */
struct operators	*operator_new(const struct operator_host *);
void			 operator_free(struct operators *); /* NULL is fine */

/* Messages of the vm process, which is hostile. */
void	operator_ask(struct operators *, const struct proto_vm_ask *,
	    uint32_t sequence);
void	operator_gone(struct operators *, uint32_t client);

/* A disk has answered (disk_host.answered). */
void	operator_disk_answered(struct operators *, const struct disk *,
	    const struct disk_asker *, int error, const char *text);

#endif /* VMMD_OPERATOR_H */
