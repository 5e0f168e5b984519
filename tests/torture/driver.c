/* SPDX-License-Identifier: ISC */
/*
 * The guest's driver under torture: so many requests in flight at any time,
 * at random places that overlap, each block with its address and its
 * generation.  A process of its own; it trusts the device in nothing.
 *
 * What a read may return.  A block's generation is the number of the write
 * that was last issued to it.  The sync engine runs requests in the order of
 * the avail ring and repeats them in that order, so a read returns at least
 * what was issued before it, and at most what was issued until it ended.  An
 * engine that completes in any order may return what no later write, issued
 * alone and completed before the read was issued, has replaced: the floor.
 * So may several queues, over which the requests are spread.
 * There a read that meets a write of the same block may also find a part of
 * it: the page cache does not keep them apart.
 */
#include <linux/virtio_blk.h>
#include <sys/eventfd.h>

#include <assert.h>
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/proto.h"
#include "shm/gmem.h"
#include "shm/shared.h"
#include "tests/driver/block.h"
#include "tests/driver/driverq.h"
#include "tests/torture/score.h"

#define DESCS		(SCORE_QUEUE_SIZE / SCORE_DEPTH)	/* a slot */
static_assert(PROTO_QUEUES_MAX * DRIVERQ_NEXT_GPA <= DRIVERQ_DATA_GPA,
    "the rings lie below the data");
static_assert(DRIVERQ_HEADER_GPA + SCORE_DEPTH * 64 <= DRIVERQ_NEXT_GPA,
    "and the headers of a queue below the next one's");
#define HOT		64u		/* sectors that are rewritten a lot */
#define TOUCH_MAX	(UINT64_C(1) << 20)	/* bytes: size_max */
#define WORDS		(BLOCK_BYTES / sizeof(uint64_t))
#define PATIENCE_NS	UINT64_C(20000000000)
#define SAID_MAX	10u		/* corrupt blocks that are named */

struct block {
	uint64_t	newest;		/* generation last issued */
	uint64_t	floor;		/* no read returns an older one */
	uint32_t	writing;	/* writes in flight */
	uint64_t	written;	/* score.issued when one began or ended */
	bool		unsure;		/* a write of it has failed */
};

struct slot {
	uint32_t	type;
	uint64_t	sector;
	uint64_t	bytes;		/* 0: free, or no data */
	uint64_t	gpa;		/* of the data */
	bool		busy;
	uint64_t	number;		/* as in score.issued */
	bool		touching;
	unsigned	touches;	/* still to be issued */
	uint64_t	least[SCORE_SECTORS];	/* what a read may return */
	bool		alone[SCORE_SECTORS];	/* no other write in flight */
	bool		met[SCORE_SECTORS];	/* a read: one is in flight */
	uint64_t	generation[SCORE_SECTORS];	/* of a write */
};

struct driver {
	const struct driver_setup *setup;
	struct score	*score;
	struct gmem	*gmem;
	struct driverq	 q[PROTO_QUEUES_MAX];
	uint64_t	 seed;
	uint64_t	 area;		/* bytes of data memory of a slot */
	uint64_t	 touch_bytes;	/* of one request that touches */
	uint32_t	 touch_round;
	unsigned	 touches;	/* still to be completed */
	unsigned	 in_flight;
	struct block	*block;
	struct slot	 slot[SCORE_DEPTH];
};

static void
add(uint64_t *counter, uint64_t n)
{
	shared_store(counter, shared_load(counter) + n);
}

static void *
at(struct driver *d, uint64_t gpa, uint64_t bytes)
{
	void *p = gmem_at(d->gmem, gpa, bytes);

	if (p == NULL)
		errx(1, "torture: no guest memory at %#llx",
		    (unsigned long long)gpa);
	return p;
}

/* --- checking ----------------------------------------------------------- */

static void
corrupt(struct driver *d, uint64_t sector, const char *what, uint64_t found)
{
	add(&d->score->corrupt, 1);
	if (d->score->corrupt <= SAID_MAX)
		fprintf(stderr, "torture: sector %llu: %s: %llu, newest %llu\n",
		    (unsigned long long)sector, what,
		    (unsigned long long)found,
		    (unsigned long long)d->block[sector].newest);
}

static void
check_block(struct driver *d, const void *data, uint64_t sector,
    uint64_t least, bool may_be_torn)
{
	uint64_t found;

	switch (block_check(data, sector, &found)) {
	case BLOCK_ELSEWHERE:
		corrupt(d, sector, "another address", found);
		return;
	case BLOCK_TORN:
		if (may_be_torn)
			return;
		corrupt(d, sector, "a torn block", found);
		return;
	case BLOCK_GOOD:
		break;
	}
	/* What has failed may have been written, or not. */
	if (d->block[sector].unsure && least > d->block[sector].floor)
		least = d->block[sector].floor;
	if (found < least)
		corrupt(d, sector, "an old generation", found);
	if (found > d->block[sector].newest)
		corrupt(d, sector, "a generation of nobody", found);
}

static void
check_read(struct driver *d, const struct slot *s)
{
	const uint8_t *data = at(d, s->gpa, s->bytes);
	uint64_t i, sector;

	for (i = 0; i < s->bytes / BLOCK_BYTES; i++) {
		sector = s->sector + i;
		check_block(d, data + i * BLOCK_BYTES, sector,
		    s->touching ? 0 : s->least[i], d->setup->unordered &&
		    (s->touching || s->met[i] ||
		    d->block[sector].written >= s->number));
	}
}

/* All has ended: each block is of the write that was issued last. */
static void
check_image(struct driver *d)
{
	int fd = open(d->setup->image, O_RDONLY | O_CLOEXEC);
	uint64_t block[WORDS], sector;

	if (fd == -1)
		err(1, "torture: %s", d->setup->image);
	for (sector = 0; sector < d->setup->sectors; sector++) {
		if (pread(fd, block, sizeof(block),
		    (off_t)(sector * BLOCK_BYTES)) != (ssize_t)sizeof(block))
			err(1, "torture: sector %llu",
			    (unsigned long long)sector);
		check_block(d, block, sector, d->setup->unordered ?
		    d->block[sector].floor : d->block[sector].newest, false);
	}
	close(fd);
}

/* --- requests ----------------------------------------------------------- */

static void
prepare_data(struct driver *d, struct slot *s)
{
	uint8_t *data = at(d, s->gpa, s->bytes);
	uint64_t i, n = s->bytes / BLOCK_BYTES;
	struct block *b = &d->block[s->sector];

	for (i = 0; i < n; i++, b++, data += BLOCK_BYTES) {
		if (s->type == VIRTIO_BLK_T_IN) {
			block_fill(data, UINT64_MAX, 0);
			s->least[i] = d->setup->unordered ? b->floor :
			    b->newest;
			s->met[i] = b->writing > 0;
			continue;
		}
		b->written = shared_load(&d->score->issued);
		s->alone[i] = b->writing++ == 0;
		s->generation[i] = ++b->newest;
		block_fill(data, s->sector + i, b->newest);
	}
}

/* What kind, where: a third of all hits the same few sectors. */
static void
choose(struct driver *d, struct slot *s, unsigned index)
{
	uint64_t r = block_random(&d->seed), each = d->setup->request_sectors;
	uint64_t room = r % 3 == 0 ? HOT : d->setup->sectors;
	uint64_t n = each != 0 ? each : 1 + (r >> 8) % SCORE_SECTORS;

	s->touching = false;
	s->bytes = n * BLOCK_BYTES;
	/* All of one size are aligned to it, as those of a file system. */
	s->sector = each != 0 ? (r >> 16) % (room / n) * n :
	    (r >> 16) % (room - n + 1);
	s->type = each == 0 && (r >> 48) % 100 == 0 ? VIRTIO_BLK_T_FLUSH :
	    (r >> 56) % 2 == 0 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT;
	s->gpa = DRIVERQ_DATA_GPA + index * d->area +
	    block_random(&d->seed) % (d->area / 4096) * 4096;
	if (s->type == VIRTIO_BLK_T_FLUSH) {
		s->bytes = s->sector = 0;
		return;
	}
	prepare_data(d, s);
}

/* A long read, into the next part of the slot's memory. */
static void
choose_touch(struct driver *d, struct slot *s, unsigned index)
{
	uint64_t room = d->setup->sectors - d->touch_bytes / BLOCK_BYTES;

	s->touching = true;
	s->type = VIRTIO_BLK_T_IN;
	s->sector = block_random(&d->seed) % (room + 1);
	s->bytes = d->touch_bytes;
	s->gpa = DRIVERQ_DATA_GPA + index * d->area +
	    --s->touches * d->touch_bytes;
}

/* The slots take turns. */
static struct driverq *
queue_of(struct driver *d, unsigned index)
{
	return &d->q[index % d->setup->queues];
}

static void
put(struct driver *d, unsigned index)
{
	struct slot *s = &d->slot[index];
	unsigned queues = d->setup->queues;
	const struct driverq_request r = {
		.type = s->type, .sector = s->sector, .gpa = s->gpa,
		.bytes = (uint32_t)s->bytes,
	};

	driverq_put(queue_of(d, index), (uint16_t)(index / queues * DESCS),
	    index, &r);
	s->busy = true;
	s->number = shared_load(&d->score->issued);
	add(&d->score->issued, 1);
	d->in_flight++;
}

/* Make all that was put visible, and kick where the device wants it. */
static void
show(struct driver *d)
{
	unsigned i;

	for (i = 0; i < d->setup->queues; i++)
		if (driverq_show(&d->q[i]) == -1)
			err(1, "torture: kick");
}

static void
fill(struct driver *d, unsigned index)
{
	if (shared_load(&d->score->stop) != 0 ||
	    shared_load(&d->score->rest) != 0)
		return;
	if (d->slot[index].touches > 0)
		choose_touch(d, &d->slot[index], index);
	else
		choose(d, &d->slot[index], index);
	put(d, index);
}

/* --- completions -------------------------------------------------------- */

static void
complete_write(struct driver *d, const struct slot *s, bool ok)
{
	uint64_t i, n = s->bytes / BLOCK_BYTES;
	struct block *b = &d->block[s->sector];

	for (i = 0; i < n; i++, b++) {
		b->writing--;
		b->written = shared_load(&d->score->issued);
		b->unsure |= !ok;
		if (ok && s->alone[i] && s->generation[i] > b->floor)
			b->floor = s->generation[i];
	}
}

static bool
is_poison(const struct driver *d, const struct slot *s)
{
	return s->type == VIRTIO_BLK_T_OUT && s->sector < d->setup->poison;
}

static void
complete(struct driver *d, unsigned queue, uint32_t head)
{
	unsigned index = head / DESCS * d->setup->queues + queue;
	struct slot *s = &d->slot[index];
	bool ok;

	if (head >= SCORE_QUEUE_SIZE || head % DESCS != 0 ||
	    index >= SCORE_DEPTH || !s->busy) {
		add(&d->score->duplicated, 1);
		return;
	}
	s->busy = false;
	d->in_flight--;
	if (s->touching)
		d->touches--;
	ok = driverq_status(queue_of(d, index), index) == VIRTIO_BLK_S_OK;
	if (!ok)
		add(is_poison(d, s) ? &d->score->refused : &d->score->failed,
		    1);
	else if (s->type == VIRTIO_BLK_T_IN)
		check_read(d, s);
	if (s->type == VIRTIO_BLK_T_OUT)
		complete_write(d, s, ok);
	fill(d, index);
}

/* All before it have ended. */
static void
tell_oldest(struct driver *d)
{
	uint64_t oldest = shared_load(&d->score->issued);
	unsigned i;

	for (i = 0; i < d->setup->depth; i++)
		if (d->slot[i].busy && d->slot[i].number < oldest)
			oldest = d->slot[i].number;
	shared_store(&d->score->oldest, oldest);
}

/* Something has completed. */
static void
progress(struct driver *d)
{
	uint64_t now = score_clock(), gap;

	gap = now - shared_load(&d->score->progress_ns);
	if (gap > shared_load(&d->score->gap_ns))
		shared_store(&d->score->gap_ns, gap);
	if (gap > shared_load(&d->score->outage_ns) &&
	    shared_load(&d->score->oldest) < shared_load(&d->score->until))
		shared_store(&d->score->outage_ns, gap);
	shared_store(&d->score->progress_ns, now);
}

/* Returns how many there were. */
static unsigned
reap_queue(struct driver *d, unsigned queue)
{
	struct driverq *q = &d->q[queue];
	uint16_t n = driverq_ready(q), i;

	if (n == 0)
		return 0;
	if (n > d->in_flight) {
		add(&d->score->duplicated, n - d->in_flight);
		errx(1, "torture: used.idx is %u ahead, %u are in flight", n,
		    d->in_flight);
	}
	progress(d);
	for (i = 0; i < n; i++)
		complete(d, queue, driverq_take(q));
	add(&d->score->done, n);
	return n;
}

/* Returns whether there was something. */
static bool
reap(struct driver *d)
{
	unsigned i, n = 0;

	for (i = 0; i < d->setup->queues; i++)
		n += reap_queue(d, i);
	if (n == 0)
		return false;
	tell_oldest(d);
	show(d);
	return true;
}

static void
sleep_until_irq(struct driver *d)
{
	struct pollfd pfd = { .fd = d->setup->irq_fd, .events = POLLIN };
	int ms = d->in_flight < d->setup->depth ? 1 : 1000;
	eventfd_t n;

	if (poll(&pfd, 1, ms) == 1)
		(void)eventfd_read(d->setup->irq_fd, &n);
}

static void
touch(struct driver *d)
{
	uint32_t round = shared_load(&d->score->touch);
	unsigned i, each = (unsigned)(d->area / d->touch_bytes);

	if (round == d->touch_round) {
		if (d->touches == 0)
			shared_store(&d->score->touched, round);
		return;
	}
	d->touch_round = round;
	for (i = 0; i < d->setup->depth; i++) {
		d->touches += each - d->slot[i].touches;
		d->slot[i].touches = each;
	}
}

/* After a rest, and at the beginning. */
static void
fill_all(struct driver *d)
{
	unsigned i;

	if (d->in_flight == d->setup->depth)
		return;
	for (i = 0; i < d->setup->depth; i++)
		if (!d->slot[i].busy)
			fill(d, i);
	show(d);
}

static void
run(struct driver *d)
{
	if (d->setup->priority != 0)
		score_hurry(d->setup->priority);
	shared_store(&d->score->progress_ns, score_clock());
	while (d->in_flight > 0 || shared_load(&d->score->stop) == 0) {
		touch(d);
		fill_all(d);
		if (reap(d))
			continue;
		if (d->in_flight == 0)
			shared_store(&d->score->progress_ns, score_clock());
		if (score_clock() - shared_load(&d->score->progress_ns) >
		    PATIENCE_NS) {
			add(&d->score->lost, d->in_flight);
			return;
		}
		sleep_until_irq(d);
	}
}

int
driver_run(const struct driver_setup *setup)
{
	struct driver *d = calloc(1, sizeof(*d));
	unsigned i;

	if (d == NULL || (d->block = calloc(setup->sectors,
	    sizeof(*d->block))) == NULL)
		err(1, "torture");
	d->setup = setup;
	d->score = setup->score;
	d->seed = setup->seed;
	if ((d->gmem = gmem_open(setup->gmem_fd, setup->memory)) == NULL)
		err(1, "torture: guest memory");
	d->area = (setup->memory - DRIVERQ_DATA_GPA) / setup->depth / 4096 *
	    4096;
	d->touch_bytes = TOUCH_MAX < d->area ? TOUCH_MAX : d->area;
	for (i = 0; i < setup->queues; i++)
		driverq_init_at(&d->q[i], at(d, 0, DRIVERQ_DATA_GPA), i,
		    SCORE_QUEUE_SIZE, false, setup->kick_fd[i]);
	run(d);
	if (d->score->lost == 0)
		check_image(d);
	gmem_close(d->gmem);
	free(d->block);
	free(d);
	return 0;
}
