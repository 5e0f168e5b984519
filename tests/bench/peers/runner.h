/* SPDX-License-Identifier: ISC */
/* Run one subject once, and read what it prints. */
#ifndef PEERS_RUNNER_H
#define PEERS_RUNNER_H

#include <jansson.h>

#include "tests/bench/peers/subjects.h"

/* A result (figures.h), a new reference; or NULL: it failed, stderr tells. */
json_t	*runner_run(const struct subjects_row *, const struct cells_row *,
	    const struct subjects_place *);

/*
 * A file of so many MiB, every block of it written: a new one, or what is
 * there with that size.  Exits where it cannot be made.
 */
void	runner_make_file(const char *path, unsigned megabytes);

#endif /* PEERS_RUNNER_H */
