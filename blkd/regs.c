/* SPDX-License-Identifier: ISC */
/*
 * The register table and its access rules.  Runs in blkd, register thread;
 * what a vCPU asks for is hostile, the private copy is not.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>

#include "blkd/blkconfig.h"
#include "blkd/disk.h"
#include "blkd/features.h"
#include "blkd/lone.h"
#include "blkd/regs_impl.h"
#include "shm/doorbell.h"
#include "shm/shared.h"
#include "shm/state.h"

#define MMIO_MAGIC	0x74726976u	/* "virt" */
#define MMIO_VERSION	2u
#define MMIO_VENDOR	0x444d4d56u	/* "VMMD" */

uint64_t
regs_features(const struct regs *r)
{
	return (uint64_t)r->driver_features[1] << 32 | r->driver_features[0];
}

void
regs_interrupt(struct regs *r, uint32_t doorbell_bits)
{
	const uint64_t one = 1;

	doorbell_raise(r->disk->doorbell, doorbell_bits);
	/* A full counter (EAGAIN) is an interrupt that is already due. */
	if (write(r->disk->irqfd, &one, sizeof(one)) == (ssize_t)sizeof(one))
		counter_add(&r->disk->state->counters, COUNTER_IRQS, 1);
}

void
regs_set_writeback(struct regs *r, uint32_t writeback)
{
	shared_store(&r->disk->writeback, writeback);
	shared_store(&r->disk->state->device.s_writeback, writeback);
}

void
regs_set_generation(struct regs *r, uint32_t generation)
{
	r->generation = generation;
	shared_store(&r->disk->state->device.s_generation, generation);
}

/* --- reads ------------------------------------------------------------- */

static uint32_t
read_magic(const struct regs *r)
{
	(void)r;
	return MMIO_MAGIC;
}

static uint32_t
read_version(const struct regs *r)
{
	(void)r;
	return MMIO_VERSION;
}

static uint32_t
read_device_id(const struct regs *r)
{
	(void)r;
	return VIRTIO_ID_BLOCK;
}

static uint32_t
read_vendor_id(const struct regs *r)
{
	(void)r;
	return MMIO_VENDOR;
}

static uint32_t
read_device_features(const struct regs *r)
{
	if (r->device_features_sel > 1)
		return 0;
	return (uint32_t)(r->offered >> 32 * r->device_features_sel);
}

/* The vm process answers this one itself, as a rule. */
static uint32_t
read_interrupt_status(const struct regs *r)
{
	return doorbell_pending(r->disk->doorbell);
}

/* 4.2.2: a region that is not there has the length -1 and this base. */
static uint32_t
read_no_region(const struct regs *r)
{
	(void)r;
	return UINT32_MAX;
}

static uint32_t
read_generation(const struct regs *r)
{
	return r->generation;
}

/* --- writes ------------------------------------------------------------ */

static void
write_device_features_sel(struct regs *r, uint32_t value)
{
	r->device_features_sel = value;
	shared_store(&r->disk->state->device.s_device_features_sel, value);
}

static void
write_driver_features_sel(struct regs *r, uint32_t value)
{
	r->driver_features_sel = value;
	shared_store(&r->disk->state->device.s_driver_features_sel, value);
}

static void
write_driver_features(struct regs *r, uint32_t value)
{
	uint32_t sel = r->driver_features_sel;

	if (sel > 1)
		return;
	r->driver_features[sel] = value;
	shared_store(&r->disk->state->device.s_driver_features[sel], value);
}

static void
write_queue_sel(struct regs *r, uint32_t value)
{
	r->queue_sel = value;
	shared_store(&r->disk->state->device.s_queue_sel, value);
}

static void
write_interrupt_ack(struct regs *r, uint32_t value)
{
	doorbell_ack(r->disk->doorbell, value & DOORBELL_BITS);
}

/* --- the table --------------------------------------------------------- */

#define NEGOTIATE	REGS_IN(REGS_PHASE_NEGOTIATE)
#define QUEUES		REGS_IN(REGS_PHASE_QUEUES)
#define LIVE		REGS_IN(REGS_PHASE_LIVE)
#define ALWAYS		REGS_ALWAYS

#define R(off, n, rd)		{ VIRTIO_MMIO_##off, n, rd, NULL, 0 }
#define W(off, n, wr, when)	{ VIRTIO_MMIO_##off, n, NULL, wr, when }
#define RW(off, n, rd, wr, when) { VIRTIO_MMIO_##off, n, rd, wr, when }

/* By offset.  What is not here reads 0, and writes to it are dropped. */
static const struct regs_row rows[] = {
	R(MAGIC_VALUE,		"MagicValue",	read_magic),
	R(VERSION,		"Version",	read_version),
	R(DEVICE_ID,		"DeviceID",	read_device_id),
	R(VENDOR_ID,		"VendorID",	read_vendor_id),
	R(DEVICE_FEATURES,	"DeviceFeatures", read_device_features),
	W(DEVICE_FEATURES_SEL,	"DeviceFeaturesSel",
	    write_device_features_sel, ALWAYS),
	W(DRIVER_FEATURES,	"DriverFeatures",
	    write_driver_features, NEGOTIATE),
	W(DRIVER_FEATURES_SEL,	"DriverFeaturesSel",
	    write_driver_features_sel, ALWAYS),
	W(QUEUE_SEL,		"QueueSel",	write_queue_sel, ALWAYS),
	R(QUEUE_NUM_MAX,	"QueueNumMax",	regs_queue_read_num_max),
	W(QUEUE_NUM,		"QueueNum",	regs_queue_write_num, QUEUES),
	RW(QUEUE_READY,		"QueueReady",	regs_queue_read_ready,
	    regs_queue_write_ready, QUEUES),
	W(QUEUE_NOTIFY,		"QueueNotify",	regs_notify, LIVE),
	R(INTERRUPT_STATUS,	"InterruptStatus", read_interrupt_status),
	W(INTERRUPT_ACK,	"InterruptACK",	write_interrupt_ack, ALWAYS),
	RW(STATUS,		"Status",	regs_status_read,
	    regs_status_write, ALWAYS),
	W(QUEUE_DESC_LOW,	"QueueDescLow",
	    regs_queue_write_desc_low, QUEUES),
	W(QUEUE_DESC_HIGH,	"QueueDescHigh",
	    regs_queue_write_desc_high, QUEUES),
	W(QUEUE_AVAIL_LOW,	"QueueDriverLow",
	    regs_queue_write_driver_low, QUEUES),
	W(QUEUE_AVAIL_HIGH,	"QueueDriverHigh",
	    regs_queue_write_driver_high, QUEUES),
	W(QUEUE_USED_LOW,	"QueueDeviceLow",
	    regs_queue_write_device_low, QUEUES),
	W(QUEUE_USED_HIGH,	"QueueDeviceHigh",
	    regs_queue_write_device_high, QUEUES),
	R(SHM_LEN_LOW,		"SHMLenLow",	read_no_region),
	R(SHM_LEN_HIGH,		"SHMLenHigh",	read_no_region),
	R(SHM_BASE_LOW,		"SHMBaseLow",	read_no_region),
	R(SHM_BASE_HIGH,	"SHMBaseHigh",	read_no_region),
	R(CONFIG_GENERATION,	"ConfigGeneration", read_generation),
};

#define NROWS	(sizeof(rows) / sizeof(rows[0]))

const struct regs_row *
regs_row(size_t index)
{
	return index < NROWS ? &rows[index] : NULL;
}

static const struct regs_row *
find_row(uint32_t offset)
{
	size_t i;

	for (i = 0; i < NROWS; i++) {
		if (rows[i].offset == offset)
			return &rows[i];
	}
	return NULL;
}

/* --- access ------------------------------------------------------------ */

/* 4.2.2.2: registers are accessed by aligned 32-bit words alone. */
static bool
is_register_access(uint32_t offset, uint32_t size)
{
	return size == 4 && offset % 4 == 0;
}

uint64_t
regs_read(const struct regs *r, uint32_t offset, uint32_t size)
{
	const struct regs_row *row;

	if (offset >= VIRTIO_MMIO_CONFIG)
		return blkconfig_read(r->disk, offset - VIRTIO_MMIO_CONFIG,
		    size);
	if (!is_register_access(offset, size))
		return UINT64_MAX >> (64 - 8 * size);
	if ((row = find_row(offset)) == NULL || row->read == NULL)
		return 0;
	return row->read(r);
}

static void
write_config(struct regs *r, uint32_t offset, uint32_t size, uint64_t value)
{
	uint32_t writeback;

	if (r->status & VIRTIO_CONFIG_S_FEATURES_OK &&
	    blkconfig_write(regs_features(r), offset, size, value, &writeback))
		regs_set_writeback(r, writeback);
}

void
regs_write(struct regs *r, uint32_t offset, uint32_t size, uint64_t value)
{
	const struct regs_row *row;

	if (offset >= VIRTIO_MMIO_CONFIG) {
		write_config(r, offset - VIRTIO_MMIO_CONFIG, size, value);
		return;
	}
	if (!is_register_access(offset, size) ||
	    (row = find_row(offset)) == NULL || row->write == NULL ||
	    (row->writable & REGS_IN(regs_status_phase(r))) == 0)
		return;
	row->write(r, (uint32_t)value);
}

/* --- what the monitor changes ------------------------------------------ */

void
regs_nudge(struct regs *r)
{
	unsigned i;

	for (i = 0; i < r->disk->queues; i++)
		queue_nudge(r->queue[i].queue);
}

/*
 * The capacity before its generation before the interrupt, as a driver reads
 * them; s_capacity last: killed before that, the successor tells it again.
 */
void
regs_resize(struct regs *r, uint64_t sectors)
{
	struct state_device *d = &r->disk->state->device;

	shared_store(&r->disk->sectors, sectors);
	if (shared_load(&d->s_capacity) == sectors)
		return;
	regs_set_generation(r, r->generation + 1);
	if (r->status & VIRTIO_CONFIG_S_DRIVER_OK)
		regs_interrupt(r, DOORBELL_CONFIG);
	shared_store_release(&d->s_capacity, sectors);
}

/* --- making ------------------------------------------------------------ */

static int
make_queues(struct regs *r, int eventfd)
{
	struct disk *disk = r->disk;
	unsigned i;

	if (disk->queues > 1 && (disk->lone = lone_make()) == NULL)
		return -1;
	for (i = 0; i < disk->queues; i++) {
		r->queue[i].queue = queue_make(disk, i, eventfd);
		if (r->queue[i].queue == NULL)
			return -1;
	}
	return 0;
}

struct regs *
regs_make(struct disk *disk, int eventfd)
{
	struct regs *r = calloc(1, sizeof(*r));
	int saved;

	if (r == NULL)
		return NULL;
	r->disk = disk;
	r->offered = features_offered(disk);
	if (make_queues(r, eventfd) == -1) {
		saved = errno;
		regs_free(r);
		errno = saved;
		return NULL;
	}
	return r;
}

void
regs_hold(struct regs *r)
{
	unsigned i;

	for (i = 0; i < r->disk->queues; i++)
		queue_hold(r->queue[i].queue);
}

void
regs_free(struct regs *r)
{
	unsigned i;

	if (r == NULL)
		return;
	for (i = 0; i < PROTO_QUEUES_MAX; i++)
		queue_free(r->queue[i].queue);
	lone_free(r->disk->lone);
	r->disk->lone = NULL;
	free(r);
}
