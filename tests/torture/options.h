/* SPDX-License-Identifier: ISC */
/* The arguments of the torture.  Tests only. */
#ifndef TORTURE_OPTIONS_H
#define TORTURE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/torture/outage.h"

struct options {
	unsigned	kills;
	unsigned	again;		/* before the guest has gone on */
	unsigned	seconds;	/* at most; 0: any */
	uint64_t	memory;		/* bytes */
	uint64_t	image;		/* bytes */
	uint64_t	seed;
	unsigned	depth;		/* requests in flight */
	unsigned	queues;		/* that they are spread over */
	uint64_t	block;		/* bytes of each request; 0: any */
	bool		touch;		/* all memory, before each kill */
	bool		unordered;
	bool		direct;		/* O_DIRECT */
	int		engine;		/* enum proto_engine */
	unsigned	threads;	/* for all I/O of sync; 0: none */
	bool		existing;	/* the image is there, and stays */
	bool		upgrade;	/* instead of kills */
	bool		hurry;		/* in real time: as if nothing else ran */
	bool		spare;		/* a kill waits for the next spare */
	bool		poisoned;	/* blkd dies of some writes: poison.c */
	struct outage_aim aim;		/* exceeded: it fails */
	bool		verbose;
	const char	*path;
	const char	*blkd;
};

/* All of it; what is wrong ends the process, with the usage. */
void	options_parse(struct options *, int argc, char **argv);

#endif /* TORTURE_OPTIONS_H */
