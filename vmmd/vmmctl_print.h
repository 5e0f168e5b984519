/* SPDX-License-Identifier: ISC */
/* vmmctl: replies as tables for people. */
#ifndef VMMD_VMMCTL_PRINT_H
#define VMMD_VMMCTL_PRINT_H

#include <stdio.h>

#include <jansson.h>

#include "vmmd/vmmctl_link.h"

#define VMMCTL_TIME_MAX	16	/* bytes of a time, with NUL */

void	vmmctl_print_status(FILE *, const json_t *reply);
void	vmmctl_print_disks(FILE *, const json_t *reply);
void	vmmctl_print_stats(FILE *, const struct vmmctl_disk *, size_t n);

/* "12us", "3.4ms"; "-" for UINT64_MAX. */
const char *vmmctl_print_time(uint64_t ns, char text[VMMCTL_TIME_MAX]);

/*
 * An upper bound in ns of what so many of a thousand requests took, or
 * UINT64_MAX where there are none, or it is beyond the last bucket.
 */
uint64_t vmmctl_print_quantile(const uint64_t buckets[COUNTER_BUCKETS],
	    unsigned per_mille);

#endif /* VMMD_VMMCTL_PRINT_H */
