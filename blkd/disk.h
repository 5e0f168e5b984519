/* SPDX-License-Identifier: ISC */
/*
 * A disk as its blkd knows it after ATTACH: checked, mapped, and then not
 * changed, so that every thread of the process may read it.  Only `sectors`
 * changes (a live resize); it is read and written by shared.h accessors.
 */
#ifndef BLKD_DISK_H
#define BLKD_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/proto.h"

struct backing;
struct doorbell;
struct gmem;
struct state;

#define DISK_SIZE_MAX	(1u << 20)	/* size_max: bytes of a data buffer */
#define DISK_SEG_MAX	128u		/* seg_max without INDIRECT_DESC */

struct disk {
	char		 name[PROTO_NAME_MAX];
	uint8_t		 serial[PROTO_SERIAL_SIZE];	/* NUL-padded */
	bool		 readonly;
	uint32_t	 block_size;	/* 512 or 4096 */
	uint32_t	 queues;	/* 1..PROTO_QUEUES_MAX */
	uint32_t	 queue_size;	/* QueueNumMax */
	uint64_t	 sectors;	/* of 512 bytes; changes */

	struct gmem	*gmem;
	struct state	*state;
	struct doorbell	*doorbell;
	struct backing	*backing;
	int		 irqfd;
	int		 kickfd[PROTO_QUEUES_MAX];
};

#endif /* BLKD_DISK_H */
