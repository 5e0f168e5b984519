/* SPDX-License-Identifier: ISC */
/*
 * The configuration space of a disk, struct virtio_blk_config (virtio 1.2,
 * 5.2.4), from offset 0x100 of the register window on.
 *
 * A field whose feature is not offered is 0, and so is everything past the
 * end.  One field can be written: `writeback`.
 */
#ifndef BLKD_BLKCONFIG_H
#define BLKD_BLKCONFIG_H

#include <stdbool.h>
#include <stdint.h>

struct disk;

#define BLKCONFIG_BYTES	60	/* through unused1: no SECURE_ERASE */

/*
 * Read `size` (1, 2, 4, 8) bytes at `offset`, little-endian; any offset and
 * alignment.  Register thread.
 */
uint64_t	blkconfig_read(const struct disk *, uint32_t offset,
		    uint32_t size);

/*
 * The driver writes.  Returns true where it chose a cache mode, and stores
 * it (0 or 1); false where the write means nothing: another field, another
 * width, another value, or CONFIG_WCE is not among the negotiated features.
 */
bool		blkconfig_write(uint64_t features, uint32_t offset,
		    uint32_t size, uint64_t value, uint32_t *writeback);

#endif /* BLKD_BLKCONFIG_H */
