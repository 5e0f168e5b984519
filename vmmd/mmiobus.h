/* SPDX-License-Identifier: ISC */
/*
 * The memory bus: which disk answers in which window.
 */
#ifndef VMMD_MMIOBUS_H
#define VMMD_MMIOBUS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/proto.h"
#include "vmmd/blkchan.h"

/* Does not change once the vCPUs run. */
struct mmiobus {
	struct blkchan	*disk[PROTO_DISKS_MAX];	/* by window */
	size_t		 count;
};

/*
 * An access of 1 to 8 bytes at a guest-physical address that is no memory,
 * by a vCPU thread.  Where nobody answers, ones are read and writes dropped.
 */
void	mmiobus_read(const struct mmiobus *, uint64_t gpa, uint8_t *data,
	    uint32_t size);
void	mmiobus_write(const struct mmiobus *, uint64_t gpa,
	    const uint8_t *data, uint32_t size);

#endif /* VMMD_MMIOBUS_H */
