/* SPDX-License-Identifier: ISC */
/* Results for people.  Runs in peers; writes what it is given, and gnuplot. */
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/peers/figures.h"
#include "tests/bench/peers/show.h"

static void
show_range(FILE *f, const json_t *result)
{
	const json_t *runs = json_object_get(result, "runs");
	double min = 0, max = 0, v;
	size_t i;

	for (i = 0; i < json_array_size(runs); i++) {
		v = json_number_value(json_array_get(runs, i)) / 1e3;
		min = i == 0 || v < min ? v : min;
		max = v > max ? v : max;
	}
	fprintf(f, "%.1f-%.1f", min, max);
}

/* The limit that this cell is measured against. */
static const char *
limit_of(const struct cells_row *cell)
{
	return cell->disk ? "fio" : "loop";
}

static void
show_row(FILE *f, const struct cells_row *cell, const json_t *results,
    const char *name, const char *peer)
{
	const json_t *r = json_object_get(results, name);

	fprintf(f, "| %s | %.1f | ", name, figures_number(r, "iops") / 1e3);
	show_range(f, r);
	fprintf(f, " | %.2f | ", figures_ratio(results, name, limit_of(cell)));
	if (peer != NULL)
		fprintf(f, "%.2f", figures_ratio(results, name, peer));
	fprintf(f, " | %.1f | %.1f | %.1f | %.0f | %.2f | %.2f | %.3f | %.3f"
	    " | %.2f |\n", figures_number(r, "p50_us"),
	    figures_number(r, "p99_us"),
	    figures_number(r, "p999_us"), figures_number(r, "max_us"),
	    figures_number(r, "our_cpu_us"), figures_number(r, "their_cpu_us"),
	    figures_number(r, "kicks_per_request"),
	    figures_number(r, "irqs_per_request"),
	    figures_number(r, "others_cores"));
}

static void
show_aim(FILE *f, const struct cells_aim *aim, const json_t *results)
{
	struct figures_verdict v = figures_judge(results, aim);
	const char *peer;

	figures_best(results, SUBJECTS_PEER, &peer);
	switch (aim->kind) {
	case CELLS_KIOPS:
		fprintf(f, "at least %g kIOPS", aim->value);
		break;
	case CELLS_OF_SUBJECT:
		fprintf(f, "at least %g of %s", aim->value, aim->subject);
		break;
	case CELLS_OF_PEERS:
		fprintf(f, "at least %g of the best peer (%s)", aim->value,
		    peer == NULL ? "none" : peer);
		break;
	default:
		fprintf(f, "at most %g us of processor a request", aim->value);
	}
	if (!v.known)
		fprintf(f, " | not measured | |\n");
	else
		fprintf(f, " | %.*f (%s) | %s |\n",
		    aim->kind == CELLS_KIOPS ? 1 : 2, v.value, v.who,
		    v.met ? "met" : "**not met**");
}

void
show_cell(FILE *f, const struct cells_row *cell, const json_t *results)
{
	const char *peer;
	size_t i;

	figures_best(results, SUBJECTS_PEER, &peer);
	fprintf(f, "\n### %s: %s\n\n", cell->name, cell->title);
	fprintf(f, "| | kIOPS | runs | x %s | x best peer | p50 us | p99 |"
	    " p99.9 | max | CPU us driver | CPU us back-end | kicks | irqs |"
	    " others' cores |\n"
	    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
	    limit_of(cell));
	for (i = 0; i < subjects_count; i++)
		if (json_object_get(results, subjects[i].name) != NULL)
			show_row(f, cell, results, subjects[i].name, peer);
	fflush(f);
}

void
show_aims(FILE *f, const json_t *measured)
{
	const json_t *results;
	size_t i, j;

	fprintf(f, "\n| work | aim | measured | |\n|---|---|---|---|\n");
	for (i = 0; i < cells_count; i++) {
		results = json_object_get(measured, cells[i].name);
		if (results == NULL)
			continue;
		for (j = 0; j < CELLS_AIMS; j++) {
			if (cells[i].aim[j].kind == CELLS_NO_AIM)
				continue;
			fprintf(f, "| %s | ", cells[i].title);
			show_aim(f, &cells[i].aim[j], results);
		}
	}
	fflush(f);
}

/* --- the plot ------------------------------------------------------------ */

static const char plot_head[] =
    "set terminal svg size 900,480 font 'sans,12'\n"
    "set output '%s'\n"
    "set title 'Throughput, parts of the bare limit in the same run'\n"
    "set style data histograms\n"
    "set style histogram clustered gap 1\n"
    "set style fill solid 0.9 border -1\n"
    "set ylabel 'x bare preadv loop (tmpfs), x fio io_uring (disk)'\n"
    "set yrange [0:*]\n"
    "set grid ytics\n"
    "set xtics rotate by -25\n"
    "set key outside top right\n"
    "$d << E\n";

static const char plot_tail[] =
    "E\n"
    "plot 1 with lines lc rgb 'black' title 'limit',"
    " $d using 2:xtic(1) lc rgb '#2060a0' title 'blkd, MMIO',"
    " '' using 3 lc rgb '#70b0e0' title 'blkd, vhost-user',"
    " '' using 4 lc rgb '#c06030' title 'qemu-storage-daemon'\n";

/* The best of those whose name begins so. */
static double
best_ratio(const json_t *results, const char *prefix, const char *but,
    const char *limit)
{
	double best = 0, r;
	size_t i;

	for (i = 0; i < subjects_count; i++) {
		if (strncmp(subjects[i].name, prefix, strlen(prefix)) != 0 ||
		    strncmp(subjects[i].name, but, strlen(but)) == 0)
			continue;
		r = figures_ratio(results, subjects[i].name, limit);
		best = r > best ? r : best;
	}
	return best;
}

int
show_plot(const char *path, const json_t *measured)
{
	const json_t *results;
	const char *limit;
	FILE *f = popen("gnuplot", "we");
	size_t i;

	if (f == NULL)
		return -1;
	fprintf(f, plot_head, path);
	for (i = 0; i < cells_count; i++) {
		results = json_object_get(measured, cells[i].name);
		limit = limit_of(&cells[i]);
		if (results == NULL)
			continue;
		fprintf(f, "'%s' %.3f %.3f %.3f\n", cells[i].name,
		    best_ratio(results, "blkd-", "blkd-vhost", limit),
		    best_ratio(results, "blkd-vhost", "-", limit),
		    best_ratio(results, "qsd-", "-", limit));
	}
	fputs(plot_tail, f);
	return pclose(f) == 0 ? 0 : -1;
}
