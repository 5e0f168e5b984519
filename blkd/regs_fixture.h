/* SPDX-License-Identifier: ISC */
/*
 * A register machine on a table: a disk of two queues with memory, state and
 * doorbell of its own, no backing, and queue doubles.  Unit tests only.
 */
#ifndef BLKD_REGS_FIXTURE_H
#define BLKD_REGS_FIXTURE_H

#include <atf-c.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdbool.h>
#include <stdint.h>

#include "blkd/disk.h"
#include "blkd/features.h"
#include "blkd/queue_double.h"
#include "blkd/regs.h"
#include "shm/counters.h"
#include "shm/doorbell.h"
#include "shm/gmem.h"
#include "shm/state.h"

#define FIXTURE_MEMORY	(UINT64_C(1) << 20)
#define FIXTURE_QUEUES	2
#define FIXTURE_NUM_MAX	256
#define FIXTURE_SECTORS	2048

/* The steps of a driver's start. */
#define S_ACK		VIRTIO_CONFIG_S_ACKNOWLEDGE
#define S_DRIVER	VIRTIO_CONFIG_S_DRIVER
#define S_FEATURES_OK	VIRTIO_CONFIG_S_FEATURES_OK
#define S_DRIVER_OK	VIRTIO_CONFIG_S_DRIVER_OK
#define S_NEEDS_RESET	VIRTIO_CONFIG_S_NEEDS_RESET
#define S_FAILED	VIRTIO_CONFIG_S_FAILED
#define S_NEGOTIATE	(S_ACK | S_DRIVER)
#define S_QUEUES	(S_NEGOTIATE | S_FEATURES_OK)
#define S_LIVE		(S_QUEUES | S_DRIVER_OK)

#define F_BASE		(FEATURE(VIRTIO_F_VERSION_1) | \
	FEATURE(VIRTIO_BLK_F_FLUSH))

struct fixture {
	struct disk	 disk;
	struct regs	*regs;
	int		 eventfd;
};

void		fixture_make(struct fixture *);
/* Put the disk to other use: before fixture_attach. */
void		fixture_make_disk(struct fixture *);
/* Make the registers on the disk as it is, and recover them. */
unsigned	fixture_attach(struct fixture *, uint32_t incarnation);
/* As a kill would: the registers are gone, the memory stays. */
void		fixture_kill(struct fixture *);
void		fixture_free(struct fixture *);

/* A register by its aligned 4-byte access. */
uint32_t	fixture_get(struct fixture *, uint32_t offset);
void		fixture_put(struct fixture *, uint32_t offset, uint32_t);

/* Bring the device to `status` the way a driver does; from 0. */
void		fixture_climb(struct fixture *, uint32_t status,
		    uint64_t features);
/* Lay out queue `index` soundly, and write all but QueueReady. */
void		fixture_lay_out(struct fixture *, uint32_t index,
		    uint32_t num);
/* All of it: a live device whose queues of `num` entries run. */
void		fixture_go_live(struct fixture *, uint32_t num,
		    uint64_t features);

uint64_t	fixture_counter(struct fixture *, enum counter);
/* Interrupts since the last call. */
uint64_t	fixture_irqs(struct fixture *);

#endif /* BLKD_REGS_FIXTURE_H */
