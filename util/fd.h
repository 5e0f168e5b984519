/* SPDX-License-Identifier: ISC */
/*
 * Who owns a descriptor.  An owner is an int that is -1 or an open
 * descriptor; it starts at -1, and fd_close() on it is always right.
 * Any process, any thread; the owner itself is not shared.
 */
#ifndef UTIL_FD_H
#define UTIL_FD_H

#include <stddef.h>

/* Close what *fd owns, if anything, and set it to -1.  Keeps errno. */
void	fd_close(int *fd);

/* fd_close() each of the n owners. */
void	fd_close_all(int *fds, size_t n);

/*
 * The descriptor in *fd, which becomes the caller's; *fd is -1 afterwards.
 *	chan->fd = fd_move(&pair[0]);
 */
int	fd_move(int *fd);

/* A duplicate, close-on-exec and above stderr; -1 and errno. */
int	fd_dup(int fd);

/* Set or clear O_NONBLOCK on the open file description; -1 and errno. */
int	fd_set_nonblock(int fd, int on);

#endif /* UTIL_FD_H */
