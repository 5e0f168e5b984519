/* SPDX-License-Identifier: ISC */
/*
 * SIGKILL at random instants: a child serves the queue, this process is the
 * driver; the child is killed under load, and another takes over.  Every
 * request is completed exactly once, and every block holds what was last
 * written to it.
 */
#include <sys/wait.h>

#include <atf-c.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blkd/ring_harness.h"
#include "shm/shared.h"

#define NUM	64u
#define SLOTS	(NUM / RING_SLOT_DESCS)
#define BLOCKS	64u		/* what is written and read at once */
#define BLOCK	(32u << 10)	/* so that I/O takes its time */
#define KILLS	100u

struct driver {
	struct ring_harness	 h;
	pid_t			 child;
	uint32_t		 written[BLOCKS];	/* generation */
	bool			 busy[BLOCKS];
	struct {
		bool		 in_flight, write;
		unsigned	 block;
		uint32_t	 generation;
	} slot[SLOTS];
	uint32_t		 generation;
	uint64_t		 completed;
};

/*
 * Killed when it has used so much of a processor: so it dies at work, never
 * asleep, however loaded the machine is.  The kernel looks at its tick, in
 * which many times the queue's worth of requests is done: none sees three
 * deaths.
 */
static void
arm(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
	    .sigev_signo = SIGKILL };
	struct itimerspec when = { .it_value = {
	    .tv_nsec = 1000000 + random() % 3000000 } };
	timer_t timer;

	if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &ev, &timer) == -1 ||
	    timer_settime(timer, 0, &when, NULL) == -1)
		_exit(2);
}

static void
spawn(struct driver *d, bool recover, bool mortal)
{
	if ((d->child = fork()) == -1)
		atf_tc_fail("fork");
	if (d->child != 0)
		return;
	if (mortal)
		arm();
	if (ring_harness_start(&d->h, recover) == -1)
		_exit(1);
	for (;;)
		pause();
}

/* The generation, in the first word and in the last. */
static void
stamp(struct driver *d, unsigned slot)
{
	uint8_t *data = ring_harness_data(&d->h, slot);

	memcpy(data, &d->generation, 4);
	memcpy(data + BLOCK - 4, &d->generation, 4);
}

static void
check(uint32_t expected, unsigned block, const uint8_t *data)
{
	uint32_t first, last;

	memcpy(&first, data, 4);
	memcpy(&last, data + BLOCK - 4, 4);
	ATF_REQUIRE_MSG(first == expected && last == expected,
	    "block %u holds %u..%u, not %u", block, first, last, expected);
}

static void
submit(struct driver *d, unsigned slot)
{
	unsigned block;

	do {
		block = (unsigned)random() % BLOCKS;
	} while (d->busy[block]);
	d->busy[block] = true;
	d->slot[slot].in_flight = true;
	d->slot[slot].block = block;
	d->slot[slot].generation = ++d->generation;
	d->slot[slot].write = random() % 2;
	ring_harness_request(&d->h, slot, d->slot[slot].write ?
	    VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, block * (BLOCK / 512), BLOCK);
	if (d->slot[slot].write)
		stamp(d, slot);
	ring_harness_offer(&d->h, ring_harness_head(slot));
}

static void
complete(struct driver *d)
{
	struct virtq_used_elem e = ring_harness_take_used(&d->h);
	unsigned slot = e.g_id / RING_SLOT_DESCS, block;

	ATF_REQUIRE(e.g_id % RING_SLOT_DESCS == 0 && slot < SLOTS);
	ATF_REQUIRE_MSG(d->slot[slot].in_flight, "completed twice");
	ATF_REQUIRE_EQ(VIRTIO_BLK_S_OK, ring_harness_status(&d->h, slot));
	block = d->slot[slot].block;
	if (d->slot[slot].write)
		d->written[block] = d->slot[slot].generation;
	check(d->written[block], block, ring_harness_data(&d->h, slot));
	d->slot[slot].in_flight = d->busy[block] = false;
	d->completed++;
}

static void
fill(struct driver *d)
{
	unsigned i;

	for (i = 0; i < SLOTS; i++)
		if (!d->slot[i].in_flight)
			submit(d, i);
	ring_harness_kick(&d->h);
}

/* Keep the queue full until the child has died. */
static void
drive(struct driver *d)
{
	time_t end = time(NULL) + 20;
	int status;

	fill(d);
	while (waitpid(d->child, &status, WNOHANG) == 0) {
		if (d->h.used_idx == shared_load_acquire(&d->h.used->g_idx)) {
			ATF_REQUIRE_MSG(time(NULL) < end, "a request was lost");
			sched_yield();
			continue;
		}
		end = time(NULL) + 20;
		do {
			complete(d);
		} while (d->h.used_idx !=
		    shared_load_acquire(&d->h.used->g_idx));
		fill(d);
	}
	ATF_REQUIRE_MSG(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	    "ended with %#x", status);
}

static void
kill_child(struct driver *d)
{
	int status;

	ATF_REQUIRE_EQ(0, kill(d->child, SIGKILL));
	ATF_REQUIRE_EQ(d->child, waitpid(d->child, &status, 0));
	ATF_REQUIRE_MSG(WIFSIGNALED(status), "ended with %#x", status);
}

static void
drain(struct driver *d)
{
	time_t end = time(NULL) + 20;

	while (d->h.used_idx != d->h.avail_idx) {
		if (d->h.used_idx != shared_load_acquire(&d->h.used->g_idx))
			complete(d);
		ATF_REQUIRE_MSG(time(NULL) < end, "a request was lost");
		sched_yield();
	}
}

static void
run(uint64_t features)
{
	static struct driver d;
	unsigned i, seed = (unsigned)time(NULL) ^ (unsigned)getpid();
	static uint8_t data[BLOCK];

	memset(&d, 0, sizeof(d));
	printf("seed %u\n", seed);
	srandom(seed);
	ring_harness_make(&d.h, NUM, features);
	spawn(&d, false, true);
	for (i = 0; i < KILLS; i++) {
		drive(&d);
		spawn(&d, true, i + 1 < KILLS);
	}
	drain(&d);
	kill_child(&d);
	for (i = 0; i < BLOCKS; i++) {
		ATF_REQUIRE_EQ(BLOCK, pread(d.h.backingfd, data, BLOCK,
		    (off_t)i * BLOCK));
		check(d.written[i], i, data);
	}
	printf("%u kills, %ju completed, %ju replayed\n", KILLS,
	    (uintmax_t)d.completed,
	    (uintmax_t)ring_harness_counter(&d.h, COUNTER_REPLAYED));
	ATF_CHECK(ring_harness_counter(&d.h, COUNTER_REPLAYED) > 0);
	ATF_CHECK_EQ(0, ring_harness_counter(&d.h, COUNTER_INVALID_RING));
	ring_harness_free(&d.h);
}

ATF_TC_WITHOUT_HEAD(kill__at_random);
ATF_TC_BODY(kill__at_random, tc)
{
	(void)tc;
	run(RING_FEATURES);
}

ATF_TC_WITHOUT_HEAD(kill__at_random_event_idx);
ATF_TC_BODY(kill__at_random_event_idx, tc)
{
	(void)tc;
	run(RING_FEATURES | RING_FEATURE(VIRTIO_RING_F_EVENT_IDX));
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, kill__at_random);
	ATF_TP_ADD_TC(tp, kill__at_random_event_idx);
	return atf_no_error();
}
