/* SPDX-License-Identifier: ISC */
/*
 * A file as memory: the mapping by which engine_mmap reads and writes the
 * backing.  Made by the register thread at ATTACH, used by every queue
 * thread.
 *
 * It is longer than the file, so that a file which grows is in it at once.
 * A page that the file does not have, or cannot give (past its end, no space
 * left, an error of the device), is SIGBUS: sigbus.h.
 */
#ifndef BLKD_FILEMAP_H
#define BLKD_FILEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct filemap {
	uint8_t		*at;
	size_t		 bytes;
	/* The end of what was written here; changes, by shared.h accessors. */
	uint64_t	 written;
};

/*
 * Map a file that now has so many bytes; NULL and errno on failure.  The
 * descriptor stays the caller's.
 */
struct filemap	*filemap_make(int fd, uint64_t bytes, bool readonly);
void		 filemap_free(struct filemap *);	/* NULL is accepted */

#endif /* BLKD_FILEMAP_H */
