/* SPDX-License-Identifier: ISC */
/* DESIGN section 5, as a reader understands it.  Runs in tests only. */
#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>

#include <stdlib.h>
#include <string.h>

#include "tests/property/model.h"

#define SECTOR		512u
#define SIZE_MAX_	(1u << 20)	/* size_max */
#define RANGE_SECTORS	(1u << 22)	/* max_discard_sectors */

struct desc {
	uint64_t	addr;
	uint32_t	len;
	uint16_t	flags;
	uint16_t	next;
};

uint8_t *
model_at(const struct model *m, uint64_t gpa, uint64_t len)
{
	if (len == 0)
		return NULL;
	if (gpa < m->low)
		return len <= m->low - gpa ? m->mem + gpa : NULL;
	if (gpa < MODEL_HIGH || gpa - MODEL_HIGH >= m->high)
		return NULL;
	gpa -= MODEL_HIGH;
	return len <= m->high - gpa ? m->mem + m->low + gpa : NULL;
}

/* The same of what was judged to be there. */
static uint8_t *
must_at(const struct model *m, uint64_t gpa, uint64_t len)
{
	uint8_t *p = model_at(m, gpa, len);

	if (p == NULL)
		abort();
	return p;
}

static bool
negotiated(const struct model *m, unsigned feature)
{
	return (m->features >> feature & 1) != 0;
}

/* --- the chain ---------------------------------------------------------- */

static void
add(struct model_request *r, const struct desc *d)
{
	r->last = (struct model_seg) { d->addr, d->len,
	    (d->flags & VRING_DESC_F_WRITE) != 0 };
	if (r->nsegs < MODEL_SEGS)
		r->seg[r->nsegs] = r->last;
	r->nsegs++;
}

/*
 * Follow a chain through one table; false: it leaves the table, meets itself
 * or breaks the rules of indirect ones.
 */
static bool
follow(const struct model *m, const uint8_t *table, uint32_t entries,
    uint32_t at, bool nested, struct model_request *r)
{
	uint8_t been[65536 / 8];
	struct desc d;

	memset(been, 0, (entries + 7) / 8);
	do {
		if (at >= entries || (been[at / 8] >> at % 8 & 1) != 0)
			return false;
		been[at / 8] |= (uint8_t)(1u << at % 8);
		memcpy(&d, table + (size_t)at * sizeof(d), sizeof(d));
		if ((d.flags & VRING_DESC_F_INDIRECT) != 0 &&
		    negotiated(m, VIRTIO_RING_F_INDIRECT_DESC)) {
			if (nested || (d.flags & VRING_DESC_F_NEXT) != 0 ||
			    d.len == 0 || d.len % sizeof(d) != 0 ||
			    model_at(m, d.addr, d.len) == NULL)
				return false;
			entries = d.len / sizeof(d);
			return follow(m, model_at(m, d.addr, d.len),
			    entries > 65536 ? 65536 : entries, 0, true, r);
		}
		add(r, &d);
		at = d.next;
	} while ((d.flags & VRING_DESC_F_NEXT) != 0);
	return true;
}

/* --- the table ---------------------------------------------------------- */

static uint32_t
ndata(const struct model_request *r)
{
	return r->nsegs - 2;
}

static bool
header(const struct model *m, struct model_request *r)
{
	const struct model_seg *s = &r->seg[0];
	const uint8_t *p = model_at(m, s->gpa, 16);

	if (s->writable || s->len < 16 || p == NULL)
		return false;
	memcpy(&r->type, p, 4);
	memcpy(&r->sector, p + 8, 8);
	return true;
}

/* Rows 5 to 10, where they do not depend on memory or range. */
static enum model_verdict
judge_type(const struct model *m, const struct model_request *r)
{
	static const struct {
		uint32_t	type;
		int		feature;	/* -1: none needed */
		bool		writes;		/* the disk */
		bool		to_guest;
	} types[] = {
		{ VIRTIO_BLK_T_IN, -1, false, true },
		{ VIRTIO_BLK_T_OUT, -1, true, false },
		{ VIRTIO_BLK_T_GET_ID, -1, false, true },
		{ VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_F_FLUSH, false, false },
		{ VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_F_DISCARD, true, false },
		{ VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_F_WRITE_ZEROES, true,
		    false },
	};
	size_t t = 0;
	uint32_t i;

	while (t < sizeof(types) / sizeof(types[0]) && types[t].type != r->type)
		t++;
	if (t == sizeof(types) / sizeof(types[0]))
		return MODEL_UNSUPP;				/* 9 */
	if (r->type == VIRTIO_BLK_T_FLUSH ? ndata(r) != 0 : r->bytes == 0)
		return MODEL_IOERR;				/* 5 */
	if (r->type <= VIRTIO_BLK_T_OUT && r->bytes % SECTOR != 0)
		return MODEL_IOERR;				/* 6 */
	if (types[t].writes && r->type != VIRTIO_BLK_T_OUT && r->bytes != 16)
		return MODEL_IOERR;	/* one segment, max_discard_seg */
	if (types[t].writes && m->readonly)
		return MODEL_IOERR;				/* 7 */
	if (r->type == VIRTIO_BLK_T_FLUSH && m->readonly)
		return MODEL_OK;				/* 8 */
	if (types[t].feature != -1 &&
	    !negotiated(m, (unsigned)types[t].feature))
		return MODEL_UNSUPP;				/* 9 */
	for (i = 1; i <= ndata(r); i++)
		if (r->seg[i].writable != types[t].to_guest)
			return MODEL_IOERR;			/* 10 */
	return MODEL_RUN;
}

/* The 16 bytes of a discard's segment, however they are cut up. */
static void
load_range(const struct model *m, struct model_request *r)
{
	uint8_t range[16] = { 0 }, *to = range;
	uint32_t i, sectors;

	for (i = 1; i <= ndata(r); to += r->seg[i].len, i++)
		if (r->seg[i].len > 0)
			memcpy(to, must_at(m, r->seg[i].gpa, r->seg[i].len),
			    r->seg[i].len);
	memcpy(&r->sector, range, 8);
	memcpy(&sectors, range + 8, 4);
	memcpy(&r->flags, range + 12, 4);
	r->bytes = (uint64_t)sectors * SECTOR;
}

/* Row 11, and what virtio 1.2, 5.2.6 says of a range's flags. */
static enum model_verdict
judge_range(const struct model *m, struct model_request *r)
{
	uint32_t i;
	bool range;

	for (i = 1; i <= ndata(r); i++)
		if (r->seg[i].len > 0 &&
		    model_at(m, r->seg[i].gpa, r->seg[i].len) == NULL)
			return MODEL_IOERR;
	if (r->type == VIRTIO_BLK_T_GET_ID)
		return r->bytes < 20 ? MODEL_IOERR : MODEL_RUN;
	if (r->type == VIRTIO_BLK_T_FLUSH)
		return MODEL_RUN;
	range = r->type > VIRTIO_BLK_T_OUT;
	if (range)
		load_range(m, r);
	if ((range && r->bytes > (uint64_t)RANGE_SECTORS * SECTOR) ||
	    r->sector > m->sectors ||
	    r->bytes > (m->sectors - r->sector) * SECTOR)
		return MODEL_IOERR;
	if (range && r->flags != 0 && (r->type == VIRTIO_BLK_T_DISCARD ||
	    r->flags != VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP))
		return MODEL_UNSUPP;
	return MODEL_RUN;
}

static enum model_verdict
judge(const struct model *m, struct model_request *r)
{
	uint32_t i, seg_max = m->queue_size > 2 ? m->queue_size - 2 : 1;
	enum model_verdict v;

	r->status_gpa = r->last.gpa + r->last.len - 1;
	if (r->nsegs < 2 || !r->last.writable || r->last.len == 0 ||
	    r->status_gpa < r->last.gpa ||
	    model_at(m, r->status_gpa, 1) == NULL)
		return MODEL_DROP;				/* 1 */
	if (r->nsegs > seg_max + 2)
		return MODEL_IOERR;				/* 2 */
	if (!header(m, r))
		return MODEL_IOERR;				/* 3 */
	for (i = 1; i <= ndata(r); i++) {
		if (r->seg[i].len > SIZE_MAX_)
			return MODEL_IOERR;			/* 4 */
		r->bytes += r->seg[i].len;
	}
	v = judge_type(m, r);
	return v == MODEL_RUN ? judge_range(m, r) : v;
}

void
model_judge(const struct model *m, uint16_t head, struct model_request *r)
{
	const uint8_t *table = model_at(m, m->desc, (uint64_t)m->num * 16);

	*r = (struct model_request) { .head = head, .used_len = 1 };
	r->verdict = follow(m, table, m->num, head, false, r) ? judge(m, r) :
	    MODEL_POISON;
	r->status = r->verdict == MODEL_UNSUPP ? VIRTIO_BLK_S_UNSUPP :
	    r->verdict == MODEL_IOERR ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

/* --- the I/O ------------------------------------------------------------ */

static void
run_in(struct model *m, struct model_request *r)
{
	const uint8_t *from = m->file + r->sector * SECTOR;
	uint32_t i;

	for (i = 1; i <= ndata(r); from += r->seg[i].len, i++)
		if (r->seg[i].len > 0)
			memcpy(must_at(m, r->seg[i].gpa, r->seg[i].len), from,
			    r->seg[i].len);
	r->used_len += (uint32_t)r->bytes;
	r->short_read = r->sector * SECTOR + r->bytes > m->file_bytes;
}

static void
run_out(struct model *m, struct model_request *r)
{
	uint8_t *to = m->file + r->sector * SECTOR;
	uint32_t i;

	for (i = 1; i <= ndata(r); to += r->seg[i].len, i++)
		if (r->seg[i].len > 0)
			memcpy(to, must_at(m, r->seg[i].gpa, r->seg[i].len),
			    r->seg[i].len);
	if (r->sector * SECTOR + r->bytes > m->file_bytes)
		m->file_bytes = r->sector * SECTOR + r->bytes;
}

static void
run_id(struct model *m, struct model_request *r)
{
	uint32_t i, n, done = 0;

	for (i = 1; i <= ndata(r) && done < 20; i++, done += n) {
		n = r->seg[i].len < 20 - done ? r->seg[i].len : 20 - done;
		if (n > 0)
			memcpy(must_at(m, r->seg[i].gpa, n),
			    m->serial + done, n);
	}
	r->used_len += 20;
}

void
model_run(struct model *m, struct model_request *r, int error)
{
	r->status = (uint8_t)error;
	r->used_len = 1;
	if (error != VIRTIO_BLK_S_OK)
		return;
	switch (r->type) {
	case VIRTIO_BLK_T_IN:
		run_in(m, r);
		break;
	case VIRTIO_BLK_T_OUT:
		run_out(m, r);
		break;
	case VIRTIO_BLK_T_GET_ID:
		run_id(m, r);
		break;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		memset(m->file + r->sector * SECTOR, 0, r->bytes);
		break;
	default:
		break;
	}
}
