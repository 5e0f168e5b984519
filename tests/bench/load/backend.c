/* SPDX-License-Identifier: ISC */
/*
 * The process that is measured.  Runs in the load generator; touches that
 * process alone, and what /proc says of it.
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/load/backend.h"

#define CHILDREN_DEEP	4	/* blkd forks once for its pid namespace */

void
backend_pin(int core)
{
	cpu_set_t cpus;

	if (core < 0)
		return;
	CPU_ZERO(&cpus);
	CPU_SET((size_t)core, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) == -1)
		warn("core %d: this thread runs on any", core);
}

void
backend_hurry(void)
{
	struct sched_param param = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO, &param) == -1)
		warn("real time");
}

static void __attribute__((noreturn))
become(char **command, int core, bool loud)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	backend_pin(core);
	if (null != -1) {
		dup2(null, STDIN_FILENO);
		dup2(loud ? STDERR_FILENO : null, STDOUT_FILENO);
		if (!loud)
			dup2(null, STDERR_FILENO);
	}
	execvp(command[0], command);
	_exit(127);
}

pid_t
backend_start(char **command, int core, bool loud)
{
	pid_t pid = fork();

	if (pid == 0)
		become(command, core, loud);
	return pid;
}

void
backend_end(pid_t pid)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	int i;

	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	for (i = 0; i < 3000; i++) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return;
		nanosleep(&ms, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static double
cpu_of(pid_t pid, int deep)
{
	struct timespec ts;
	clockid_t clock;
	double sum = 0;
	char path[64];
	FILE *f;
	int child;

	if (clock_getcpuclockid(pid, &clock) == 0 &&
	    clock_gettime(clock, &ts) == 0)
		sum = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	if (deep == 0 || (f = fopen(path, "re")) == NULL)
		return sum;
	while (fscanf(f, "%d", &child) == 1)
		sum += cpu_of(child, deep - 1);
	fclose(f);
	return sum;
}

double
backend_cpu(pid_t pid)
{
	return pid <= 0 ? 0 : cpu_of(pid, CHILDREN_DEEP);
}
