/* SPDX-License-Identifier: ISC */
/*
 * The red team's way into the finished sandbox: it takes the place of blkd
 * (or of the vm process) with the descriptors that process would hold, and
 * tries to get out.
 */
#ifndef TESTS_REDTEAM_ROOM_H
#define TESTS_REDTEAM_ROOM_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "util/sandbox.h"

/* What is outside, and what the process holds. */
struct outside {
	char	dir[256];	/* readable by everyone */
	char	image[280];	/* another disk's, readable too */
	char	socket[100];	/* somebody listens there */
	char	abstract[32];		/* and there, without a file */
	uint16_t port;			/* and there, on 127.0.0.1 */
	pid_t	monitor;		/* the parent's parent */
	pid_t	sibling;		/* another child of it */
	/* descriptors of the process in the room, all others are closed */
	int	channel;		/* SOCK_SEQPACKET */
	int	backing;		/* its image, read-write, 1 MiB */
	int	gmem;			/* a sealed memfd, read-write */
	int	kick;			/* an eventfd */
	struct io_uring *ring;		/* enabled; NULL: it has none */
};

#define ROOM_IMAGE_SIZE	(1 << 20)

/* What may come of a try. */
#define KILLED		(-1)	/* by SIGSYS */
#define ESCAPED		0	/* it worked */
				/* or an errno: refused */

/*
 * A try returns -1 and errno if it was refused, else it got out.  Without
 * `run` it is one system call.
 */
struct try {
	const char	*name;
	long		(*run)(const struct outside *);
	long		 call[7];	/* number, arguments */
	int		 sealed;	/* expected: KILLED or an errno */
	int		 vm;		/* of the vm process, if it differs */
	/* behind all layers but the filter; none: only the filter helps */
	int		 layers[3];
	/* the ordinary user's process is the owner of his files */
	bool		 root_only;
};

enum room_kind {
	ROOM_SEALED,		/* as it is, serving */
	ROOM_LAYERS,		/* all layers but the filter: defence in depth */
	ROOM_LAYERS_USER,	/* the same, made by an ordinary user */
	ROOM_SEALED_USER,	/* as it is, of an ordinary user */
	ROOM_SEALED_CONTAINER,	/* ... whom namespaces are refused */
	ROOM_SEALED_THREAD,	/* in a thread that was there before */
};

/*
 * Run one try in a room of its own, of that policy.  Returns KILLED, ESCAPED
 * or an errno; ends the test case if the room cannot be had.
 */
int	room_run(const struct try *, enum room_kind,
	    const struct sandbox_policy *);

/*
 * Add a case a try and a kind to the test program; with `vm` it takes the
 * place of the vm process, whose layers are those of blkd.
 */
struct atf_tp;
void	room_add_tries(struct atf_tp *, const struct sandbox_policy *,
	    bool vm);

/*
 * Rooms from now on have a ring: made before the sandbox, enabled before it
 * narrows, as blkd does it.  Each 0 or -1.  The tries are by the ring.
 */
struct room_ring {
	int	(*make)(struct outside *);
	int	(*enable)(struct outside *);
	const struct try *tries;
};
void	room_give_ring(const struct room_ring *);

/* Tries of this name are not made: they are what the room is for. */
void	room_leave_out(const char *name);

/* The tries, by subject; each ended by a row without a name. */
extern const struct try tries_files[];
extern const struct try tries_processes[];
extern const struct try tries_kernel[];
extern const struct try tries_amounts[];
extern const struct try tries_uring[];	/* of uring_test alone */

#endif /* TESTS_REDTEAM_ROOM_H */
