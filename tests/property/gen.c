/* SPDX-License-Identifier: ISC */
/* Random chains.  Runs in tests only. */
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include <string.h>

#include "shm/gmem.h"
#include "tests/property/gen.h"

#define NDESC_MAX	300u
#define BIT(n)		(UINT64_C(1) << (n))

/* In a slot: header, status, data, and an indirect table at the end. */
#define IN_STATUS	32u
#define IN_DATA		64u
#define TABLE_BYTES	((NDESC_MAX + 2) * UINT64_C(16))
#define DATA_BYTES	(WORLD_SLOT - TABLE_BYTES - IN_DATA)

struct gen {
	struct world		*w;
	struct rng		*rng;
	bool			 alone;
	bool			 sound;
	uint64_t		 slot;		/* gpa of the chain's memory */
	unsigned		 n;
	struct virtq_desc	 d[NDESC_MAX + 2];
	uint16_t		 nfree;		/* descriptors of the ring */
	uint16_t		 free[STATE_QUEUE_SIZE_MAX];
};

/* --- disks -------------------------------------------------------------- */

void
gen_config(struct rng *rng, struct world_config *c)
{
	static const uint32_t sizes[] = { 2, 4, 16, 64, 128, 256, 256, 1024 };

	*c = (struct world_config) {
		.memory = WORLD_LOW, .sectors = 128,
		.queue_size = rng_once_in(rng, 24) ? 1 : RNG_PICK(rng, sizes),
		.block_size = rng_once_in(rng, 2) ? 512 : 4096,
		.readonly = rng_once_in(rng, 6),
		.writeback = !rng_once_in(rng, 4),
		.shuffle = rng_once_in(rng, 2),
		.faults = rng_once_in(rng, 4),
		.throttle = rng_once_in(rng, 6),
	};
	if (rng_once_in(rng, 16)) {
		c->memory = UINT64_C(4) << 20;
		c->sectors = 3 << 11;
	} else if (rng_once_in(rng, 8)) {
		c->memory = GMEM_LOW_MAX + UINT64_C(4) * WORLD_SLOT;
	}
	c->file_bytes = c->sectors * 512;
	if (rng_once_in(rng, 6))
		c->file_bytes = 4096 + rng_below(rng, 8192);
}

void
gen_set_up(struct world *w)
{
	static const unsigned optional[] = {
		VIRTIO_RING_F_INDIRECT_DESC, VIRTIO_RING_F_EVENT_IDX,
		VIRTIO_BLK_F_FLUSH, VIRTIO_BLK_F_DISCARD,
		VIRTIO_BLK_F_WRITE_ZEROES, VIRTIO_BLK_F_CONFIG_WCE,
	};
	uint64_t features = BIT(VIRTIO_F_VERSION_1);
	uint16_t num = (uint16_t)w->config.queue_size;
	size_t i;

	for (i = 0; i < sizeof(optional) / sizeof(optional[0]); i++)
		if (!rng_once_in(w->rng, 5))
			features |= BIT(optional[i]);
	while (num > 1 && rng_once_in(w->rng, 4))
		num /= 2;
	world_set_up(w, num, features);
}

/* --- a sound request ---------------------------------------------------- */

static uint32_t
random_type(struct gen *g)
{
	static const uint32_t types[] = {
		VIRTIO_BLK_T_IN, VIRTIO_BLK_T_IN, VIRTIO_BLK_T_IN,
		VIRTIO_BLK_T_IN, VIRTIO_BLK_T_IN, VIRTIO_BLK_T_IN,
		VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_OUT,
		VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_OUT,
		VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_FLUSH,
		VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_GET_ID,
		VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_DISCARD,
		VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_T_WRITE_ZEROES,
	};
	static const uint32_t unknown[] = {
		2, 7, 9, 10, 12, 14, UINT32_MAX, 0x80000000u,
	};

	return rng_once_in(g->rng, 24) ? RNG_PICK(g->rng, unknown) :
	    RNG_PICK(g->rng, types);
}

static uint64_t
random_sector(struct gen *g)
{
	uint64_t sectors = g->w->config.sectors;

	switch (rng_below(g->rng, 24)) {
	case 0:
		return sectors - rng_below(g->rng, 4);
	case 1:
		return sectors + rng_below(g->rng, 4);
	case 2:
		return UINT64_MAX - rng_below(g->rng, 4);
	case 3:
		return rng_next(g->rng);
	case 4:
		return BIT(55) + rng_below(g->rng, 4);	/* times 512: 0 */
	default:
		return rng_below(g->rng, (uint32_t)sectors - 16);
	}
}

/* Cut `bytes` into buffers, n of them at the most. */
static void
add_data(struct gen *g, uint32_t bytes, unsigned n, bool writable, bool linear)
{
	uint64_t gpa = g->slot + IN_DATA;
	uint32_t len;

	while (n-- > 0) {
		len = n == 0 || bytes == 0 ? bytes :
		    rng_below(g->rng, bytes + 1);
		if (len > DATA_BYTES && !g->alone)
			len = DATA_BYTES;
		if (!linear)
			gpa = g->slot + IN_DATA +
			    rng_below(g->rng, DATA_BYTES - (len < DATA_BYTES ?
			    len : DATA_BYTES) + 1);
		g->d[g->n++] = (struct virtq_desc) { gpa, len,
		    writable ? VRING_DESC_F_WRITE : 0, 0 };
		gpa += len;
		bytes -= len;
	}
}

static unsigned
random_count(struct gen *g)
{
	switch (rng_below(g->rng, 32)) {
	case 0:
		return rng_below(g->rng, NDESC_MAX);
	case 1:
	case 2:
		return rng_below(g->rng, 40);
	default:
		return 1 + rng_below(g->rng, 3);
	}
}

static void
add_range(struct gen *g)
{
	static const uint32_t counts[] = { 1, 0, 8, 16, 1u << 22,
		(1u << 22) + 1, UINT32_MAX };
	static const uint32_t flags[] = { 0, 0, 0, 1, 1, 2, 0x80000001u };
	struct virtio_blk_discard_write_zeroes range = {
		.sector = random_sector(g),
		.num_sectors = RNG_PICK(g->rng, counts),
		.flags = RNG_PICK(g->rng, flags),
	};

	world_put(g->w, g->slot + IN_DATA, &range, sizeof(range));
	add_data(g, rng_once_in(g->rng, 16) ? 32 : 16,
	    1 + rng_below(g->rng, 3), false, true);
}

/* Header, data, status. */
static void
make_request(struct gen *g)
{
	struct virtio_blk_outhdr hdr = { .type = random_type(g),
	    .ioprio = rng_below(g->rng, 9), .sector = random_sector(g) };
	bool in = hdr.type == VIRTIO_BLK_T_IN ||
	    hdr.type == VIRTIO_BLK_T_GET_ID;
	uint32_t bytes = rng_once_in(g->rng, 16) ? 0 :
	    512 * (1 + rng_below(g->rng, 5));

	world_put(g->w, g->slot, &hdr, sizeof(hdr));
	g->n = 0;
	g->d[g->n++] = (struct virtq_desc) { g->slot, 16, 0, 0 };
	if (g->alone && rng_once_in(g->rng, 4))
		bytes = 512 * rng_below(g->rng,
		    (uint32_t)g->w->config.sectors + 2);
	if (hdr.type == VIRTIO_BLK_T_GET_ID)
		bytes = 18 + rng_below(g->rng, 5);
	if (hdr.type == VIRTIO_BLK_T_DISCARD ||
	    hdr.type == VIRTIO_BLK_T_WRITE_ZEROES)
		add_range(g);
	else if (hdr.type != VIRTIO_BLK_T_FLUSH || rng_once_in(g->rng, 8))
		add_data(g, bytes, random_count(g), in, false);
	g->d[g->n++] = (struct virtq_desc) { g->slot + IN_STATUS,
	    rng_once_in(g->rng, 8) ? 1 + rng_below(g->rng, 9) : 1,
	    VRING_DESC_F_WRITE, 0 };
}

/* --- changes ------------------------------------------------------------ */

static uint64_t
random_address(struct gen *g)
{
	const struct world_window *win =
	    &g->w->window[rng_below(g->rng, (uint32_t)g->w->nwindows)];

	switch (rng_below(g->rng, 8)) {
	case 0:
		return win->gpa + win->bytes - rng_below(g->rng, 33);
	case 1:
		return win->gpa + rng_below(g->rng, 33) - 16;
	case 2:
		return UINT64_MAX - rng_below(g->rng, 33);
	case 3:
		return rng_next(g->rng) | BIT(62);
	case 4:
		return win->gpa + win->bytes + rng_below(g->rng, 4096);
	default:
		return win->gpa + rng_below(g->rng, (uint32_t)win->bytes);
	}
}

static void
change(struct gen *g)
{
	static const uint32_t lens[] = { 0, 1, 15, 16, 17, 19, 20, 511, 512,
		4096, 1u << 20, (1u << 20) + 1, 1u << 31, UINT32_MAX };
	struct virtq_desc *d = &g->d[rng_below(g->rng, g->n)];
	uint64_t v;

	switch (rng_below(g->rng, 7)) {
	case 0:
		d->g_flags ^= VRING_DESC_F_WRITE;
		break;
	case 1:
		d->g_len = RNG_PICK(g->rng, lens);
		break;
	case 2:
		d->g_addr = random_address(g);
		break;
	case 3:
		d->g_flags |= (uint16_t)(rng_next(g->rng) & 0xfff8);
		break;
	case 4:
		g->n = 1 + rng_below(g->rng, g->n);
		break;
	case 5:
		v = rng_next(g->rng);
		world_put(g->w, g->slot + rng_below(g->rng, 9), &v, 1);
		break;
	default:
		d->g_len += rng_below(g->rng, 1024);
		break;
	}
}

/* What `alone` may not touch, and what a chain among others may. */
static bool
is_allowed(const struct gen *g, const struct virtq_desc *d)
{
	uint64_t last = d->g_addr + d->g_len - 1;
	uint64_t avail_end = WORLD_AVAIL + 6 + UINT64_C(2) * g->w->setup.num;
	uint64_t used_end = WORLD_USED + 6 + UINT64_C(8) * g->w->setup.num;

	if (d->g_len == 0)
		return true;
	if (g->alone)	/* the used ring changes while it is read */
		return last < WORLD_AVAIL || d->g_addr >=
		    ((d->g_flags & VRING_DESC_F_WRITE) != 0 ? avail_end :
		    used_end);
	if (model_at(&g->w->model, d->g_addr, 1) != NULL &&
	    (d->g_addr < g->slot || d->g_addr >= g->slot + WORLD_SLOT))
		return false;
	return model_at(&g->w->model, last, 1) == NULL ||
	    (last >= g->slot && last < g->slot + WORLD_SLOT);
}

static void
keep_apart(struct gen *g)
{
	unsigned i;

	for (i = 0; i < g->n; i++) {
		if (is_allowed(g, &g->d[i]))
			continue;
		g->d[i].g_addr = g->slot + rng_below(g->rng, IN_DATA);
		if (g->d[i].g_len > DATA_BYTES)
			g->d[i].g_len = rng_below(g->rng, DATA_BYTES);
	}
}

/* --- into the ring ------------------------------------------------------ */

/* A descriptor that no chain of this batch has. */
static uint16_t
take_free(struct gen *g)
{
	uint32_t i = rng_below(g->rng, g->nfree);
	uint16_t at = g->free[i];

	g->free[i] = g->free[--g->nfree];
	return at;
}

static void
put_desc(struct gen *g, uint64_t table, uint16_t at,
    const struct virtq_desc *d)
{
	world_put(g->w, table + UINT64_C(16) * at, d, sizeof(*d));
}

/* Once in n, unless the chain is to stay sound. */
static bool
spoils(struct gen *g, uint32_t n)
{
	return !g->sound && rng_once_in(g->rng, n);
}

/* The last `n` of the chain as a table of their own, and who points to it. */
static struct virtq_desc
put_table(struct gen *g, unsigned n)
{
	uint64_t table = g->slot + WORLD_SLOT - TABLE_BYTES;
	struct virtq_desc *d = &g->d[g->n - n], via = { table, n * 16,
	    VRING_DESC_F_INDIRECT, 0 };
	unsigned i;

	if (rng_once_in(g->rng, 8))
		via.g_flags |= VRING_DESC_F_WRITE;	/* means nothing */
	for (i = 0; i < n; i++) {
		d[i].g_next = (uint16_t)(i + 1);
		if (i + 1 < n)
			d[i].g_flags |= VRING_DESC_F_NEXT;
		if (spoils(g, 4096))
			d[i].g_next = (uint16_t)rng_below(g->rng, n + 2);
		if (spoils(g, 4096))
			d[i].g_flags |= VRING_DESC_F_INDIRECT;
		put_desc(g, table, (uint16_t)i, &d[i]);
	}
	switch (g->sound ? 4 : rng_below(g->rng, 256)) {
	case 0:
		via.g_len += rng_below(g->rng, 17);
		break;
	case 1:
		via.g_len = rng_once_in(g->rng, 2) ? 0 : UINT32_MAX - 15;
		break;
	case 2:
		via.g_addr = random_address(g);
		break;
	case 3:	/* without the feature it would join another chain */
		if (g->w->setup.features & BIT(VIRTIO_RING_F_INDIRECT_DESC))
			via.g_flags |= VRING_DESC_F_NEXT;
		break;
	default:
		break;
	}
	if (!is_allowed(g, &via))
		via.g_addr = table;
	return via;
}

/* The first n through the ring; returns the head. */
static uint16_t
put_chain(struct gen *g, unsigned n)
{
	uint16_t head = take_free(g), at = head, next, first = head;
	unsigned i;

	for (i = 0; i < n; i++, at = next) {
		next = i + 1 < n ? take_free(g) : 0;
		g->d[i].g_next = next;
		if (i + 1 < n)
			g->d[i].g_flags |= VRING_DESC_F_NEXT;
		if (spoils(g, 2048))
			g->d[i].g_next = rng_once_in(g->rng, 2) ? first :
			    (uint16_t)(g->w->setup.num + rng_below(g->rng, 3));
		put_desc(g, WORLD_DESC, at, &g->d[i]);
	}
	return head;
}

static void
offer_one(struct gen *g)
{
	bool indirect = rng_once_in(g->rng, 3) && g->n > 1;
	unsigned direct = g->n;
	struct virtq_desc via;

	if (indirect || g->n > g->nfree) {
		direct = rng_once_in(g->rng, 2) ? 0 :
		    rng_below(g->rng, g->n < 4 ? g->n : 4);
		if (direct + 1 > g->nfree)
			direct = 0;
		via = put_table(g, g->n - direct);
		g->d[direct++] = via;
	}
	world_offer(g->w, put_chain(g, direct));
}

/* Unused descriptors point nowhere. */
static void
clear_table(struct gen *g)
{
	static struct virtq_desc none[STATE_QUEUE_SIZE_MAX];
	uint16_t i;

	if (none[0].g_addr == 0)
		for (i = 0; i < STATE_QUEUE_SIZE_MAX; i++)
			none[i] = (struct virtq_desc) { BIT(61), 512,
			    i % 2 == 0 ? VRING_DESC_F_WRITE : 0, 0 };
	world_put(g->w, WORLD_DESC, none, sizeof(none[0]) * g->w->setup.num);
	g->nfree = g->w->setup.num;
	for (i = 0; i < g->nfree; i++)
		g->free[i] = i;
}

static uint64_t
slot_of(const struct world *w, unsigned i)
{
	/* With two regions: the last of one, the first of the other. */
	if (w->nwindows > 1 && i < 2)
		return w->window[1 + i].gpa;
	return WORLD_SLOTS + (uint64_t)i * WORLD_SLOT;
}

static void
make_chain(struct gen *g, unsigned i)
{
	unsigned changes = spoils(g, 4) ? 1 + rng_below(g->rng, 3) : 0;

	g->slot = slot_of(g->w, i);
	make_request(g);
	while (changes-- > 0)
		change(g);
	keep_apart(g);
	if (g->sound && rng_once_in(g->rng, 16))	/* to be dropped */
		g->d[g->n - 1].g_flags = 0;
	offer_one(g);
}

void
gen_chains(struct world *w, enum gen_kind kind)
{
	struct gen g = { .w = w, .rng = w->rng, .alone = kind == GEN_ALONE,
	    .sound = kind == GEN_SOUND };
	unsigned i, n = g.alone ? 1 : 1 + rng_below(w->rng, WORLD_BATCH);

	clear_table(&g);
	for (i = 0; i < n && g.nfree > 0; i++)
		make_chain(&g, i);
	if (spoils(&g, 512))
		world_show(w, (uint16_t)(w->setup.num - i + 1 +
		    rng_below(w->rng, 65536u - w->setup.num - 1)));
	else
		world_show(w, 0);
}
