/* SPDX-License-Identifier: ISC */
/* Run one subject once.  Runs in peers; starts and ends programs. */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/peers/figures.h"
#include "tests/bench/peers/runner.h"
#include "tests/driver/block.h"

#define SAID_MAX	(256u << 10)	/* bytes a subject prints */
#define PATIENCE_MS	40000
#define CHUNK		(1u << 20)

static void __attribute__((noreturn))
become(char **argv, int out)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(out, STDOUT_FILENO);
	execvp(argv[0], argv);
	_exit(127);
}

/* All that it prints, NUL-terminated, within our patience; or NULL. */
static char *
listen_to(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char *said = calloc(1, SAID_MAX);
	size_t used = 0;
	ssize_t n;

	if (said == NULL)
		err(1, NULL);
	while (used + 1 < SAID_MAX && poll(&p, 1, PATIENCE_MS) == 1) {
		n = read(fd, said + used, SAID_MAX - 1 - used);
		if (n == 0)
			return said;
		if (n < 0)
			break;
		used += (size_t)n;
	}
	free(said);
	return NULL;
}

static char *
capture(char **argv)
{
	int ends[2], status;
	char *said;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		err(1, "%s", argv[0]);
	if (pid == 0)
		become(argv, ends[1]);
	close(ends[1]);
	said = listen_to(ends[0]);
	close(ends[0]);
	if (said == NULL)
		kill(pid, SIGTERM);
	if (waitpid(pid, &status, 0) == pid && status == 0)
		return said;
	free(said);
	return NULL;
}

/* Seconds of processor time: of all of the machine, of what we have run. */
static double
busy_seconds(void)
{
	unsigned long long v[8] = { 0 };
	FILE *f = fopen("/proc/stat", "re");

	/* user nice system idle iowait irq softirq steal */
	if (f == NULL || fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu"
	    " %llu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6],
	    &v[7]) != 8)
		warnx("/proc/stat: what others do is not seen");
	if (f != NULL)
		fclose(f);
	return (double)(v[0] + v[1] + v[2] + v[5] + v[6] + v[7]) /
	    (double)sysconf(_SC_CLK_TCK);
}

static double
our_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_CHILDREN, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* The same, and how many cores others kept busy meanwhile. */
static char *
capture_alone(char **argv, double *others)
{
	double busy = busy_seconds(), ours = our_seconds(), began = now();
	char *said = capture(argv);

	*others = (busy_seconds() - busy - (our_seconds() - ours)) /
	    (now() - began);
	if (*others < 0)
		*others = 0;
	return said;
}

static json_t *
read_result(const char *said, bool of_fio, bool write)
{
	/* fio may say something before. */
	const char *begin = strchr(said, '{');
	json_t *j, *result;

	j = begin == NULL ? NULL : json_loads(begin, JSON_DISABLE_EOF_CHECK,
	    NULL);
	if (j == NULL || !of_fio)
		return j;
	result = figures_of_fio(j, write);
	json_decref(j);
	return result;
}

json_t *
runner_run(const struct subjects_row *s, const struct cells_row *cell,
    const struct subjects_place *p)
{
	struct subjects_command command;
	double others;
	json_t *result;
	char *said;

	unlink(p->socket);
	subjects_command(s, cell, p, &command);
	if ((said = capture_alone(command.argv, &others)) == NULL)
		return NULL;
	result = read_result(said, s->start == SUBJECTS_FIO, cell->write);
	free(said);
	if (result != NULL)
		json_object_set_new(result, "others_cores",
		    json_real(others));
	return result;
}

void
runner_make_file(const char *path, unsigned megabytes)
{
	uint64_t seed = 1, *words;
	unsigned i, j;
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd == -1 || fstat(fd, &st) == -1)
		err(1, "%s", path);
	if ((uint64_t)st.st_size == (uint64_t)megabytes << 20) {
		close(fd);
		return;
	}
	if ((words = calloc(1, CHUNK)) == NULL)
		err(1, NULL);
	for (i = 0; i < megabytes; i++) {
		for (j = 0; j < CHUNK / sizeof(*words); j += 512)
			words[j] = block_random(&seed);
		if (write(fd, words, CHUNK) != CHUNK)
			err(1, "%s", path);
	}
	free(words);
	if (fsync(fd) == -1)
		err(1, "%s", path);
	close(fd);
}
