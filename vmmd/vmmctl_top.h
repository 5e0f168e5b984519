/* SPDX-License-Identifier: ISC */
/* vmmctl top: a live table of what the disks do. */
#ifndef VMMD_VMMCTL_TOP_H
#define VMMD_VMMCTL_TOP_H

#include <stdint.h>

/*
 * Every interval_ms a table of what has happened in it: `count` times, 0: for
 * ever; NULL: of all disks.  Returns the exit code.
 */
int	vmmctl_top_run(int fd, const char *disk, unsigned count,
	    unsigned interval_ms);

#endif /* VMMD_VMMCTL_TOP_H */
