/* SPDX-License-Identifier: ISC */
/*
 * The feature bits of a disk.  Runs in blkd, register thread; pure functions
 * over the disk's configuration.
 */
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "blkd/disk.h"
#include "blkd/features.h"

static bool
is_readonly(const struct disk *disk)
{
	return disk->readonly;
}

static bool
is_writable(const struct disk *disk)
{
	return !disk->readonly;
}

static bool
has_queues(const struct disk *disk)
{
	return disk->queues > 1;
}

#define ROW(b, when, why) \
	{ .bit = VIRTIO_##b, .name = #b, .offered = (when), .reason = (why) }

static const struct feature_row rows[] = {
	ROW(F_VERSION_1, NULL,
	    "The legacy interface has no place here: without it nothing is"
	    " negotiated."),
	ROW(RING_F_INDIRECT_DESC, NULL,
	    "A request takes one slot of the ring, however many segments it"
	    " has."),
	ROW(RING_F_EVENT_IDX, NULL,
	    "Kicks and interrupts are exchanged only where the other side"
	    " waits for one."),
	ROW(BLK_F_SIZE_MAX, NULL,
	    "A data buffer is bounded, so that one descriptor cannot occupy"
	    " a queue."),
	ROW(BLK_F_SEG_MAX, NULL,
	    "Without it drivers use one segment a request."),
	ROW(BLK_F_BLK_SIZE, NULL,
	    "Disks of 4096-byte blocks are seen as such."),
	ROW(BLK_F_TOPOLOGY, NULL,
	    "Partitions and file systems align to the pages of the backing."),
	ROW(BLK_F_FLUSH, NULL,
	    "The backing has a volatile cache, and the guest decides what is"
	    " stable."),
	ROW(BLK_F_CONFIG_WCE, NULL,
	    "The guest may choose write-through, as hdparm -W 0 does."),
	ROW(BLK_F_RO, is_readonly,
	    "The guest is told before its first write fails."),
	ROW(BLK_F_DISCARD, is_writable,
	    "Images stay sparse: fstrim gives blocks back."),
	ROW(BLK_F_WRITE_ZEROES, is_writable,
	    "Zeroing a range transfers no zeroes."),
	ROW(BLK_F_MQ, has_queues,
	    "Each vCPU may have a queue of its own; offered with more than"
	    " one."),
};

#define NROWS	(sizeof(rows) / sizeof(rows[0]))

const struct feature_row *
features_row(size_t index)
{
	return index < NROWS ? &rows[index] : NULL;
}

uint64_t
features_offered(const struct disk *disk)
{
	uint64_t bits = 0;
	size_t i;

	for (i = 0; i < NROWS; i++) {
		if (rows[i].offered == NULL || rows[i].offered(disk))
			bits |= FEATURE(rows[i].bit);
	}
	return bits;
}

bool
features_acceptable(uint64_t offered, uint64_t driver)
{
	return (driver & FEATURE(VIRTIO_F_VERSION_1)) != 0 &&
	    (driver & ~offered) == 0;
}
