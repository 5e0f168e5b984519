/* SPDX-License-Identifier: ISC */
/*
 * The load itself: as many requests in flight as the depth says, each put
 * again as it completes.  One thread, that of main.
 */
#ifndef LOAD_GEN_H
#define LOAD_GEN_H

#include "tests/bench/load/door.h"
#include "tests/bench/load/result.h"

/*
 * Run what the options ask for.  Returns 0, or -1 and says why: nothing
 * completed for GEN_PATIENCE_S, or the device broke the ring's rules.
 */
#define GEN_PATIENCE_S	10
int	gen_run(struct door *, const struct options *, struct result *);

#endif /* LOAD_GEN_H */
