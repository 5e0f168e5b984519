/* SPDX-License-Identifier: ISC */
/*
 * Death before each store in turn, and in the successor's recovery before
 * each store again: for batches of one, of some and of all that the ring
 * holds, where the ring begins, where it wraps and where its index wraps.
 * All requests write the same sector, so their order shows.
 */
#include <atf-c.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "blkd/ring_harness.h"
#include "blkd/serve.h"
#include "tests/property/kill_hook.h"

#define RING	128u
#define ALL	(RING / RING_SLOT_DESCS)
#define SECTOR	7u

static struct ring_harness h;
static struct serve s;
static uint32_t condition = QUEUE_RUNNING;
static jmp_buf death;
static unsigned fuse;		/* stores to live; 0: for ever */

void
kill_hook_step(void)
{
	if (fuse != 0 && --fuse == 0)
		longjmp(death, 1);
}

static void
offer(uint16_t n)
{
	uint16_t i;

	for (i = 0; i < n; i++) {
		ring_harness_request(&h, i, VIRTIO_BLK_T_OUT, SECTOR, 512);
		memset(ring_harness_data(&h, i), 1 + i, 512);
		ring_harness_offer(&h, ring_harness_head(i));
	}
	ring_harness_show(&h);
}

/* A blkd that dies before its store number `stores`; false: it died. */
static bool
live(unsigned stores, uint16_t batch)
{
	volatile bool lived = false;

	memset(&s, 0, sizeof(s));
	ATF_REQUIRE(serve_init(&s, &h.disk, 0, &condition) == 0);
	fuse = stores;
	if (setjmp(death) == 0) {
		ATF_REQUIRE(serve_set_up(&s, &h.setup, true) != -1);
		s.batch_max = batch;
		ATF_REQUIRE_EQ(SERVE_DRAINED, serve_round(&s));
		lived = true;
	}
	fuse = 0;
	serve_free(&s);
	return lived;
}

static void
check(uint16_t n, uint16_t start)
{
	uint8_t sector[512];
	uint16_t i;

	ATF_REQUIRE_EQ((uint16_t)(start + n), h.used->g_idx);
	for (i = 0; i < n; i++) {
		ATF_REQUIRE_EQ(ring_harness_head(i),
		    ring_harness_take_used(&h).g_id);
		ATF_REQUIRE_EQ(VIRTIO_BLK_S_OK, ring_harness_status(&h, i));
	}
	ring_harness_sector(&h, SECTOR, sector);
	ATF_REQUIRE_EQ(n, sector[0]);
	ATF_REQUIRE_EQ(0, ring_harness_counter(&h, COUNTER_IN_FLIGHT));
	/* What comes next is served by the same journal. */
	offer(1);
	ATF_REQUIRE(live(0, 1));
	ATF_REQUIRE_EQ((uint16_t)(start + n + 1), h.used->g_idx);
}

/* Returns whether the first, and whether the second blkd outlived it. */
static void
try(uint16_t n, uint16_t start, unsigned first, unsigned second, bool *one,
    bool *two)
{
	ring_harness_make(&h, RING, RING_FEATURES);
	ring_harness_move(&h, start);
	offer(n);
	*one = live(first, n);
	*two = *one || live(second, n);
	if (!*two)
		ATF_REQUIRE(live(0, n));
	check(n, start);
	ring_harness_free(&h);
	close(h.backingfd);
}

static void
try_all(uint16_t n, unsigned stride)
{
	const uint16_t starts[] = {
		0, (uint16_t)(RING - 1 - n / 2), (uint16_t)(UINT16_MAX - n / 2)
	};
	unsigned first, second, tried = 0;
	bool one, two;
	size_t i;

	for (i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		for (first = 1, one = false; !one; first++) {
			two = false;
			for (second = 1 + first % stride; !two && !one;
			    second += stride, tried++)
				try(n, starts[i], first, second, &one, &two);
		}
	}
	printf("%u deaths or pairs of them\n", tried);
	ATF_CHECK(tried > 50);
}

ATF_TC_WITHOUT_HEAD(death__batch_of_one);
ATF_TC_BODY(death__batch_of_one, tc)
{
	try_all(1, 1);
}

ATF_TC_WITHOUT_HEAD(death__batch_of_eight);
ATF_TC_BODY(death__batch_of_eight, tc)
{
	try_all(8, 3);
}

ATF_TC_WITHOUT_HEAD(death__batch_of_all);
ATF_TC_BODY(death__batch_of_all, tc)
{
	try_all(ALL, 41);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, death__batch_of_one);
	ATF_TP_ADD_TC(tp, death__batch_of_eight);
	ATF_TP_ADD_TC(tp, death__batch_of_all);
	return atf_no_error();
}
