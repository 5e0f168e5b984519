/* SPDX-License-Identifier: ISC */
/*
 * Sealed memfds: memory that one process makes and others map.  The seals
 * (no shrinking, no growing, no more seals) mean that a mapping of the whole
 * can never fault.
 */
#ifndef SHM_MEMFD_H
#define SHM_MEMFD_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Make a memfd of `bytes` (> 0) and seal it.  The name shows in /proc.
 * Returns the descriptor (CLOEXEC; the caller's), or -1 and errno.
 */
int	memfd_make(const char *name, uint64_t bytes);

/*
 * Check a descriptor that a peer sent: a memfd of exactly `bytes`, with the
 * three seals and no seal against writing.  Returns 0, or -1 and EINVAL
 * (no memfd or wrong size), EPERM (a seal is missing or one too many).
 */
int	memfd_check(int fd, uint64_t bytes);

/*
 * Map the whole of it, shared, read-write or read-only, without swap
 * reservation.  Returns the address (memfd_unmap it), or NULL and errno.
 */
void	*memfd_map(int fd, uint64_t bytes, bool writable);
void	 memfd_unmap(void *, uint64_t bytes);

#endif /* SHM_MEMFD_H */
