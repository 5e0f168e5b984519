/* SPDX-License-Identifier: ISC */
/*
 * The port bus: which device answers at which port.
 */
#ifndef VMMD_IOBUS_H
#define VMMD_IOBUS_H

#include <stddef.h>
#include <stdint.h>

#include "vmmd/end.h"

#define IOBUS_PORTS_MAX	8

/*
 * A range of ports.  The devices are of a byte: a wider access is as many
 * byte accesses, at rising ports.  Handlers run on any vCPU thread, also on
 * several at once.  A write that ends the machine fills in the end.
 */
struct iobus_port {
	uint16_t	 base;
	uint16_t	 count;
	uint8_t		(*read)(void *ctx, uint16_t offset);
	void		(*write)(void *ctx, uint16_t offset, uint8_t value,
			    struct end *);
	void		*ctx;
};

/* Does not change once the vCPUs run. */
struct iobus {
	struct iobus_port	port[IOBUS_PORTS_MAX];
	size_t			count;
};

/* Add a range; 0, or -1 and ENOSPC. */
int	iobus_add(struct iobus *, const struct iobus_port *);

/* An access of 1, 2 or 4 bytes at `data`; ports of nobody read as ones. */
void	iobus_read(const struct iobus *, uint16_t port, uint8_t *data,
	    size_t size);
void	iobus_write(const struct iobus *, uint16_t port, const uint8_t *data,
	    size_t size, struct end *);

#endif /* VMMD_IOBUS_H */
