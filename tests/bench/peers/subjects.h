/* SPDX-License-Identifier: ISC */
/* Who is measured, one row each: how it is started for a cell. */
#ifndef PEERS_SUBJECTS_H
#define PEERS_SUBJECTS_H

#include <stddef.h>

#include "tests/bench/peers/cells.h"

enum subjects_role {
	SUBJECTS_LIMIT,		/* what nobody can beat */
	SUBJECTS_BLKD,		/* as it comes */
	SUBJECTS_MMAP,		/* blkd as one asks for it: copies */
	SUBJECTS_PEER,
};

enum subjects_start {
	SUBJECTS_LOAD_LIMIT,	/* load -d NAME */
	SUBJECTS_FIO,
	SUBJECTS_BLKD_MMIO,
	SUBJECTS_BLKD_VHOST,
	SUBJECTS_QSD,
};

struct subjects_row {
	const char		*name;
	enum subjects_role	 role;
	enum subjects_start	 start;
	const char		*how;		/* engine; aio */
	bool			 iothread;
};

extern const struct subjects_row subjects[];
extern const size_t		 subjects_count;

const struct subjects_row	*subjects_find(const char *name);

/* Where things are, and how long a run is. */
struct subjects_place {
	const char	*load;		/* programs */
	const char	*blkd;
	const char	*file;		/* of this cell */
	const char	*socket;
	unsigned	 run_ms;
	unsigned	 warm_up_ms;
	unsigned	 megabytes;	/* of the file */
	bool		 real_time;
};

#define SUBJECTS_ARGS	48
#define SUBJECTS_TEXT	4096

/* A command line; the strings are in `text`. */
struct subjects_command {
	char	*argv[SUBJECTS_ARGS];
	size_t	 n;
	char	 text[SUBJECTS_TEXT];
	size_t	 used;
};

/* False: this subject says nothing about this cell. */
bool	subjects_fits(const struct subjects_row *, const struct cells_row *);
void	subjects_command(const struct subjects_row *,
	    const struct cells_row *, const struct subjects_place *,
	    struct subjects_command *);

#endif /* PEERS_SUBJECTS_H */
