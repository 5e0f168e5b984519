/* SPDX-License-Identifier: ISC */
/*
 * The parent of a blkd behind vhost-user.  Runs outside the sandbox, with
 * what its caller has; touches its socket (vhost_listen.c), its child, and
 * nothing that a front-end sends.
 */
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "blkd/limits.h"
#include "blkd/options.h"
#include "blkd/vhost_door.h"
#include "blkd/vhost_listen.h"
#include "blkd/vhost_parent.h"
#include "shm/state.h"
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
	signal(SIGHUP, SIG_IGN);
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

/* --- another size ------------------------------------------------------- */

/* Whom the child has become. */
static int
find_user(pid_t pid, uid_t *uid, gid_t *gid)
{
	char path[32], line[256];
	int found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return -1;
	while (found < 2 && fgets(line, sizeof(line), f) != NULL)
		found += sscanf(line, "Uid: %u", uid) == 1 ||
		    sscanf(line, "Gid: %u", gid) == 1;
	fclose(f);
	return found == 2 ? 0 : -1;
}

/*
 * Root without CAP_SYS_RESOURCE may not change the limits of others, but who
 * is of the same user may, for as long as the hard limit allows it.
 */
static int
raise_as_user(pid_t pid, uint64_t bytes)
{
	int status = EX_NOPERM;
	pid_t helper;
	uid_t uid;
	gid_t gid;

	if (find_user(pid, &uid, &gid) == 0 && (helper = fork()) != -1) {
		if (helper == 0)
			_exit(setresgid(gid, gid, gid) == -1 ||
			    setresuid(uid, uid, uid) == -1 ||
			    sandbox_raise_file(pid, bytes) == -1);
		while (waitpid(helper, &status, 0) == -1 && errno == EINTR)
			;
	}
	if (status == 0)
		return 0;
	errno = EPERM;
	return -1;
}

/*
 * The file has another size: what the child may write comes before it hears
 * of it.  Never less than a journal in memory needs.
 */
static void
resize(const struct parent *p, pid_t pid)
{
	const char *name = p->options->name, *file = p->options->file;
	uint64_t bytes = sizeof(struct state);
	struct stat st;

	if (stat(file, &st) == -1) {
		log_error("%s: cannot look at %s for its size: %s", name, file,
		    strerror(errno));
		return;
	}
	if ((uint64_t)st.st_size > bytes)
		bytes = (uint64_t)st.st_size;
	if (S_ISREG(st.st_mode) && sandbox_raise_file(pid, bytes) == -1 &&
	    raise_as_user(pid, bytes) == -1) {
		log_error("%s: cannot let blkd write up to the size of %s: %s:"
		    " start blkd again to take it", name, file,
		    strerror(errno));
		return;
	}
	tell(p, VHOST_DOOR_RESIZE);
}

/* --- other limits ------------------------------------------------------- */

/* What cannot be read, or is wrong, changes nothing. */
static void
limit(const struct parent *p)
{
	const struct options *o = p->options;
	struct throttle_limits limits;
	char why[LIMITS_WHY], message[1 + sizeof(limits)];

	if (o->limits_file == NULL)
		return;
	if (limits_read(o->limits_file, &limits, why) == -1) {
		log_error("%s: %s: %s: the limits stay as they are", o->name,
		    o->limits_file, why);
		return;
	}
	/* In one piece: a pipe keeps what is so short together. */
	message[0] = VHOST_DOOR_LIMITS;
	memcpy(message + 1, &limits, sizeof(limits));
	(void)!write(p->pipe[1], message, sizeof(message));
}

/* --- signals ------------------------------------------------------------ */

static int
wait_for_child(const struct parent *p, pid_t pid, const sigset_t *signals)
{
	int status, signo;

	for (;;) {
		if (sigwait(signals, &signo) != 0)
			continue;
		if (signo == SIGUSR1)
			tell(p, VHOST_DOOR_STATS);
		else if (signo == SIGHUP) {
			limit(p);
			resize(p, pid);
		} else if (signo != SIGCHLD)
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
	signal(SIGPIPE, SIG_IGN);
	/* What is ignored, as nohup(1) has it, does not come by sigwait. */
	signal(SIGHUP, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(signals);
	sigaddset(signals, SIGHUP);
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
