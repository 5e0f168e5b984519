/* SPDX-License-Identifier: ISC */
/*
 * Locks on images: OFD locks (fcntl(2), F_OFD_SETLK), which belong to an
 * open file description, on two bytes:
 *
 *	owner	held by the monitor for as long as the machine exists, so
 *		that nobody takes the image between two blkds
 *	fence	held through the description that one blkd works on.  The
 *		kernel drops it after the last I/O in flight of that blkd,
 *		which may be after it was reaped: who gets this lock knows
 *		that nothing of a predecessor can land any more
 *
 * A read-only disk shares its locks with other read-only disks.
 */
#ifndef UTIL_IMAGELOCK_H
#define UTIL_IMAGELOCK_H

#include <stdbool.h>
#include <stddef.h>

enum imagelock_byte {
	IMAGELOCK_FENCE,
	IMAGELOCK_OWNER,
};

/*
 * Take a lock without waiting; it goes with the description.  Returns 0, or
 * -1 and errno (EAGAIN: somebody else has it).
 */
int	imagelock_take(int fd, enum imagelock_byte, bool shared);

/*
 * Who has a lock on this file: "process 123 (blkd)", or, where it cannot be
 * found out, "another process".  For people; slow.
 */
void	imagelock_describe_holder(int fd, char *text, size_t size);

#endif /* UTIL_IMAGELOCK_H */
