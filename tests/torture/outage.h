/* SPDX-License-Identifier: ISC */
/* How long the guest's driver has waited after kills.  Tests only. */
#ifndef TORTURE_OUTAGE_H
#define TORTURE_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

struct outage_aim {
	bool		stated;
	uint64_t	p50_us;
	uint64_t	p99_us;
};

/* "p50_us,p99_us", both above 0; false: it is not. */
bool	outage_parse(struct outage_aim *, const char *);

/* Sort n samples of ns, and print their percentiles behind ", name ". */
void	outage_print(const char *name, uint64_t *sample, unsigned n);

/*
 * Are sorted samples no longer than the aim?  If not it says what is; without
 * samples nothing was shown, and that is no.
 */
bool	outage_meets(const uint64_t *sample, unsigned n,
	    const struct outage_aim *);

#endif /* TORTURE_OUTAGE_H */
