/* SPDX-License-Identifier: ISC */
/*
 * A channel: one end of a SOCK_SEQPACKET socketpair.  The only sendmsg and
 * the only recvmsg of the tree are in chan.c.
 */
#ifndef PROTO_CHAN_H
#define PROTO_CHAN_H

#include <stddef.h>
#include <stdint.h>

#include "proto/msg.h"
#include "proto/table.h"

/* Make a channel; both ends CLOEXEC, blocking.  0, or -1 and errno. */
int	chan_pair(int ends[2]);

/*
 * Fill in the header of a packet of `type`: the size is the type's.  The
 * packet must be of the type's struct.
 */
void	chan_header(struct proto_header *, enum proto_type, uint32_t sequence);

/*
 * Send one packet whose header is filled in, with copies of nfds
 * descriptors.  Never blocks: a peer whose queue is full is not reading, and
 * that is an error (EAGAIN).  0, or -1 and errno (EPIPE: it is gone;
 * EINVAL: the packet is not as its facts say, which is our own mistake).
 */
int	chan_send(int fd, const void *packet, const int *fds, size_t nfds);

/*
 * Receive and check one packet.  On PROTO_OK the message holds it and its
 * descriptors (msg_clear it); on any error it is empty and every descriptor
 * that came is closed.  PROTO_E_AGAIN: nonblocking, or SO_RCVTIMEO ran out.
 * PROTO_E_SYSTEM leaves errno.
 */
enum proto_error chan_recv(int fd, struct msg *);
/* The same without waiting, whatever the descriptor's flags. */
enum proto_error chan_recv_nowait(int fd, struct msg *);

#endif /* PROTO_CHAN_H */
