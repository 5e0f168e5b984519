/* SPDX-License-Identifier: ISC */
/* What a run was found to be, and how it is told. */
#ifndef LOAD_RESULT_H
#define LOAD_RESULT_H

#include "tests/bench/load/hist.h"
#include "tests/bench/load/options.h"

struct result {
	double		seconds;	/* that were measured */
	uint64_t	requests;	/* completed in them */
	uint64_t	kicks;
	uint64_t	irqs;		/* interrupts raised */
	uint64_t	failed;		/* status other than OK, ever */
	uint64_t	corrupt;	/* sectors with other data, ever */
	uint64_t	checked;	/* sectors whose data was right */
	double		our_cpu;	/* seconds */
	double		their_cpu;
	struct hist	latency;	/* ns */
};

/* To stdout, as a line for people or an object for machines. */
void	result_print(const struct result *, const struct options *);

#endif /* LOAD_RESULT_H */
