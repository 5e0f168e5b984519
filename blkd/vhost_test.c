/* SPDX-License-Identifier: ISC */
/*
 * A front-end that does what it should: each message, and a disk behind them.
 * What is bad is in vhost_bad_test.c, the process in vhost_process_test.c.
 */
#include <sys/eventfd.h>

#include <linux/virtio_blk.h>

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "blkd/vhost_harness.h"
#include "shm/gmem.h"
#include "shm/shared.h"

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

CASE(disk__serves_requests)
{
	struct vhost_harness h;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	harness_go_live(&h);
	harness_write_and_read(&h, 7);
	ATF_CHECK(ring_harness_irqs(&h.ring) > 0);
	harness_free(&h);
}

/* -c: its thread goes where it should before the filter forbids it. */
CASE(disk__on_its_processor)
{
	const char *more[] = { "-c", NULL, NULL };
	struct vhost_harness h;
	char cpu[12];

	(void)tc;
	snprintf(cpu, sizeof(cpu), "%d", sched_getcpu());
	more[1] = cpu;
	harness_make(&h);
	harness_spawn(&h, more);
	harness_go_live(&h);
	harness_write_and_read(&h, 7);
	harness_free(&h);
}

CASE(disk__discards)
{
	const struct virtio_blk_discard_write_zeroes range = {
		.sector = 8, .num_sectors = 1 };
	uint8_t block[512], zeroes[512] = { 0 };
	struct vhost_harness h;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	harness_connect(&h);
	harness_negotiate(&h, HARNESS_FEATURES |
	    RING_FEATURE(VIRTIO_BLK_F_DISCARD), VHOST_PROTOCOL_OFFERED);
	harness_memory(&h);
	harness_ring(&h, 0, 0);
	harness_sync(&h);
	memset(block, 0x33, sizeof(block));
	ATF_REQUIRE_EQ(512, pwrite(h.ring.backingfd, block, 512, 8 * 512));
	ring_harness_request(&h.ring, 0, VIRTIO_BLK_T_DISCARD, 0,
	    sizeof(range));
	memcpy(ring_harness_data(&h.ring, 0), &range, sizeof(range));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h.ring, 0, NULL));
	ring_harness_sector(&h.ring, 8, block);
	ATF_CHECK_EQ(0, memcmp(block, zeroes, sizeof(block)));
	harness_free(&h);
}

CASE(connect__again_and_again)
{
	struct vhost_harness h;
	unsigned i;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	for (i = 0; i < 20; i++) {
		harness_connect(&h);
		harness_negotiate(&h, HARNESS_FEATURES,
		    VHOST_PROTOCOL_OFFERED);
		harness_memory(&h);
		harness_ring(&h, 0, h.ring.used_idx);
		harness_write_and_read(&h, i);
		harness_disconnect(&h);
	}
	harness_free(&h);
}

/* --- messages ----------------------------------------------------------- */

static void
start(struct vhost_harness *h, const char *const *more)
{
	harness_make(h);
	harness_spawn(h, more);
	harness_connect(h);
}

CASE(messages__questions)
{
	static const char *const more[] = { "-Q", "4", NULL };
	struct vhost_harness h;

	(void)tc;
	start(&h, more);
	ATF_CHECK_EQ(HARNESS_FEATURES | RING_FEATURE(VIRTIO_BLK_F_MQ),
	    harness_ask_u64(&h, VHOST_GET_FEATURES) & (HARNESS_FEATURES |
	    RING_FEATURE(VIRTIO_BLK_F_MQ) | RING_FEATURE(VIRTIO_BLK_F_RO)));
	ATF_CHECK_EQ(VHOST_PROTOCOL_OFFERED,
	    harness_ask_u64(&h, VHOST_GET_PROTOCOL_FEATURES));
	ATF_CHECK_EQ(4, harness_ask_u64(&h, VHOST_GET_QUEUE_NUM));
	harness_free(&h);
}

/* REPLY_ACK: zero for what is right, and no second reply. */
CASE(messages__reply_when_needed)
{
	uint64_t features = HARNESS_FEATURES;
	struct vhost_harness h;

	(void)tc;
	start(&h, NULL);
	harness_negotiate(&h, features, VHOST_PROTOCOL_OFFERED);
	harness_send_need(&h, VHOST_SET_FEATURES, &features, sizeof(features),
	    NULL, 0);
	harness_reply(&h, VHOST_SET_FEATURES);
	ATF_CHECK_EQ(0, h.conn.msg.p.m_u64);
	harness_send_need(&h, VHOST_GET_QUEUE_NUM, NULL, 0, NULL, 0);
	harness_reply(&h, VHOST_GET_QUEUE_NUM);
	ATF_CHECK_EQ(1, h.conn.msg.p.m_u64);
	harness_sync(&h);
	/* And something else for what is wrong, before the end. */
	features = UINT64_C(1) << 63;
	harness_send_need(&h, VHOST_SET_FEATURES, &features, sizeof(features),
	    NULL, 0);
	harness_reply(&h, VHOST_SET_FEATURES);
	ATF_CHECK(h.conn.msg.p.m_u64 != 0);
	harness_expect_closed(&h);
	harness_free(&h);
}

static uint32_t
get_config(struct vhost_harness *h, uint32_t offset, uint32_t bytes)
{
	struct vhost_config c = { .m_offset = offset, .m_bytes = bytes };

	harness_send(h, VHOST_GET_CONFIG, &c,
	    (uint32_t)VHOST_CONFIG_HEAD + bytes, NULL, 0);
	harness_reply(h, VHOST_GET_CONFIG);
	ATF_CHECK_EQ(VHOST_CONFIG_HEAD + h->conn.msg.p.m_config.m_bytes,
	    h->conn.msg.h.m_size);
	return h->conn.msg.p.m_config.m_bytes;
}

static void
set_config(struct vhost_harness *h, uint32_t offset, uint8_t value)
{
	struct vhost_config c = { .m_offset = offset, .m_bytes = 1,
	    .m_data = { value } };

	harness_send(h, VHOST_SET_CONFIG, &c,
	    (uint32_t)VHOST_CONFIG_HEAD + 1, NULL, 0);
}

CASE(config__read_and_written)
{
	const uint32_t wce = offsetof(struct virtio_blk_config, wce);
	const uint64_t features = HARNESS_FEATURES |
	    RING_FEATURE(VIRTIO_BLK_F_CONFIG_WCE);
	struct virtio_blk_config config;
	struct vhost_harness h;

	(void)tc;
	start(&h, NULL);
	harness_negotiate(&h, features, VHOST_PROTOCOL_OFFERED);
	ATF_CHECK_EQ(sizeof(config), get_config(&h, 0, sizeof(config)));
	memcpy(&config, h.conn.msg.p.m_config.m_data, sizeof(config));
	ATF_CHECK_EQ(RING_DISK_SECTORS, config.capacity);
	ATF_CHECK_EQ(512, config.blk_size);
	ATF_CHECK_EQ(126, config.seg_max);
	ATF_CHECK_EQ(1, config.wce);
	/* All of what there can be, and past it. */
	ATF_CHECK_EQ(VHOST_CONFIG_MAX, get_config(&h, 0, VHOST_CONFIG_MAX));
	ATF_CHECK_EQ(0, get_config(&h, 1, VHOST_CONFIG_MAX));
	ATF_CHECK_EQ(0, get_config(&h, UINT32_MAX, 8));
	set_config(&h, wce, 0);
	ATF_CHECK_EQ(1, get_config(&h, wce, 1));
	ATF_CHECK_EQ(0, h.conn.msg.p.m_config.m_data[0]);
	/* What the guest may write and means nothing. */
	set_config(&h, wce, 7);
	set_config(&h, 0, 7);
	set_config(&h, 255, 7);
	ATF_CHECK_EQ(8, get_config(&h, 0, 8));
	memcpy(&config.capacity, h.conn.msg.p.m_config.m_data, 8);
	ATF_CHECK_EQ(RING_DISK_SECTORS, config.capacity);
	/* The next front-end begins with a write cache. */
	harness_connect(&h);
	harness_negotiate(&h, features, VHOST_PROTOCOL_OFFERED);
	ATF_CHECK_EQ(1, get_config(&h, wce, 1));
	ATF_CHECK_EQ(1, h.conn.msg.p.m_config.m_data[0]);
	harness_free(&h);
}

/* A guest that chose write-through is not asked again. */
CASE(config__write_through_survives_a_kill)
{
	const uint32_t wce = offsetof(struct virtio_blk_config, wce);
	const uint64_t features = HARNESS_FEATURES |
	    RING_FEATURE(VIRTIO_BLK_F_CONFIG_WCE);
	struct vhost_harness h;
	int i;

	(void)tc;
	harness_make(&h);
	for (i = 0; i < 2; i++) {
		harness_spawn(&h, NULL);
		harness_connect(&h);
		harness_negotiate(&h, features, VHOST_PROTOCOL_OFFERED);
		if (i == 0)
			harness_get_inflight(&h);
		harness_set_inflight(&h);
		harness_memory(&h);
		harness_ring(&h, 0, h.ring.used_idx);
		harness_write_and_read(&h, 1);
		if (i == 0)
			set_config(&h, wce, 0);
		ATF_CHECK_EQ(1, get_config(&h, wce, 1));
		ATF_CHECK_EQ(0, h.conn.msg.p.m_config.m_data[0]);
		harness_kill(&h);
	}
	harness_free(&h);
}

/* --- rings -------------------------------------------------------------- */

/* QEMU's order, without the bit that rings are enabled by. */
CASE(ring__enabled_without_protocol_features)
{
	struct vhost_harness h;

	(void)tc;
	start(&h, NULL);
	harness_negotiate(&h, RING_FEATURES, 0);
	harness_memory(&h);
	harness_ring(&h, 0, 0);
	harness_write_and_read(&h, 3);
	harness_free(&h);
}

CASE(ring__disabled_stands_still)
{
	struct vhost_harness h;

	(void)tc;
	start(&h, NULL);
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	harness_memory(&h);
	harness_ring(&h, 0, 0);
	harness_write_and_read(&h, 3);
	harness_tell_state(&h, VHOST_SET_VRING_ENABLE, 0, 0);
	harness_sync(&h);
	ring_harness_request(&h.ring, 0, VIRTIO_BLK_T_OUT, 0, 512);
	ring_harness_offer(&h.ring, ring_harness_head(0));
	ring_harness_kick(&h.ring);
	harness_sync(&h);
	ATF_CHECK_EQ(h.ring.used_idx, shared_load(&h.ring.used->g_idx));
	harness_tell_state(&h, VHOST_SET_VRING_ENABLE, 0, 1);
	ring_harness_wait_used(&h.ring, 1);
	harness_free(&h);
}

/* Neither kick nor call: both sides look. */
CASE(ring__polled)
{
	uint64_t none = VHOST_RING_NO_FD;
	struct vhost_harness h;

	(void)tc;
	start(&h, NULL);
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	harness_memory(&h);
	harness_ring(&h, 0, 0);
	harness_send(&h, VHOST_SET_VRING_KICK, &none, sizeof(none), NULL, 0);
	harness_send(&h, VHOST_SET_VRING_CALL, &none, sizeof(none), NULL, 0);
	harness_send(&h, VHOST_SET_VRING_ERR, &none, sizeof(none), NULL, 0);
	harness_sync(&h);
	(void)ring_harness_irqs(&h.ring);
	harness_write_and_read(&h, 3);
	ATF_CHECK_EQ(0, ring_harness_irqs(&h.ring));
	harness_free(&h);
}

/*
 * What was published with nobody to signal, or was signalled to a descriptor
 * that the front-end does not look at any more, is told to the new one: a
 * front-end may start a ring first.
 */
CASE(ring__call_that_comes_late)
{
	uint64_t none = VHOST_RING_NO_FD, zero = 0;
	struct vhost_harness h;
	int call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	eventfd_t n;

	(void)tc;
	ATF_REQUIRE(call != -1);
	start(&h, NULL);
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	harness_memory(&h);
	harness_ring(&h, 0, 0);
	harness_send(&h, VHOST_SET_VRING_CALL, &none, sizeof(none), NULL, 0);
	harness_sync(&h);
	harness_write_and_read(&h, 3);
	harness_send(&h, VHOST_SET_VRING_CALL, &zero, sizeof(zero), &call, 1);
	harness_sync(&h);
	ATF_CHECK_EQ(0, eventfd_read(call, &n));
	/* A ring that was stands still has nothing to tell. */
	(void)harness_base(&h);
	harness_send(&h, VHOST_SET_VRING_CALL, &zero, sizeof(zero), &call, 1);
	harness_sync(&h);
	ATF_CHECK_EQ(-1, eventfd_read(call, &n));
	close(call);
	harness_free(&h);
}

/* What the guest does wrong in a ring is said, and closes nothing. */
CASE(ring__corrupt)
{
	struct vhost_harness h;
	eventfd_t errors;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	harness_go_live(&h);
	harness_write_and_read(&h, 3);
	ring_harness_offer(&h.ring, HARNESS_NUM);	/* no such head */
	ring_harness_kick(&h.ring);
	harness_wait_said("ring 0 is not served: it is corrupt");
	ATF_CHECK_EQ(0, eventfd_read(h.errfd, &errors));
	harness_sync(&h);
	/* As after a reset by the driver. */
	(void)harness_base(&h);
	shared_store(&h.ring.avail->g_idx, 0);
	shared_store(&h.ring.used->g_idx, 0);
	h.ring.avail_idx = h.ring.used_idx = 0;
	harness_ring(&h, 0, 0);
	harness_write_and_read(&h, 4);
	harness_free(&h);
}

/* Lengths and addresses that a guest may have chosen. */
CASE(ring__set_up_badly)
{
	static const struct {
		uint32_t	num;
		uint64_t	desc;
	} bad[] = {
		{ 0, RING_DESC_GPA }, { 100, RING_DESC_GPA },
		{ HARNESS_NUM, RING_DESC_GPA + 1 },
		{ HARNESS_NUM, RING_MEMORY - 16 },
		{ HARNESS_NUM, RING_MEMORY + 4096 },
	};
	struct vhost_harness h;
	size_t i;

	(void)tc;
	start(&h, NULL);
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	harness_memory(&h);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		h.ring.setup.num = (uint16_t)bad[i].num;
		h.ring.setup.desc = bad[i].desc;
		harness_ring(&h, 0, 0);
		ATF_CHECK_EQ(0, harness_base(&h));
	}
	h.ring.setup.num = HARNESS_NUM;
	h.ring.setup.desc = RING_DESC_GPA;
	harness_ring(&h, 0, 0);
	harness_write_and_read(&h, 4);
	harness_free(&h);
}

/* The ring had been in use, with another back-end or another driver. */
CASE(ring__starts_at_its_base)
{
	struct vhost_harness h;

	(void)tc;
	harness_make(&h);
	h.ring.avail_idx = h.ring.used_idx = 65530;
	shared_store(&h.ring.avail->g_idx, 65530);
	shared_store(&h.ring.used->g_idx, 65530);
	harness_spawn(&h, NULL);
	harness_connect(&h);
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	harness_memory(&h);
	harness_ring(&h, 0, 65530);
	harness_write_and_read(&h, 1);
	harness_write_and_read(&h, 2);
	harness_write_and_read(&h, 3);
	harness_write_and_read(&h, 4);
	ATF_CHECK_EQ(2, harness_base(&h));
	harness_free(&h);
}

CASE(device__reset)
{
	struct vhost_harness h;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	harness_go_live(&h);
	harness_write_and_read(&h, 1);
	harness_send(&h, VHOST_RESET_DEVICE, NULL, 0, NULL, 0);
	ring_harness_request(&h.ring, 0, VIRTIO_BLK_T_OUT, 0, 512);
	harness_sync(&h);
	shared_store(&h.ring.avail->g_idx, 0);
	shared_store(&h.ring.used->g_idx, 0);
	h.ring.avail_idx = h.ring.used_idx = 0;
	harness_tell_u64(&h, VHOST_SET_FEATURES, HARNESS_FEATURES);
	harness_ring(&h, 0, 0);
	harness_write_and_read(&h, 2);
	harness_free(&h);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, messages__questions);
	ATF_TP_ADD_TC(tp, messages__reply_when_needed);
	ATF_TP_ADD_TC(tp, config__read_and_written);
	ATF_TP_ADD_TC(tp, config__write_through_survives_a_kill);
	ATF_TP_ADD_TC(tp, ring__enabled_without_protocol_features);
	ATF_TP_ADD_TC(tp, ring__disabled_stands_still);
	ATF_TP_ADD_TC(tp, ring__polled);
	ATF_TP_ADD_TC(tp, ring__call_that_comes_late);
	ATF_TP_ADD_TC(tp, ring__corrupt);
	ATF_TP_ADD_TC(tp, ring__set_up_badly);
	ATF_TP_ADD_TC(tp, ring__starts_at_its_base);
	ATF_TP_ADD_TC(tp, device__reset);
	ATF_TP_ADD_TC(tp, disk__serves_requests);
	ATF_TP_ADD_TC(tp, disk__on_its_processor);
	ATF_TP_ADD_TC(tp, disk__discards);
	ATF_TP_ADD_TC(tp, connect__again_and_again);
	return atf_no_error();
}
