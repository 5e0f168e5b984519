/* SPDX-License-Identifier: ISC */
/*
 * An engine carries out I/O for one queue: it knows the backing and host
 * memory, no guest, ring or message.  One struct engine a queue thread;
 * nothing here is shared between queues.
 *
 *	enter	the thread that uses it has begun
 *	submit	takes an operation; it may finish at once or later
 *	kick	carries out what was taken, or hands the last of it over:
 *		a batch ends here
 *	reap	gives back finished operations, in any order
 *
 * An operation belongs to the engine from submit to reap; its iovecs are
 * scratch.  `wait_fd`, asked for before each sleep, is readable when reap
 * would return something; -1 for an engine that finishes everything before
 * kick returns.
 */
#ifndef BLKD_ENGINE_H
#define BLKD_ENGINE_H

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blkd/claim.h"

struct backing;
struct engine;
struct filemap;
struct io_uring;
struct state_fence;

enum engine_op_type {
	ENGINE_READ,
	ENGINE_WRITE,
	ENGINE_FLUSH,
	ENGINE_DISCARD,
	ENGINE_ZERO,
};

struct engine_op {
	enum engine_op_type	 type;
	bool			 unmap;		/* ENGINE_ZERO */
	uint64_t		 offset;	/* bytes in the backing */
	uint64_t		 bytes;
	struct iovec		*iov;		/* READ and WRITE */
	size_t			 niov;
	uint64_t		 zeroed;	/* out: bytes past the end */
	int			 error;		/* out: 0 or errno */
	struct engine_op	*next;		/* the engine's */
	struct claim		 claim;		/* the engine's */
	uint64_t		 took_ns;	/* the engine's */
};

/* What an engine is made of. */
struct engine_setup {
	struct backing	*backing;
	unsigned	 depth;		/* operations at a time, at most */
	struct io_uring	*ring;		/* engine_uring: its own; else NULL */
	struct filemap	*map;		/* engine_mmap: of the backing */
	/* engine_sync: threads for what takes longer than slow_ns on average. */
	unsigned	 threads;	/* 0: none */
	uint64_t	 slow_ns;
	unsigned	 queue;		/* its number */
	struct state_fence *fence;	/* of each thread; NULL: none */
};

struct engine_ops {
	const char	*name;
	struct engine	*(*make)(const struct engine_setup *);
	/*
	 * In the thread that will use it, once, before the sandbox narrows;
	 * 0, or -1 and errno.  NULL: no need.
	 */
	int		 (*enter)(struct engine *);
	void		 (*submit)(struct engine *, struct engine_op *);
	void		 (*kick)(struct engine *);
	struct engine_op *(*reap)(struct engine *);	/* NULL: none */
	int		 (*wait_fd)(struct engine *);
	void		 (*free)(struct engine *);	/* waits for the last */
};

extern const struct engine_ops engine_sync;
extern const struct engine_ops engine_uring;
extern const struct engine_ops engine_mmap;

/*
 * Carry out an operation by the calls of the backing, here and now: 0, or -1
 * and errno; sets op->zeroed.
 */
int	engine_run(struct backing *, struct engine_op *);

#endif /* BLKD_ENGINE_H */
