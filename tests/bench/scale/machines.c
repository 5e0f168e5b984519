/* SPDX-License-Identifier: ISC */
/*
 * machines: what one whole machine more costs, with few and with many.
 *
 *	machines [-b blkd] [-g guest] [-s idle-seconds] [-v vmmd] [count ...]
 *
 * Real vmmds, started as init would, each with a guest that sleeps for good
 * and one disk.  For each count: from exec to the end of the command that
 * leaves a running machine behind; the private memory of each kind of its
 * processes; how often all processes of a kind wake up in a second.
 */
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tests/bench/scale/procmem.h"
#include "tests/bench/scale/when.h"

#define COUNT_MAX	1000
#define SETTLE_MS	1500
#define SETTLE_ONE_MS	10

enum kind { MONITOR, SWEEPER, VM, SPARE, DISK, KINDS };

/* How their titles begin, the longer first; the monitor keeps its own. */
static const char *const title[KINDS] = {
	[SWEEPER] = "vmmd: sweeper",
	[VM] = "vmmd: vm",
	[SPARE] = "blkd: (spare",
	[DISK] = "blkd: ",
};

struct machines {
	const char	*vmmd, *blkd, *guest;
	double		 idle_s;
	char		 dir[32];
	int		 n;			/* that run */
	pid_t		 monitor[COUNT_MAX];
	double		 start_ms[COUNT_MAX];
};

struct sums {
	unsigned	processes[KINDS];
	double		kib[KINDS];
	double		switches[KINDS];
};

/* Ended before its time: no machine may be left behind. */
static volatile sig_atomic_t ended;

static void
on_end(int signo)
{
	ended = signo;
}

static void
hear_end(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM };
	struct sigaction sa = { .sa_handler = on_end };
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)sigaction(signals[i], &sa, NULL);
}

/* --- machines ------------------------------------------------------------ */

static void
path_of(const struct machines *m, int i, const char *what, char path[64])
{
	snprintf(path, 64, "%s/%d.%s", m->dir, i, what);
}

static void
stop_all(struct machines *m)
{
	static const char *const files[] = { "conf", "img", "pid", "ctl" };
	char path[64];
	size_t f;
	int i;

	for (i = 0; i < m->n; i++)
		kill(m->monitor[i], SIGTERM);
	for (i = 0; i < m->n; i++) {
		while (waitpid(m->monitor[i], NULL, 0) == -1 &&
		    errno == EINTR)
			;
		for (f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
			path_of(m, i, files[f], path);
			(void)unlink(path);
		}
	}
	m->n = 0;
}

static void __attribute__((__noreturn__))
fail(struct machines *m, const char *what)
{
	int error = errno, n = m->n;

	stop_all(m);
	(void)rmdir(m->dir);
	errno = error;
	err(1, "machine %d: %s", n, what);
}

static int
configure(struct machines *m, int i)
{
	char conf[64], img[64], ctl[64];
	FILE *f;
	int fd;

	path_of(m, i, "conf", conf);
	path_of(m, i, "img", img);
	path_of(m, i, "ctl", ctl);
	if ((fd = open(img, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) == -1 ||
	    ftruncate(fd, 1 << 20) == -1 || close(fd) == -1 ||
	    (f = fopen(conf, "we")) == NULL)
		return -1;
	fprintf(f, "vm {\n\tname = scale%d\n\tmemory = 32M\n\tkernel = %s\n"
	    "\tcmdline = \"test=idle\"\n\tmmio-cmdline = yes\n"
	    "\tserial = none\n\tcontrol = %s\n}\n"
	    "disk vda {\n\tpath = %s\n}\n", i, m->guest, ctl, img);
	return fclose(f);
}

static int
read_pid(const char *path, pid_t *pid)
{
	FILE *f = fopen(path, "re");
	int found;

	if (f == NULL)
		return -1;
	found = fscanf(f, "%d", pid);
	fclose(f);
	return found == 1 ? 0 : -1;
}

/* What is left behind is our child: we are a subreaper. */
static void
start_one(struct machines *m)
{
	char conf[64], pidfile[64];
	int i = m->n, status;
	double begin;
	pid_t pid;

	if (ended)
		fail(m, "ended by a signal");
	if (configure(m, i) == -1)
		fail(m, "configuration");
	path_of(m, i, "conf", conf);
	path_of(m, i, "pid", pidfile);
	begin = when_ms();
	if ((pid = fork()) == 0) {
		execl(m->vmmd, "vmmd", "-b", m->blkd, "-f", conf, "-p",
		    pidfile, (char *)NULL);
		_exit(127);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		fail(m, "start");
	m->start_ms[i] = when_ms() - begin;
	if (status != 0 || read_pid(pidfile, &m->monitor[i]) == -1)
		fail(m, "vmmd did not start it");
	m->n++;
}

/* --- what they cost ------------------------------------------------------ */

static enum kind
kind_of(pid_t pid)
{
	char path[64], line[64] = "";
	enum kind kind;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	if ((f = fopen(path, "re")) != NULL) {
		line[fread(line, 1, sizeof(line) - 1, f)] = '\0';
		fclose(f);
	}
	for (kind = SWEEPER; kind < KINDS; kind++)
		if (strncmp(line, title[kind], strlen(title[kind])) == 0)
			return kind;
	return MONITOR;
}

static void
add(struct sums *s, pid_t pid)
{
	enum kind kind = kind_of(pid);
	struct procmem memory;

	/* It has just ended: a spare that was taken, say. */
	if (procmem_read(pid, &memory) == -1)
		return;
	s->processes[kind]++;
	s->kib[kind] += (double)memory.private_kib;
	s->switches[kind] += (double)procmem_switches(pid);
}

static void
add_machine(struct sums *s, pid_t monitor)
{
	char path[64];
	pid_t child;
	FILE *f;

	add(s, monitor);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", monitor,
	    monitor);
	if ((f = fopen(path, "re")) == NULL)
		return;
	while (fscanf(f, "%d", &child) == 1)
		add(s, child);
	fclose(f);
}

static void
look(const struct machines *m, struct sums *s)
{
	int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < m->n; i++)
		add_machine(s, m->monitor[i]);
}

static void
print_row(struct machines *m, const struct sums *a, const struct sums *b)
{
	double all = 0;
	int k;

	printf("| %d | %.1f | %.1f |", m->n,
	    when_percentile(m->start_ms, (size_t)m->n, 50),
	    when_percentile(m->start_ms, (size_t)m->n, 99));
	for (k = 0; k < KINDS; k++) {
		all += b->kib[k];
		printf(" %.0f |", b->processes[k] == 0 ? 0 :
		    b->kib[k] / b->processes[k]);
	}
	printf(" %.0f | %.1f |", all / m->n, all / 1024);
	for (k = 0; k < KINDS; k++)
		printf(" %.2f |", (b->switches[k] - a->switches[k]) /
		    m->idle_s);
	puts("");
	fflush(stdout);
}

static void
scale(struct machines *m, int n)
{
	struct sums before, after;

	while (m->n < n)
		start_one(m);
	when_rest_until(when_ms() + SETTLE_MS + n * SETTLE_ONE_MS);
	look(m, &before);
	when_rest_until(when_ms() + m->idle_s * 1e3);
	look(m, &after);
	if (ended)
		fail(m, "ended by a signal");
	print_row(m, &before, &after);
	if (after.processes[MONITOR] != (unsigned)n ||
	    after.processes[DISK] != (unsigned)n ||
	    after.processes[VM] != (unsigned)n)
		fail(m, "not all processes are there");
	stop_all(m);
}

static int
count_of(const char *s)
{
	int n = atoi(s);

	if (n < 1 || n > COUNT_MAX)
		errx(EX_USAGE, "%s machines", s);
	return n;
}

int
main(int argc, char **argv)
{
	static const int counts[] = { 1, 10, 50, 100 };
	static struct machines m = {
		.vmmd = "vmmd/vmmd", .blkd = "blkd/blkd",
		.guest = "tests/guest/guest.elf", .idle_s = 10,
		.dir = "/tmp/machines.XXXXXX",
	};
	size_t i;
	int c;

	while ((c = getopt(argc, argv, "b:g:s:v:")) != -1) {
		if (c == 'b')
			m.blkd = optarg;
		else if (c == 'g')
			m.guest = optarg;
		else if (c == 'v')
			m.vmmd = optarg;
		else if (c != 's' || (m.idle_s = strtod(optarg, NULL)) <= 0)
			errx(EX_USAGE, "usage: machines [-b blkd] [-g guest]"
			    " [-s seconds] [-v vmmd] [count ...]");
	}
	/* The daemons change their directory. */
	if ((m.blkd = realpath(m.blkd, NULL)) == NULL ||
	    (m.guest = realpath(m.guest, NULL)) == NULL)
		err(1, "blkd or guest");
	hear_end();
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == -1 ||
	    mkdtemp(m.dir) == NULL)
		err(1, "%s", m.dir);
	puts("| machines | start ms | p99 | monitor KiB | sweeper | vm | spare |"
	    " blkd |"
	    " a machine KiB | all MiB | wake-ups a second: monitor |"
	    " sweeper | vm | spare | blkd |\n"
	    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
	for (i = 0; optind == argc && i < sizeof(counts) / sizeof(counts[0]);
	    i++)
		scale(&m, counts[i]);
	for (; optind < argc; optind++)
		scale(&m, count_of(argv[optind]));
	return rmdir(m.dir);
}
