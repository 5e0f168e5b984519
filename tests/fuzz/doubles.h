/* SPDX-License-Identifier: ISC */
/*
 * For fuzzers of the monitor: children without processes, whose channels are
 * real and whose deaths the fuzzer decides, and a fence without a thread.
 * doubles.c takes the place of children.c and fencewatch.c.
 */
#ifndef FUZZ_DOUBLES_H
#define FUZZ_DOUBLES_H

#include <stdbool.h>

#include "vmmd/children.h"
#include "vmmd/fencewatch.h"

struct child {
	struct child		*next;
	struct children		*children;
	const struct child_kind	*kind;
	void			*owner;
	struct peer		*peer;
	int			 theirs;	/* -1: closed */
	int			 status;
	bool			 dead;		/* reaped */
	bool			 killed;
};

struct children {
	struct event_base	*base;
	struct child		*first;
};

struct fencewatch {
	void	(*down)(void *ctx);
	void	*ctx;
	bool	 waits;
};

/* It is over: reaped by the next sweep, once its channel is closed. */
void	doubles_die(struct child *, int status);

/* Tell of one that is gone; returns whether there was one. */
bool	doubles_sweep(struct children *);

#endif /* FUZZ_DOUBLES_H */
