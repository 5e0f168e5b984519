/* SPDX-License-Identifier: ISC */
/*
 * Wait for the end of all threads of a blkd: the robust futexes in its state
 * (blkd/fence.h).  Monitor.  A futex cannot be polled, so a thread waits.
 *
 * The words are hostile.  A blkd that marks its fences and lives on gets a
 * successor beside it, and is killed; it could do to its image what it
 * wanted before.  One that never marks them is waited for as any process.
 */
#ifndef VMMD_FENCEWATCH_H
#define VMMD_FENCEWATCH_H

struct event_base;
struct fencewatch;
struct hurry;

/*
 * For the state behind this descriptor.  `down` is called from the loop,
 * once for each start, in a turn of `hurry`, which outlives the watch; NULL:
 * as any other event.  NULL and errno.
 */
struct fencewatch	*fencewatch_new(struct event_base *, int state_fd,
			    unsigned queues, unsigned queue_size,
			    struct hurry *hurry, void (*down)(void *ctx),
			    void *ctx);
void			 fencewatch_free(struct fencewatch *);	/* NULL: ok */

/* The blkd is READY: it holds its fences.  0, or -1 and errno. */
int			 fencewatch_start(struct fencewatch *);
/* Not wanted any more; nothing if it does not wait. */
void			 fencewatch_stop(struct fencewatch *);

#endif /* VMMD_FENCEWATCH_H */
