/* SPDX-License-Identifier: ISC */
/*
 * Register accesses over the MMIO channel, and the start of a virtio-mmio
 * disk, as the vm process and the guest's driver make them: for programs
 * that stand in for both.
 */
#ifndef DRIVER_MMIODRV_H
#define DRIVER_MMIODRV_H

#include <stdint.h>

#define MMIODRV_LIVE	0xfu	/* status of a running device */

/*
 * One access of `size` bytes, answered.  Return 0, or -1 and errno:
 * ECONNRESET where that blkd is gone, EPROTO for another answer.
 */
int	mmiodrv_read(int channel, uint32_t offset, uint32_t size,
	    uint64_t *value);
int	mmiodrv_write(int channel, uint32_t offset, uint32_t value);

/* The features that the device offers. */
int	mmiodrv_features(int channel, uint64_t *features);

/* A queue as the driver tells it to the device. */
struct mmiodrv_queue {
	uint16_t	num;
	uint64_t	desc;		/* GPA */
	uint64_t	avail;
	uint64_t	used;
};

/*
 * Reset, negotiate these features, queue 0 to n - 1, DRIVER_OK.  Returns 0, or
 * -1 and errno as above, or ENODEV where the status does not stick.
 */
int	mmiodrv_go_live(int channel, uint64_t features,
	    const struct mmiodrv_queue *, unsigned n);

#endif /* DRIVER_MMIODRV_H */
