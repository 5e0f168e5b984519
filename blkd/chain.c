/* SPDX-License-Identifier: ISC */
/*
 * The walk of a descriptor chain.  Runs in blkd, queue thread; trusts
 * nothing; reads the descriptor table and indirect tables, each descriptor
 * once, and never loops for longer than a table has entries.
 */
#include <linux/virtio_ring.h>

#include <errno.h>

#include "blkd/chain.h"
#include "blkd/virtq.h"
#include "shm/gmem.h"
#include "shm/shared.h"

#define CHAIN_KEPT	(sizeof(((struct chain *)0)->desc) / \
	sizeof(struct chain_desc))

/* A `next` has 16 bits: entries beyond are out of its reach. */
#define CHAIN_TABLE_MAX	65536u

/* A table of descriptors: the ring's own, or an indirect one. */
struct table {
	const uint8_t	*base;		/* any alignment */
	uint32_t	 entries;
	bool		 indirect;
};

static inline struct chain_desc
plain(const struct virtq_desc *d)
{
	return (struct chain_desc) {
		.gpa = d->g_addr, .len = d->g_len,
		.writable = (d->g_flags & VRING_DESC_F_WRITE) != 0,
	};
}

/*
 * The indirect table that `d` describes; its own WRITE flag means nothing
 * (virtio 1.2, 2.7.5.3.2).
 */
static int
open_table(struct table *t, const struct gmem *g, const struct virtq_desc *d)
{
	if (t->indirect || (d->g_flags & VRING_DESC_F_NEXT) != 0 ||
	    d->g_len == 0 || d->g_len % sizeof(*d) != 0 ||
	    (t->base = gmem_at(g, d->g_addr, d->g_len)) == NULL)
		return -1;
	t->entries = d->g_len / sizeof(*d);
	if (t->entries > CHAIN_TABLE_MAX)
		t->entries = CHAIN_TABLE_MAX;
	t->indirect = true;
	return 0;
}

/*
 * Walk one table.  Returns 0 at the end of the chain, 1 where the chain
 * goes on in the indirect table *via, or -1.
 */
static inline int
walk(struct chain *c, const struct table *t, uint32_t at, bool indirect,
    struct virtq_desc *via)
{
	struct virtq_desc d;
	uint32_t steps;

	for (steps = 0; steps < t->entries; steps++) {
		if (at >= t->entries)
			return -1;
		shared_copy(&d, t->base + at * sizeof(d), sizeof(d));
		if (indirect && (d.g_flags & VRING_DESC_F_INDIRECT) != 0) {
			*via = d;
			return 1;
		}
		if (c->n < CHAIN_KEPT)
			c->desc[c->n] = plain(&d);
		c->n++;
		if ((d.g_flags & VRING_DESC_F_NEXT) == 0) {
			c->last = plain(&d);
			return 0;
		}
		at = d.g_next;
	}
	return -1;	/* more steps than entries: a loop */
}

int
chain_read(struct chain *c, const struct virtq *vq, const struct gmem *g,
    uint16_t head)
{
	struct table t = {
		.base = (const uint8_t *)vq->desc, .entries = vq->num,
	};
	struct virtq_desc via;
	int more;

	c->n = 0;
	more = walk(c, &t, head, vq->indirect, &via);
	if (more == 1) {
		more = open_table(&t, g, &via);
		if (more == 0)
			more = walk(c, &t, 0, true, &via);
	}
	if (more != 0) {
		errno = EPROTO;
		return -1;
	}
	return 0;
}
