/* SPDX-License-Identifier: ISC */
/*
 * Who owns a descriptor.  Runs in every process of the project; trusts its
 * caller; touches the descriptors that it is given and no others.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "util/fd.h"

void
fd_close(int *fd)
{
	int	saved;

	if (*fd == -1)
		return;
	saved = errno;
	/* Not again after EINTR: Linux has released the number by then. */
	close(*fd);
	*fd = -1;
	errno = saved;
}

void
fd_close_all(int *fds, size_t n)
{
	size_t	i;

	for (i = 0; i < n; i++)
		fd_close(&fds[i]);
}

int
fd_move(int *fd)
{
	int	taken;

	taken = *fd;
	*fd = -1;
	return taken;
}

int
fd_dup(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

int
fd_set_nonblock(int fd, int on)
{
	int	flags;

	if ((flags = fcntl(fd, F_GETFL)) == -1)
		return -1;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) == -1 ? -1 : 0;
}
