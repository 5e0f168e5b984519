/* SPDX-License-Identifier: ISC */
/* The lives of a disk.  Tests only, in one thread. */
#include <linux/virtio_mmio.h>

#include <atf-c.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "blkd/features.h"
#include "blkd/limiter.h"
#include "blkd/regs.h"
#include "blkd/throttle.h"
#include "tests/property/kill_hook.h"
#include "tests/property/life.h"
#include "tests/property/still_queue.h"

#define TURNS_MAX	10000u
#define STORES_MAX	256u

struct ring_harness life;

static struct regs *regs;		/* NULL: no blkd lives */
static struct throttle_limits limits;	/* none, or the disk's */
static bool throttled;
static uint64_t clock_ns;
static unsigned incarnation;
static bool paused;			/* so the monitor has it */

static jmp_buf death;
static bool in_step;			/* blkd runs, not the test */
static unsigned fuse, fuse_next;	/* stores to live; 0: for ever */
static bool armed[2], died[2];

static struct life_store stores[STORES_MAX];
static unsigned nstores;

/* --- deaths ------------------------------------------------------------- */

static void
note(const char *function, const char *what)
{
	unsigned i = 0;

	while (i < nstores && (strcmp(stores[i].function, function) != 0 ||
	    strcmp(stores[i].what, what) != 0))
		i++;
	ATF_REQUIRE(i < STORES_MAX);
	stores[i].function = function;
	stores[i].what = what;
	stores[i].deaths++;
	if (i == nstores)
		nstores++;
}

void
kill_hook_step(const char *function, const char *what)
{
	if (!in_step || fuse == 0 || --fuse != 0)
		return;
	note(function, what);
	died[armed[0] && !died[0] ? 0 : 1] = true;
	longjmp(death, 1);
}

static void
bury(void)
{
	in_step = false;
	regs_free(regs);
	regs = NULL;
	limiter_free(life.disk.limiter);
	life.disk.limiter = NULL;
	fuse = fuse_next;
	fuse_next = 0;
}

void
life_arm(unsigned first, unsigned second)
{
	fuse = first;
	fuse_next = second;
	armed[0] = first != 0;
	armed[1] = second != 0;
	died[0] = died[1] = false;
}

void
life_disarm(bool *first, bool *second)
{
	*first = !died[0];
	*second = !died[1];
	fuse = fuse_next = 0;
}

void
life_die(void)
{
	unsigned kept = fuse_next, left = fuse;

	bury();
	fuse = left;
	fuse_next = kept;
}

void
life_forget(void)
{
	nstores = 0;
	memset(stores, 0, sizeof(stores));
}

const struct life_store *
life_stores(unsigned *n)
{
	*n = nstores;
	return stores;
}

/* --- births ------------------------------------------------------------- */

static uint64_t
now(void *arg)
{
	(void)arg;
	return clock_ns;
}

uint64_t
life_clock(void)
{
	return clock_ns;
}

static void
attach(void)
{
	if (throttled)
		life.disk.limiter = limiter_make(life.disk.state, &limits, now,
		    NULL);
	regs = regs_make(&life.disk, life.eventfd);
	ATF_REQUIRE(regs != NULL);
	if (paused)
		regs_pause(regs);
	in_step = true;
	(void)regs_recover(regs, incarnation++);
}

/* By successors until one outlives it. */
static void
step(void (*f)(void *), void *arg)
{
	if (setjmp(death) != 0)
		bury();
	if (regs == NULL)
		attach();
	in_step = true;
	f(arg);
	in_step = false;
}

void
life_make(const struct throttle_limits *l)
{
	ring_harness_make(&life, LIFE_RING, RING_FEATURES);
	life.disk.engine = &still_engine;
	throttled = l != NULL;
	if (throttled)
		limits = *l;
	clock_ns = UINT64_C(1000000000);
	incarnation = 0;
	paused = false;
	life_arm(0, 0);
}

void
life_free(void)
{
	bury();
	ring_harness_free(&life);
	close(life.backingfd);
}

void
life_move(uint16_t avail, uint16_t used)
{
	struct state_queue *q = &life.disk.state->queue[0];

	life_die();
	q->s_inflight[0] = state_inflight_word(UINT64_C(65536) + avail, 0, 0);
	q->s_publish = state_publish_word(0, used, 0);
	life.avail->g_idx = life.avail_idx = avail;
	life.used->g_idx = life.used_idx = used;
}

/* --- the driver's steps -------------------------------------------------- */

static void
do_write(void *arg)
{
	const uint32_t *w = arg;

	regs_write(regs, w[0], 4, w[1]);
}

void
life_write(uint32_t offset, uint32_t value)
{
	uint32_t w[2] = { offset, value };

	step(do_write, w);
}

void
life_go_live(void)
{
	static const uint32_t writes[][2] = {
		{ VIRTIO_MMIO_STATUS, 1 }, { VIRTIO_MMIO_STATUS, 3 },
		{ VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0 },
		{ VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)RING_FEATURES },
		{ VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1 },
		{ VIRTIO_MMIO_DRIVER_FEATURES,
		    (uint32_t)(RING_FEATURES >> 32) },
		{ VIRTIO_MMIO_STATUS, 0xb },
		{ VIRTIO_MMIO_QUEUE_SEL, 0 },
		{ VIRTIO_MMIO_QUEUE_NUM, LIFE_RING },
		{ VIRTIO_MMIO_QUEUE_DESC_LOW, RING_DESC_GPA },
		{ VIRTIO_MMIO_QUEUE_DESC_HIGH, 0 },
		{ VIRTIO_MMIO_QUEUE_AVAIL_LOW, RING_AVAIL_GPA },
		{ VIRTIO_MMIO_QUEUE_AVAIL_HIGH, 0 },
		{ VIRTIO_MMIO_QUEUE_USED_LOW, RING_USED_GPA },
		{ VIRTIO_MMIO_QUEUE_USED_HIGH, 0 },
		{ VIRTIO_MMIO_QUEUE_READY, 1 },
		{ VIRTIO_MMIO_STATUS, 0xf },
	};
	size_t i;

	for (i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		life_write(writes[i][0], writes[i][1]);
	ATF_REQUIRE_EQ(0xf, regs_read(regs, VIRTIO_MMIO_STATUS, 4));
}

static void
turn_until_quiet(unsigned batch)
{
	unsigned turns = 0;
	uint64_t wait_ns;

	while (!regs_is_quiet(regs)) {
		still_queue_turn(batch, &wait_ns);
		ATF_REQUIRE(++turns < TURNS_MAX);
	}
}

static void
do_reset(void *arg)
{
	(void)arg;
	regs_write(regs, VIRTIO_MMIO_STATUS, 4, 0);
	turn_until_quiet(1);
	regs_update(regs);
	ATF_REQUIRE(!regs_is_resetting(regs));
}

void
life_reset(void)
{
	step(do_reset, NULL);
}

/* --- the queue's --------------------------------------------------------- */

static void
do_turn(void *arg)
{
	const unsigned *batch = arg;
	uint64_t wait_ns;

	(void)still_queue_turn(*batch, &wait_ns);
}

void
life_turn(unsigned batch)
{
	step(do_turn, &batch);
}

/* Stalls are slept over in halves of a second, so that batches form. */
static void
do_rest(void *arg)
{
	const unsigned *batch = arg;
	uint64_t wait_ns = 0;
	unsigned turns;
	enum still s;

	for (turns = 0; turns < TURNS_MAX; turns++) {
		s = still_queue_turn(*batch, &wait_ns);
		if (s == STILL_RESTS)
			return;
		if (s == STILL_STALLED)
			clock_ns += wait_ns > 500000000 ? wait_ns : 500000000;
	}
	atf_tc_fail("no rest after %u turns", turns);
}

void
life_rest(unsigned batch)
{
	step(do_rest, &batch);
}

/* --- the monitor's ------------------------------------------------------- */

static void
do_pause(void *arg)
{
	const unsigned *batch = arg;

	regs_pause(regs);
	turn_until_quiet(*batch);
}

void
life_pause(unsigned batch)
{
	/* Asked for: a successor is attached so. */
	paused = true;
	step(do_pause, &batch);
}

static void
do_resume(void *arg)
{
	(void)arg;
	regs_resume(regs);
}

void
life_resume(void)
{
	paused = false;
	step(do_resume, NULL);
}
