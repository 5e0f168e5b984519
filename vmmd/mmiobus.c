/* SPDX-License-Identifier: ISC */
/*
 * The memory bus.  Runs in the vm process, on the vCPU threads; addresses,
 * sizes and values are the guest's.
 */
#include <string.h>

#include "vmmd/layout.h"
#include "vmmd/mmiobus.h"

/* The disk whose window holds the whole access, or NULL. */
static struct blkchan *
find(const struct mmiobus *bus, uint64_t gpa, uint32_t size, uint32_t *offset)
{
	uint64_t index;

	if (gpa < LAYOUT_MMIO)
		return NULL;
	index = (gpa - LAYOUT_MMIO) / LAYOUT_MMIO_WINDOW;
	*offset = (uint32_t)((gpa - LAYOUT_MMIO) % LAYOUT_MMIO_WINDOW);
	if (index >= bus->count || *offset + size > LAYOUT_MMIO_WINDOW)
		return NULL;
	/* KVM cuts what is not aligned into pieces of any size. */
	if (size == 0 || size > PROTO_ACCESS_MAX || (size & (size - 1)) != 0)
		return NULL;
	return bus->disk[index];
}

void
mmiobus_read(const struct mmiobus *bus, uint64_t gpa, uint8_t *data,
    uint32_t size)
{
	uint64_t value = UINT64_MAX;
	struct blkchan *bc;
	uint32_t offset;

	bc = find(bus, gpa, size, &offset);
	if (bc != NULL)
		value = blkchan_read(bc, offset, size);
	memset(data, 0xff, size);
	memcpy(data, &value, size < sizeof(value) ? size : sizeof(value));
}

void
mmiobus_write(const struct mmiobus *bus, uint64_t gpa, const uint8_t *data,
    uint32_t size)
{
	uint64_t value = 0;
	struct blkchan *bc;
	uint32_t offset;

	bc = find(bus, gpa, size, &offset);
	if (bc == NULL)
		return;
	memcpy(&value, data, size);
	blkchan_write(bc, offset, size, value);
}
