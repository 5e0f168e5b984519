/* SPDX-License-Identifier: ISC */
/*
 * The gates: what every request must pass before it touches the file
 * (DESIGN section 5).  One table, in the order of the document; the first
 * row that applies decides.
 */
#ifndef BLKD_GATES_H
#define BLKD_GATES_H

#include <stddef.h>
#include <stdint.h>

struct chain;
struct disk;
struct limiter;
struct request;

enum gates_verdict {
	GATES_PASS,	/* run it */
	GATES_OK,	/* answer OK, nothing to do */
	GATES_IOERR,
	GATES_UNSUPP,
	GATES_DROP,	/* there is nowhere to put an answer */
	GATES_WAIT,	/* for tokens: request->wait_ns; nothing was taken */
};

struct gates {
	const struct disk	*disk;
	struct limiter		*limiter;	/* NULL: none */
	uint64_t		 features;	/* negotiated */
	size_t			 iov_max;	/* of request->iov */
};

/*
 * Fill the request from the chain and judge it.  Without `throttle` gate 12
 * is open: a replay has paid already.
 */
enum gates_verdict gates_check(const struct gates *, const struct chain *,
		    struct request *, int throttle);

/* For tests: the row of DESIGN section 5 that decides, 12 apart; 0: none. */
unsigned	 gates_row(const struct gates *, const struct chain *,
		    struct request *);

#endif /* BLKD_GATES_H */
