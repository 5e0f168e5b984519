/* SPDX-License-Identifier: ISC */
/*
 * A disk as its blkd knows it after ATTACH: checked, mapped, and then not
 * changed, so that every thread of the process may read it.  Only `sectors`
 * (a live resize) and `writeback` (the driver's choice) change: the register
 * thread writes and any thread reads them, by shared.h accessors.
 */
#ifndef BLKD_DISK_H
#define BLKD_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "blkd/group.h"
#include "proto/proto.h"

struct backing;
struct doorbell;
struct engine_ops;
struct faults;
struct filemap;
struct gmem;
struct limiter;
struct lone;
struct state;
struct uring_set;

#define DISK_SIZE_MAX	(1u << 20)	/* size_max: bytes of a data buffer */

/*
 * What one segment of DISCARD or WRITE_ZEROES may cover, in sectors (2 GiB),
 * and how many segments one request may have.
 */
#define DISK_DISCARD_SECTORS_MAX	(1u << 22)
#define DISK_DISCARD_SEG_MAX		1u

struct disk {
	char		 name[PROTO_NAME_MAX];
	uint8_t		 serial[PROTO_SERIAL_SIZE];	/* NUL-padded */
	bool		 readonly;
	uint32_t	 block_size;	/* 512 or 4096 */
	uint32_t	 queues;	/* 1..PROTO_QUEUES_MAX */
	uint32_t	 queue_size;	/* QueueNumMax */
	uint32_t	 seg_max;	/* 0: what the queue size leaves */
	uint64_t	 sectors;	/* of 512 bytes; changes */
	/*
	 * The cache mode now in force, whatever was negotiated.  0: a write
	 * is stable (fdatasync) before its used element is published.
	 */
	uint32_t	 writeback;

	struct gmem	*gmem;
	struct state	*state;
	/*
	 * Where the journals of the queues are, if not in `state`: what the
	 * front-end of vhost-user keeps for the successor.  Changes while all
	 * queues are parked; so does gmem, there.
	 */
	struct state	*journal;
	struct doorbell	*doorbell;	/* NULL: the front-end has its own */
	struct backing	*backing;
	struct limiter	*limiter;	/* NULL: no throttle */
	struct lone	*lone;		/* NULL: one queue */
	struct group	 group;		/* page NULL: none */
	const struct engine_ops *engine;	/* NULL: engine_sync */
	struct uring_set	*uring;		/* of engine_uring; or NULL */
	struct filemap		*map;		/* of engine_mmap; or NULL */
	struct faults		*faults;	/* NULL: none on purpose */
	int		 irqfd;
	/*
	 * What a queue signals, one a queue, -1: nothing; NULL: irqfd for
	 * all.  Entries may change at any time, by shared.h accessors.
	 */
	const int	*callfd;
	int		 kickfd[PROTO_QUEUES_MAX];
	uint32_t	 polled[PROTO_QUEUES_MAX];	/* 1: there are no
							 * kicks; changes */
	uint32_t	 poll_us;	/* polling.h: the longest look */
	uint32_t	 threads;	/* pool.h: of each queue */
	uint32_t	 slow_us;	/* pace.h: when they are of use */
	uint16_t	 cpu[PROTO_QUEUES_MAX];	/* of a queue's thread, + 1; 0: any */
};

/*
 * seg_max: data segments of one request.  A request has a header and a
 * status beside them, and fits into the ring without INDIRECT_DESC too.
 */
static inline uint32_t
disk_seg_max(const struct disk *disk)
{
	if (disk->seg_max != 0)
		return disk->seg_max;
	return disk->queue_size > 2 ? disk->queue_size - 2 : 1;
}

/* The capacity of so many bytes: a last, partial block does not count. */
static inline uint64_t
disk_sectors(const struct disk *disk, int64_t bytes)
{
	return (uint64_t)bytes / disk->block_size * (disk->block_size / 512);
}

#endif /* BLKD_DISK_H */
