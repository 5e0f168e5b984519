/* SPDX-License-Identifier: ISC */
/*
 * The test guest: the rules of the virtio-mmio registers. With strict=0 only
 * those that the standard gives every device.
 */
#include <stddef.h>

#include "console.h"
#include "tests.h"
#include "vmmio.h"

enum {
	UNKNOWN_REGISTER = 0x0e8,
	FAR_SELECTOR = 1000,
	FAR_QUEUE = 1000,
	CONFIG_PAST_END = VMMIO_CONFIG + 0xf0,
	STARTED = VMMIO_ACKNOWLEDGE | VMMIO_DRIVER,

	/* Between the memory below 3 GiB and that from 4 GiB on. */
	NOWHERE_ADDR = 0xf0000000u
};

static uint32_t
expect(const char *what, uint32_t got, uint32_t want)
{
	if (got == want) {
		console_printf("guest: %s: %x\n", what, got);
		return 0;
	}
	console_printf("guest: %s: %x, expected %x\n", what, got, want);
	return 1;
}

static uint32_t
check_common(uint32_t base)
{
	uint32_t wrong = 0;

	wrong += expect("magic", vmmio_read(base, VMMIO_MAGIC),
	    VMMIO_MAGIC_VALUE);
	wrong += expect("version", vmmio_read(base, VMMIO_VERSION),
	    VMMIO_VERSION_2);
	wrong += expect("device", vmmio_read(base, VMMIO_DEVICE_ID),
	    BLK_DEVICE_ID);
	wrong += expect("unknown register", vmmio_read(base,
	    UNKNOWN_REGISTER), 0);
	vmmio_write(base, VMMIO_QUEUE_SEL, FAR_QUEUE);
	wrong += expect("queue far away: QueueNumMax", vmmio_read(base,
	    VMMIO_QUEUE_NUM_MAX), 0);
	wrong += expect("queue far away: QueueReady", vmmio_read(base,
	    VMMIO_QUEUE_READY), 0);
	return wrong;
}

static uint32_t
check_accesses(uint32_t base)
{
	uint32_t wrong = 0;

	wrong += expect("byte of magic", vmmio_read8(base, VMMIO_MAGIC),
	    0xff);
	wrong += expect("half of magic", vmmio_read16(base, VMMIO_MAGIC),
	    0xffff);
	wrong += expect("magic read askew", vmmio_read(base, VMMIO_MAGIC + 2),
	    0xffffffff);
	vmmio_write8(base, VMMIO_STATUS, VMMIO_ACKNOWLEDGE);
	wrong += expect("status after a byte", vmmio_read(base, VMMIO_STATUS),
	    0);
	vmmio_write16(base, VMMIO_STATUS, VMMIO_ACKNOWLEDGE);
	wrong += expect("status after a half", vmmio_read(base, VMMIO_STATUS),
	    0);
	vmmio_write(base, VMMIO_DEVICE_FEATURES_SEL, FAR_SELECTOR);
	wrong += expect("features far away", vmmio_read(base,
	    VMMIO_DEVICE_FEATURES), 0);
	wrong += expect("config past its end", vmmio_read(base,
	    CONFIG_PAST_END), 0);
	wrong += expect("config byte", vmmio_read8(base, VMMIO_CONFIG),
	    vmmio_read(base, VMMIO_CONFIG) & 0xff);
	wrong += expect("config half", vmmio_read16(base, VMMIO_CONFIG),
	    vmmio_read(base, VMMIO_CONFIG) & 0xffff);
	return wrong;
}

static uint32_t
check_status(uint32_t base)
{
	uint32_t wrong = 0;

	vmmio_add_status(base, STARTED);
	wrong += expect("DRIVER_OK before FEATURES_OK",
	    vmmio_add_status(base, VMMIO_DRIVER_OK), STARTED);
	vmmio_write_features(base, 0);
	wrong += expect("FEATURES_OK without VERSION_1",
	    vmmio_add_status(base, VMMIO_FEATURES_OK), STARTED);
	vmmio_write_features(base, vmmio_read_features(base) |
	    (uint64_t)1 << 63);
	wrong += expect("FEATURES_OK with more than offered",
	    vmmio_add_status(base, VMMIO_FEATURES_OK), STARTED);
	vmmio_write_features(base, (uint64_t)1 << BLK_F_VERSION_1);
	wrong += expect("FEATURES_OK", vmmio_add_status(base,
	    VMMIO_FEATURES_OK), STARTED | VMMIO_FEATURES_OK);
	vmmio_write(base, VMMIO_STATUS, STARTED);
	wrong += expect("a bit cleared", vmmio_read(base, VMMIO_STATUS),
	    STARTED | VMMIO_FEATURES_OK);
	return wrong;
}

/* Whether a queue with these addresses and this size becomes ready. */
static uint32_t
try_queue(struct tests *t, uint32_t size, uint32_t desc, uint32_t avail,
    uint32_t used)
{
	uint32_t base = t->device->base;

	vmmio_write(base, VMMIO_QUEUE_SEL, 0);
	vmmio_write(base, VMMIO_QUEUE_NUM, size);
	vmmio_write(base, VMMIO_QUEUE_DESC_LOW, desc);
	vmmio_write(base, VMMIO_QUEUE_DESC_HIGH, 0);
	vmmio_write(base, VMMIO_QUEUE_DRIVER_LOW, avail);
	vmmio_write(base, VMMIO_QUEUE_DRIVER_HIGH, 0);
	vmmio_write(base, VMMIO_QUEUE_DEVICE_LOW, used);
	vmmio_write(base, VMMIO_QUEUE_DEVICE_HIGH, 0);
	vmmio_write(base, VMMIO_QUEUE_READY, 1);
	return vmmio_read(base, VMMIO_QUEUE_READY);
}

static uint32_t
check_queues(struct tests *t)
{
	uint32_t desc = (uint32_t)t->blk.memory[0].desc, wrong = 0, max;
	uint32_t avail = (uint32_t)t->blk.memory[0].avail;
	uint32_t used = (uint32_t)t->blk.memory[0].used;

	vmmio_write(t->device->base, VMMIO_QUEUE_SEL, 0);
	max = vmmio_read(t->device->base, VMMIO_QUEUE_NUM_MAX);
	wrong += expect("queue of 0", try_queue(t, 0, desc, avail, used), 0);
	wrong += expect("queue of 3", try_queue(t, 3, desc, avail, used), 0);
	wrong += expect("queue over the maximum",
	    try_queue(t, 2 * max, desc, avail, used), 0);
	wrong += expect("descriptors askew",
	    try_queue(t, 8, desc + 8, avail, used), 0);
	wrong += expect("available ring askew",
	    try_queue(t, 8, desc, avail + 1, used), 0);
	wrong += expect("used ring askew",
	    try_queue(t, 8, desc, avail, used + 2), 0);
	wrong += expect("descriptors nowhere",
	    try_queue(t, 8, NOWHERE_ADDR, avail, used), 0);
	wrong += expect("used ring nowhere",
	    try_queue(t, 8, desc, avail, NOWHERE_ADDR), 0);
	wrong += expect("a good queue",
	    try_queue(t, 8, desc, avail, used), 1);
	return wrong;
}

const char *
test_regs(struct tests *t)
{
	uint32_t base = t->device->base, wrong;
	const char *why;

	why = vmmio_reset(base, t->options.timeout_ms);
	if (why != NULL)
		return why;
	wrong = check_common(base);
	if (t->strict) {
		wrong += check_accesses(base);
		wrong += check_status(base);
		wrong += check_queues(t);
	}
	wrong += expect("FAILED", vmmio_add_status(base, VMMIO_FAILED) &
	    VMMIO_FAILED, VMMIO_FAILED);
	if ((why = vmmio_reset(base, t->options.timeout_ms)) != NULL)
		return why;
	if (wrong != 0)
		return "a register breaks its rule";
	/* After all of this the device still serves. */
	if ((why = tests_open(t)) != NULL)
		return why;
	return blk_do(&t->blk, BLK_T_IN, t->first, t->data[0],
	    t->blk.block_size);
}
