/* SPDX-License-Identifier: ISC */
/*
 * Memory that shrinks.  A front-end need not seal what it shares, and can
 * take it back at any time; a thread that then touches a page that is gone
 * gets SIGBUS.  That costs the front-end its connection, and nobody else
 * anything:
 *
 *	thread		touches a page: SIGBUS, in that thread
 *	handler		maps memory of nobody over the whole region, and
 *			signals the main thread
 *	thread		goes on, with zeroes, until its queue rests
 *	main		ends the connection
 *
 * A system call on such memory fails with EFAULT instead: the request is
 * answered with an I/O error.
 */
#ifndef BLKD_VHOST_FAULT_H
#define BLKD_VHOST_FAULT_H

#include <stdbool.h>

struct vhost_mem;

/* Take the signal: before the sandbox, one thread.  -1 and errno. */
int	vhost_fault_install(void);

/*
 * The memory to watch and the eventfd to signal, both of which stay the
 * caller's; NULL: none.  The table may change while no thread touches it.
 */
int	vhost_fault_watch(const struct vhost_mem *, int eventfd);

/* Has memory gone since the last vhost_fault_forget?  Main thread. */
bool	vhost_fault_happened(void);
/* The table is empty: give back what was written in its place. */
void	vhost_fault_forget(void);

#endif /* BLKD_VHOST_FAULT_H */
