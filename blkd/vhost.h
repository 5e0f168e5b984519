/* SPDX-License-Identifier: ISC */
/*
 * A disk behind a vhost-user front-end: one connection at a time, and the
 * rings that it sets up.  The queues, their requests, the throttle and the
 * journal are those of every disk (queue.h).
 *
 *	vhost_wire.h		what lies on the wire
 *	vhost_conn.c		messages out of a stream
 *	vhost_messages.c	the table of messages, and what each does
 *	vhost_ring.c		rings: addresses, descriptors, start and stop
 *	vhost_inflight.c	the buffer that outlives a blkd
 *	vhost_mem.c		the memory table
 *	vhost_fault.c		memory that shrinks
 *	vhost_resize.c		a file that has another size now
 *	vhost.c			the life of a connection
 *	vhost_door.c		socket, signals, the loop
 *	vhost_main.c		options, the way into the sandbox
 *
 * What a front-end does wrong ends its connection, with a line in the log.
 * What its guest does wrong in a ring stops that ring, and is said on the
 * ring's error descriptor.
 *
 * All functions are called by the main thread; none waits for backing I/O.
 */
#ifndef BLKD_VHOST_H
#define BLKD_VHOST_H

#include <stdbool.h>

struct disk;
struct throttle_limits;
struct vhost;

/*
 * Make the queues of a disk and their threads.  The disk has a state of its
 * own and neither memory nor descriptors; it outlives this.  Returns NULL
 * and errno.
 */
struct vhost	*vhost_make(struct disk *);

/* Is there a connection, or one whose requests are still in flight? */
bool		 vhost_is_busy(const struct vhost *);

/* Serve this front-end: not while busy.  The descriptor becomes its own. */
void		 vhost_connect(struct vhost *, int fd);

/* Readable: call vhost_on_message; -1: not now. */
int		 vhost_message_fd(const struct vhost *);
void		 vhost_on_message(struct vhost *);

/* Readable: call vhost_on_event. */
int		 vhost_event_fd(const struct vhost *);
void		 vhost_on_event(struct vhost *);

/* Something has waited for I/O in flight for a while: look why. */
bool		 vhost_is_waiting(const struct vhost *);
void		 vhost_on_patience(struct vhost *);

/* The file may have another size: take it, and tell the front-end. */
void		 vhost_resize(struct vhost *);

/* Other limits (checked) from now on; what waits asks again. */
void		 vhost_limit(struct vhost *, const struct throttle_limits *);

/* Say how much was left out of the log, if anything was. */
void		 vhost_log_catch_up(struct vhost *);

/* End the connection, if there is one; busy until nothing is in flight. */
void		 vhost_end(struct vhost *);

/* Waits for what is in flight; NULL is accepted. */
void		 vhost_free(struct vhost *);

#endif /* BLKD_VHOST_H */
