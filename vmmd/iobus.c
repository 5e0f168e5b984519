/* SPDX-License-Identifier: ISC */
/*
 * The port bus.  Runs in the vm process, on the vCPU threads; ports and
 * values are the guest's.
 */
#include <errno.h>

#include "vmmd/iobus.h"

int
iobus_add(struct iobus *bus, const struct iobus_port *port)
{
	if (bus->count == IOBUS_PORTS_MAX) {
		errno = ENOSPC;
		return -1;
	}
	bus->port[bus->count++] = *port;
	return 0;
}

static const struct iobus_port *
find(const struct iobus *bus, uint32_t port)
{
	size_t i;

	for (i = 0; i < bus->count; i++) {
		if (port >= bus->port[i].base &&
		    port - bus->port[i].base < bus->port[i].count)
			return &bus->port[i];
	}
	return NULL;
}

void
iobus_read(const struct iobus *bus, uint16_t port, uint8_t *data, size_t size)
{
	const struct iobus_port *p;
	size_t i;

	for (i = 0; i < size; i++) {
		p = find(bus, (uint32_t)port + (uint32_t)i);
		data[i] = p == NULL ? 0xff :
		    p->read(p->ctx, (uint16_t)(port + i - p->base));
	}
}

void
iobus_write(const struct iobus *bus, uint16_t port, const uint8_t *data,
    size_t size, struct end *end)
{
	const struct iobus_port *p;
	size_t i;

	for (i = 0; i < size && end->reason == 0; i++) {
		p = find(bus, (uint32_t)port + (uint32_t)i);
		if (p != NULL)
			p->write(p->ctx, (uint16_t)(port + i - p->base),
			    data[i], end);
	}
}
