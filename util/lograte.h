/* SPDX-License-Identifier: ISC */
/*
 * How often a peer may have something said about it.
 *
 * Who connects again and again, or is wrong again and again, must not fill a
 * log.  A few lines in a row are free, then there is one now and then, and
 * what was left out is counted.
 */
#ifndef UTIL_LOGRATE_H
#define UTIL_LOGRATE_H

#include <stdbool.h>
#include <stdint.h>

/* So many lines in a row, and one more after each so many nanoseconds. */
#define LOGRATE_LINES	128u
#define LOGRATE_NS	UINT64_C(1000000000)

/* Zero to begin with; of one thread. */
struct lograte {
	uint32_t	used;		/* of the lines in a row */
	uint64_t	since_ns;	/* that one comes back */
	uint64_t	unsaid;		/* lines left out since the last */
};

/* May a line be said now?  Else it is counted.  The clock never goes back. */
bool	lograte_may_say(struct lograte *, uint64_t now_ns);

/* How many were left out since this was asked before. */
uint64_t lograte_take_unsaid(struct lograte *);

#endif /* UTIL_LOGRATE_H */
