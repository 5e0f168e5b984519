/* SPDX-License-Identifier: ISC */
/*
 * The control socket: where it is, who may write to it, who has connected.
 * Monitor; it reads nothing from a connection.
 */
#ifndef VMMD_LISTENER_H
#define VMMD_LISTENER_H

#include <sys/socket.h>
#include <sys/stat.h>

#include "vmmd/conf.h"
#include "vmmd/exitcode.h"

struct listener {
	int		fd;		/* -1: there is none */
	char		path[CONF_CONTROL_MAX];
	struct stat	node;		/* of the socket, as it was made */
	int		error;		/* why there is no default one; 0 */
};

void	listener_init(struct listener *);
/*
 * Make the socket.  What is wrong is logged as one sentence, and its reason
 * returned.  EXITCODE_NONE: fine, or none is wanted, or the default one
 * cannot be made: see `error`.
 */
enum exitcode_reason	listener_open(struct listener *,
			    const struct conf_vm *);
/* The next connection, nonblocking, and who it is; -1 and errno. */
int	listener_accept(const struct listener *, struct ucred *);
/* Remove it; may be called again. */
void	listener_close(struct listener *);

/*
 * Remove a socket on which nobody listens, with its directory locked as for
 * the making of one.  0, also where there is nothing; -1 and errno.
 */
int	listener_remove_stale(const char *path);

/* Where it is by default, for vmmctl: empty where there is no place. */
void	listener_default_path(const char *machine,
	    char path[CONF_CONTROL_MAX]);

#endif /* VMMD_LISTENER_H */
