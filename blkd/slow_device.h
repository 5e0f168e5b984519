/* SPDX-License-Identifier: ISC */
/*
 * A loop device on a slow file.  Its requests are asynchronous, and nobody's
 * but the kernel's once the process that made them is gone.  Tests only; a
 * case that uses it needs root, and calls slow_file_clean_up in its cleanup.
 */
#ifndef BLKD_SLOW_DEVICE_H
#define BLKD_SLOW_DEVICE_H

#include "blkd/slow_file.h"

struct slow_device {
	struct slow_file	 slow;
	char			 path[32];
	unsigned		 number;
	int			 fd;
};

/* Ends the case as skipped where there are none. */
void	slow_device_make(struct slow_device *, uint64_t bytes,
	    unsigned write_ms, unsigned read_ms);
void	slow_device_free(struct slow_device *);

/* Requests that it was given and has not finished. */
unsigned slow_device_in_flight(const struct slow_device *);

/* The byte there in the image, below the device. */
int	slow_device_landed(uint64_t offset);

#endif /* BLKD_SLOW_DEVICE_H */
