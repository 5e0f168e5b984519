/* SPDX-License-Identifier: ISC */
/*
 * The rings of io_uring, made before the sandbox closes: io_uring_setup(2)
 * is fatal afterwards.
 *
 *	uring_make	before the sandbox: made, disabled, restricted
 *	uring_enable	queue thread, before the sandbox narrows; the ring is
 *			that thread's from then on
 *
 * A restricted ring takes the operations of engine_uring.c and no other, no
 * flag that links, drains or selects, and nothing is registered with it any
 * more; the kernel lets nobody lift that.  Each operation has a system call
 * in the filter (seccomp_table.c) that does the same with the same
 * descriptors, so that a ring is no way round it.
 *
 * No file is registered: a ring gives back what is registered tens of
 * milliseconds after the death of its process, and the successor waits for
 * the description of the image (DESIGN 7).  Nor is guest memory: all of it
 * would be pinned, which took 230 to 480 ms for 2 GiB on a loaded machine, and
 * a successor would have to do it again.  It gains direct reads at depth 32
 * nothing, direct writes perhaps a tenth (fio with and without fixedbufs).
 */
#ifndef BLKD_URING_H
#define BLKD_URING_H

#include <liburing.h>

/* Kernel threads that a ring may start: tasks of our user. */
#define URING_TASKS	5u

struct uring_set;

/*
 * `rings` for queues of `depth` entries.  Always returns a set (NULL: no
 * memory): where the kernel refuses, uring_error says why.
 */
struct uring_set *uring_make(unsigned rings, unsigned depth);
void		 uring_free(struct uring_set *);	/* NULL is accepted */

/* 0, or the errno for which there are no rings.  NULL: ENOENT. */
int		 uring_error(const struct uring_set *);

/* The ring of a queue; NULL: it is not there, or too small for `depth`. */
struct io_uring	*uring_ring(struct uring_set *, unsigned queue,
		    unsigned depth);

/* 0, or -1 and errno. */
int		 uring_enable(struct io_uring *);

#endif /* BLKD_URING_H */
