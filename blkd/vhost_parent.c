/* SPDX-License-Identifier: ISC */
/*
 * The parent of a blkd behind vhost-user.  Runs outside the sandbox, with
 * what its caller has; touches the socket's path, its child, and nothing
 * that a front-end sends.
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "blkd/options.h"
#include "blkd/vhost_door.h"
#include "blkd/vhost_parent.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sandbox.h"

#define BACKLOG		8
#define SD_LISTEN_FD	3	/* sd_listen_fds(3) */

/* A process that was killed takes so long to let go of its socket. */
#define TRIES		200
#define TRY_NS		5000000L

struct parent {
	const struct options	*options;
	int			 listenfd;
	int			 pipe[2];
	int			 self;		/* this program */
	struct stat		 bound;		/* the socket's inode */
};

/* --- the socket --------------------------------------------------------- */

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
bind_socket(struct parent *p)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *path = p->options->socket;
	mode_t mask;
	int rc;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path));
	if (make_room(&sun) == -1)
		return -1;
	p->listenfd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->listenfd == -1)
		return -1;
	mask = umask(0777 & ~p->options->mode);
	rc = bind(p->listenfd, (struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (rc == -1 || lstat(path, &p->bound) == -1)
		return -1;
	return listen(p->listenfd, BACKLOG);
}

/* Only what is still ours. */
static void
unbind_socket(const struct parent *p)
{
	const char *path = p->options->socket;
	struct stat st;

	if (path != NULL && lstat(path, &st) == 0 &&
	    st.st_dev == p->bound.st_dev && st.st_ino == p->bound.st_ino)
		(void)unlink(path);
}

/* The number of a variable that systemd sets, or -1. */
static long
variable(const char *name)
{
	const char *s = getenv(name);
	char *end;
	long n;

	if (s == NULL || *s == '\0')
		return -1;
	n = strtol(s, &end, 10);
	return *end == '\0' ? n : -1;
}

static int
find_listening(struct parent *p)
{
	int fd = p->options->fd, on = 0;
	socklen_t size = sizeof(on);

	if (fd == -1 && variable("LISTEN_PID") == getpid() &&
	    variable("LISTEN_FDS") == 1)
		fd = SD_LISTEN_FD;
	if (fd == -1) {
		log_error("no socket: give -s, --fd, or start blkd by socket"
		    " activation");
		return -1;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) == -1 ||
	    on == 0 || (p->listenfd = fd_dup(fd)) == -1) {
		log_error("descriptor %d is no listening socket", fd);
		return -1;
	}
	close(fd);
	return 0;
}

static int
open_socket(struct parent *p)
{
	if (p->options->socket == NULL)
		return find_listening(p);
	if (bind_socket(p) == 0)
		return 0;
	log_error("%s: cannot listen: %s", p->options->socket,
	    strerror(errno));
	return -1;
}

/* --- the child ---------------------------------------------------------- */

/* From here to exec system calls only: libc does not know of this fork. */
static void __attribute__((__noreturn__))
child_run(const struct parent *p, char **argv)
{
	sigset_t none;
	int lfd, pfd, self;

	/* Away from the targets first: none may cover another. */
	lfd = fcntl(p->listenfd, F_DUPFD, VHOST_PARENT_PIPE + 1);
	pfd = fcntl(p->pipe[0], F_DUPFD, VHOST_PARENT_PIPE + 1);
	self = fcntl(p->self, F_DUPFD_CLOEXEC, VHOST_PARENT_PIPE + 1);
	if (lfd == -1 || pfd == -1 || self == -1 ||
	    dup2(lfd, VHOST_PARENT_LISTEN) == -1 ||
	    dup2(pfd, VHOST_PARENT_PIPE) == -1)
		_exit(EX_OSERR);
	close(lfd);
	close(pfd);
	/* The pipe's end tells, too, but a process that is stuck hears not. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	fexecve(self, argv, environ);
	_exit(EX_OSERR);
}

static pid_t
start_child(const struct parent *p, int argc, char **argv)
{
	char inner[] = "--inner", **more;
	pid_t pid;

	if ((more = calloc((size_t)argc + 2, sizeof(*more))) == NULL)
		return -1;
	more[0] = argv[0];
	more[1] = inner;
	memcpy(more + 2, argv + 1, ((size_t)argc - 1) * sizeof(*more));
	if ((pid = sandbox_fork()) == 0)
		child_run(p, more);
	free(more);
	return pid;
}

static void
tell(const struct parent *p, char what)
{
	/* A child that is gone is found by SIGCHLD. */
	(void)!write(p->pipe[1], &what, sizeof(what));
}

static int
wait_for_child(const struct parent *p, pid_t pid, const sigset_t *signals)
{
	int status, signo;

	for (;;) {
		if (sigwait(signals, &signo) != 0)
			continue;
		if (signo == SIGUSR1)
			tell(p, VHOST_DOOR_STATS);
		else if (signo != SIGCHLD)
			tell(p, VHOST_DOOR_END);
		else if (waitpid(pid, &status, WNOHANG) == pid)
			break;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	log_error("%s: ended by signal %d (%s)", p->options->name,
	    WTERMSIG(status), strsignal(WTERMSIG(status)));
	return EX_SOFTWARE;
}

static void
block_signals(sigset_t *signals)
{
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(signals);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGUSR1);
	sigaddset(signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, signals, NULL);
}

int
vhost_parent_run(const struct options *options, int argc, char **argv)
{
	struct parent p = { .options = options, .listenfd = -1,
	    .pipe = { -1, -1 }, .self = -1 };
	int status = EX_OSERR;
	sigset_t signals;
	pid_t pid;

	if (open_socket(&p) == -1)
		return EX_UNAVAILABLE;
	block_signals(&signals);
	p.self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (p.self == -1 || pipe2(p.pipe, O_CLOEXEC) == -1 ||
	    (pid = start_child(&p, argc, argv)) == -1) {
		log_error("cannot start: %s", strerror(errno));
		goto out;
	}
	fd_close(&p.listenfd);
	fd_close(&p.pipe[0]);
	fd_close(&p.self);
	status = wait_for_child(&p, pid, &signals);
out:
	unbind_socket(&p);
	fd_close(&p.listenfd);
	fd_close_all(p.pipe, 2);
	fd_close(&p.self);
	return status;
}
