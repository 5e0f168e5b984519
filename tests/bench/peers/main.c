/* SPDX-License-Identifier: ISC */
/*
 * peers: blkd, others and the limits, alternately, on the same file.
 *
 *	peers [-R] [-b blkd] [-l load] [-d dir] [-T dir] [-m MiB]
 *	      [-r rounds] [-t ms] [-u ms] [-S subject,...] [-o results.json]
 *	      [cell ...]
 *	peers -s [-p plot.svg] -o results.json
 *
 * Each round runs every subject once; a figure is the run with the median of
 * the rounds.  -R: in real time, as if the machine had nothing else to do; not
 * on a disk, where kernel threads have part of the work.
 * Results of cells that are measured again replace the older ones in the
 * file; -s shows what is there and measures nothing.
 */
#include <sys/vfs.h>

#include <err.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tests/bench/peers/figures.h"
#include "tests/bench/peers/machine.h"
#include "tests/bench/peers/runner.h"
#include "tests/bench/peers/show.h"

#define PATH_BYTES	512

struct peers {
	struct subjects_place place;
	const char	*disk_dir;
	const char	*tmpfs_dir;
	const char	*only;		/* subjects, by commas; NULL: all */
	const char	*output;
	const char	*plot;
	unsigned	 rounds;
	bool		 show;
	char		 scratch[PATH_BYTES];	/* a directory */
	char		 socket[PATH_BYTES];
	char		 disk_file[PATH_BYTES];
	char		 tmpfs_file[PATH_BYTES];
	json_t		*results;
};

static void __attribute__((noreturn))
usage(void)
{
	fputs("usage: peers [-b blkd] [-d dir] [-l load] [-m MiB]"
	    " [-o results] [-p plot]\n\t[-r rounds] [-S subject,...] [-s]"
	    " [-T dir] [-t ms] [-u ms] [cell ...]\n", stderr);
	exit(EX_USAGE);
}

static unsigned
number(const char *s, unsigned min, unsigned max)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (*end != '\0' || n < min || n > max)
		errx(EX_USAGE, "%s is not from %u to %u", s, min, max);
	return (unsigned)n;
}

static void
parse(struct peers *p, int argc, char **argv)
{
	const struct {
		int		 c;
		const char	**string;
		unsigned	*number;
		unsigned	 min, max;
	} rows[] = {
		{ 'b', &p->place.blkd, NULL, 0, 0 },
		{ 'd', &p->disk_dir, NULL, 0, 0 },
		{ 'l', &p->place.load, NULL, 0, 0 },
		{ 'm', NULL, &p->place.megabytes, 1, 65536 },
		{ 'o', &p->output, NULL, 0, 0 },
		{ 'p', &p->plot, NULL, 0, 0 },
		{ 'r', NULL, &p->rounds, 1, 99 },
		{ 'S', &p->only, NULL, 0, 0 },
		{ 'T', &p->tmpfs_dir, NULL, 0, 0 },
		{ 't', NULL, &p->place.run_ms, 10, 60000 },
		{ 'u', NULL, &p->place.warm_up_ms, 0, 60000 },
	};
	const size_t n = sizeof(rows) / sizeof(rows[0]);
	size_t i;
	int c;

	while ((c = getopt(argc, argv, "b:d:l:m:o:p:r:RS:sT:t:u:")) != -1) {
		for (i = 0; i < n && rows[i].c != c; i++)
			;
		if (i < n && rows[i].string != NULL)
			*rows[i].string = optarg;
		else if (i < n)
			*rows[i].number = number(optarg, rows[i].min,
			    rows[i].max);
		else if (c == 'R')
			p->place.real_time = true;
		else if (c == 's')
			p->show = true;
		else
			usage();
	}
}

/* --- files --------------------------------------------------------------- */

static void
make_scratch(struct peers *p)
{
	struct statfs fs;

	snprintf(p->scratch, sizeof(p->scratch), "%s/bench.XXXXXX",
	    p->tmpfs_dir);
	if (mkdtemp(p->scratch) == NULL)
		err(1, "%s", p->scratch);
	if (statfs(p->scratch, &fs) == 0 && fs.f_type != TMPFS_MAGIC)
		warnx("%s is no tmpfs: -T", p->tmpfs_dir);
	if (snprintf(p->socket, sizeof(p->socket), "%.400s/socket",
	    p->scratch) < 0 ||
	    snprintf(p->tmpfs_file, sizeof(p->tmpfs_file), "%.400s/image",
	    p->scratch) < 0 ||
	    snprintf(p->disk_file, sizeof(p->disk_file), "%.400s/bench.%d",
	    p->disk_dir, getpid()) < 0)
		errx(1, "names are too long");
	p->place.socket = p->socket;
}

static void
remove_scratch(const struct peers *p)
{
	unlink(p->socket);
	unlink(p->tmpfs_file);
	unlink(p->disk_file);
	rmdir(p->scratch);
}

/* What was measured before, and the machine of now. */
static void
load_results(struct peers *p)
{
	json_error_t error;

	if (p->output != NULL && access(p->output, F_OK) == 0 &&
	    (p->results = json_load_file(p->output, 0, &error)) == NULL)
		errx(EX_DATAERR, "%s:%d: %s", p->output, error.line,
		    error.text);
	if (p->results == NULL)
		p->results = json_object();
	if (json_object_get(p->results, "cells") == NULL)
		json_object_set_new(p->results, "cells", json_object());
	if (!p->show)
		json_object_set_new(p->results, "machine",
		    machine_describe());
}

static void
save_results(const struct peers *p)
{
	if (p->output != NULL && json_dump_file(p->results, p->output,
	    JSON_INDENT(1) | JSON_REAL_PRECISION(6)) == -1)
		err(EX_CANTCREAT, "%s", p->output);
}

/* --- measuring ----------------------------------------------------------- */

static bool
is_asked_for(const struct peers *p, const struct subjects_row *s)
{
	size_t n = strlen(s->name);
	const char *at = p->only;

	while (at != NULL && (at = strstr(at, s->name)) != NULL) {
		if ((at == p->only || at[-1] == ',') &&
		    (at[n] == ',' || at[n] == '\0'))
			return true;
		at += n;
	}
	return p->only == NULL;
}

/* One round: each subject once; who fails is not asked again. */
static void
run_round(struct peers *p, const struct cells_row *cell, json_t **runs,
    bool *failed)
{
	const struct subjects_row *s;
	json_t *result;
	size_t i;

	for (i = 0; i < subjects_count; i++) {
		s = &subjects[i];
		if (failed[i] || !subjects_fits(s, cell) ||
		    !is_asked_for(p, s))
			continue;
		result = runner_run(s, cell, &p->place);
		if (result == NULL) {
			warnx("%s: %s failed", cell->name, s->name);
			failed[i] = true;
			continue;
		}
		if (runs[i] == NULL)
			runs[i] = json_array();
		json_array_append_new(runs[i], result);
	}
}

static void
run_cell(struct peers *p, const struct cells_row *cell)
{
	json_t **runs = calloc(subjects_count, sizeof(*runs));
	bool *failed = calloc(subjects_count, sizeof(*failed));
	json_t *results = json_object();
	unsigned round;
	size_t i;

	if (runs == NULL || failed == NULL || results == NULL)
		err(1, NULL);
	p->place.file = cell->disk ? p->disk_file : p->tmpfs_file;
	runner_make_file(p->place.file, p->place.megabytes);
	for (round = 0; round < p->rounds; round++)
		run_round(p, cell, runs, failed);
	for (i = 0; i < subjects_count; i++) {
		if (!failed[i] && runs[i] != NULL)
			json_object_set_new(results, subjects[i].name,
			    figures_median(runs[i]));
		json_decref(runs[i]);
	}
	show_cell(stdout, cell, results);
	json_object_set_new(json_object_get(p->results, "cells"), cell->name,
	    results);
	free(runs);
	free(failed);
	save_results(p);
}

static void
measure(struct peers *p, int argc, char **argv)
{
	const struct cells_row *cell;
	size_t n;
	int i;

	for (i = 0; i < argc; i++)
		if (cells_find(argv[i]) == NULL)
			errx(EX_USAGE, "there is no cell '%s'", argv[i]);
	for (n = 0; n < cells_count; n++) {
		cell = &cells[n];
		for (i = 0; i < argc && strcmp(argv[i], cell->name) != 0; i++)
			;
		if (argc == 0 || i < argc)
			run_cell(p, cell);
	}
}

static void
show_all(const struct peers *p)
{
	const json_t *measured = json_object_get(p->results, "cells");
	const json_t *results;
	size_t i;

	for (i = 0; p->show && i < cells_count; i++) {
		results = json_object_get(measured, cells[i].name);
		if (results != NULL)
			show_cell(stdout, &cells[i], results);
	}
	show_aims(stdout, measured);
	if (p->plot != NULL && show_plot(p->plot, measured) == -1)
		warnx("%s: gnuplot made no plot", p->plot);
}

int
main(int argc, char **argv)
{
	struct peers p = {
		.place = { .load = "tests/bench/load/load",
		    .blkd = "blkd/blkd", .run_ms = 700, .warm_up_ms = 200,
		    .megabytes = 256 },
		.disk_dir = "/var/tmp", .tmpfs_dir = "/dev/shm", .rounds = 3,
	};

	parse(&p, argc, argv);
	load_results(&p);
	if (!p.show) {
		make_scratch(&p);
		measure(&p, argc - optind, argv + optind);
		remove_scratch(&p);
	}
	show_all(&p);
	json_decref(p.results);
	return 0;
}
