/* SPDX-License-Identifier: ISC */
/*
 * A file whose writes and reads take as long as a test says: nbdkit's delay filter
 * behind nbdfuse, in the test's working directory.  Tests only; a case that
 * uses it calls slow_file_clean_up in its cleanup.
 */
#ifndef BLKD_SLOW_FILE_H
#define BLKD_SLOW_FILE_H

#include <sys/types.h>

#include <stdint.h>

/* What is below it, in the working directory. */
#define SLOW_FILE_IMAGE	"slow.img"

struct slow_file {
	int	fd;		/* the caller reads and writes; ours */
	pid_t	server;		/* nbdkit */
	pid_t	mount;		/* nbdfuse */
};

/* Ends the case as skipped where the programs or FUSE are missing. */
void	slow_file_make(struct slow_file *, uint64_t bytes, unsigned write_ms,
	    unsigned read_ms);
void	slow_file_free(struct slow_file *);
/* Unmount what a failed case has left. */
void	slow_file_clean_up(void);

#endif /* BLKD_SLOW_FILE_H */
