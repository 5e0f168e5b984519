/* SPDX-License-Identifier: ISC */
/*
 * The listening socket of a blkd behind vhost-user, made or given.  Used by
 * the parent (vhost_parent.c), outside the sandbox, on its one thread.
 *
 *	-s path		made here; one that nobody listens on is replaced
 *	--fd n		given: descriptor n
 *	neither		given: descriptor 3, by socket activation as in
 *			sd_listen_fds(3): LISTEN_PID is this process,
 *			LISTEN_FDS is 1
 *
 * What is given must be a listening stream socket of AF_UNIX.  LISTEN_PID,
 * LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PIDFDID are read once and then taken
 * out of the environment: they speak of this process, not of its child.
 */
#ifndef BLKD_VHOST_LISTEN_H
#define BLKD_VHOST_LISTEN_H

#include <sys/stat.h>

struct options;

struct vhost_listen {
	int		 fd;		/* -1: none */
	const char	*path;		/* of a socket made here, or NULL */
	struct stat	 bound;		/* its inode */
};

/*
 * Make or find it; -1: none, the log says why.  The path stays the options'.
 * Whatever the result, vhost_listen_close may be called.
 */
int	vhost_listen_open(struct vhost_listen *, const struct options *);

/* The descriptor alone; the socket stays where it is.  Keeps errno. */
void	vhost_listen_let_go(struct vhost_listen *);

/* Close it, and remove the socket that was made here if it is still ours. */
void	vhost_listen_close(struct vhost_listen *);

#endif /* BLKD_VHOST_LISTEN_H */
