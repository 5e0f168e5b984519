/* SPDX-License-Identifier: ISC */
/* blkd/regs_status: the climb, reset, a corrupt ring, pause. */
#include <string.h>

#include "blkd/regs_fixture.h"

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))
#define STATUS		VIRTIO_MMIO_STATUS

/* --- the climb --------------------------------------------------------- */

struct climb_case {
	const char	*name;
	uint32_t	 from;		/* reached step by step */
	uint32_t	 write;
	uint32_t	 then;
};

static const struct climb_case climbs[] = {
	{ "acknowledge", 0, S_ACK, S_ACK },
	{ "acknowledge and driver at once", 0, S_NEGOTIATE, S_NEGOTIATE },
	{ "driver", S_ACK, S_NEGOTIATE, S_NEGOTIATE },
	{ "features ok", S_NEGOTIATE, S_QUEUES, S_QUEUES },
	{ "driver ok", S_QUEUES, S_LIVE, S_LIVE },
	{ "driver without acknowledge", 0, S_DRIVER, 0 },
	{ "features ok from nothing", 0, S_QUEUES, 0 },
	{ "features ok after acknowledge", S_ACK, S_QUEUES, S_ACK },
	{ "features ok and driver ok at once", S_NEGOTIATE, S_LIVE,
	    S_NEGOTIATE },
	{ "driver ok without features ok", S_NEGOTIATE,
	    S_NEGOTIATE | S_DRIVER_OK, S_NEGOTIATE },
	{ "everything at once", 0, S_LIVE, 0 },
	{ "unknown bit", S_ACK, S_NEGOTIATE | 0x10, S_ACK },
	{ "high bit", S_ACK, S_NEGOTIATE | 0x100, S_ACK },
	{ "rewrite", S_NEGOTIATE, S_NEGOTIATE, S_NEGOTIATE },
	{ "rewrite live", S_LIVE, S_LIVE, S_LIVE },
	{ "clear driver", S_NEGOTIATE, S_ACK, S_NEGOTIATE },
	{ "clear features ok", S_QUEUES, S_NEGOTIATE, S_QUEUES },
	{ "clear acknowledge", S_NEGOTIATE, S_DRIVER, S_NEGOTIATE },
	{ "clear all but driver ok", S_LIVE, S_DRIVER_OK, S_LIVE },
	{ "needs reset is the device's", S_LIVE, S_LIVE | S_NEEDS_RESET,
	    S_LIVE },
	{ "failed from nothing", 0, S_FAILED, S_FAILED },
	{ "failed", S_NEGOTIATE, S_NEGOTIATE | S_FAILED,
	    S_NEGOTIATE | S_FAILED },
	{ "failed alone keeps the rest", S_LIVE, S_FAILED,
	    S_LIVE | S_FAILED },
	{ "failed with a step takes no step", S_ACK, S_NEGOTIATE | S_FAILED,
	    S_ACK | S_FAILED },
	{ "reset from nothing", 0, 0, 0 },
	{ "reset", S_LIVE, 0, 0 },
};

ATF_TC_WITHOUT_HEAD(regs__status_climbs_step_by_step);
ATF_TC_BODY(regs__status_climbs_step_by_step, tc)
{
	const struct climb_case *c;
	struct fixture f;

	for (c = climbs; c < climbs + NITEMS(climbs); c++) {
		fixture_make(&f);
		fixture_climb(&f, c->from, F_BASE);
		ATF_REQUIRE_EQ_MSG(c->from, fixture_get(&f, STATUS), "%s",
		    c->name);
		fixture_put(&f, STATUS, c->write);
		ATF_CHECK_EQ_MSG(c->then, fixture_get(&f, STATUS), "%s: %#x",
		    c->name, fixture_get(&f, STATUS));
		ATF_CHECK_EQ(c->then, f.disk.state->device.s_status);
		fixture_free(&f);
	}
}

ATF_TC_WITHOUT_HEAD(regs__status_failed_ends_in_reset_alone);
ATF_TC_BODY(regs__status_failed_ends_in_reset_alone, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_put(&f, STATUS, S_ACK | S_FAILED);
	fixture_put(&f, STATUS, S_ACK);
	fixture_put(&f, STATUS, S_ACK | S_FAILED);
	fixture_put(&f, STATUS, S_NEGOTIATE | S_FAILED);
	ATF_CHECK_EQ(S_FAILED, fixture_get(&f, STATUS));
	fixture_put(&f, STATUS, 0);
	fixture_climb(&f, S_LIVE, F_BASE);
	ATF_CHECK_EQ(S_LIVE, fixture_get(&f, STATUS));
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__features_ok_sticks_to_an_offered_subset);
ATF_TC_BODY(regs__features_ok_sticks_to_an_offered_subset, tc)
{
	struct fixture f;
	uint64_t offered, features;
	unsigned bit;

	fixture_make(&f);
	offered = features_offered(&f.disk);
	for (bit = 0; bit < 64; bit++) {
		features = FEATURE(VIRTIO_F_VERSION_1) | FEATURE(bit);
		fixture_put(&f, STATUS, 0);
		fixture_climb(&f, S_QUEUES, features);
		ATF_CHECK_EQ_MSG(offered & FEATURE(bit) ? S_QUEUES :
		    S_NEGOTIATE, fixture_get(&f, STATUS), "bit %u", bit);
	}
	fixture_put(&f, STATUS, 0);
	fixture_climb(&f, S_QUEUES, offered);
	ATF_CHECK_EQ(S_QUEUES, fixture_get(&f, STATUS));
	fixture_put(&f, STATUS, 0);
	fixture_climb(&f, S_QUEUES, offered & ~FEATURE(VIRTIO_F_VERSION_1));
	ATF_CHECK_EQ(S_NEGOTIATE, fixture_get(&f, STATUS));
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__features_can_be_mended_before_features_ok);
ATF_TC_BODY(regs__features_can_be_mended_before_features_ok, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_climb(&f, S_QUEUES, 0);
	ATF_CHECK_EQ(S_NEGOTIATE, fixture_get(&f, STATUS));
	/* A selector out of range: dropped. */
	fixture_put(&f, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 2);
	fixture_put(&f, VIRTIO_MMIO_DRIVER_FEATURES, UINT32_MAX);
	fixture_put(&f, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	fixture_put(&f, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	fixture_put(&f, STATUS, S_QUEUES);
	ATF_CHECK_EQ(S_QUEUES, fixture_get(&f, STATUS));
	ATF_CHECK_EQ(1, f.disk.state->device.s_driver_features[1]);
	ATF_CHECK_EQ(0, f.disk.state->device.s_driver_features[0]);
	fixture_free(&f);
}

/* --- reset ------------------------------------------------------------- */

ATF_TC_WITHOUT_HEAD(regs__reset_clears_the_registers);
ATF_TC_BODY(regs__reset_clears_the_registers, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_go_live(&f, 16, F_BASE);
	doorbell_raise(f.disk.doorbell, DOORBELL_BITS);
	fixture_put(&f, STATUS, 0);
	ATF_CHECK(!regs_is_resetting(f.regs));
	ATF_CHECK_EQ(0, fixture_get(&f, STATUS));
	ATF_CHECK_EQ(0, fixture_get(&f, VIRTIO_MMIO_QUEUE_READY));
	ATF_CHECK_EQ(0, fixture_get(&f, VIRTIO_MMIO_INTERRUPT_STATUS));
	ATF_CHECK_EQ(1, fixture_get(&f, VIRTIO_MMIO_CONFIG_GENERATION));
	ATF_CHECK_EQ(1, f.disk.state->device.s_generation);
	ATF_CHECK_EQ(0, f.disk.state->device.s_resetting);
	ATF_CHECK_EQ(0, f.disk.state->queue[1].s_num);
	ATF_CHECK_EQ(1, f.disk.writeback);
	ATF_CHECK_EQ(1, fixture_counter(&f, COUNTER_RESETS));
	ATF_CHECK_EQ(QUEUE_PARKED, queue_double_at(0)->condition);
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__reset_waits_for_io_in_flight);
ATF_TC_BODY(regs__reset_waits_for_io_in_flight, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_go_live(&f, 16, F_BASE);
	queue_double_at(1)->busy = true;
	fixture_put(&f, STATUS, 0);
	ATF_CHECK(regs_is_resetting(f.regs));
	/* A successor would find this, and replay nothing. */
	ATF_CHECK_EQ(1, f.disk.state->device.s_resetting);
	ATF_CHECK_EQ(S_LIVE, f.disk.state->device.s_status);
	regs_update(f.regs);
	ATF_CHECK(regs_is_resetting(f.regs));
	queue_double_become(queue_double_at(1), QUEUE_PARKED);
	regs_update(f.regs);
	ATF_CHECK(!regs_is_resetting(f.regs));
	ATF_CHECK_EQ(0, f.disk.state->device.s_resetting);
	ATF_CHECK_EQ(0, fixture_get(&f, STATUS));
	ATF_CHECK_EQ(1, fixture_counter(&f, COUNTER_RESETS));
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__reset_then_another_queue_size);
ATF_TC_BODY(regs__reset_then_another_queue_size, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_go_live(&f, 16, F_BASE);
	fixture_put(&f, STATUS, 0);
	fixture_go_live(&f, FIXTURE_NUM_MAX, FEATURE(VIRTIO_F_VERSION_1));
	ATF_CHECK_EQ(2, queue_double_at(0)->starts);
	ATF_CHECK_EQ(FIXTURE_NUM_MAX, queue_double_at(0)->setup.num);
	ATF_CHECK(!queue_double_at(0)->recover);
	ATF_CHECK_EQ(FEATURE(VIRTIO_F_VERSION_1),
	    queue_double_at(0)->setup.features);
	ATF_CHECK_EQ(0, f.disk.writeback);
	fixture_free(&f);
}

/* --- a corrupt ring ---------------------------------------------------- */

ATF_TC_WITHOUT_HEAD(regs__corrupt_ring_needs_reset_with_one_interrupt);
ATF_TC_BODY(regs__corrupt_ring_needs_reset_with_one_interrupt, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_go_live(&f, 16, F_BASE);
	queue_double_become(queue_double_at(1), QUEUE_POISONED);
	regs_update(f.regs);
	ATF_CHECK_EQ(S_LIVE | S_NEEDS_RESET, fixture_get(&f, STATUS));
	ATF_CHECK_EQ(DOORBELL_CONFIG,
	    fixture_get(&f, VIRTIO_MMIO_INTERRUPT_STATUS));
	ATF_CHECK_EQ(1, fixture_irqs(&f));
	ATF_CHECK_EQ(1, f.disk.state->queue[1].s_poisoned);
	/* Told once: neither the next look nor the next queue tells again. */
	regs_update(f.regs);
	queue_double_become(queue_double_at(0), QUEUE_POISONED);
	regs_update(f.regs);
	ATF_CHECK_EQ(0, fixture_irqs(&f));
	fixture_put(&f, VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	ATF_CHECK_EQ(0, queue_double_at(1)->kicks);
	/* The driver may say what it sees; that changes nothing. */
	fixture_put(&f, STATUS, S_LIVE | S_NEEDS_RESET);
	fixture_put(&f, STATUS, S_LIVE);
	ATF_CHECK_EQ(S_LIVE | S_NEEDS_RESET, fixture_get(&f, STATUS));
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__reset_heals_a_corrupt_ring);
ATF_TC_BODY(regs__reset_heals_a_corrupt_ring, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_go_live(&f, 16, F_BASE);
	queue_double_become(queue_double_at(0), QUEUE_POISONED);
	regs_update(f.regs);
	fixture_put(&f, STATUS, 0);
	ATF_CHECK_EQ(0, fixture_get(&f, STATUS));
	ATF_CHECK_EQ(0, f.disk.state->queue[0].s_poisoned);
	/* What the queue still says is of before: nobody asks. */
	regs_update(f.regs);
	ATF_CHECK_EQ(0, fixture_get(&f, STATUS));
	fixture_go_live(&f, 32, F_BASE);
	regs_update(f.regs);
	ATF_CHECK_EQ(S_LIVE, fixture_get(&f, STATUS));
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__ring_corrupted_during_reset_is_not_told);
ATF_TC_BODY(regs__ring_corrupted_during_reset_is_not_told, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_go_live(&f, 16, F_BASE);
	queue_double_at(0)->busy = true;
	fixture_put(&f, STATUS, 0);
	queue_double_become(queue_double_at(0), QUEUE_POISONED);
	regs_update(f.regs);
	ATF_CHECK(!regs_is_resetting(f.regs));
	ATF_CHECK_EQ(0, fixture_get(&f, STATUS));
	ATF_CHECK_EQ(0, fixture_irqs(&f));
	fixture_free(&f);
}

/* --- pause ------------------------------------------------------------- */

ATF_TC_WITHOUT_HEAD(regs__pause_parks_and_resume_goes_on);
ATF_TC_BODY(regs__pause_parks_and_resume_goes_on, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_go_live(&f, 16, F_BASE);
	queue_double_at(0)->busy = true;
	regs_pause(f.regs);
	ATF_CHECK(!regs_is_quiet(f.regs));
	queue_double_become(queue_double_at(0), QUEUE_PARKED);
	ATF_CHECK(regs_is_quiet(f.regs));
	ATF_CHECK_EQ(S_LIVE, fixture_get(&f, STATUS));
	regs_resume(f.regs);
	ATF_CHECK_EQ(QUEUE_RUNNING, queue_double_at(0)->condition);
	ATF_CHECK_EQ(QUEUE_RUNNING, queue_double_at(1)->condition);
	ATF_CHECK_EQ(1, queue_double_at(0)->starts);
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__driver_ok_while_paused_starts_on_resume);
ATF_TC_BODY(regs__driver_ok_while_paused_starts_on_resume, tc)
{
	struct fixture f;

	fixture_make(&f);
	regs_pause(f.regs);
	fixture_go_live(&f, 16, F_BASE);
	ATF_CHECK(regs_is_quiet(f.regs));
	ATF_CHECK_EQ(0, queue_double_at(0)->starts);
	regs_resume(f.regs);
	ATF_CHECK_EQ(1, queue_double_at(0)->starts);
	ATF_CHECK_EQ(QUEUE_RUNNING, queue_double_at(1)->condition);
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__reset_while_paused_stays_paused);
ATF_TC_BODY(regs__reset_while_paused_stays_paused, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_go_live(&f, 16, F_BASE);
	regs_pause(f.regs);
	fixture_put(&f, STATUS, 0);
	ATF_CHECK(!regs_is_resetting(f.regs));
	fixture_go_live(&f, 32, F_BASE);
	ATF_CHECK(regs_is_quiet(f.regs));
	regs_resume(f.regs);
	ATF_CHECK_EQ(2, queue_double_at(0)->starts);
	ATF_CHECK_EQ(32, queue_double_at(0)->setup.num);
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__resume_during_reset_leaves_queues_parked);
ATF_TC_BODY(regs__resume_during_reset_leaves_queues_parked, tc)
{
	struct fixture f;

	fixture_make(&f);
	fixture_go_live(&f, 16, F_BASE);
	queue_double_at(0)->busy = true;
	regs_pause(f.regs);
	fixture_put(&f, STATUS, 0);
	regs_resume(f.regs);
	ATF_CHECK(regs_is_resetting(f.regs));
	ATF_CHECK_EQ(0, queue_double_at(0)->resumes);
	ATF_CHECK_EQ(0, queue_double_at(1)->resumes);
	queue_double_become(queue_double_at(0), QUEUE_PARKED);
	regs_update(f.regs);
	ATF_CHECK(!regs_is_resetting(f.regs));
	fixture_free(&f);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, regs__status_climbs_step_by_step);
	ATF_TP_ADD_TC(tp, regs__status_failed_ends_in_reset_alone);
	ATF_TP_ADD_TC(tp, regs__features_ok_sticks_to_an_offered_subset);
	ATF_TP_ADD_TC(tp, regs__features_can_be_mended_before_features_ok);
	ATF_TP_ADD_TC(tp, regs__reset_clears_the_registers);
	ATF_TP_ADD_TC(tp, regs__reset_waits_for_io_in_flight);
	ATF_TP_ADD_TC(tp, regs__reset_then_another_queue_size);
	ATF_TP_ADD_TC(tp, regs__corrupt_ring_needs_reset_with_one_interrupt);
	ATF_TP_ADD_TC(tp, regs__reset_heals_a_corrupt_ring);
	ATF_TP_ADD_TC(tp, regs__ring_corrupted_during_reset_is_not_told);
	ATF_TP_ADD_TC(tp, regs__pause_parks_and_resume_goes_on);
	ATF_TP_ADD_TC(tp, regs__driver_ok_while_paused_starts_on_resume);
	ATF_TP_ADD_TC(tp, regs__reset_while_paused_stays_paused);
	ATF_TP_ADD_TC(tp, regs__resume_during_reset_leaves_queues_parked);
	return atf_no_error();
}
