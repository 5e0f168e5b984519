/* SPDX-License-Identifier: ISC */
/*
 * Statistics as OpenMetrics 1.0 text, which a Prometheus textfile collector
 * takes, too.  One family a counter or histogram, one sample a disk.
 */
#ifndef VMMD_OPENMETRICS_H
#define VMMD_OPENMETRICS_H

#include <stddef.h>
#include <stdio.h>

#include "vmmd/vmmctl_link.h"

void	openmetrics_write(FILE *, const char *machine,
	    const struct vmmctl_disk *, size_t n);

#endif /* VMMD_OPENMETRICS_H */
