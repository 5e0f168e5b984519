/* SPDX-License-Identifier: ISC */
/*
 * The parent of a blkd behind vhost-user.  Runs outside the sandbox, with
 * what its caller has; touches its socket (vhost_listen.c), its child, and
 * nothing that a front-end sends.
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "blkd/options.h"
#include "blkd/vhost_door.h"
#include "blkd/vhost_listen.h"
#include "blkd/vhost_parent.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sandbox.h"

struct parent {
	const struct options	*options;
	struct vhost_listen	 socket;
	int			 pipe[2];
	int			 self;		/* this program */
};

/* --- the child ---------------------------------------------------------- */

/* From here to exec system calls only: libc does not know of this fork. */
static void __attribute__((__noreturn__))
child_run(const struct parent *p, char **argv)
{
	sigset_t none;
	int lfd, pfd, self;

	/* Away from the targets first: none may cover another. */
	lfd = fcntl(p->socket.fd, F_DUPFD, VHOST_PARENT_PIPE + 1);
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
	struct parent p = { .options = options, .pipe = { -1, -1 }, .self = -1 };
	int status = EX_OSERR;
	sigset_t signals;
	pid_t pid;

	if (vhost_listen_open(&p.socket, options) == -1) {
		vhost_listen_close(&p.socket);
		return EX_UNAVAILABLE;
	}
	block_signals(&signals);
	p.self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (p.self == -1 || pipe2(p.pipe, O_CLOEXEC) == -1 ||
	    (pid = start_child(&p, argc, argv)) == -1) {
		log_error("cannot start: %s", strerror(errno));
		goto out;
	}
	vhost_listen_let_go(&p.socket);
	fd_close(&p.pipe[0]);
	fd_close(&p.self);
	status = wait_for_child(&p, pid, &signals);
out:
	vhost_listen_close(&p.socket);
	fd_close_all(p.pipe, 2);
	fd_close(&p.self);
	return status;
}
