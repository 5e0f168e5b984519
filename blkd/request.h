/* SPDX-License-Identifier: ISC */
/*
 * One request, from the gates to its used element.  Everything in it is a
 * checked copy, but the bytes behind `iov` and `status`, which are guest
 * memory and can change at any time.
 *
 * A queue has one for each head, made with the queue.
 */
#ifndef BLKD_REQUEST_H
#define BLKD_REQUEST_H

#include <sys/uio.h>

#include <stdbool.h>
#include <stdint.h>

#include "blkd/engine.h"

struct request {
	uint16_t	 head;
	uint32_t	 type;		/* VIRTIO_BLK_T_* */
	uint64_t	 sector;	/* of 512 bytes */
	uint64_t	 bytes;		/* of data; of the range of a discard */
	uint32_t	 flags;		/* of a discard's range */
	uint64_t	 wait_ns;	/* the throttle's answer */
	uint64_t	 taken_ns;	/* when the head was taken */

	uint8_t		*status;	/* in guest memory */
	uint8_t		 answer;	/* VIRTIO_BLK_S_* */
	uint32_t	 used_len;	/* of the used element */

	bool		 running;	/* the engine has it */
	struct engine_op op;
	struct iovec	*iov;		/* data, `iov_max` of them */
	size_t		 niov;
	struct request	*next;		/* in the queue's list of finished */
};

/* The operation's request: what an engine gives back. */
static inline struct request *
request_of_op(struct engine_op *op)
{
	return (struct request *)(void *)
	    ((char *)op - offsetof(struct request, op));
}

#endif /* BLKD_REQUEST_H */
