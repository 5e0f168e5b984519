/* SPDX-License-Identifier: ISC */
/*
 * A few threads that carry out operations for one queue thread, several at a
 * time: what the synchronous engine has for slow files.
 *
 *	queue thread			a thread of the pool
 *	pool_hand	-> todo ->	backing's calls, one after the other
 *	pool_take	<- done <-	in any order
 *
 * They know operations alone, no ring: the queue thread publishes.  With
 * nothing to do they sleep.  Each has a fence of its own in the state
 * (fence.h), taken when the pool gets its first operation: until then they
 * touch nothing, and nobody has to wait for them.
 *
 * All functions are the queue thread's, but pool_make and pool_free: before
 * it has begun, and when it has ended.
 */
#ifndef BLKD_POOL_H
#define BLKD_POOL_H

#include <stddef.h>

struct backing;
struct engine_op;
struct pool;
struct state_fence;

struct pool_setup {
	struct backing		*backing;
	/* engine_run, or a test's. */
	int			 (*run)(struct backing *, struct engine_op *);
	unsigned		 threads;	/* 1 or more */
	unsigned		 queue;		/* for their names */
	struct state_fence	*fence;		/* one a thread; NULL: none */
};

/* Without threads yet.  NULL and errno. */
struct pool	*pool_make(const struct pool_setup *);
/*
 * Make the threads, where the caller runs; before the sandbox narrows.  Fewer
 * than asked for are logged.  0, or -1 and errno: there is none.
 */
int		 pool_start(struct pool *);
/* Waits for the last operation. */
void		 pool_free(struct pool *);	/* NULL is accepted */

/* A list, linked by `next`, of n > 0; what follows the last is not looked at. */
void		 pool_hand(struct pool *, struct engine_op *first,
		    struct engine_op *last, unsigned n);
/* Those that are finished, linked, oldest first; NULL: none. */
struct engine_op *pool_take(struct pool *);
/* How many were handed over and not taken. */
unsigned	 pool_running(const struct pool *);

/*
 * About to sleep: a descriptor that is readable as soon as pool_take has
 * something.  It stays so until pool_take.
 */
int		 pool_wait_fd(struct pool *);

#endif /* BLKD_POOL_H */
