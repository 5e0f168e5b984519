/* SPDX-License-Identifier: ISC */
/*
 * The test guest: a virtio-blk driver (virtio 1.2, 5.2) over virtio-mmio.
 *
 * Functions that can fail return NULL for success or a sentence fragment that
 * names what went wrong; the test that called ends with it.
 */
#ifndef TESTS_GUEST_BLK_H
#define TESTS_GUEST_BLK_H

#include <stdbool.h>
#include <stdint.h>

#include "args.h"
#include "virtq.h"

enum {
	BLK_DEVICE_ID = 2,
	BLK_SECTOR = 512,
	BLK_QUEUES_MAX = 4,
	BLK_SEGS_MAX = 8,		/* data pieces of a request */
	BLK_SERIAL_SIZE = 20
};

enum blk_feature {
	BLK_F_SIZE_MAX = 1,
	BLK_F_SEG_MAX = 2,
	BLK_F_RO = 5,
	BLK_F_BLK_SIZE = 6,
	BLK_F_FLUSH = 9,
	BLK_F_MQ = 12,
	BLK_F_EVENT_IDX = 29,
	BLK_F_VERSION_1 = 32
};

/* Offsets in the configuration space, from its beginning. */
enum blk_config {
	BLK_CONFIG_CAPACITY = 0x00,
	BLK_CONFIG_SIZE_MAX = 0x08,
	BLK_CONFIG_SEG_MAX = 0x0c,
	BLK_CONFIG_BLK_SIZE = 0x14,
	BLK_CONFIG_NUM_QUEUES = 0x22
};

enum blk_type {
	BLK_T_IN = 0,
	BLK_T_OUT = 1,
	BLK_T_FLUSH = 4,
	BLK_T_GET_ID = 8
};

enum blk_status {
	BLK_S_OK = 0,
	BLK_S_IOERR = 1,
	BLK_S_UNSUPP = 2,
	BLK_S_UNWRITTEN = 0xff		/* set by the driver beforehand */
};

struct blk_header {
	uint32_t	type;
	uint32_t	reserved;
	uint64_t	sector;
};

/* One request; the caller keeps it, and its data, until it is reaped. */
struct blk_req {
	struct blk_header header;
	volatile uint8_t status;	/* the device's, after the reaping */
	bool		in_flight;
	uint32_t	used_len;
};

struct blk_options {
	uint32_t	queue_size;	/* 0: the most that both sides can */
	uint32_t	queues;
	bool		event_idx;
	bool		interrupts;	/* else completions are polled for */
	uint32_t	timeout_ms;	/* 0: none */
};

struct blk {
	uint32_t	base;
	uint32_t	irq;
	struct blk_options options;
	uint64_t	offered;
	uint64_t	features;	/* negotiated */
	uint64_t	capacity;	/* sectors */
	uint32_t	size_max;	/* 0: not said */
	uint32_t	seg_max;	/* 0: not said */
	uint32_t	block_size;	/* bytes; 512 where not said */
	uint32_t	queue_size;
	uint32_t	queues;
	uint32_t	first_irq;	/* the line's count when opened */
	uint32_t	kicks;
	uint32_t	in_flight;
	struct virtq	queue[BLK_QUEUES_MAX];
	struct virtq_memory memory[BLK_QUEUES_MAX]
			    __attribute__((aligned(4096)));
};

/* From reset to DRIVER_OK. A device that is in use starts afresh. */
const char *blk_open(struct blk *, const struct args_device *,
	    const struct blk_options *);

/* Stops the device. What was in flight will not be answered. */
const char *blk_reset(struct blk *);

/* Reads the configuration anew: the capacity may change. */
const char *blk_configure(struct blk *);

bool	blk_has(const struct blk *, enum blk_feature);

/* Interrupts on the device's line since it was opened. */
uint32_t blk_count_interrupts(const struct blk *);

/*
 * Fills a request on a queue; blk_kick shows it to the device. 0, or -1
 * where the queue has no room.
 */
int	blk_submit(struct blk *, uint32_t queue, struct blk_req *,
	    enum blk_type, uint64_t sector, const struct virtq_seg *,
	    uint32_t nsegs);
void	blk_kick(struct blk *, uint32_t queue);

/* Waits for a completion, in the way that the options say. */
const char *blk_wait(struct blk *);

/* Takes a completion, if there is one; else *req is NULL. */
const char *blk_reap(struct blk *, struct blk_req **req);

/* One request from beginning to end, on queue 0; any status is success. */
const char *blk_try(struct blk *, enum blk_type, uint64_t sector, void *,
	    uint32_t len, uint8_t *status);

/* The same; a status other than OK is a failure. */
const char *blk_do(struct blk *, enum blk_type, uint64_t sector, void *,
	    uint32_t len);

/* NULL for OK; names the others. */
const char *blk_check_status(uint8_t status);

#endif
