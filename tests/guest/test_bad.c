/* SPDX-License-Identifier: ISC */
/*
 * The test guest: malformed and refused requests. Each is a row: the chain,
 * and what the device must answer. After each, a good request must succeed,
 * and the malformed one must not be answered twice.
 */
#include <stddef.h>

#include "console.h"
#include "cpu.h"
#include "tests.h"

enum {
	DROP = 0x100,			/* not answered at all */
	PIECES_MAX = 4,
	UNKNOWN_TYPE = 0x7777,

	/* Between the memory below 3 GiB and that from 4 GiB on. */
	NOWHERE_ADDR = 0xf0000000u
};

enum place { END, HEADER, DATA, STATUS, NOWHERE };

enum where { FIRST, LAST_TWO, PAST_END, OVERFLOW };

enum length { AS_GIVEN, OVER_SIZE_MAX, OVER_SEG_MAX };

struct piece {
	enum place	place;
	uint32_t	len;
	bool		device_writes;
};

struct bad {
	const char	*name;
	uint32_t	 type;
	enum where	 where;
	enum length	 length;
	struct piece	 pieces[PIECES_MAX];
	uint32_t	 expected;	/* a status, or DROP */
	bool		 any_device;	/* no matter of this project's rules */
};

#define HEAD		{ HEADER, sizeof(struct blk_header), false }
#define READ(n)		{ DATA, n, true }
#define WRITE(n)	{ DATA, n, false }
#define TAIL		{ STATUS, 1, true }

static const struct bad table[] = {
	{ .name = "one descriptor", .pieces = { HEAD }, .expected = DROP },
	{ .name = "status not writable",
	    .pieces = { HEAD, READ(4096), { STATUS, 1, false } },
	    .expected = DROP },
	{ .name = "status of length 0",
	    .pieces = { HEAD, READ(4096), { STATUS, 0, true } },
	    .expected = DROP },
	{ .name = "status unmapped",
	    .pieces = { HEAD, READ(4096), { NOWHERE, 1, true } },
	    .expected = DROP },
	{ .name = "too many descriptors", .length = OVER_SEG_MAX,
	    .pieces = { HEAD, READ(512), TAIL }, .expected = BLK_S_IOERR },
	{ .name = "header writable",
	    .pieces = { { HEADER, 16, true }, READ(4096), TAIL },
	    .expected = BLK_S_IOERR },
	{ .name = "header short",
	    .pieces = { { HEADER, 15, false }, READ(4096), TAIL },
	    .expected = BLK_S_IOERR },
	{ .name = "header unmapped",
	    .pieces = { { NOWHERE, 16, false }, READ(4096), TAIL },
	    .expected = BLK_S_IOERR },
	{ .name = "descriptor over size_max", .length = OVER_SIZE_MAX,
	    .pieces = { HEAD, READ(4096), TAIL }, .expected = BLK_S_IOERR },
	{ .name = "read without data", .pieces = { HEAD, TAIL },
	    .expected = BLK_S_IOERR },
	{ .name = "write without data", .type = BLK_T_OUT,
	    .pieces = { HEAD, TAIL }, .expected = BLK_S_IOERR },
	{ .name = "id without data", .type = BLK_T_GET_ID,
	    .pieces = { HEAD, TAIL }, .expected = BLK_S_IOERR },
	{ .name = "flush with data", .type = BLK_T_FLUSH,
	    .pieces = { HEAD, READ(4096), TAIL }, .expected = BLK_S_IOERR },
	{ .name = "half a sector", .pieces = { HEAD, READ(256), TAIL },
	    .expected = BLK_S_IOERR, .any_device = true },
	{ .name = "unknown type", .type = UNKNOWN_TYPE,
	    .pieces = { HEAD, READ(4096), TAIL },
	    .expected = BLK_S_UNSUPP, .any_device = true },
	{ .name = "read of readable data",
	    .pieces = { HEAD, WRITE(4096), TAIL },
	    .expected = BLK_S_IOERR },
	{ .name = "write of writable data", .type = BLK_T_OUT,
	    .pieces = { HEAD, READ(4096), TAIL }, .expected = BLK_S_IOERR },
	{ .name = "data unmapped",
	    .pieces = { HEAD, { NOWHERE, 4096, true }, TAIL },
	    .expected = BLK_S_IOERR },
	{ .name = "across the end", .where = LAST_TWO,
	    .pieces = { HEAD, READ(4096), READ(4096), TAIL },
	    .expected = BLK_S_IOERR, .any_device = true },
	{ .name = "past the end", .where = PAST_END,
	    .pieces = { HEAD, READ(4096), TAIL },
	    .expected = BLK_S_IOERR, .any_device = true },
	{ .name = "sector overflows", .where = OVERFLOW,
	    .pieces = { HEAD, READ(4096), TAIL },
	    .expected = BLK_S_IOERR, .any_device = true },
	{ .name = "id of 19 bytes", .type = BLK_T_GET_ID,
	    .pieces = { HEAD, READ(19), TAIL }, .expected = BLK_S_IOERR }
};

static uint64_t
choose_sector(const struct blk *blk, enum where where)
{
	uint64_t block = blk->block_size / BLK_SECTOR;

	switch (where) {
	case LAST_TWO:
		return blk->capacity - block;
	case PAST_END:
		return blk->capacity;
	case OVERFLOW:
		return UINT64_MAX - block + 1;
	default:
		return 0;
	}
}

static struct virtq_seg
make_seg(struct tests *t, const struct piece *piece)
{
	struct blk_req *req = &t->slots[0].req;
	uint32_t addr = NOWHERE_ADDR;

	if (piece->place == HEADER)
		addr = (uint32_t)&req->header;
	else if (piece->place == DATA)
		addr = (uint32_t)t->data[0];
	else if (piece->place == STATUS)
		addr = (uint32_t)&req->status;
	return (struct virtq_seg){ addr, piece->len, piece->device_writes };
}

/* The row's chain; returns its length, 0 where it cannot be built. */
static uint32_t
build(struct tests *t, const struct bad *bad,
    struct virtq_seg segs[VIRTQ_SIZE_MAX])
{
	const struct blk *blk = &t->blk;
	uint32_t i, repeat, n = 0;

	for (i = 0; i < PIECES_MAX && bad->pieces[i].place != END; i++) {
		repeat = 1;
		if (bad->length == OVER_SEG_MAX &&
		    bad->pieces[i].place == DATA)
			repeat = blk->seg_max + 1;
		if (repeat + 2 > blk->queue[0].free_count)
			return 0;
		while (repeat-- > 0)
			segs[n++] = make_seg(t, &bad->pieces[i]);
	}
	if (bad->length == OVER_SIZE_MAX)
		segs[1].len = blk->size_max + BLK_SECTOR;
	return n;
}

static int
submit_bad(struct tests *t, const struct bad *bad)
{
	struct virtq_seg segs[VIRTQ_SIZE_MAX];
	struct blk_req *req = &t->slots[0].req;
	uint32_t n = build(t, bad, segs);

	req->header = (struct blk_header){ bad->type, 0,
		choose_sector(&t->blk, bad->where) };
	req->status = BLK_S_UNWRITTEN;
	if (virtq_add(&t->blk.queue[0], segs, n, req) == -1)
		return -1;
	t->blk.in_flight++;
	req->in_flight = true;
	return 0;
}

static int
submit_good(struct tests *t)
{
	const struct virtq_seg seg = { (uint32_t)t->data[1],
		t->blk.block_size, true };

	return blk_submit(&t->blk, 0, &t->slots[1].req, BLK_T_IN, 0, &seg, 1);
}

static const char *
judge(const struct tests *t, const struct bad *bad)
{
	const struct blk_req *req = &t->slots[0].req;

	if (bad->expected == DROP)
		return req->in_flight && req->status == BLK_S_UNWRITTEN ?
		    NULL : "an answer where none can be given";
	if (req->status != bad->expected) {
		console_printf("guest: status %u, not %u\n", req->status,
		    bad->expected);
		return "the wrong status";
	}
	if (t->strict && req->used_len != 1) {
		console_printf("guest: used length %u, not 1\n",
		    req->used_len);
		return "the wrong used length";
	}
	return NULL;
}

/* The malformed request and a good one after it, in one batch. */
static const char *
try_row(struct tests *t, const struct bad *bad)
{
	uint32_t left = bad->expected == DROP ? 1 : 2;
	struct blk_req *req;
	const char *why;

	if (submit_bad(t, bad) == -1 || submit_good(t) == -1) {
		console_printf("guest: %s: no room, left out\n", bad->name);
		return blk_open(&t->blk, t->device, &t->options);
	}
	blk_kick(&t->blk, 0);
	while (left > 0) {
		if ((why = blk_wait(&t->blk)) != NULL ||
		    (why = blk_reap(&t->blk, &req)) != NULL)
			return why;
		if (req != NULL)
			left--;
	}
	if (t->slots[1].req.in_flight)
		return "the good request is not answered";
	if ((why = blk_check_status(t->slots[1].req.status)) != NULL ||
	    (why = judge(t, bad)) != NULL)
		return why;
	/* And a late or a second answer would come before this one's. */
	why = blk_do(&t->blk, BLK_T_IN, 0, t->data[1], t->blk.block_size);
	if (why == NULL)
		console_printf("guest: %s: %s\n", bad->name,
		    bad->expected == DROP ? "dropped" :
		    blk_check_status((uint8_t)bad->expected));
	return why;
}

const char *
test_badreq(struct tests *t)
{
	const char *why;
	uint32_t i;

	if ((why = tests_open(t)) != NULL)
		return why;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (!t->strict && !table[i].any_device)
			continue;
		why = try_row(t, &table[i]);
		if (why != NULL) {
			console_printf("guest: %s:\n", table[i].name);
			return why;
		}
	}
	return blk_reset(&t->blk);
}
