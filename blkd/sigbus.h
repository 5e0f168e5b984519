/* SPDX-License-Identifier: ISC */
/*
 * SIGBUS: memory whose file has no such page any more, or cannot give it.
 * A thread that copies from or to such memory says so, and goes on where it
 * said instead of dying:
 *
 *	struct sigbus_guard guard = { .begin = map, .bytes = n };
 *
 *	if (sigsetjmp(guard.again, 0) == 0) {
 *		sigbus_guard(&guard);
 *		memcpy(...);
 *	} else
 *		... there was a page missing
 *	sigbus_unguard();
 *
 * No signal mask is kept: the handler runs without one of its own, and is
 * left without a system call.  Any thread that SIGBUS is not blocked in.
 */
#ifndef BLKD_SIGBUS_H
#define BLKD_SIGBUS_H

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

struct sigbus_guard {
	const void	*begin;
	size_t		 bytes;
	sigjmp_buf	 again;
};

/*
 * Once, before the sandbox.  `other` is asked about what nobody guards, in
 * the handler; true: the page is there now.  NULL: nobody to ask.  Where
 * nobody helps the process ends with a line on stderr.  0, or -1 and errno.
 */
int	sigbus_install(bool (*other)(const siginfo_t *));

/* Of the calling thread; the guard has to stay until it is taken away. */
void	sigbus_guard(struct sigbus_guard *);
void	sigbus_unguard(void);

#endif /* BLKD_SIGBUS_H */
