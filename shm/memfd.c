/* SPDX-License-Identifier: ISC */
/*
 * Sealed memfds.  Runs in every process; a descriptor from a peer is what
 * memfd_check finds it to be.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "shm/memfd.h"

#define SEALS_REQUIRED	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

int
memfd_make(const char *name, uint64_t bytes)
{
	int fd, saved;

	if (bytes == 0 || bytes > INT64_MAX) {
		errno = EINVAL;
		return -1;
	}
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return -1;
	/* By its last page: a blkd may do this, and not cut a file short. */
	if (fallocate(fd, 0, (off_t)bytes - 1, 1) == -1 ||
	    fcntl(fd, F_ADD_SEALS, SEALS_REQUIRED) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int
memfd_check(int fd, uint64_t bytes)
{
	struct statx st;
	int seals;

	/* Only files of a memory file system have seals to tell of. */
	seals = fcntl(fd, F_GET_SEALS);
	if (seals == -1 || statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS,
	    &st) == -1 || !S_ISREG(st.stx_mode) || st.stx_size != bytes) {
		errno = EINVAL;
		return -1;
	}
	/* F_SEAL_EXEC may be set by the system's policy; it harms nothing. */
	if ((seals & SEALS_REQUIRED) != SEALS_REQUIRED ||
	    (seals & F_SEAL_WRITE) != 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

void *
memfd_map(int fd, uint64_t bytes, bool writable)
{
	int prot = PROT_READ | (writable ? PROT_WRITE : 0);
	void *p;

	if (bytes == 0 || bytes > SIZE_MAX) {
		errno = EINVAL;
		return NULL;
	}
	p = mmap(NULL, (size_t)bytes, prot, MAP_SHARED | MAP_NORESERVE, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

void
memfd_unmap(void *p, uint64_t bytes)
{
	if (p != NULL)
		munmap(p, (size_t)bytes);
}
