/* SPDX-License-Identifier: ISC */
/*
 * The test guest: virtio-mmio registers. Runs in the guest; touches the
 * window that the command line names.
 */
#include <stddef.h>

#include "cpu.h"
#include "vmmio.h"

/* More rounds than this and the line is stuck, not busy. */
enum { ACK_ROUNDS = 1000 };

uint32_t
vmmio_read(uint32_t base, uint32_t offset)
{
	return *(volatile uint32_t *)(base + offset);
}

uint16_t
vmmio_read16(uint32_t base, uint32_t offset)
{
	return *(volatile uint16_t *)(base + offset);
}

uint8_t
vmmio_read8(uint32_t base, uint32_t offset)
{
	return *(volatile uint8_t *)(base + offset);
}

void
vmmio_write(uint32_t base, uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)(base + offset) = value;
}

void
vmmio_write16(uint32_t base, uint32_t offset, uint16_t value)
{
	*(volatile uint16_t *)(base + offset) = value;
}

void
vmmio_write8(uint32_t base, uint32_t offset, uint8_t value)
{
	*(volatile uint8_t *)(base + offset) = value;
}

uint64_t
vmmio_read_features(uint32_t base)
{
	uint32_t low;

	vmmio_write(base, VMMIO_DEVICE_FEATURES_SEL, 0);
	low = vmmio_read(base, VMMIO_DEVICE_FEATURES);
	vmmio_write(base, VMMIO_DEVICE_FEATURES_SEL, 1);
	return (uint64_t)vmmio_read(base, VMMIO_DEVICE_FEATURES) << 32 | low;
}

void
vmmio_write_features(uint32_t base, uint64_t features)
{
	vmmio_write(base, VMMIO_DRIVER_FEATURES_SEL, 0);
	vmmio_write(base, VMMIO_DRIVER_FEATURES, (uint32_t)features);
	vmmio_write(base, VMMIO_DRIVER_FEATURES_SEL, 1);
	vmmio_write(base, VMMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

uint32_t
vmmio_add_status(uint32_t base, uint32_t bits)
{
	vmmio_write(base, VMMIO_STATUS,
	    vmmio_read(base, VMMIO_STATUS) | bits);
	return vmmio_read(base, VMMIO_STATUS);
}

const char *
vmmio_reset(uint32_t base, uint32_t timeout_ms)
{
	uint32_t start = cpu_poll();

	vmmio_write(base, VMMIO_STATUS, 0);
	while (vmmio_read(base, VMMIO_STATUS) != 0) {
		if (timeout_ms != 0 && cpu_poll() - start > timeout_ms)
			return "the device does not reset";
	}
	return NULL;
}

uint32_t
vmmio_ack_interrupts(uint32_t base)
{
	uint32_t pending, seen = 0, i;

	for (i = 0; i < ACK_ROUNDS; i++) {
		pending = vmmio_read(base, VMMIO_INTERRUPT_STATUS);
		if (pending == 0)
			break;
		seen |= pending;
		vmmio_write(base, VMMIO_INTERRUPT_ACK, pending);
	}
	return seen;
}
