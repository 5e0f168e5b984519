/* SPDX-License-Identifier: ISC */
/*
 * Who may run requests: any queue of a disk beside the others, or one of
 * them alone.  A request that is suspected to kill blkd is run with no other
 * beside it in the whole disk, so that if it does, it is the only one that
 * was; serve_replay.c says when.
 *
 *	OUT	 runs nothing; each begins here
 *	IN	 runs requests beside others that are IN
 *	WAITS	 runs nothing, until it can be ALONE
 *	ALONE	 runs requests; each other one is OUT or WAITS
 *
 *	OUT -> IN		lone_may_run, where none WAITS or is ALONE
 *	any -> WAITS		lone_ask
 *	WAITS -> ALONE		lone_may_run, where no other is IN or ALONE
 *	ALONE -> IN		lone_share
 *	any -> OUT		lone_leave
 *
 * While one WAITS, those that are IN finish what they run and take nothing
 * more.  At each step but those to IN and ALONE the others are woken, by an
 * eventfd: a queue that was told no may sleep on its own, and then ask again.
 *
 * A queue's thread calls these for its own queue.  With nothing in the engine
 * and nothing to be published: lone_ask, lone_leave.  All accept NULL, a disk
 * of one queue: that is always alone.
 */
#ifndef BLKD_LONE_H
#define BLKD_LONE_H

#include <stdbool.h>

struct lone;

/* NULL and errno on failure. */
struct lone	*lone_make(void);
void		 lone_free(struct lone *);

/* Register thread: wake this queue by this eventfd; -1: there is none. */
void		 lone_wake_by(struct lone *, unsigned queue, int fd);

/* False: it will be woken when that may have changed. */
bool		 lone_may_run(struct lone *, unsigned queue);

/* Does one wait for this queue, which is IN, to leave?  Any thread. */
bool		 lone_is_asked(const struct lone *);

void		 lone_ask(struct lone *, unsigned queue);
bool		 lone_is_alone(const struct lone *, unsigned queue);
void		 lone_share(struct lone *, unsigned queue);
void		 lone_leave(struct lone *, unsigned queue);

#endif /* BLKD_LONE_H */
