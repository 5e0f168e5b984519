/* SPDX-License-Identifier: ISC */
/*
 * The vm's part of the torture: registers, over a channel to blkd.  Tests
 * only: what cannot be done ends the process.
 */
#include <err.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdint.h>

#include "proto/proto.h"
#include "tests/driver/driverq.h"
#include "tests/driver/mmiodrv.h"
#include "tests/torture/registers.h"
#include "tests/torture/score.h"

bool
registers_lost_status(int channel)
{
	uint64_t status;

	if (mmiodrv_read(channel, VIRTIO_MMIO_STATUS, 4, &status) == 0)
		return status != MMIODRV_LIVE;
	/* That blkd is dead, and the successor has to be asked. */
	if (errno != ECONNRESET)
		err(1, "torture: register access");
	return false;
}

void
registers_go_live(int channel, unsigned queues)
{
	struct mmiodrv_queue queue[PROTO_QUEUES_MAX];
	uint64_t features = UINT64_C(1) << VIRTIO_F_VERSION_1 |
	    UINT64_C(1) << VIRTIO_BLK_F_FLUSH, gpa;
	unsigned i;

	for (i = 0; i < queues; i++) {
		gpa = i * DRIVERQ_NEXT_GPA;
		queue[i] = (struct mmiodrv_queue) {
			.num = SCORE_QUEUE_SIZE,
			.desc = gpa + DRIVERQ_DESC_GPA,
			.avail = gpa + DRIVERQ_AVAIL_GPA,
			.used = gpa + DRIVERQ_USED_GPA,
		};
	}
	if (queues > 1)
		features |= UINT64_C(1) << VIRTIO_BLK_F_MQ;
	if (mmiodrv_go_live(channel, features, queue, queues) == -1)
		err(1, "torture: blkd before the first kill");
}
