/* SPDX-License-Identifier: ISC */
/* Tests of vmmd/spawn.c: what a child has, and what it has not. */
#include <sys/syscall.h>
#include <sys/wait.h>

#include <atf-c.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmmd/spawn.h"

static char said[8192];

/* Run the double with an argument, to its end; what it says is in `said`. */
static int
run(const char *path, const char *argument)
{
	const char *argv[] = { "double", argument, NULL };
	struct pollfd pfd = { .events = POLLIN };
	struct spawn_child child;
	size_t length = 0;
	int status;
	ssize_t n;

	ATF_REQUIRE_EQ(0, spawn_run(path, argv, &child));
	pfd.fd = child.log;
	for (;;) {
		ATF_REQUIRE_EQ(1, poll(&pfd, 1, 10000));
		n = read(child.log, said + length, sizeof(said) - 1 - length);
		ATF_REQUIRE(n != -1);
		if (n == 0)
			break;
		length += (size_t)n;
	}
	said[length] = '\0';
	ATF_REQUIRE_EQ(child.pid, waitpid(child.pid, &status, 0));
	close(child.log);
	close(child.channel);
	printf("%s", said);
	return status;
}

static const char *
double_path(void)
{
	static char path[4096];

	ATF_REQUIRE(getenv("VMMD_BUILDDIR") != NULL);
	snprintf(path, sizeof(path), "%s/vmmd/child_double",
	    getenv("VMMD_BUILDDIR"));
	return path;
}

static unsigned
count(const char *needle)
{
	unsigned n = 0;
	const char *p;

	for (p = said; (p = strstr(p, needle)) != NULL; p++)
		n++;
	return n;
}

ATF_TC_WITHOUT_HEAD(inherit__four_descriptors);
ATF_TC_BODY(inherit__four_descriptors, tc)
{
	int i;

	/* Inheritable ones that the child must not see. */
	for (i = 0; i < 20; i++)
		ATF_REQUIRE(open("/etc/passwd", O_RDONLY) != -1);
	ATF_REQUIRE_EQ(0, run(double_path(), "fds"));
	ATF_CHECK_EQ(4, count("fd "));
	ATF_CHECK(strstr(said, "fd 0 /dev/null\n") != NULL);
	ATF_CHECK(strstr(said, "fd 1 /dev/null\n") != NULL);
	ATF_CHECK(strstr(said, "fd 2 pipe:") != NULL);
	ATF_CHECK(strstr(said, "fd 3 socket:") != NULL);
}

/* The sources of the child's descriptors may lie where the targets are. */
ATF_TC_WITHOUT_HEAD(inherit__standard_descriptors_closed);
ATF_TC_BODY(inherit__standard_descriptors_closed, tc)
{
	int keep[3], i;

	for (i = 0; i < 3; i++) {
		keep[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
		close(i);
	}
	/* 0 to 3 are what spawn_run opens now. */
	i = run(double_path(), "fds");
	for (int j = 0; j < 3; j++)
		dup2(keep[j], j);
	printf("%s", said);
	ATF_REQUIRE_EQ(0, i);
	ATF_CHECK_EQ(4, count("fd "));
	ATF_CHECK(strstr(said, "fd 2 pipe:") != NULL);
	ATF_CHECK(strstr(said, "fd 3 socket:") != NULL);
}

ATF_TC_WITHOUT_HEAD(inherit__environment);
ATF_TC_BODY(inherit__environment, tc)
{
	setenv("SECRET", "hunter2", 1);
	ATF_REQUIRE_EQ(0, run(double_path(), "fds"));
	ATF_CHECK(strstr(said, "hunter2") == NULL);
	if (getenv("ASAN_OPTIONS") == NULL && getenv("UBSAN_OPTIONS") == NULL)
		ATF_CHECK(strstr(said, "environment empty\n") != NULL);
}

ATF_TC_WITHOUT_HEAD(inherit__process_group);
ATF_TC_BODY(inherit__process_group, tc)
{
	ATF_REQUIRE_EQ(0, run(double_path(), "fds"));
	ATF_CHECK(strstr(said, "group own\n") != NULL);
}

/* A monitor that has a terminal: 0, or what went wrong. */
static int
run_on_terminal(int master)
{
	const char *slave = ptsname(master);

	/* The first that a session's leader opens is its own. */
	if (slave == NULL || setsid() == -1 ||
	    open(slave, O_RDWR | O_CLOEXEC) == -1 ||
	    open("/dev/tty", O_RDWR | O_CLOEXEC) == -1)
		return 2;
	if (run(double_path(), "fds") != 0)
		return 3;
	return strstr(said, "terminal none\n") != NULL ? 0 : 1;
}

ATF_TC_WITHOUT_HEAD(inherit__no_terminal);
ATF_TC_BODY(inherit__no_terminal, tc)
{
	int status, master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	pid_t pid;

	if (master == -1 || grantpt(master) == -1 || unlockpt(master) == -1)
		atf_tc_skip("no pseudo terminals here");
	ATF_REQUIRE((pid = fork()) != -1);
	if (pid == 0)
		_exit(run_on_terminal(master));
	ATF_REQUIRE_EQ(pid, waitpid(pid, &status, 0));
	close(master);
	ATF_CHECK(WIFEXITED(status));
	ATF_CHECK_EQ(0, WEXITSTATUS(status));
}

ATF_TC_WITHOUT_HEAD(exec__fails);
ATF_TC_BODY(exec__fails, tc)
{
	int status = run("/nonexistent/blkd", "x");

	ATF_CHECK(WIFEXITED(status));
	ATF_CHECK_EQ(SPAWN_EXEC_FAILED, WEXITSTATUS(status));
	ATF_CHECK_STREQ("error: cannot execute /nonexistent/blkd\n", said);
}

/* A monitor that dies takes its children along. */
ATF_TC_WITHOUT_HEAD(death__of_the_monitor);
ATF_TC_BODY(death__of_the_monitor, tc)
{
	const char *argv[] = { "double", NULL };
	struct spawn_child child;
	struct pollfd pfd;
	int ends[2], pidfd;
	pid_t monitor, pid;

	ATF_REQUIRE_EQ(0, pipe2(ends, O_CLOEXEC));
	ATF_REQUIRE((monitor = fork()) != -1);
	if (monitor == 0) {
		if (spawn_run(double_path(), argv, &child) == -1 ||
		    write(ends[1], &child.pid, sizeof(pid)) != sizeof(pid))
			_exit(1);
		for (;;)
			pause();
	}
	ATF_REQUIRE_EQ(sizeof(pid), read(ends[0], &pid, sizeof(pid)));
	ATF_REQUIRE((pidfd = (int)syscall(SYS_pidfd_open, pid, 0)) != -1);
	pfd = (struct pollfd) { .fd = pidfd, .events = POLLIN };
	ATF_REQUIRE_EQ(0, poll(&pfd, 1, 0));
	ATF_REQUIRE_EQ(0, kill(monitor, SIGKILL));
	ATF_REQUIRE_EQ(monitor, waitpid(monitor, NULL, 0));
	ATF_CHECK_EQ(1, poll(&pfd, 1, 10000));
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, inherit__four_descriptors);
	ATF_TP_ADD_TC(tp, inherit__standard_descriptors_closed);
	ATF_TP_ADD_TC(tp, inherit__environment);
	ATF_TP_ADD_TC(tp, inherit__process_group);
	ATF_TP_ADD_TC(tp, inherit__no_terminal);
	ATF_TP_ADD_TC(tp, exec__fails);
	ATF_TP_ADD_TC(tp, death__of_the_monitor);
	return atf_no_error();
}
