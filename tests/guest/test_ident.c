/* SPDX-License-Identifier: ISC */
/*
 * The test guest: what the device says about itself.
 */
#include <stddef.h>

#include "console.h"
#include "cpu.h"
#include "lib.h"
#include "tests.h"
#include "vmmio.h"

static const char *
check_serial(struct tests *t)
{
	const char *expected = args_get(t->args, "serial", NULL), *why;
	char serial[BLK_SERIAL_SIZE + 1];

	memset(serial, 'x', sizeof(serial));
	why = blk_do(&t->blk, BLK_T_GET_ID, 0, serial, BLK_SERIAL_SIZE);
	if (why != NULL)
		return why;
	serial[BLK_SERIAL_SIZE] = '\0';
	console_printf("guest: serial '%s'\n", serial);
	if (expected != NULL && strcmp(serial, expected) != 0)
		return "not the expected serial";
	return NULL;
}

const char *
test_identify(struct tests *t)
{
	uint32_t base = t->device->base, capacity;
	const char *why;

	console_printf("guest: magic %x version %u device %u vendor %x\n",
	    vmmio_read(base, VMMIO_MAGIC), vmmio_read(base, VMMIO_VERSION),
	    vmmio_read(base, VMMIO_DEVICE_ID),
	    vmmio_read(base, VMMIO_VENDOR_ID));
	why = tests_open(t);
	if (why != NULL)
		return why;
	console_printf("guest: features offered %016llx negotiated %016llx\n",
	    t->blk.offered, t->blk.features);
	console_printf("guest: capacity %llu blk_size %u size_max %u "
	    "seg_max %u%s\n", t->blk.capacity, t->blk.block_size,
	    t->blk.size_max, t->blk.seg_max,
	    blk_has(&t->blk, BLK_F_RO) ? " read-only" : "");
	capacity = args_get_u32(t->args, "capacity", 0);
	if (capacity != 0 && t->blk.capacity != capacity)
		return "not the expected capacity";
	return check_serial(t);
}

/* A write is refused and changes nothing; FLUSH is accepted; reads go on. */
const char *
test_readonly(struct tests *t)
{
	uint8_t *before = t->data[0], *after = t->data[1], *data = t->data[2];
	uint32_t size, sector = t->first;
	uint8_t status;
	const char *why;

	if ((why = tests_open(t)) != NULL)
		return why;
	if (!blk_has(&t->blk, BLK_F_RO))
		return "the disk does not offer RO";
	size = t->blk.block_size;
	if ((why = blk_do(&t->blk, BLK_T_IN, sector, before, size)) != NULL)
		return why;
	memset(data, 0xa5, size);
	why = blk_try(&t->blk, BLK_T_OUT, sector, data, size, &status);
	if (why != NULL)
		return why;
	console_printf("guest: write: status %u\n", status);
	if (status != BLK_S_IOERR)
		return "a write does not get IOERR";
	if ((why = blk_do(&t->blk, BLK_T_FLUSH, 0, NULL, 0)) != NULL ||
	    (why = blk_do(&t->blk, BLK_T_IN, sector, after, size)) != NULL)
		return why;
	if (memcmp(before, after, size) != 0)
		return "a refused write changed the disk";
	return NULL;
}

/* Waits for a configuration interrupt; others do not count. */
static const char *
wait_config(struct tests *t, uint32_t seen)
{
	uint32_t now;

	for (;;) {
		if (!cpu_wait_irq(t->blk.irq, seen, t->options.timeout_ms))
			return "no configuration interrupt";
		now = cpu_count_irq(t->blk.irq);
		if ((vmmio_ack_interrupts(t->blk.base) &
		    VMMIO_CONFIG_INTERRUPT) != 0)
			return NULL;
		seen = now;
	}
}

/* The capacity changes while the disk is used; its new end can be written. */
const char *
test_resize(struct tests *t)
{
	uint32_t capacity = args_get_u32(t->args, "capacity", 0), seen, size;
	uint8_t *data = t->data[0], *back = t->data[1];
	uint64_t last;
	const char *why;

	if ((why = tests_open(t)) != NULL)
		return why;
	seen = cpu_count_irq(t->blk.irq);
	console_printf("guest: waits for another capacity\n");
	if ((why = wait_config(t, seen)) != NULL ||
	    (why = blk_configure(&t->blk)) != NULL)
		return why;
	console_printf("guest: capacity %llu\n", t->blk.capacity);
	if (t->blk.capacity != capacity)
		return "not the expected capacity";
	size = t->blk.block_size;
	last = t->blk.capacity - size / BLK_SECTOR;
	memset(data, 0x5a, size);
	memset(back, 0, size);
	if ((why = blk_do(&t->blk, BLK_T_OUT, last, data, size)) != NULL ||
	    (why = blk_do(&t->blk, BLK_T_IN, last, back, size)) != NULL)
		return why;
	return memcmp(data, back, size) == 0 ? NULL : "other data come back";
}
