/* SPDX-License-Identifier: ISC */
/*
 * The sweeper.  A process of its own, forked by the monitor: it hears nothing
 * but the monitor's end, and then removes two names.  It trusts nothing that
 * lies there: a socket on which somebody listens and a pid file that somebody
 * holds are another machine's.  It may make the system calls of
 * sweeper_seccomp.c.
 */
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/filter.h"
#include "util/log.h"
#include "vmmd/listener.h"
#include "vmmd/sweeper.h"
#include "vmmd/sweeper_seccomp.h"

/* Together 1.3 s: 10 ms, and double that each time. */
#define TRIES		7
#define FIRST_NAP_NS	10000000L

/* --- the child ---------------------------------------------------------- */

/* The images' locks are on descriptors: none of them may live on here. */
static int
keep_nothing(void)
{
	int null = open("/dev/null", O_RDWR), i;

	if (null == -1)
		return -1;
	for (i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		if (dup2(null, i) == -1)
			return -1;
	return close_range(STDERR_FILENO + 1, ~0u, 0);
}

/* To remove a name its directory's owner needs nothing, or just this. */
static void
drop_rights(void)
{
	bool over = capng_get_caps_process() == 0 &&
	    capng_have_capability(CAPNG_EFFECTIVE, CAP_DAC_OVERRIDE) == 1;

	capng_clear(CAPNG_SELECT_CAPS);
	if (over)
		capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
		    CAP_DAC_OVERRIDE, -1);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		log_warning("the sweeper keeps its capabilities: %s",
		    strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		log_warning("the sweeper may gain privileges: %s",
		    strerror(errno));
}

/*
 * The kernel tells of the parent's end when its descriptors are closed.  -1
 * for `fd`: it has ended already.
 */
static void
wait_for_end(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	while (fd != -1 && poll(&pfd, 1, -1) != 1)
		;
}

/* Returns false where somebody still listens there. */
static bool
remove_socket(const char *path)
{
	return path == NULL || path[0] == '\0' ||
	    listener_remove_stale(path) == 0 || errno != EADDRINUSE;
}

/*
 * Its lock went with the monitor.  One who has opened it and waits for the
 * lock looks again whether the name is still there.  Returns false where
 * somebody still has the lock.
 */
static bool
remove_pid_file(const char *path)
{
	struct stat named, held;
	bool locked;
	int fd;

	if (path == NULL || path[0] == '\0' ||
	    (fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW |
	    O_CLOEXEC)) == -1)
		return true;
	locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
	if (locked && fstat(fd, &held) == 0 && lstat(path, &named) == 0 &&
	    S_ISREG(held.st_mode) && held.st_ino == named.st_ino &&
	    held.st_dev == named.st_dev)
		(void)unlink(path);
	close(fd);
	return locked;
}

/*
 * A child that the monitor had just forked has its descriptors for a moment
 * more, until it executes or finds its parent dead.  Who has them for longer
 * is another monitor, and the names are his.
 */
static void
sweep(const char *socket, const char *pid_file)
{
	struct timespec nap = { 0, FIRST_NAP_NS };
	bool socket_gone = false, pid_file_gone = false;
	unsigned i;

	for (i = 0; i < TRIES; i++, nap.tv_nsec *= 2) {
		if (!socket_gone)
			socket_gone = remove_socket(socket);
		if (!pid_file_gone)
			pid_file_gone = remove_pid_file(pid_file);
		if (socket_gone && pid_file_gone)
			return;
		(void)nanosleep(&nap, NULL);
	}
}

/*
 * Whom the number means is certain as long as it is our parent's; and while
 * it is, there is nothing to be told: a kernel that says so cannot tell.
 */
static int
watch(pid_t parent, int *fd)
{
	struct pollfd pfd = { .events = POLLIN };
	bool told;

	if ((pfd.fd = pidfd_open(parent, 0)) == -1 && errno != ESRCH)
		return -1;
	told = pfd.fd != -1 && poll(&pfd, 1, 0) != 0;
	if (getppid() == parent) {
		*fd = pfd.fd;
		return told ? -1 : 0;
	}
	if (pfd.fd != -1)
		close(pfd.fd);
	*fd = -1;
	return 0;
}

static void __attribute__((noreturn))
wait_and_sweep(pid_t parent, const char *socket, const char *pid_file)
{
	struct filter *filter;
	sigset_t all;
	int fd;

	filter = filter_compile(&sweeper_seccomp_table, FILTER_START,
	    filter_build_sections());
	if (filter == NULL)
		log_warning("nobody removes the socket and the pid file if"
		    " vmmd is killed: the system call filter of the sweeper:"
		    " %s", strerror(errno));
	if (filter == NULL || keep_nothing() == -1 || watch(parent, &fd) == -1)
		_exit(1);
	/* Those of a terminal and of a shutdown are for the monitor. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	setproctitle("-vmmd: sweeper");
	drop_rights();
	if (filter_install(filter) == -1 || !filter_in_force())
		_exit(1);
	wait_for_end(fd);
	sweep(socket, pid_file);
	_exit(0);
}

/* --- the monitor -------------------------------------------------------- */

pid_t
sweeper_start(const char *socket, const char *pid_file)
{
	pid_t parent = getpid(), pid;

	if ((socket == NULL || socket[0] == '\0') &&
	    (pid_file == NULL || pid_file[0] == '\0'))
		return 0;
	if ((pid = fork()) == 0)
		wait_and_sweep(parent, socket, pid_file);
	if (pid != -1)
		return pid;
	log_warning("nobody removes the socket and the pid file if vmmd is"
	    " killed: %s", strerror(errno));
	return 0;
}

void
sweeper_end(pid_t pid)
{
	if (pid != 0 && kill(pid, SIGKILL) == 0)
		(void)waitpid(pid, NULL, 0);
}
