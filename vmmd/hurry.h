/* SPDX-License-Identifier: ISC */
/*
 * A few milliseconds in real time: from the end of a blkd to its successor's
 * first answers, what stands between the two is not to wait for a tick of the
 * kernel's clock.  Monitor; where the host does not allow it, or the monitor
 * was started with a policy of its own, nothing here does anything.
 *
 * Who may be hostile gets no more than a turn of it, and something above that
 * always ends the turn: the loop runs at HURRY_LOOP, what it raises below.
 */
#ifndef VMMD_HURRY_H
#define VMMD_HURRY_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct hurry;

/* For the loop of the calling thread.  NULL and errno. */
struct hurry	*hurry_new(struct event_base *);
/* Ends the turn; NULL is fine. */
void		 hurry_free(struct hurry *);
/* Does the host allow it? */
bool		 hurry_is_allowed(const struct hurry *);

/*
 * Any thread.  The calling one, for as long as it likes: false if it is not
 * to be; back again; and the loop, which has to call hurry_begin then.
 */
bool		 hurry_self(const struct hurry *);
void		 hurry_calm_self(void);
void		 hurry_loop(const struct hurry *);

/*
 * The loop: its turn, which ends by itself.  One that is under way is not
 * made longer.  And with it these threads of a process that is its child and
 * not reaped yet.
 */
void		 hurry_begin(struct hurry *);
void		 hurry_add(struct hurry *, pid_t, const pid_t *thread,
		    size_t threads);
/* Those of this process leave the turn, now; as soon as it is reaped, too. */
void		 hurry_drop(struct hurry *, pid_t);

#endif /* VMMD_HURRY_H */
