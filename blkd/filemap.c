/* SPDX-License-Identifier: ISC */
/*
 * Mapping a file.  Runs in blkd, register thread, before the sandbox narrows;
 * touches no page of it.
 */
#include <sys/mman.h>

#include <errno.h>
#include <stdlib.h>

#include "blkd/filemap.h"

/* Addresses for a file to grow into; they cost nothing. */
#define ROOM		(UINT64_C(1) << 40)

struct filemap *
filemap_make(int fd, uint64_t bytes, bool readonly)
{
	int prot = readonly ? PROT_READ : PROT_READ | PROT_WRITE;
	struct filemap *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->bytes = bytes + ROOM;
	m->at = bytes < SIZE_MAX - ROOM ?
	    mmap(NULL, m->bytes, prot, MAP_SHARED, fd, 0) : MAP_FAILED;
	/* More than a file can have here, or than there is room for. */
	if (m->at == MAP_FAILED) {
		m->bytes = bytes;
		m->at = mmap(NULL, m->bytes, prot, MAP_SHARED, fd, 0);
	}
	if (m->at == MAP_FAILED) {
		free(m);
		return NULL;
	}
	return m;
}

void
filemap_free(struct filemap *m)
{
	int saved = errno;

	if (m == NULL)
		return;
	munmap(m->at, m->bytes);
	free(m);
	errno = saved;
}
