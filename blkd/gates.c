/* SPDX-License-Identifier: ISC */
/*
 * The gates.  Runs in blkd, queue thread; trusts nothing in the chain; reads
 * the 16 bytes of the header and of a discard's range, once each, and maps
 * the data buffers without looking into them.
 */
#include <linux/virtio_blk.h>

#include <stdbool.h>

#include "blkd/chain.h"
#include "blkd/disk.h"
#include "blkd/gates.h"
#include "blkd/limiter.h"
#include "blkd/request.h"
#include "shm/gmem.h"
#include "shm/shared.h"

#define GATES_SECTOR	512u
#define GATES_ID_BYTES	20u	/* VIRTIO_BLK_ID_BYTES, virtio 1.2, 5.2.6 */

/* virtio 1.2, 5.2.6: all fields little-endian, like the host. */
struct gates_header {
	uint32_t	type;
	uint32_t	reserved;
	uint64_t	sector;
};
static_assert(sizeof(struct gates_header) == 16, "virtio 1.2, 5.2.6");

struct gates_range {
	uint64_t	sector;
	uint32_t	num_sectors;
	uint32_t	flags;
};
static_assert(sizeof(struct gates_range) == 16, "virtio 1.2, 5.2.6");
static_assert(DISK_DISCARD_SEG_MAX == 1, "a request keeps one range");
static_assert(PROTO_SERIAL_SIZE == GATES_ID_BYTES, "the serial is the id");

/* What one request is judged by. */
struct visit {
	const struct gates	*g;
	const struct chain	*c;
	struct request		*r;
	int			 throttle;
};

/* Data descriptors lie between the header and the status. */
static uint32_t
data_count(const struct visit *v)
{
	return v->c->n - 2;
}

static const struct chain_desc *
data(const struct visit *v)
{
	return &v->c->desc[1];
}

static bool
is_rw(const struct request *r)
{
	return r->type == VIRTIO_BLK_T_IN || r->type == VIRTIO_BLK_T_OUT;
}

static bool
is_range(const struct request *r)
{
	return r->type == VIRTIO_BLK_T_DISCARD ||
	    r->type == VIRTIO_BLK_T_WRITE_ZEROES;
}

/* Copy `len` bytes of the guest; false: not all of it is memory. */
static bool
fetch(const struct visit *v, uint64_t gpa, void *to, size_t len)
{
	struct iovec iov[2] = { { NULL, 0 }, { NULL, 0 } };
	size_t i, n = 0;

	if (gmem_iov(v->g->disk->gmem, gpa, len, iov, 2, &n) == -1)
		return false;
	for (i = 0; i < n; i++) {
		shared_copy(to, iov[i].iov_base, iov[i].iov_len);
		to = (char *)to + iov[i].iov_len;
	}
	return true;
}

static bool
fetch_header(const struct visit *v, uint64_t gpa, struct gates_header *h)
{
	const void *at = gmem_at(v->g->disk->gmem, gpa, sizeof(*h));

	/* Else it may lie across two regions. */
	if (at == NULL)
		return fetch(v, gpa, h, sizeof(*h));
	shared_copy(h, at, sizeof(*h));
	return true;
}

/* --- the rows ----------------------------------------------------------- */

static bool
no_status(struct visit *v)
{
	const struct chain_desc *last = &v->c->last;

	if (v->c->n < 2 || !last->writable || last->len == 0 ||
	    last->gpa > UINT64_MAX - last->len)
		return true;
	v->r->status = gmem_at(v->g->disk->gmem, last->gpa + last->len - 1, 1);
	return v->r->status == NULL;
}

static bool
too_long(struct visit *v)
{
	return v->c->n > disk_seg_max(v->g->disk) + 2;
}

static bool
bad_header(struct visit *v)
{
	const struct chain_desc *first = &v->c->desc[0];
	struct gates_header h = { 0, 0, 0 };

	if (first->writable || first->len < sizeof(h) ||
	    !fetch_header(v, first->gpa, &h))
		return true;
	v->r->type = h.type;
	v->r->sector = h.sector;
	v->r->flags = 0;
	return false;
}

static bool
buffer_too_long(struct visit *v)
{
	uint32_t i;

	v->r->bytes = 0;
	for (i = 0; i < data_count(v); i++) {
		if (data(v)[i].len > DISK_SIZE_MAX)
			return true;
		v->r->bytes += data(v)[i].len;
	}
	return false;
}

static bool
wrong_data(struct visit *v)
{
	if (v->r->type == VIRTIO_BLK_T_FLUSH)
		return data_count(v) != 0;
	return v->r->bytes == 0 && (is_rw(v->r) || is_range(v->r) ||
	    v->r->type == VIRTIO_BLK_T_GET_ID);
}

/* The data of a discard is whole ranges, no more than were announced. */
static bool
torn(struct visit *v)
{
	if (is_rw(v->r))
		return v->r->bytes % GATES_SECTOR != 0;
	return is_range(v->r) && v->r->bytes != sizeof(struct gates_range);
}

static bool
write_to_readonly(struct visit *v)
{
	return v->g->disk->readonly &&
	    (v->r->type == VIRTIO_BLK_T_OUT || is_range(v->r));
}

static bool
flush_of_readonly(struct visit *v)
{
	return v->g->disk->readonly && v->r->type == VIRTIO_BLK_T_FLUSH;
}

static bool
unknown_type(struct visit *v)
{
	unsigned feature;

	switch (v->r->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
	case VIRTIO_BLK_T_GET_ID:
		return false;
	case VIRTIO_BLK_T_FLUSH:
		feature = VIRTIO_BLK_F_FLUSH;
		break;
	case VIRTIO_BLK_T_DISCARD:
		feature = VIRTIO_BLK_F_DISCARD;
		break;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		feature = VIRTIO_BLK_F_WRITE_ZEROES;
		break;
	default:
		return true;
	}
	return (v->g->features >> feature & 1) == 0;
}

static bool
wrong_direction(struct visit *v)
{
	bool to_guest = v->r->type == VIRTIO_BLK_T_IN ||
	    v->r->type == VIRTIO_BLK_T_GET_ID;
	uint32_t i;

	for (i = 0; i < data_count(v); i++)
		if (data(v)[i].writable != to_guest)
			return true;
	return false;
}

static bool
unmapped_data(struct visit *v)
{
	const struct gmem *gmem = v->g->disk->gmem;
	struct request *r = v->r;
	const struct chain_desc *d;
	void *at;

	r->niov = 0;
	for (d = data(v); d < data(v) + data_count(v); d++) {
		if (d->len == 0)
			continue;
		if (r->niov < v->g->iov_max &&
		    (at = gmem_at(gmem, d->gpa, d->len)) != NULL)
			r->iov[r->niov++] = (struct iovec) { at, d->len };
		else if (gmem_iov(gmem, d->gpa, d->len, r->iov,
		    v->g->iov_max, &r->niov) == -1)
			return true;
	}
	return false;
}

/* The range of a discard takes the place of the header's sector. */
static void
load_range(struct visit *v)
{
	struct gates_range range = { 0, 0, 0 };
	uint8_t *to = (uint8_t *)&range;
	size_t i;

	for (i = 0; i < v->r->niov; to += v->r->iov[i].iov_len, i++)
		shared_copy(to, v->r->iov[i].iov_base, v->r->iov[i].iov_len);
	v->r->sector = range.sector;
	v->r->bytes = (uint64_t)range.num_sectors * GATES_SECTOR;
	v->r->flags = range.flags;
	v->r->niov = 0;
}

/* Buffers first: the range of a discard is read through them. */
static bool
out_of_range(struct visit *v)
{
	struct request *r = v->r;
	uint64_t sectors, capacity = shared_load(&v->g->disk->sectors);

	if (unmapped_data(v))
		return true;
	if (r->type == VIRTIO_BLK_T_GET_ID)
		return r->bytes < GATES_ID_BYTES;
	if (r->type == VIRTIO_BLK_T_FLUSH)
		return false;
	if (is_range(r))
		load_range(v);
	sectors = r->bytes / GATES_SECTOR;
	if (is_range(r) && sectors > DISK_DISCARD_SECTORS_MAX)
		return true;
	return r->sector > capacity || sectors > capacity - r->sector;
}

/*
 * virtio 1.2, 5.2.6.2: an unknown flag is UNSUPP, and so is unmap in a
 * discard.
 */
static bool
unknown_flags(struct visit *v)
{
	uint32_t known = v->r->type == VIRTIO_BLK_T_WRITE_ZEROES ?
	    VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;

	return is_range(v->r) && (v->r->flags & ~known) != 0;
}

static bool
throttled(struct visit *v)
{
	if (!v->throttle || v->g->limiter == NULL)
		return false;
	v->r->wait_ns = limiter_take(v->g->limiter,
	    is_rw(v->r) ? v->r->bytes : 0);
	return v->r->wait_ns != 0;
}

/*
 * DESIGN section 5, in its order.  A row may rely on the rows above it: two
 * descriptors or more from 2 on, all of them in the array from 3 on, type
 * and sector from 4 on, the sum of the data from 5 on, a type that we know
 * from 10 on.
 */
#define GATES(ROW)					\
	ROW(1,	no_status,		GATES_DROP)	\
	ROW(2,	too_long,		GATES_IOERR)	\
	ROW(3,	bad_header,		GATES_IOERR)	\
	ROW(4,	buffer_too_long,	GATES_IOERR)	\
	ROW(5,	wrong_data,		GATES_IOERR)	\
	ROW(6,	torn,			GATES_IOERR)	\
	ROW(7,	write_to_readonly,	GATES_IOERR)	\
	ROW(8,	flush_of_readonly,	GATES_OK)	\
	ROW(9,	unknown_type,		GATES_UNSUPP)	\
	ROW(10,	wrong_direction,	GATES_IOERR)	\
	ROW(11,	out_of_range,		GATES_IOERR)	\
	ROW(11,	unknown_flags,		GATES_UNSUPP)	\
	ROW(12,	throttled,		GATES_WAIT)

struct gate {
	unsigned		 row;	/* 0: all are open */
	enum gates_verdict	 verdict;
};

/* The table as straight code: every request passes all of it. */
static struct gate
first_closed(struct visit *v)
{
#define IF_CLOSED(row, applies, verdict)			\
	if (applies(v))						\
		return (struct gate) { (row), (verdict) };
	GATES(IF_CLOSED)
#undef IF_CLOSED
	return (struct gate) { 0, GATES_PASS };
}

enum gates_verdict
gates_check(const struct gates *g, const struct chain *c, struct request *r,
    int throttle)
{
	struct visit v = { .g = g, .c = c, .r = r, .throttle = throttle };

	return first_closed(&v).verdict;
}

unsigned
gates_row(const struct gates *g, const struct chain *c, struct request *r)
{
	struct visit v = { .g = g, .c = c, .r = r, .throttle = 0 };

	return first_closed(&v).row;
}
