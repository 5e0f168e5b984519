/* SPDX-License-Identifier: ISC */
/*
 * Running a request.  Runs in blkd, queue thread; the request was checked by
 * the gates, its buffers are guest memory: written and read by the I/O, and
 * by the copy of the serial, never interpreted.
 */
#include <linux/virtio_blk.h>

#include <errno.h>
#include <string.h>

#include "blkd/disk.h"
#include "blkd/engine.h"
#include "blkd/exec.h"
#include "blkd/request.h"

#define EXEC_SECTOR	512u
#define EXEC_LONG	(64u << 10)	/* bytes */

/* Which operation of the engine each type is. */
static const struct operation {
	uint32_t		 type;
	enum engine_op_type	 op;
	const char		*name;
} operation[] = {
	{ VIRTIO_BLK_T_IN,		ENGINE_READ,	"read" },
	{ VIRTIO_BLK_T_OUT,		ENGINE_WRITE,	"write" },
	{ VIRTIO_BLK_T_FLUSH,		ENGINE_FLUSH,	"flush" },
	{ VIRTIO_BLK_T_DISCARD,		ENGINE_DISCARD,	"discard" },
	{ VIRTIO_BLK_T_WRITE_ZEROES,	ENGINE_ZERO,	"write zeroes" },
};

/* The gates let no other type through but GET_ID, which has no row. */
static const struct operation *
operation_of(const struct request *r)
{
	size_t i = 0;

	while (operation[i].type != r->type)
		i++;
	return &operation[i];
}

const char *
exec_name(const struct request *r)
{
	return operation_of(r)->name;
}

void
exec_answer(struct request *r, int status)
{
	r->answer = (uint8_t)status;
	r->used_len = 1;
}

/* The gates made sure of the room. */
static void
give_serial(struct request *r, const uint8_t *serial)
{
	size_t left = PROTO_SERIAL_SIZE, n, i;

	for (i = 0; i < r->niov && left > 0; i++) {
		n = r->iov[i].iov_len < left ? r->iov[i].iov_len : left;
		memcpy(r->iov[i].iov_base, serial, n);
		serial += n;
		left -= n;
	}
	exec_answer(r, VIRTIO_BLK_S_OK);
	r->used_len += PROTO_SERIAL_SIZE;
}

bool
exec_start(struct request *r, const struct disk *disk,
    const struct engine_ops *ops, struct engine *engine)
{
	if (r->type == VIRTIO_BLK_T_GET_ID) {
		give_serial(r, disk->serial);
		return true;
	}
	r->op.type = operation_of(r)->op;
	r->op.unmap = (r->flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP) != 0;
	r->op.offset = r->sector * EXEC_SECTOR;
	r->op.bytes = r->bytes;
	r->op.iov = r->iov;
	r->op.niov = r->niov;
	r->op.zeroed = 0;
	r->op.error = 0;
	ops->submit(engine, &r->op);
	return false;
}

void
exec_finish(struct request *r)
{
	if (r->op.error == EOPNOTSUPP && (r->op.type == ENGINE_DISCARD ||
	    r->op.type == ENGINE_ZERO)) {
		exec_answer(r, VIRTIO_BLK_S_UNSUPP);
	} else if (r->op.error != 0) {
		exec_answer(r, VIRTIO_BLK_S_IOERR);
	} else {
		exec_answer(r, VIRTIO_BLK_S_OK);
		/* At most seg_max * size_max: less than 2^32. */
		if (r->type == VIRTIO_BLK_T_IN)
			r->used_len += (uint32_t)r->bytes;
	}
}

bool
exec_is_write(const struct request *r)
{
	return r->type == VIRTIO_BLK_T_OUT || r->type == VIRTIO_BLK_T_DISCARD ||
	    r->type == VIRTIO_BLK_T_WRITE_ZEROES;
}

static uint64_t
end_of(const struct request *r)
{
	return r->sector * EXEC_SECTOR + r->bytes;
}

bool
exec_overlaps(const struct request *a, const struct request *b)
{
	return (exec_is_write(a) || exec_is_write(b)) &&
	    a->type != VIRTIO_BLK_T_FLUSH && b->type != VIRTIO_BLK_T_FLUSH &&
	    a->sector * EXEC_SECTOR < end_of(b) &&
	    b->sector * EXEC_SECTOR < end_of(a);
}

bool
exec_is_long(const struct request *r)
{
	switch (r->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		return r->bytes > EXEC_LONG;
	case VIRTIO_BLK_T_GET_ID:
		return false;
	default:
		return true;
	}
}
