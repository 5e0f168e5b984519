/* SPDX-License-Identifier: ISC */
/*
 * The test guest: virtio-mmio registers, version 2 (virtio 1.2, 4.2.2).
 */
#ifndef TESTS_GUEST_VMMIO_H
#define TESTS_GUEST_VMMIO_H

#include <stdint.h>

enum vmmio_register {
	VMMIO_MAGIC = 0x000,
	VMMIO_VERSION = 0x004,
	VMMIO_DEVICE_ID = 0x008,
	VMMIO_VENDOR_ID = 0x00c,
	VMMIO_DEVICE_FEATURES = 0x010,
	VMMIO_DEVICE_FEATURES_SEL = 0x014,
	VMMIO_DRIVER_FEATURES = 0x020,
	VMMIO_DRIVER_FEATURES_SEL = 0x024,
	VMMIO_QUEUE_SEL = 0x030,
	VMMIO_QUEUE_NUM_MAX = 0x034,
	VMMIO_QUEUE_NUM = 0x038,
	VMMIO_QUEUE_READY = 0x044,
	VMMIO_QUEUE_NOTIFY = 0x050,
	VMMIO_INTERRUPT_STATUS = 0x060,
	VMMIO_INTERRUPT_ACK = 0x064,
	VMMIO_STATUS = 0x070,
	VMMIO_QUEUE_DESC_LOW = 0x080,
	VMMIO_QUEUE_DESC_HIGH = 0x084,
	VMMIO_QUEUE_DRIVER_LOW = 0x090,
	VMMIO_QUEUE_DRIVER_HIGH = 0x094,
	VMMIO_QUEUE_DEVICE_LOW = 0x0a0,
	VMMIO_QUEUE_DEVICE_HIGH = 0x0a4,
	VMMIO_CONFIG_GENERATION = 0x0fc,
	VMMIO_CONFIG = 0x100
};

enum {
	VMMIO_MAGIC_VALUE = 0x74726976,
	VMMIO_VERSION_2 = 2,

	VMMIO_ACKNOWLEDGE = 1,
	VMMIO_DRIVER = 2,
	VMMIO_DRIVER_OK = 4,
	VMMIO_FEATURES_OK = 8,
	VMMIO_NEEDS_RESET = 64,
	VMMIO_FAILED = 128,

	VMMIO_USED_INTERRUPT = 1,
	VMMIO_CONFIG_INTERRUPT = 2
};

/* One access of exactly that width. */
uint32_t vmmio_read(uint32_t base, uint32_t offset);
uint16_t vmmio_read16(uint32_t base, uint32_t offset);
uint8_t	 vmmio_read8(uint32_t base, uint32_t offset);
void	 vmmio_write(uint32_t base, uint32_t offset, uint32_t value);
void	 vmmio_write16(uint32_t base, uint32_t offset, uint16_t value);
void	 vmmio_write8(uint32_t base, uint32_t offset, uint8_t value);

/* Both halves of the feature bits. */
uint64_t vmmio_read_features(uint32_t base);
void	 vmmio_write_features(uint32_t base, uint64_t features);

/* Adds bits to Status and returns what the register then reads. */
uint32_t vmmio_add_status(uint32_t base, uint32_t bits);

/* Writes 0 to Status and waits until it reads 0. NULL, or what went wrong. */
const char *vmmio_reset(uint32_t base, uint32_t timeout_ms);

/* Reads and acknowledges until nothing is pending; returns the bits seen. */
uint32_t vmmio_ack_interrupts(uint32_t base);

#endif
