/* SPDX-License-Identifier: ISC */
/* The seed of a run.  Runs in tests only. */
#include <sys/random.h>

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/property/rng.h"

/* Sanitized code is several times slower; it looks at fewer trials. */
#define SANITIZED_SHARE	8

void
rng_seed(struct rng *r, const char *what)
{
	const char *env = getenv("PROPERTY_SEED");

	if (env != NULL)
		r->state = strtoull(env, NULL, 0);
	else if (getrandom(&r->state, sizeof(r->state), 0) !=
	    (ssize_t)sizeof(r->state))
		err(1, "property: no seed");
	printf("%s: PROPERTY_SEED=%#llx repeats this run\n", what,
	    (unsigned long long)r->state);
	fflush(stdout);
}

uint64_t
rng_trials(uint64_t usual)
{
	const char *env = getenv("PROPERTY_COUNT");

	if (env != NULL)
		return strtoull(env, NULL, 0);
#ifdef __SANITIZE_ADDRESS__
	return usual / SANITIZED_SHARE;
#else
	return usual;
#endif
}
