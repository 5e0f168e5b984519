/* SPDX-License-Identifier: ISC */
/*
 * A queue thread with real rings: the way of a request from kick to
 * interrupt, and what is answered, counted and left alone on it.
 */
#include <atf-c.h>
#include <string.h>

#include "blkd/ring_harness.h"
#include "shm/doorbell.h"
#include "shm/shared.h"

#define NUM	64u

/* ATF_TC_WITHOUT_HEAD and its body, in one. */
#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

CASE(request__read)
{
	struct ring_harness h;
	uint8_t expected[512] = { 1, 2, 3 };
	uint32_t len;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	ATF_REQUIRE_EQ(512, pwrite(h.backingfd, expected, 512, 7 * 512));
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_IN, 6, 1024);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, &len));
	ATF_CHECK_EQ(1025, len);
	ATF_CHECK_EQ(0, memcmp(ring_harness_data(&h, 0) + 512, expected, 512));
	ring_harness_wait_counter(&h, COUNTER_IRQS, 1);
	ATF_CHECK_EQ(1, ring_harness_counter(&h, COUNTER_READS));
	ATF_CHECK_EQ(1024, ring_harness_counter(&h, COUNTER_READ_BYTES));
	ATF_CHECK_EQ(0, ring_harness_counter(&h, COUNTER_IN_FLIGHT));
	ATF_CHECK_EQ(DOORBELL_USED, doorbell_pending(h.disk.doorbell));
	ring_harness_free(&h);
}

CASE(request__write)
{
	struct ring_harness h;
	uint8_t found[512];
	uint32_t len;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_OUT, 3, 512);
	memset(ring_harness_data(&h, 0), 0x5a, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, &len));
	ATF_CHECK_EQ(1, len);
	ring_harness_sector(&h, 3, found);
	ATF_CHECK_EQ(0, memcmp(ring_harness_data(&h, 0), found, 512));
	ring_harness_wait_counter(&h, COUNTER_WRITES, 1);
	ATF_CHECK_EQ(512, ring_harness_counter(&h, COUNTER_WRITE_BYTES));
	ring_harness_free(&h);
}

CASE(request__flush)
{
	struct ring_harness h;
	uint32_t len;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_FLUSH, 0, 0);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, &len));
	ATF_CHECK_EQ(1, len);
	ring_harness_wait_counter(&h, COUNTER_FLUSHES, 1);
	ring_harness_free(&h);
}

CASE(request__get_id)
{
	struct ring_harness h;
	uint32_t len;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	ring_harness_request(&h, 0, VIRTIO_BLK_T_GET_ID, 0, 20);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h, 0, &len));
	ATF_CHECK_EQ(21, len);
	ATF_CHECK_EQ(0, memcmp(ring_harness_data(&h, 0),
	    "serial-of-20-bytes..", 20));
	ring_harness_wait_counter(&h, COUNTER_GET_IDS, 1);
	ring_harness_free(&h);
}

CASE(request__many_in_flight)
{
	struct ring_harness h;
	unsigned round, i;

	(void)tc;
	ring_harness_make(&h, NUM, RING_FEATURES);
	ATF_REQUIRE_EQ(0, ring_harness_start(&h, false));
	for (round = 0; round < 100; round++) {
		for (i = 0; i < NUM / RING_SLOT_DESCS; i++) {
			ring_harness_request(&h, i, VIRTIO_BLK_T_OUT,
			    i, 512);
			ring_harness_offer(&h, ring_harness_head(i));
		}
		ring_harness_kick(&h);
		ring_harness_wait_used(&h, NUM / RING_SLOT_DESCS);
		for (i = 0; i < NUM / RING_SLOT_DESCS; i++) {
			ATF_REQUIRE_EQ(ring_harness_head(i),
			    ring_harness_take_used(&h).g_id);
			ATF_REQUIRE_EQ(VIRTIO_BLK_S_OK,
			    ring_harness_status(&h, i));
		}
	}
	ring_harness_wait_counter(&h, COUNTER_WRITES, round * i);
	ring_harness_free(&h);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, request__read);
	ATF_TP_ADD_TC(tp, request__write);
	ATF_TP_ADD_TC(tp, request__flush);
	ATF_TP_ADD_TC(tp, request__get_id);
	ATF_TP_ADD_TC(tp, request__many_in_flight);
	return atf_no_error();
}
