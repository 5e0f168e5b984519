/* SPDX-License-Identifier: ISC */
/*
 * The sweeper of a monitor that is killed: what it removes, and that it can
 * do nothing else.  deaths_test.sh has it with whole machines.
 */
#include "config.h"

#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vmmd/sweeper.h"
#include "vmmd/sweeper_seccomp.h"

#define SOCKET		"socket"
#define PID_FILE	"pid"
#define PATIENCE_MS	10000

static void
nap(void)
{
	nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
}

static int
listen_at(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    listen(fd, 1) == -1)
		_exit(1);
	return fd;
}

/* A monitor with both names, and its sweeper. */
struct pair {
	pid_t	monitor;
	pid_t	sweeper;
};

static void __attribute__((noreturn))
be_monitor(int answer)
{
	pid_t sweeper;
	int fd;

	listen_at(SOCKET);
	fd = open(PID_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd == -1 || flock(fd, LOCK_EX) == -1)
		_exit(1);
	sweeper = sweeper_start(SOCKET, PID_FILE);
	if (write(answer, &sweeper, sizeof(sweeper)) != sizeof(sweeper))
		_exit(1);
	for (;;)
		pause();
}

static void
start(struct pair *pair)
{
	int fds[2];

	ATF_REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
	ATF_REQUIRE((pair->monitor = fork()) != -1);
	if (pair->monitor == 0)
		be_monitor(fds[1]);
	ATF_REQUIRE(read(fds[0], &pair->sweeper, sizeof(pair->sweeper)) ==
	    sizeof(pair->sweeper));
	ATF_REQUIRE(pair->sweeper > 0);
	close(fds[0]);
	close(fds[1]);
}

static void
end(struct pair *pair)
{
	ATF_REQUIRE(kill(pair->monitor, SIGKILL) == 0);
	ATF_REQUIRE(waitpid(pair->monitor, NULL, 0) == pair->monitor);
}

/* The number after `key` in /proc/PID/status; -1. */
static int
status_of(pid_t pid, const char *key)
{
	char path[64], line[256];
	int value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return -1;
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			(void)sscanf(line + strlen(key), "%d", &value);
	fclose(f);
	return value;
}

static void
wait_for_filter(pid_t pid)
{
	int i;

	for (i = 0; i < PATIENCE_MS && status_of(pid, "Seccomp:") != 2; i++)
		nap();
	ATF_REQUIRE_EQ(2, status_of(pid, "Seccomp:"));
}

static void
wait_until_gone(const char *name)
{
	int i;

	for (i = 0; i < PATIENCE_MS && access(name, F_OK) == 0; i++)
		nap();
	ATF_CHECK_MSG(access(name, F_OK) == -1, "%s is left", name);
}

ATF_TC_WITHOUT_HEAD(sweeper__sweeps_behind_its_filter);
ATF_TC_BODY(sweeper__sweeps_behind_its_filter, tc)
{
	struct pair pair;

	(void)tc;
	start(&pair);
	wait_for_filter(pair.sweeper);
	ATF_CHECK_EQ(1, status_of(pair.sweeper, "NoNewPrivs:"));
	ATF_CHECK_EQ(0, access(SOCKET, F_OK));
	end(&pair);
	wait_until_gone(SOCKET);
	wait_until_gone(PID_FILE);
}

/* A signal that says nothing of the monitor does not end its wait. */
ATF_TC_WITHOUT_HEAD(sweeper__waits_for_the_end_alone);
ATF_TC_BODY(sweeper__waits_for_the_end_alone, tc)
{
	struct pair pair;

	(void)tc;
	start(&pair);
	wait_for_filter(pair.sweeper);
	ATF_CHECK_EQ(0, kill(pair.sweeper, SIGTERM));
	ATF_CHECK_EQ(0, kill(pair.sweeper, SIGUSR1));
	ATF_CHECK_EQ(0, kill(pair.sweeper, SIGSTOP));
	ATF_CHECK_EQ(0, kill(pair.sweeper, SIGCONT));
	ATF_CHECK_EQ(2, status_of(pair.sweeper, "Seccomp:"));
	ATF_CHECK_EQ(0, access(SOCKET, F_OK));
	end(&pair);
	wait_until_gone(SOCKET);
	wait_until_gone(PID_FILE);
}

ATF_TC_WITHOUT_HEAD(sweeper__leaves_what_others_hold);
ATF_TC_BODY(sweeper__leaves_what_others_hold, tc)
{
	struct pair pair;
	int fd, i;

	(void)tc;
	start(&pair);
	wait_for_filter(pair.sweeper);
	ATF_REQUIRE_EQ(0, unlink(SOCKET));
	ATF_REQUIRE_EQ(0, unlink(PID_FILE));
	listen_at(SOCKET);
	fd = open(PID_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ATF_REQUIRE(fd != -1 && flock(fd, LOCK_EX) == 0);
	end(&pair);
	for (i = 0; i < PATIENCE_MS && status_of(pair.sweeper, "Seccomp:") ==
	    2; i++)
		nap();
	ATF_CHECK_EQ(0, access(SOCKET, F_OK));
	ATF_CHECK_EQ(0, access(PID_FILE, F_OK));
}

/* --- what it may not --------------------------------------------------- */

static void
open_to_write(void)
{
	(void)!open(PID_FILE, O_RDWR | O_CLOEXEC);
}

static void
make_file(void)
{
	(void)!open("new", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
}

static void
other_socket(void)
{
	(void)socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static void
execute(void)
{
	static char name[] = "true";
	char *argv[] = { name, NULL };

	(void)execve("/bin/true", argv, NULL);
}

static void
signal_parent(void)
{
	(void)kill(getpid(), 0);
}

static void
trace_parent(void)
{
	(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void
fork_process(void)
{
	(void)syscall(SYS_fork);
}

static void
write_byte(void)
{
	(void)!write(STDERR_FILENO, "", 1);
}

static void
rename_file(void)
{
	(void)rename(PID_FILE, "other");
}

static const struct {
	const char	*name;
	void		(*try)(void);
	bool		 asan;	/* its filter lets it through */
} tries[] = {
	{ "open a file to write", open_to_write, true },
	{ "make a file", make_file, true },
	{ "make another socket", other_socket, false },
	{ "execute", execute, false },
	{ "signal", signal_parent, false },
	{ "ptrace", trace_parent, false },
	{ "fork", fork_process, false },
	{ "write", write_byte, false },
	{ "rename", rename_file, false },
};

static int
try_behind_filter(void (*try)(void))
{
	struct filter *filter = filter_compile(&sweeper_seccomp_table,
	    FILTER_START, filter_build_sections());
	int status;
	pid_t pid;

	ATF_REQUIRE(filter != NULL);
	ATF_REQUIRE((pid = fork()) != -1);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
		    filter_install(filter) == -1)
			_exit(1);
		try();
		_exit(0);
	}
	filter_free(filter);
	ATF_REQUIRE(waitpid(pid, &status, 0) == pid);
	return status;
}

ATF_TC_WITHOUT_HEAD(filter__ends_what_is_not_in_the_table);
ATF_TC_BODY(filter__ends_what_is_not_in_the_table, tc)
{
	int status;
	size_t i;

	(void)tc;
	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		if (tries[i].asan && filter_build_sections() != 0)
			continue;
		status = try_behind_filter(tries[i].try);
		ATF_CHECK_MSG((WIFSIGNALED(status) &&
		    WTERMSIG(status) == SIGSYS) || (WIFEXITED(status) &&
		    WEXITSTATUS(status) == 128 + SIGSYS),
		    "%s: status %#x", tries[i].name, (unsigned)status);
	}
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, sweeper__sweeps_behind_its_filter);
	ATF_TP_ADD_TC(tp, sweeper__waits_for_the_end_alone);
	ATF_TP_ADD_TC(tp, sweeper__leaves_what_others_hold);
	ATF_TP_ADD_TC(tp, filter__ends_what_is_not_in_the_table);
	return atf_no_error();
}
