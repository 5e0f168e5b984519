/* SPDX-License-Identifier: ISC */
/* The arithmetic.  Runs in peers; touches what it is given. */
#include <stdio.h>
#include <string.h>

#include "tests/bench/peers/figures.h"

double
figures_number(const json_t *result, const char *key)
{
	return json_number_value(json_object_get(result, key));
}

/* How many of the runs are slower, and how many as fast and earlier. */
static size_t
rank(const json_t *runs, size_t which)
{
	double mine = figures_number(json_array_get(runs, which), "iops");
	double other;
	size_t i, n = 0;

	for (i = 0; i < json_array_size(runs); i++) {
		other = figures_number(json_array_get(runs, i), "iops");
		if (other < mine || (other == mine && i < which))
			n++;
	}
	return n;
}

json_t *
figures_median(const json_t *runs)
{
	size_t i, n = json_array_size(runs);
	json_t *all, *median = NULL;

	if (n == 0 || (all = json_array()) == NULL)
		return NULL;
	for (i = 0; i < n; i++) {
		json_array_append_new(all, json_real(figures_number(
		    json_array_get(runs, i), "iops")));
		if (rank(runs, i) == (n - 1) / 2)
			median = json_copy(json_array_get(runs, i));
	}
	if (median == NULL || json_object_set_new(median, "runs", all) == -1) {
		json_decref(median);
		return NULL;
	}
	return median;
}

json_t *
figures_of_fio(const json_t *fio, bool write)
{
	const json_t *job = json_array_get(json_object_get(fio, "jobs"), 0);
	const json_t *way = json_object_get(job, write ? "write" : "read");
	const json_t *clat = json_object_get(way, "clat_ns");
	const json_t *percentile = json_object_get(clat, "percentile");
	double cpu = figures_number(job, "usr_cpu") +
	    figures_number(job, "sys_cpu");
	double iops = figures_number(way, "iops");

	if (iops <= 0)
		return NULL;
	return json_pack("{sf sf sf sf sf sf}", "iops", iops,
	    "p50_us", figures_number(percentile, "50.000000") / 1e3,
	    "p99_us", figures_number(percentile, "99.000000") / 1e3,
	    "p999_us", figures_number(percentile, "99.900000") / 1e3,
	    "max_us", figures_number(clat, "max") / 1e3,
	    "their_cpu_us", cpu / 100 * 1e6 / iops);
}

const json_t *
figures_best(const json_t *cell, enum subjects_role role, const char **name)
{
	const json_t *best = NULL, *one;
	size_t i;

	*name = NULL;
	for (i = 0; i < subjects_count; i++) {
		one = json_object_get(cell, subjects[i].name);
		if (subjects[i].role != role || one == NULL)
			continue;
		if (best != NULL && figures_number(one, "iops") <=
		    figures_number(best, "iops"))
			continue;
		best = one;
		*name = subjects[i].name;
	}
	return best;
}

double
figures_ratio(const json_t *cell, const char *one, const char *other)
{
	double a = figures_number(json_object_get(cell, one), "iops");
	double b = figures_number(json_object_get(cell, other), "iops");

	return a > 0 && b > 0 ? a / b : 0;
}

struct figures_verdict
figures_judge(const json_t *cell, const struct cells_aim *aim)
{
	struct figures_verdict v = { .known = false };
	const json_t *blkd = figures_best(cell, aim->mmap ? SUBJECTS_MMAP :
	    SUBJECTS_BLKD, &v.who);
	const char *peer = aim->subject;

	if (blkd == NULL)
		return v;
	switch (aim->kind) {
	case CELLS_KIOPS:
		v.value = figures_number(blkd, "iops") / 1e3;
		break;
	case CELLS_CPU:
		v.value = figures_number(blkd, "their_cpu_us");
		v.known = v.value > 0;
		v.met = v.known && v.value <= aim->value;
		return v;
	case CELLS_OF_PEERS:
		figures_best(cell, SUBJECTS_PEER, &peer);
		/* FALLTHROUGH */
	case CELLS_OF_SUBJECT:
		if (peer != NULL)
			v.value = figures_ratio(cell, v.who, peer);
		break;
	case CELLS_NO_AIM:
		return v;
	}
	v.known = v.value > 0;
	v.met = v.known && v.value >= aim->value;
	return v;
}
