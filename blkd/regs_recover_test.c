/* SPDX-License-Identifier: ISC */
/* blkd/regs_recover: a successor and the state that it finds. */
#include <string.h>

#include "blkd/regs_fixture.h"

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))
#define STATUS		VIRTIO_MMIO_STATUS

ATF_TC_WITHOUT_HEAD(regs__successor_goes_on_where_the_dead_one_was);
ATF_TC_BODY(regs__successor_goes_on_where_the_dead_one_was, tc)
{
	struct fixture f;
	struct queue *q;

	fixture_make(&f);
	fixture_go_live(&f, 64, F_BASE | FEATURE(VIRTIO_BLK_F_CONFIG_WCE));
	regs_write(f.regs, VIRTIO_MMIO_CONFIG + 32, 1, 0);
	fixture_kill(&f);
	f.disk.writeback = 1;
	fixture_attach(&f, 1);
	ATF_CHECK_EQ(S_LIVE, fixture_get(&f, STATUS));
	ATF_CHECK_EQ(1, fixture_get(&f, VIRTIO_MMIO_QUEUE_READY));
	ATF_CHECK_EQ(0, f.disk.writeback);
	q = queue_double_at(1);
	ATF_CHECK_EQ(1, q->starts);
	ATF_CHECK(q->recover);
	ATF_CHECK_EQ(64, q->setup.num);
	ATF_CHECK_EQ(0x2a000, q->setup.device);
	ATF_CHECK_EQ(1, fixture_counter(&f, COUNTER_RESPAWNS));
	ATF_CHECK_EQ(0, fixture_counter(&f, COUNTER_RESETS));
	ATF_CHECK_EQ(2, f.disk.state->device.s_attached);
	ATF_CHECK_EQ(0, fixture_irqs(&f));
	fixture_free(&f);
}

/* Killed after each step of a driver's start: the driver goes on. */
ATF_TC_WITHOUT_HEAD(regs__kill_at_any_step_of_the_start_is_not_seen);
ATF_TC_BODY(regs__kill_at_any_step_of_the_start_is_not_seen, tc)
{
	static const struct {
		uint32_t	offset;
		uint32_t	value;
	} writes[] = {
		{ STATUS, S_ACK }, { STATUS, S_NEGOTIATE },
		{ VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1 },
		{ VIRTIO_MMIO_DRIVER_FEATURES, 1 },
		{ STATUS, S_QUEUES },
		{ VIRTIO_MMIO_QUEUE_SEL, 1 }, { VIRTIO_MMIO_QUEUE_NUM, 32 },
		{ VIRTIO_MMIO_QUEUE_DESC_LOW, 0x1000 },
		{ VIRTIO_MMIO_QUEUE_AVAIL_LOW, 0x2000 },
		{ VIRTIO_MMIO_QUEUE_USED_LOW, 0x3000 },
		{ VIRTIO_MMIO_QUEUE_READY, 1 }, { STATUS, S_LIVE },
	};
	struct fixture f;
	size_t killed, i;

	for (killed = 0; killed < NITEMS(writes); killed++) {
		fixture_make(&f);
		for (i = 0; i < NITEMS(writes); i++) {
			fixture_put(&f, writes[i].offset, writes[i].value);
			if (i != killed)
				continue;
			fixture_kill(&f);
			fixture_attach(&f, 1);
			/* The vm process repeats what was not answered. */
			fixture_put(&f, writes[i].offset, writes[i].value);
		}
		ATF_CHECK_EQ_MSG(S_LIVE, fixture_get(&f, STATUS), "%zu",
		    killed);
		ATF_CHECK_EQ(1, queue_double_at(1)->starts);
		ATF_CHECK_EQ(32, queue_double_at(1)->setup.num);
		ATF_CHECK_EQ(0x3000, queue_double_at(1)->setup.device);
		fixture_free(&f);
	}
}

ATF_TC_WITHOUT_HEAD(regs__unfinished_reset_is_finished_without_replay);
ATF_TC_BODY(regs__unfinished_reset_is_finished_without_replay, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_go_live(&f, 16, F_BASE);
	queue_double_at(0)->busy = true;
	f.disk.state->queue[0].s_inflight[3] = state_inflight_word(1, 0, 1);
	fixture_put(&f, STATUS, 0);
	doorbell_raise(f.disk.doorbell, DOORBELL_USED);
	fixture_kill(&f);
	ATF_CHECK_EQ(0, fixture_attach(&f, 1));
	ATF_CHECK_EQ(0, fixture_get(&f, STATUS));
	ATF_CHECK_EQ(0, queue_double_at(0)->starts);
	ATF_CHECK_EQ(0, f.disk.state->queue[0].s_inflight[3]);
	ATF_CHECK_EQ(0, f.disk.state->device.s_resetting);
	ATF_CHECK_EQ(0, fixture_get(&f, VIRTIO_MMIO_INTERRUPT_STATUS));
	ATF_CHECK_EQ(1, fixture_get(&f, VIRTIO_MMIO_CONFIG_GENERATION));
	/* The write is repeated: that is the reset that counts. */
	ATF_CHECK_EQ(0, fixture_counter(&f, COUNTER_RESETS));
	fixture_put(&f, STATUS, 0);
	ATF_CHECK_EQ(1, fixture_counter(&f, COUNTER_RESETS));
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__poisoned_queue_stays_untouched);
ATF_TC_BODY(regs__poisoned_queue_stays_untouched, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_go_live(&f, 16, F_BASE);
	queue_double_become(queue_double_at(0), QUEUE_POISONED);
	regs_update(f.regs);
	doorbell_ack(f.disk.doorbell, DOORBELL_BITS);
	fixture_irqs(&f);
	fixture_kill(&f);
	fixture_attach(&f, 1);
	ATF_CHECK_EQ(S_LIVE | S_NEEDS_RESET, fixture_get(&f, STATUS));
	ATF_CHECK_EQ(0, queue_double_at(0)->starts);
	ATF_CHECK_EQ(1, queue_double_at(1)->starts);
	ATF_CHECK_EQ(0, fixture_irqs(&f));
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__poison_cut_short_is_told_by_the_successor);
ATF_TC_BODY(regs__poison_cut_short_is_told_by_the_successor, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_go_live(&f, 16, F_BASE);
	f.disk.state->queue[1].s_poisoned = 1;
	fixture_kill(&f);
	fixture_attach(&f, 1);
	ATF_CHECK_EQ(S_LIVE | S_NEEDS_RESET, fixture_get(&f, STATUS));
	ATF_CHECK_EQ(DOORBELL_CONFIG,
	    fixture_get(&f, VIRTIO_MMIO_INTERRUPT_STATUS));
	ATF_CHECK(fixture_irqs(&f) >= 1);
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__raised_bit_without_irq_is_signalled_again);
ATF_TC_BODY(regs__raised_bit_without_irq_is_signalled_again, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_go_live(&f, 16, F_BASE);
	doorbell_raise(f.disk.doorbell, DOORBELL_CONFIG);
	fixture_kill(&f);
	fixture_attach(&f, 1);
	ATF_CHECK_EQ(1, fixture_irqs(&f));
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__capacity_that_changed_in_between_is_told);
ATF_TC_BODY(regs__capacity_that_changed_in_between_is_told, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_go_live(&f, 16, F_BASE);
	fixture_kill(&f);
	f.disk.sectors = 2 * FIXTURE_SECTORS;
	fixture_attach(&f, 1);
	ATF_CHECK_EQ(1, fixture_get(&f, VIRTIO_MMIO_CONFIG_GENERATION));
	ATF_CHECK_EQ(DOORBELL_CONFIG,
	    fixture_get(&f, VIRTIO_MMIO_INTERRUPT_STATUS));
	ATF_CHECK_EQ(2 * FIXTURE_SECTORS, f.disk.state->device.s_capacity);
	fixture_free(&f);
}

/* --- a hostile state --------------------------------------------------- */

struct hostile {
	const char	*name;
	void		(*spoil)(struct state *);
	uint32_t	 then;		/* status */
	unsigned	 starts[2];	/* of the queues */
};

#define SPOIL(name, ...) \
	static void name(struct state *s) { __VA_ARGS__; }

SPOIL(spoil_nothing, (void)s)
SPOIL(spoil_all, memset(&s->device, 0xff, sizeof(s->device));
    memset(s->queue, 0xff, sizeof(s->queue));
    s->device.s_resetting = 0)
SPOIL(spoil_status, s->device.s_status = S_NEGOTIATE | S_DRIVER_OK)
SPOIL(spoil_status_bit, s->device.s_status |= 0x10000)
SPOIL(spoil_version, s->device.s_driver_features[1] = 0)
SPOIL(spoil_features, s->device.s_driver_features[0] = UINT32_MAX)
SPOIL(spoil_num, s->queue[0].s_num = 17)
SPOIL(spoil_big_num, s->queue[0].s_num = 2 * FIXTURE_NUM_MAX)
SPOIL(spoil_desc, s->queue[1].s_desc[1] = 1)
SPOIL(spoil_used, s->queue[1].s_device[0] = FIXTURE_MEMORY - 4)
SPOIL(spoil_early, s->device.s_status = S_NEGOTIATE)
SPOIL(spoil_sel, s->device.s_queue_sel = UINT32_MAX;
    s->device.s_device_features_sel = UINT32_MAX;
    s->device.s_driver_features_sel = UINT32_MAX)
SPOIL(spoil_ready, s->queue[0].s_ready = 0xabcdef)
SPOIL(spoil_reset, s->device.s_resetting = 0xabcdef)
SPOIL(spoil_unused_queue, memset(&s->queue[FIXTURE_QUEUES], 0xff,
    sizeof(s->queue[0])))

#define BROKEN	(S_LIVE | S_NEEDS_RESET)

static const struct hostile hostiles[] = {
	{ "nothing", spoil_nothing, S_LIVE, { 1, 1 } },
	{ "all of it", spoil_all, BROKEN | S_FAILED, { 0, 0 } },
	{ "status without features ok", spoil_status,
	    S_NEGOTIATE | S_NEEDS_RESET, { 0, 0 } },
	{ "unknown status bit", spoil_status_bit, BROKEN, { 0, 0 } },
	{ "no VERSION_1", spoil_version, BROKEN, { 0, 0 } },
	{ "features not offered", spoil_features, BROKEN, { 0, 0 } },
	{ "queue size", spoil_num, BROKEN, { 0, 1 } },
	{ "queue size too big", spoil_big_num, BROKEN, { 0, 1 } },
	{ "descriptors not in memory", spoil_desc, BROKEN, { 1, 0 } },
	{ "used ring over the end", spoil_used, BROKEN, { 1, 0 } },
	{ "ready before features ok", spoil_early, S_NEGOTIATE, { 0, 0 } },
	{ "selectors", spoil_sel, S_LIVE, { 1, 1 } },
	{ "ready is a flag", spoil_ready, S_LIVE, { 1, 1 } },
	{ "resetting is a flag", spoil_reset, 0, { 0, 0 } },
	{ "a queue that the disk has not", spoil_unused_queue, S_LIVE,
	    { 1, 1 } },
};

ATF_TC_WITHOUT_HEAD(regs__hostile_state_needs_reset_and_heals);
ATF_TC_BODY(regs__hostile_state_needs_reset_and_heals, tc)
{
	const struct hostile *h;
	struct fixture f;
	unsigned i;

	for (h = hostiles; h < hostiles + NITEMS(hostiles); h++) {
		fixture_make(&f);
		fixture_go_live(&f, 16, F_BASE);
		fixture_kill(&f);
		h->spoil(f.disk.state);
		fixture_attach(&f, 1);
		ATF_CHECK_EQ_MSG(h->then, fixture_get(&f, STATUS),
		    "%s: %#x", h->name, fixture_get(&f, STATUS));
		for (i = 0; i < 2; i++)
			ATF_CHECK_EQ_MSG(h->starts[i],
			    queue_double_at(i)->starts, "%s: queue %u",
			    h->name, i);
		/* The next one finds what the first has made of it. */
		fixture_kill(&f);
		fixture_attach(&f, 2);
		ATF_CHECK_EQ_MSG(h->then, fixture_get(&f, STATUS), "%s again",
		    h->name);
		/* A driver that resets has a working disk. */
		fixture_put(&f, STATUS, 0);
		fixture_go_live(&f, 32, F_BASE);
		fixture_free(&f);
	}
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, regs__successor_goes_on_where_the_dead_one_was);
	ATF_TP_ADD_TC(tp, regs__kill_at_any_step_of_the_start_is_not_seen);
	ATF_TP_ADD_TC(tp, regs__unfinished_reset_is_finished_without_replay);
	ATF_TP_ADD_TC(tp, regs__poisoned_queue_stays_untouched);
	ATF_TP_ADD_TC(tp, regs__poison_cut_short_is_told_by_the_successor);
	ATF_TP_ADD_TC(tp, regs__raised_bit_without_irq_is_signalled_again);
	ATF_TP_ADD_TC(tp, regs__capacity_that_changed_in_between_is_told);
	ATF_TP_ADD_TC(tp, regs__hostile_state_needs_reset_and_heals);
	return atf_no_error();
}
