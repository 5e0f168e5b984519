/* SPDX-License-Identifier: ISC */
/*
 * Landlock with no rights at all, at the newest ABI that the kernel has.
 */
#ifndef UTIL_LANDLOCK_H
#define UTIL_LANDLOCK_H

/* The kernel's ABI, 1 or more; -1 and errno where it has none. */
int	landlock_abi(void);

/*
 * Take every right that this file knows and the kernel handles from the
 * calling thread and what it makes later: files, TCP ports, abstract
 * sockets and signals beyond its own.  Descriptors that are open keep what
 * they have.  Needs no_new_privs.  0, or -1 and errno.
 */
int	landlock_close(void);

/* Does it hold?  0, or -1 and errno of what should have been refused. */
int	landlock_verify(void);

#endif /* UTIL_LANDLOCK_H */
