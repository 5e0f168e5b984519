/* SPDX-License-Identifier: ISC */
/*
 * The image of a disk, as the monitor keeps it: a name that cannot be
 * swapped (O_PATH) and the owner lock.  Each blkd gets a description of its
 * own, with the fence lock on it (imagelock.h).
 */
#ifndef VMMD_IMAGE_H
#define VMMD_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/proto.h"
#include "vmmd/exitcode.h"

struct conf_disk;

struct image {
	int	path_fd;	/* O_PATH; -1: not open */
	int	owner_fd;	/* has the owner lock */
	bool	readonly;
	bool	direct;
};

void	image_init(struct image *);

/*
 * Open the image of a disk, check it and take its owner lock.  What is wrong
 * is logged as one sentence, and its reason returned; EXITCODE_NONE: fine.
 */
enum exitcode_reason	image_open(struct image *, const struct conf_disk *);
void			image_close(struct image *);

/*
 * A new description of the image, without lock; the caller's.  -1 and errno.
 * Its fence is taken with imagelock_take.
 */
int	image_reopen(const struct image *);

/* What AUTO comes to for this image: SYNC, or still AUTO. */
enum proto_engine	image_engine(const struct image *,
			    enum proto_engine wanted);

/*
 * Threads for slow I/O, `wanted` or none: an image in memory is never slow,
 * unless everything is to be taken for it.
 */
unsigned		image_threads(const struct image *, unsigned wanted,
			    unsigned slow_us);

#endif /* VMMD_IMAGE_H */
