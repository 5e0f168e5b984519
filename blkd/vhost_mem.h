/* SPDX-License-Identifier: ISC */
/*
 * The memory table of a front-end: what it has announced, checked and mapped.
 *
 * Each region has two addresses: the guest's, by which descriptors in the
 * rings name it (shm/gmem.h is the gate), and the front-end's own, by which
 * messages name the rings.
 *
 * Main thread; the table changes only while no queue runs.
 */
#ifndef BLKD_VHOST_MEM_H
#define BLKD_VHOST_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blkd/vhost_wire.h"
#include "shm/gmem.h"

#define VHOST_MEM_WHY	160

struct vhost_mem_entry {
	struct vhost_mem_region	 region;	/* a checked copy */
	uint8_t			*map;
	size_t			 map_bytes;
	uint8_t			*base;		/* of the region, in the map */
};

struct vhost_mem {
	size_t			 n;
	struct vhost_mem_entry	 entry[GMEM_REGIONS_MAX];
	char			 why[VHOST_MEM_WHY];	/* after -1 */
};

/*
 * Check and map one more region.  The descriptor stays the caller's.  0, or
 * -1, with a sentence in `why`; then the table is as before.
 */
int	vhost_mem_add(struct vhost_mem *, const struct vhost_mem_region *,
	    int fd);

/* Unmap the region with these addresses and this size; -1: there is none. */
int	vhost_mem_remove(struct vhost_mem *, const struct vhost_mem_region *);
void	vhost_mem_clear(struct vhost_mem *);

/* The gate to all of it: NULL and errno.  Before the table changes, close it. */
struct gmem	*vhost_mem_open(const struct vhost_mem *);

/* The guest's address of an address of the front-end; false: it has none. */
bool	vhost_mem_gpa(const struct vhost_mem *, uint64_t address,
	    uint64_t *gpa);

#endif /* BLKD_VHOST_MEM_H */
