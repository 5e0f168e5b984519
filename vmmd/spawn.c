/* SPDX-License-Identifier: ISC */
/*
 * Start a child.  Monitor; the functions named child_* run in the new
 * process, between fork and exec, and make system calls only: libc does not
 * know of sandbox_fork.
 */
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/chan.h"
#include "util/fd.h"
#include "util/sandbox.h"
#include "util/slice.h"
#include "vmmd/spawn.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_SANITIZERS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_SANITIZERS 1
#endif
#endif

#define ENVIRONMENT_MAX	4

struct ends {
	int	null;
	int	log[2];		/* read, write */
	int	channel[2];	/* the monitor's, the child's */
};

static int
make_ends(struct ends *ends)
{
	*ends = (struct ends) { -1, { -1, -1 }, { -1, -1 } };
	if ((ends->null = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
		return -1;
	if (pipe2(ends->log, O_CLOEXEC | O_NONBLOCK) == -1)
		return -1;
	return chan_pair(ends->channel);
}

static void
close_ends(struct ends *ends)
{
	fd_close(&ends->null);
	fd_close_all(ends->log, 2);
	fd_close_all(ends->channel, 2);
}

/*
 * Only what a sanitizer's run-time reads, and only in its builds: they need
 * their options in children, too.
 */
static void
make_environment(char *environment[ENVIRONMENT_MAX])
{
	size_t n = 0;
#ifdef WITH_SANITIZERS
	static const char *const names[ENVIRONMENT_MAX - 1] = {
		"ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS=",
	};
	size_t i;
	char **e;

	for (i = 0; i < ENVIRONMENT_MAX - 1; i++) {
		for (e = environ; *e != NULL; e++) {
			if (strncmp(*e, names[i], strlen(names[i])) != 0)
				continue;
			environment[n++] = *e;
			break;
		}
	}
#endif
	environment[n] = NULL;
}

static void
child_reset_signals(void)
{
	sigset_t none;
	int signo;

	for (signo = 1; signo < NSIG; signo++)
		signal(signo, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* dup2 clears CLOEXEC, but not where source and target are the same. */
static int
child_place(int from, int to)
{
	if (from == to)
		return fcntl(to, F_SETFD, 0);
	return dup2(from, to);
}

static int
child_place_all(const struct ends *ends)
{
	int null, log, channel;

	/* Away from the targets first: none may cover another. */
	null = fcntl(ends->null, F_DUPFD_CLOEXEC, SPAWN_CHANNEL_FD + 1);
	log = fcntl(ends->log[1], F_DUPFD_CLOEXEC, SPAWN_CHANNEL_FD + 1);
	channel = fcntl(ends->channel[1], F_DUPFD_CLOEXEC,
	    SPAWN_CHANNEL_FD + 1);
	if (null == -1 || log == -1 || channel == -1)
		return -1;
	if (child_place(null, STDIN_FILENO) == -1 ||
	    child_place(null, STDOUT_FILENO) == -1 ||
	    child_place(log, STDERR_FILENO) == -1 ||
	    child_place(channel, SPAWN_CHANNEL_FD) == -1)
		return -1;
	return close_range(SPAWN_CHANNEL_FD + 1, ~0U, 0);
}

/* The monitor's end of the channel closes with it. */
static int
child_monitor_is_there(void)
{
	struct pollfd pfd = { .fd = SPAWN_CHANNEL_FD, .events = POLLIN };

	return poll(&pfd, 1, 0) != -1 && (pfd.revents & POLLHUP) == 0;
}

static void
child_say(const char *text)
{
	ssize_t ignored = write(STDERR_FILENO, text, strlen(text));

	(void)ignored;
}

/*
 * A process group of its own and no controlling terminal, but no session of
 * its own: the kernel makes each session a group for the scheduler
 * (sched_autogroup_enabled), and what is said of one process, that it is
 * dead and gives way, or that it is short of time, holds within its group.
 */
static void
child_leave_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK |
	    O_CLOEXEC);

	/* Is there one, and no way to it?  ENXIO: there is none. */
	if (fd == -1 && errno != ENXIO) {
		setsid();
		return;
	}
	setpgid(0, 0);
	if (fd == -1)
		return;
	ioctl(fd, TIOCNOTTY);
	close(fd);
}

static void __attribute__((noreturn))
child_run(const char *path, const char *const argv[], char *const environment[],
    const struct ends *ends)
{
	child_reset_signals();
	slice_restore();
	if (child_place_all(ends) == -1)
		_exit(SPAWN_EXEC_FAILED);
	child_leave_terminal();
	/* A monitor that dies from here on takes this process with it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!child_monitor_is_there())
		_exit(SPAWN_EXEC_FAILED);
	/* execve(2) changes no argument; its prototype is older than const. */
	execve(path, (char *const *)(uintptr_t)argv, environment);
	child_say("error: cannot execute ");
	child_say(path);
	child_say("\n");
	_exit(SPAWN_EXEC_FAILED);
}

int
spawn_run(const char *path, const char *const argv[], struct spawn_child *child)
{
	char *environment[ENVIRONMENT_MAX];
	struct ends ends;
	pid_t pid;
	int ret = -1;

	make_environment(environment);
	if (make_ends(&ends) == -1)
		goto out;
	if ((pid = sandbox_fork()) == -1)
		goto out;
	if (pid == 0)
		child_run(path, argv, environment, &ends);
	*child = (struct spawn_child) {
		.pid = pid,
		.channel = fd_move(&ends.channel[0]),
		.log = fd_move(&ends.log[0]),
	};
	ret = 0;
out:
	close_ends(&ends);
	return ret;
}
