/* SPDX-License-Identifier: ISC */
/*
 * What no disk process can beat: the bare system call, the bare copy, the
 * bare wake-up.  Each runs where the back-end would, on the second core.
 */
#ifndef LOAD_LIMITS_H
#define LOAD_LIMITS_H

#include "tests/bench/load/result.h"

/* Returns 0, or -1 and says why. */
int	limits_run(const struct options *, struct result *);

#endif /* LOAD_LIMITS_H */
