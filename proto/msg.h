/* SPDX-License-Identifier: ISC */
/*
 * One received packet, and the descriptors that came with it.  The message
 * owns its descriptors until a handler takes them; msg_clear closes the rest.
 */
#ifndef PROTO_MSG_H
#define PROTO_MSG_H

#include <stddef.h>
#include <stdint.h>

#include "proto/proto.h"

struct msg {
	union {
		struct proto_header		hdr;
		struct proto_empty		empty;
		struct proto_blk_attach		attach;
		struct proto_blk_ready		ready;
		struct proto_fail		fail;
		struct proto_blk_replace	replace;
		struct proto_blk_limits		limits;
		struct proto_blk_take_over	take_over;
		struct proto_blk_resized	resized;
		struct proto_blk_fault		fault;
		struct proto_blk_faulted	faulted;
		struct proto_mmio_read		mmio_read;
		struct proto_mmio_data		mmio_data;
		struct proto_mmio_write		mmio_write;
		struct proto_mmio_notify	notify;
		struct proto_vm_machine		machine;
		struct proto_vm_disk		vm_disk;
		struct proto_vm_ready		vm_ready;
		struct proto_vm_exit		vm_exit;
		struct proto_vm_stuck		stuck;
		struct proto_vm_client		client;
		struct proto_vm_client_gone	client_gone;
		struct proto_vm_ask		ask;
		struct proto_vm_answer		answer;
		uint8_t				bytes[PROTO_PACKET_MAX];
	};
	size_t	length;			/* of the packet */
	size_t	nfds;
	int	fd[PROTO_FDS_MAX];	/* -1: taken */
};

/* An empty message: no bytes, no descriptors. */
void	msg_init(struct msg *);
/* Take a descriptor over: the caller's from now on.  -1: there is none. */
int	msg_take_fd(struct msg *, size_t index);
/* Close the descriptors that were not taken. */
void	msg_clear(struct msg *);

#endif /* PROTO_MSG_H */
