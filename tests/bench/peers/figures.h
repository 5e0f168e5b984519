/* SPDX-License-Identifier: ISC */
/*
 * The arithmetic: medians, ratios, aims.  Results are JSON objects as load
 * prints them; those of a cell are an object from subject to result.
 */
#ifndef PEERS_FIGURES_H
#define PEERS_FIGURES_H

#include <jansson.h>
#include <stdbool.h>

#include "tests/bench/peers/cells.h"
#include "tests/bench/peers/subjects.h"

/* A number of a result; 0 where there is none. */
double	figures_number(const json_t *result, const char *key);

/*
 * The run of an array whose IOPS are the median (of an even number, the
 * lower one), with "runs", the IOPS of all, beside.  A new reference, or
 * NULL for none.
 */
json_t	*figures_median(const json_t *runs);

/* fio's own JSON as a result of ours; a new reference, or NULL. */
json_t	*figures_of_fio(const json_t *fio, bool write);

/* The fastest of a role in a cell; NULL and *name NULL: there is none. */
const json_t *figures_best(const json_t *cell, enum subjects_role,
	    const char **name);

/* IOPS of one over those of another; 0: one of them is missing. */
double	figures_ratio(const json_t *cell, const char *one, const char *other);

struct figures_verdict {
	bool		known;		/* all that is needed was measured */
	bool		met;
	double		value;		/* in the aim's own unit */
	const char	*who;		/* of blkd's, the one that was judged */
};

/* Is an aim met by the fastest blkd of the cell that it is for? */
struct figures_verdict figures_judge(const json_t *cell,
	    const struct cells_aim *);

#endif /* PEERS_FIGURES_H */
