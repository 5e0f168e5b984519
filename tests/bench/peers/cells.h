/* SPDX-License-Identifier: ISC */
/*
 * What is measured, one row each: the work, and what blkd should reach in it.
 */
#ifndef PEERS_CELLS_H
#define PEERS_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CELLS_AIMS	4

enum cells_aim_kind {
	CELLS_NO_AIM,
	CELLS_KIOPS,		/* at least so many thousand a second */
	CELLS_OF_SUBJECT,	/* at least so much of another subject */
	CELLS_OF_PEERS,		/* at least so much of the best peer */
	CELLS_CPU,		/* at most so many us of processor a request */
};

struct cells_aim {
	enum cells_aim_kind	 kind;
	double			 value;
	const char		*subject;
	bool			 mmap;		/* of blkd-mmap; else the best
						 * of the others */
};

struct cells_row {
	const char	*name;		/* to ask for it */
	const char	*title;
	bool		 disk;		/* O_DIRECT on disk; else tmpfs */
	bool		 write;
	bool		 wait;		/* for interrupts; else poll */
	unsigned	 depth;
	unsigned	 bytes;
	struct cells_aim aim[CELLS_AIMS];
};

extern const struct cells_row	cells[];
extern const size_t		cells_count;

const struct cells_row	*cells_find(const char *name);

#endif /* PEERS_CELLS_H */
