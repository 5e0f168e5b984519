/* SPDX-License-Identifier: ISC */
/*
 * A blkd's life between its two channels: the dispatch table of the control
 * channel (the monitor) and of the MMIO channel (the vm process), on one
 * libevent loop.
 *
 * The MMIO channel may end before the control channel: the vm process is
 * gone, and the monitor says what follows.  A packet on it that is no message
 * ends blkd, because only a successor brings the vm process a new channel.
 */
#ifndef BLKD_SESSION_H
#define BLKD_SESSION_H

#include <stdint.h>

struct event_base;
struct sandbox;
struct session;
struct uring_set;

/* How long a reset may wait for I/O in flight, and an end of ours. */
#define SESSION_RESET_MS	1000
#define SESSION_END_MS		1000

/*
 * Before the sandbox closes: make the session on the control channel, whose
 * descriptor becomes its own; the rings (NULL: none) stay the caller's.
 * Nothing is read yet.  Returns NULL and errno.
 */
struct session	*session_make(struct event_base *, int control,
			    struct uring_set *);

/*
 * Inside the sandbox, which stays the caller's: wait for ATTACH and serve,
 * until the end.  Returns an exit status of sysexits.h; 0 only after DETACH,
 * when all is flushed.
 */
int		 session_run(struct session *, struct sandbox *,
		    uint32_t layers);

/* NULL is accepted. */
void		 session_free(struct session *);

#endif /* BLKD_SESSION_H */
