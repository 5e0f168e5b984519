/* SPDX-License-Identifier: ISC */
/*
 * The private side of a session: for session*.c alone.
 *
 *	session.c		channels, registers, the end
 *	session_attach.c	from ATTACH to a disk that serves
 */
#ifndef BLKD_SESSION_IMPL_H
#define BLKD_SESSION_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "blkd/disk.h"
#include "blkd/session.h"
#include "proto/peer.h"
#include "proto/proto.h"

struct event;
struct faults;
struct fence;
struct msg;
struct regs;
struct sandbox;
struct uring_set;

enum session_state {
	WAITING,	/* for ATTACH */
	STANDING,	/* by: all is ready, the predecessor still serves */
	RUNNING,	/* is the disk */
	PAUSING,	/* PAUSE waits for I/O in flight */
	PAUSED,		/* the queues stand still, registers are answered */
	DETACHING,	/* DETACH waits for I/O in flight */
	ENDING,		/* the end waits for I/O in flight, but not for long */
};

/* Of the MMIO channel. */
enum mmio_state {
	MMIO_SERVING,
	MMIO_RESETTING,		/* a write is unanswered: I/O in flight */
	MMIO_REPLACING,		/* and stays so: the successor answers */
};

struct session {
	struct event_base	*base;
	struct peer		*control;
	struct peer		*mmio;		/* NULL: not attached, or gone */
	struct event		*queues;	/* on eventfd */
	struct event		*reset_timer;
	struct event		*end_timer;
	int			 eventfd;	/* signalled by the queues */
	enum session_state		 state;
	uint32_t		 pause_sequence;
	uint32_t		 reset_sequence;
	int			 status;	/* exit status */
	struct sandbox		*sandbox;
	uint32_t		 layers;
	struct faults		*faults;	/* NULL: none on purpose */
	struct uring_set	*uring;		/* NULL: none; not ours */
	struct fence		*fence;		/* the register thread's */
	bool			 serves;	/* it has taken over */
	struct disk		 disk;
	struct regs		*regs;		/* NULL: not attached */
};

extern const struct peer_role session_mmio_role;

/* The one setter of s->state. */
void	session_set_state(struct session *, enum session_state);

/* Answer with a message that is its type alone. */
void	session_answer(struct peer *, uint32_t sequence, enum proto_type);

/*
 * Leave the loop as soon as nothing is in flight, and in SESSION_END_MS at
 * the latest, with an exit status of sysexits.h.
 */
void	session_end(struct session *, int status);

/* Handlers of the control channel: session_attach.c */
void	session_on_attach(void *, struct msg *);
void	session_on_take_over(void *, struct msg *);
void	session_on_faults(void *, struct msg *);

#endif /* BLKD_SESSION_IMPL_H */
