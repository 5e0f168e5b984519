/* SPDX-License-Identifier: ISC */
/*
 * The listening socket of a blkd behind vhost-user.  Runs in its parent,
 * outside the sandbox; trusts its caller, but not to have passed the right
 * descriptor; touches the socket's path and the environment.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blkd/options.h"
#include "blkd/vhost_listen.h"
#include "util/fd.h"
#include "util/log.h"

#define BACKLOG		8
#define SD_LISTEN_FD	3	/* sd_listen_fds(3) */

/* A process that was killed takes so long to let go of its socket. */
#define TRIES		200
#define TRY_NS		5000000L

/* --- made here ---------------------------------------------------------- */

/* Does anybody listen there? */
static bool
is_in_use(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool used;

	used = fd != -1 && (connect(fd, (const struct sockaddr *)sun,
	    sizeof(*sun)) == 0 || errno == EAGAIN);
	fd_close(&fd);
	return used;
}

/* What a blkd that was killed has left is taken away. */
static int
make_room(const struct sockaddr_un *sun)
{
	const struct timespec nap = { 0, TRY_NS };
	struct stat st;
	int i;

	if (lstat(sun->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	for (i = 0; is_in_use(sun); i++) {
		if (i == TRIES) {
			errno = EADDRINUSE;
			return -1;
		}
		nanosleep(&nap, NULL);
	}
	return unlink(sun->sun_path) == -1 && errno != ENOENT ? -1 : 0;
}

static int
bind_socket(struct vhost_listen *l, const char *path, mode_t mode)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	mode_t mask;
	int rc;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path));
	if (make_room(&sun) == -1)
		return -1;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->fd == -1)
		return -1;
	mask = umask(0777 & ~mode);
	rc = bind(l->fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (rc == -1 || lstat(path, &l->bound) == -1)
		return -1;
	l->path = path;
	return listen(l->fd, BACKLOG);
}

/* --- given -------------------------------------------------------------- */

/* What sd_listen_fds(3) and its descriptor store set. */
static const char *const variables[] = {
	"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID",
};

static void
forget_activation(void)
{
	size_t i;

	for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
}

/* The descriptor of the activation; -1: none, the log says why. */
static int
find_activated(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	const char *why;

	if (pid == NULL && fds == NULL) {
		log_error("no socket: give -s, --fd, or start blkd by socket"
		    " activation");
		return -1;
	}
	if (pid == NULL || strtonum(pid, 1, INT_MAX, &why) != getpid()) {
		log_error("LISTEN_PID is %s: the sockets of the activation are"
		    " not for this process, %d; give -s or --fd",
		    pid != NULL ? pid : "not set", (int)getpid());
		return -1;
	}
	if (fds == NULL || strtonum(fds, 1, INT_MAX, &why) != 1) {
		log_error("LISTEN_FDS is %s: socket activation must give one"
		    " socket, with one ListenStream=",
		    fds != NULL ? fds : "not set");
		return -1;
	}
	return SD_LISTEN_FD;
}

/* What it must be, the plainest first. */
static const struct {
	int		 option;
	int		 want;
	const char	*why;
} trait[] = {
	{ SO_DOMAIN, AF_UNIX, "is no socket of AF_UNIX" },
	{ SO_TYPE, SOCK_STREAM, "is no stream socket" },
	{ SO_ACCEPTCONN, 1, "does not listen" },
};

/* Why this descriptor will not do, or NULL. */
static const char *
find_fault(int fd)
{
	socklen_t size;
	size_t i;
	int is;

	for (i = 0; i < sizeof(trait) / sizeof(trait[0]); i++) {
		size = sizeof(is);
		if (getsockopt(fd, SOL_SOCKET, trait[i].option, &is,
		    &size) == -1)
			return errno == EBADF ? "is not open" :
			    "is no socket";
		if (is != trait[i].want)
			return trait[i].why;
	}
	return NULL;
}

static int
take_given(struct vhost_listen *l, int fd)
{
	const char *why = find_fault(fd);

	if (why != NULL) {
		log_error("descriptor %d %s: vhost-user needs a listening"
		    " stream socket of AF_UNIX", fd, why);
		return -1;
	}
	if ((l->fd = fd_dup(fd)) == -1) {
		log_error("descriptor %d: cannot copy: %s", fd,
		    strerror(errno));
		return -1;
	}
	close(fd);
	return 0;
}

/* --- both --------------------------------------------------------------- */

int
vhost_listen_open(struct vhost_listen *l, const struct options *options)
{
	int fd = options->fd;

	*l = (struct vhost_listen) { .fd = -1 };
	if (options->socket == NULL && fd == -1)
		fd = find_activated();
	forget_activation();
	if (options->socket == NULL)
		return fd == -1 ? -1 : take_given(l, fd);
	if (bind_socket(l, options->socket, options->mode) == 0)
		return 0;
	log_error("%s: cannot listen: %s", options->socket, strerror(errno));
	return -1;
}

void
vhost_listen_let_go(struct vhost_listen *l)
{
	fd_close(&l->fd);
}

void
vhost_listen_close(struct vhost_listen *l)
{
	struct stat st;

	vhost_listen_let_go(l);
	if (l->path != NULL && lstat(l->path, &st) == 0 &&
	    st.st_dev == l->bound.st_dev && st.st_ino == l->bound.st_ino)
		(void)unlink(l->path);
	l->path = NULL;
}
