/* SPDX-License-Identifier: ISC */
/* blkd/regs_queue: the queue registers, and what makes a queue ready. */
#include <string.h>

#include "blkd/regs_fixture.h"

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))
#define END		((uint32_t)FIXTURE_MEMORY)

struct layout {
	const char	*name;
	uint32_t	 num;
	uint32_t	 desc[2];	/* low, high */
	uint32_t	 driver[2];
	uint32_t	 device[2];
	bool		 ready;
};

/* Ring bytes of 16 entries: 256, 38 and 134. */
static const struct layout layouts[] = {
	{ "sound", 16, { 0x1000 }, { 0x2000 }, { 0x3000 }, true },
	{ "at address 0", 16, { 0 }, { 0x2000 }, { 0x3000 }, true },
	{ "one entry", 1, { 0x1000 }, { 0x2000 }, { 0x3000 }, true },
	{ "all entries", FIXTURE_NUM_MAX, { 0x1000 }, { 0x2000 },
	    { 0x3000 }, true },
	{ "no entries", 0, { 0x1000 }, { 0x2000 }, { 0x3000 }, false },
	{ "no power of two", 24, { 0x1000 }, { 0x2000 }, { 0x3000 }, false },
	{ "too many", FIXTURE_NUM_MAX * 2, { 0x1000 }, { 0x4000 },
	    { 0x8000 }, false },
	{ "many too many", 0x80000000, { 0x1000 }, { 0x2000 }, { 0x3000 },
	    false },
	{ "16 bits are not enough", 0x10010, { 0x1000 }, { 0x2000 },
	    { 0x3000 }, false },

	{ "descriptors misaligned", 16, { 0x1008 }, { 0x2000 }, { 0x3000 },
	    false },
	{ "driver ring aligned to 2", 16, { 0x1000 }, { 0x2002 }, { 0x3000 },
	    true },
	{ "driver ring misaligned", 16, { 0x1000 }, { 0x2001 }, { 0x3000 },
	    false },
	{ "device ring aligned to 4", 16, { 0x1000 }, { 0x2000 }, { 0x3004 },
	    true },
	{ "device ring misaligned", 16, { 0x1000 }, { 0x2000 }, { 0x3002 },
	    false },

	{ "descriptors to the end", 16, { END - 256 }, { 0x2000 },
	    { 0x3000 }, true },
	{ "descriptors over the end", 16, { END - 240 }, { 0x2000 },
	    { 0x3000 }, false },
	{ "driver ring to the end", 16, { 0x1000 }, { END - 38 }, { 0x3000 },
	    true },
	{ "used_event over the end", 16, { 0x1000 }, { END - 36 },
	    { 0x3000 }, false },
	{ "device ring nearly to the end", 16, { 0x1000 }, { 0x2000 },
	    { END - 136 }, true },
	{ "avail_event over the end", 16, { 0x1000 }, { 0x2000 },
	    { END - 132 }, false },
	{ "past the end", 16, { END }, { 0x2000 }, { 0x3000 }, false },
	{ "above 4 GiB, not there", 16, { 0x1000, 1 }, { 0x2000 },
	    { 0x3000 }, false },
	{ "wraps", 16, { 0xfffffff0, 0xffffffff }, { 0x2000 }, { 0x3000 },
	    false },
	{ "driver ring wraps", 16, { 0x1000 }, { 0xfffffffe, 0xffffffff },
	    { 0x3000 }, false },
	{ "device ring wraps", 16, { 0x1000 }, { 0x2000 },
	    { 0xfffffffc, 0xffffffff }, false },
	{ "in the hole", 16, { 0x1000 }, { 0xd0000000 }, { 0x3000 }, false },
};

static void
put_layout(struct fixture *f, const struct layout *l)
{
	fixture_put(f, VIRTIO_MMIO_QUEUE_NUM, l->num);
	fixture_put(f, VIRTIO_MMIO_QUEUE_DESC_LOW, l->desc[0]);
	fixture_put(f, VIRTIO_MMIO_QUEUE_DESC_HIGH, l->desc[1]);
	fixture_put(f, VIRTIO_MMIO_QUEUE_AVAIL_LOW, l->driver[0]);
	fixture_put(f, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, l->driver[1]);
	fixture_put(f, VIRTIO_MMIO_QUEUE_USED_LOW, l->device[0]);
	fixture_put(f, VIRTIO_MMIO_QUEUE_USED_HIGH, l->device[1]);
}

ATF_TC_WITHOUT_HEAD(regs__queue_ready_sticks_to_sound_rings);
ATF_TC_BODY(regs__queue_ready_sticks_to_sound_rings, tc)
{
	const struct layout *l;
	struct fixture f;

	fixture_make(&f);
	for (l = layouts; l < layouts + NITEMS(layouts); l++) {
		fixture_put(&f, VIRTIO_MMIO_STATUS, 0);
		fixture_climb(&f, S_QUEUES, F_BASE);
		fixture_put(&f, VIRTIO_MMIO_QUEUE_SEL, 1);
		put_layout(&f, l);
		fixture_put(&f, VIRTIO_MMIO_QUEUE_READY, 1);
		ATF_CHECK_EQ_MSG(l->ready,
		    fixture_get(&f, VIRTIO_MMIO_QUEUE_READY), "%s", l->name);
		ATF_CHECK_EQ(l->ready, f.disk.state->queue[1].s_ready);
	}
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__queue_can_be_mended_and_made_ready);
ATF_TC_BODY(regs__queue_can_be_mended_and_made_ready, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_climb(&f, S_QUEUES, F_BASE);
	fixture_lay_out(&f, 0, 300);
	fixture_put(&f, VIRTIO_MMIO_QUEUE_READY, 1);
	ATF_CHECK_EQ(0, fixture_get(&f, VIRTIO_MMIO_QUEUE_READY));
	fixture_put(&f, VIRTIO_MMIO_QUEUE_NUM, 64);
	fixture_put(&f, VIRTIO_MMIO_QUEUE_READY, 1);
	ATF_CHECK_EQ(1, fixture_get(&f, VIRTIO_MMIO_QUEUE_READY));
	fixture_put(&f, VIRTIO_MMIO_QUEUE_READY, 2);
	ATF_CHECK_EQ(1, fixture_get(&f, VIRTIO_MMIO_QUEUE_READY));
	fixture_put(&f, VIRTIO_MMIO_QUEUE_READY, 0);
	ATF_CHECK_EQ(0, fixture_get(&f, VIRTIO_MMIO_QUEUE_READY));
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__ready_queue_keeps_its_rings);
ATF_TC_BODY(regs__ready_queue_keeps_its_rings, tc)
{
	static const struct layout other = {
		"other", 32, { 0x5000, 7 }, { 0x6000, 7 }, { 0x7000, 7 }, false
	};
	struct state_queue before;
	struct fixture f;

	fixture_make(&f);
	fixture_climb(&f, S_QUEUES, F_BASE);
	fixture_lay_out(&f, 0, 16);
	fixture_put(&f, VIRTIO_MMIO_QUEUE_READY, 1);
	before = f.disk.state->queue[0];
	put_layout(&f, &other);
	ATF_CHECK(memcmp(&before, &f.disk.state->queue[0],
	    sizeof(before)) == 0);
	fixture_put(&f, VIRTIO_MMIO_STATUS, S_LIVE);
	ATF_CHECK_EQ(16, queue_double_at(0)->setup.num);
	ATF_CHECK_EQ(0x10000, queue_double_at(0)->setup.desc);
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__queue_selector_out_of_range);
ATF_TC_BODY(regs__queue_selector_out_of_range, tc)
{
	static const uint32_t sel[] = {
		FIXTURE_QUEUES, PROTO_QUEUES_MAX, 0x80000000, UINT32_MAX
	};
	static struct state before;
	struct fixture f;
	size_t i;

	fixture_make(&f);
	fixture_climb(&f, S_QUEUES, F_BASE);
	for (i = 0; i < NITEMS(sel); i++) {
		fixture_put(&f, VIRTIO_MMIO_QUEUE_SEL, sel[i]);
		memcpy(&before, f.disk.state, sizeof(before));
		put_layout(&f, &layouts[0]);
		fixture_put(&f, VIRTIO_MMIO_QUEUE_READY, 1);
		ATF_CHECK(memcmp(&before, f.disk.state, sizeof(before)) == 0);
		ATF_CHECK_EQ(0, fixture_get(&f, VIRTIO_MMIO_QUEUE_NUM_MAX));
		ATF_CHECK_EQ(0, fixture_get(&f, VIRTIO_MMIO_QUEUE_READY));
	}
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__driver_ok_starts_what_is_ready);
ATF_TC_BODY(regs__driver_ok_starts_what_is_ready, tc)
{
	struct queue *q;
	struct fixture f;

	fixture_make(&f);
	fixture_climb(&f, S_QUEUES, F_BASE);
	fixture_lay_out(&f, 1, 64);
	fixture_put(&f, VIRTIO_MMIO_QUEUE_READY, 1);
	ATF_CHECK_EQ(0, queue_double_at(1)->starts);
	fixture_put(&f, VIRTIO_MMIO_STATUS, S_LIVE);
	fixture_put(&f, VIRTIO_MMIO_STATUS, S_LIVE);
	ATF_CHECK_EQ(0, queue_double_at(0)->starts);
	q = queue_double_at(1);
	ATF_CHECK_EQ(1, q->starts);
	ATF_CHECK(!q->recover);
	ATF_CHECK_EQ(64, q->setup.num);
	ATF_CHECK_EQ(0x20000, q->setup.desc);
	ATF_CHECK_EQ(0x28000, q->setup.driver);
	ATF_CHECK_EQ(0x2a000, q->setup.device);
	ATF_CHECK_EQ(F_BASE, q->setup.features);
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__queue_that_cannot_start_needs_reset);
ATF_TC_BODY(regs__queue_that_cannot_start_needs_reset, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_climb(&f, S_QUEUES, F_BASE);
	fixture_lay_out(&f, 0, 16);
	fixture_put(&f, VIRTIO_MMIO_QUEUE_READY, 1);
	queue_double_at(0)->start_result = -1;
	fixture_put(&f, VIRTIO_MMIO_STATUS, S_LIVE);
	ATF_CHECK_EQ(S_LIVE | S_NEEDS_RESET,
	    fixture_get(&f, VIRTIO_MMIO_STATUS));
	ATF_CHECK_EQ(1, fixture_irqs(&f));
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__notify_kicks_a_running_queue);
ATF_TC_BODY(regs__notify_kicks_a_running_queue, tc)
{
	struct fixture f;

	fixture_make(&f);
	regs_notify(f.regs, 0);
	fixture_go_live(&f, 16, F_BASE);
	fixture_put(&f, VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	regs_notify(f.regs, 1);
	regs_notify(f.regs, FIXTURE_QUEUES);
	regs_notify(f.regs, PROTO_QUEUES_MAX);
	fixture_put(&f, VIRTIO_MMIO_QUEUE_NOTIFY, UINT32_MAX);
	ATF_CHECK_EQ(0, queue_double_at(0)->kicks);
	ATF_CHECK_EQ(2, queue_double_at(1)->kicks);
	fixture_free(&f);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, regs__queue_ready_sticks_to_sound_rings);
	ATF_TP_ADD_TC(tp, regs__queue_can_be_mended_and_made_ready);
	ATF_TP_ADD_TC(tp, regs__ready_queue_keeps_its_rings);
	ATF_TP_ADD_TC(tp, regs__queue_selector_out_of_range);
	ATF_TP_ADD_TC(tp, regs__driver_ok_starts_what_is_ready);
	ATF_TP_ADD_TC(tp, regs__queue_that_cannot_start_needs_reset);
	ATF_TP_ADD_TC(tp, regs__notify_kicks_a_running_queue);
	return atf_no_error();
}
