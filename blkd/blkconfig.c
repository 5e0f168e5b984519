/* SPDX-License-Identifier: ISC */
/*
 * The configuration space of a disk.  Runs in blkd, register thread; made
 * anew for each access from what the disk is, so that there is no copy that
 * could be out of date.
 */
#include <endian.h>
#include <stddef.h>
#include <string.h>

#include <linux/virtio_blk.h>

#include "blkd/blkconfig.h"
#include "blkd/disk.h"
#include "blkd/features.h"
#include "shm/shared.h"

static_assert(offsetof(struct virtio_blk_config, write_zeroes_may_unmap) +
    4 == BLKCONFIG_BYTES, "the layout of virtio 1.2, 5.2.4");

#define PHYSICAL_BYTES	4096u	/* a page of the backing's cache */

static void
fill_topology(struct virtio_blk_config *c, uint32_t block_size)
{
	uint32_t blocks = PHYSICAL_BYTES / block_size;

	while (blocks >> (c->physical_block_exp + 1) != 0)
		c->physical_block_exp++;
	c->min_io_size = htole16((uint16_t)blocks);
}

static void
fill_ranges(struct virtio_blk_config *c)
{
	c->max_discard_sectors = htole32(DISK_DISCARD_SECTORS_MAX);
	c->max_discard_seg = htole32(DISK_DISCARD_SEG_MAX);
	c->discard_sector_alignment = htole32(PHYSICAL_BYTES / 512);
	c->max_write_zeroes_sectors = htole32(DISK_DISCARD_SECTORS_MAX);
	c->max_write_zeroes_seg = htole32(DISK_DISCARD_SEG_MAX);
	c->write_zeroes_may_unmap = 1;
}

static void
fill(struct virtio_blk_config *c, const struct disk *disk)
{
	memset(c, 0, sizeof(*c));
	c->capacity = htole64(shared_load(&disk->sectors));
	c->size_max = htole32(DISK_SIZE_MAX);
	c->seg_max = htole32(disk_seg_max(disk));
	c->blk_size = htole32(disk->block_size);
	fill_topology(c, disk->block_size);
	c->wce = shared_load(&disk->writeback) != 0;
	if (disk->queues > 1)
		c->num_queues = htole16((uint16_t)disk->queues);
	if (!disk->readonly)
		fill_ranges(c);
}

uint64_t
blkconfig_read(const struct disk *disk, uint32_t offset, uint32_t size)
{
	struct virtio_blk_config config;
	uint8_t bytes[sizeof(uint64_t)] = { 0 };
	uint64_t value;
	uint32_t n;

	if (offset < BLKCONFIG_BYTES) {
		fill(&config, disk);
		n = BLKCONFIG_BYTES - offset;
		if (n > size)
			n = size;
		if (n > sizeof(bytes))
			n = sizeof(bytes);
		memcpy(bytes, (const uint8_t *)&config + offset, n);
	}
	memcpy(&value, bytes, sizeof(value));
	return le64toh(value);
}

bool
blkconfig_write(uint64_t features, uint32_t offset, uint32_t size,
    uint64_t value, uint32_t *writeback)
{
	if (offset != offsetof(struct virtio_blk_config, wce) || size != 1 ||
	    (features & FEATURE(VIRTIO_BLK_F_CONFIG_WCE)) == 0 ||
	    (value & 0xff) > 1)
		return false;
	*writeback = (uint32_t)(value & 0xff);
	return true;
}
