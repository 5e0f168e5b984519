/* SPDX-License-Identifier: ISC */
/*
 * The two ways to a disk: blkd's control and MMIO channels, and vhost-user.
 * Behind either is a process that serves one virtqueue in memory of ours.
 */
#ifndef LOAD_DOOR_H
#define LOAD_DOOR_H

#include <sys/types.h>

#include <stdint.h>

#include "tests/bench/load/options.h"
#include "tests/driver/blkdproc.h"
#include "tests/driver/driverq.h"
#include "tests/driver/vhostfe.h"

#define DOOR_SLOT_DESCS	4u	/* of the ring, for one request in flight */

struct door {
	struct driverq	 q;		/* live, nothing in it */
	uint64_t	 sectors;	/* of the disk */
	uint64_t	 stride;	/* bytes of data memory of a request */
	int		 irqfd;		/* nonblocking */
	pid_t		 pid;		/* of the process behind it */

	/* Private. */
	const struct options *options;
	uint64_t	 memory;
	struct blkdproc	 blkd;
	struct vhostfe	 front;
	pid_t		 started;	/* to be ended by us; 0: none */
	int		 gmemfd, kickfd;
	uint8_t		*gmem;
};

/* Open what the options say.  Returns 0, or -1 and says why. */
int	door_open(struct door *, const struct options *);
/* Ends the process behind it, where it is ours. */
void	door_close(struct door *);

#endif /* LOAD_DOOR_H */
