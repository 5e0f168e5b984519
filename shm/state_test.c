/* SPDX-License-Identifier: ISC */
/* shm/state: shape, reset and throttle slots of the state of a disk. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <atf-c.h>

#include "shm/memfd.h"
#include "shm/state.h"

ATF_TC_WITHOUT_HEAD(state__map_checks_the_head);
ATF_TC_BODY(state__map_checks_the_head, tc)
{
	int fd = state_make(2, 256);
	struct state *s;

	ATF_REQUIRE(fd != -1);
	ATF_REQUIRE((s = state_map(fd, 2, 256)) != NULL);
	ATF_CHECK_ERRNO(EPROTO, state_map(fd, 1, 256) == NULL);
	ATF_CHECK_ERRNO(EPROTO, state_map(fd, 2, 128) == NULL);
	ATF_CHECK_ERRNO(EINVAL, state_map(fd, 9, 256) == NULL);
	ATF_CHECK_ERRNO(EINVAL, state_map(fd, 2, 100) == NULL);
	s->head.s_version++;
	ATF_CHECK_ERRNO(EPROTO, state_map(fd, 2, 256) == NULL);
	s->head.s_version--;
	s->head.s_bytes--;
	ATF_CHECK_ERRNO(EPROTO, state_map_readonly(fd, 2, 256) == NULL);
	state_unmap(s);
	ATF_CHECK_ERRNO(EINVAL, state_make(0, 256) == -1);
	ATF_CHECK_ERRNO(EINVAL, state_make(9, 256) == -1);
	ATF_CHECK_ERRNO(EINVAL, state_make(1, 0) == -1);
	ATF_CHECK_ERRNO(EINVAL, state_make(1, 2048) == -1);
}

ATF_TC_WITHOUT_HEAD(state__memory_that_is_no_state_is_refused);
ATF_TC_BODY(state__memory_that_is_no_state_is_refused, tc)
{
	int fd = memfd_make("test", sizeof(struct state));

	ATF_REQUIRE(fd != -1);
	ATF_CHECK_ERRNO(EPROTO, state_map(fd, 1, 256) == NULL);
	close(fd);
	fd = memfd_make("test", sizeof(struct state) - 1);
	ATF_REQUIRE(fd != -1);
	ATF_CHECK_ERRNO(EINVAL, state_map(fd, 1, 256) == NULL);
}

ATF_TC_WITHOUT_HEAD(state__reset_clears_all_but_what_must_stay);
ATF_TC_BODY(state__reset_clears_all_but_what_must_stay, tc)
{
	static const struct state_levels levels = { -5, 6, 7, 8, 9 };
	struct state_levels loaded;
	struct state_queue q0;
	struct state *s;
	size_t i;

	ATF_REQUIRE((s = state_map(state_make(1, 256), 1, 256)) != NULL);
	memset(&s->device, 0xff, sizeof(s->device));
	s->device.s_generation = 41;
	for (i = 0; i < STATE_QUEUES_MAX; i++)
		memset(&s->queue[i], 0xff, sizeof(s->queue[i]));
	memset(&s->queue[0].s_counters, 0x11, sizeof(q0.s_counters));
	s->counters.s_value[COUNTER_RESETS] = 12;
	s->fence[1].s_futex = 99;
	state_throttle_store(s, &levels);

	state_reset(s);

	ATF_CHECK_EQ(0, s->device.s_status);
	ATF_CHECK_EQ(0, s->device.s_resetting);
	ATF_CHECK_EQ(0, s->device.s_driver_features[1]);
	ATF_CHECK_EQ(42, s->device.s_generation);
	for (i = 0; i < STATE_QUEUES_MAX; i++) {
		ATF_CHECK_EQ(0, s->queue[i].s_ready);
		ATF_CHECK_EQ(0, s->queue[i].s_publish);
		ATF_CHECK_EQ(0, s->queue[i].s_poisoned);
		ATF_CHECK_EQ(0, s->queue[i].s_inflight[0]);
		ATF_CHECK_EQ(0, s->queue[i].s_inflight[1023]);
	}
	ATF_CHECK_EQ(12, s->counters.s_value[COUNTER_RESETS]);
	ATF_CHECK_EQ(UINT64_C(0x1111111111111111),
	    s->queue[0].s_counters.s_value[0]);
	ATF_CHECK_EQ(99, s->fence[1].s_futex);
	state_throttle_load(s, &loaded);
	ATF_CHECK_EQ(0, memcmp(&levels, &loaded, sizeof(levels)));
}

ATF_TC_WITHOUT_HEAD(state__throttle_slot_is_whole_between_stores);
ATF_TC_BODY(state__throttle_slot_is_whole_between_stores, tc)
{
	struct state_levels a = { 1, 1, 1, 1, 1 }, b = { 2, 2, 2, 2, 2 };
	struct state_levels loaded;
	struct state *s;

	ATF_REQUIRE((s = state_map(state_make(1, 256), 1, 256)) != NULL);
	state_throttle_store(s, &a);
	state_throttle_store(s, &b);
	/* A store that was cut short has spoilt the other slot only. */
	memset(&s->throttle[(s->s_throttle_slot & 1) ^ 1], 0xee, 64);
	state_throttle_load(s, &loaded);
	ATF_CHECK_EQ(0, memcmp(&b, &loaded, sizeof(b)));
	/* A slot number that is none does not lead outside. */
	s->s_throttle_slot = UINT32_MAX;
	state_throttle_load(s, &loaded);
	state_throttle_store(s, &a);
	ATF_CHECK(s->s_throttle_slot <= 1);
}

ATF_TC_WITHOUT_HEAD(state__words_keep_their_parts);
ATF_TC_BODY(state__words_keep_their_parts, tc)
{
	uint64_t w = state_inflight_word(STATE_INFLIGHT_ORDER_MAX, 127, 1);

	ATF_CHECK_EQ(STATE_INFLIGHT_ORDER_MAX, state_inflight_order(w));
	ATF_CHECK_EQ(127, state_inflight_deaths(w));
	ATF_CHECK(w & STATE_INFLIGHT_MARK);
	w = state_inflight_word(5, 2, 0);
	ATF_CHECK_EQ(5, state_inflight_order(w));
	ATF_CHECK_EQ(2, state_inflight_deaths(w));
	ATF_CHECK(!(w & STATE_INFLIGHT_MARK));
	w = state_publish_word(0xfffe, 3, 1);
	ATF_CHECK_EQ(STATE_PUBLISH_PENDING | 3u << 16 | 0xfffe, w);
}

ATF_TC_WITHOUT_HEAD(counters__every_row_is_filled_in);
ATF_TC_BODY(counters__every_row_is_filled_in, tc)
{
	int i, j;

	for (i = 0; i < COUNTER_COUNT; i++) {
		ATF_REQUIRE(counter_row(i)->name != NULL);
		ATF_REQUIRE(counter_row(i)->meaning != NULL);
		for (j = 0; j < i; j++)
			ATF_CHECK(strcmp(counter_row(i)->name,
			    counter_row(j)->name) != 0);
	}
	ATF_CHECK_EQ(NULL, counter_row(COUNTER_COUNT));
}

ATF_TC_WITHOUT_HEAD(counters__latency_buckets_are_powers_of_two);
ATF_TC_BODY(counters__latency_buckets_are_powers_of_two, tc)
{
	static const struct {
		uint64_t	ns;
		unsigned	bucket;
	} cases[] = {
		{ 0, 0 }, { 1, 0 }, { 2, 1 }, { 3, 1 }, { 1023, 9 },
		{ 1024, 10 }, { UINT64_MAX, COUNTER_BUCKETS - 1 },
	};
	struct state_counters c;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&c, 0, sizeof(c));
		counter_latency(&c, COUNTER_LATENCY_WRITE, cases[i].ns);
		ATF_CHECK_EQ_MSG(1, c.s_latency[COUNTER_LATENCY_WRITE]
		    [cases[i].bucket], "%zu", i);
	}
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, state__map_checks_the_head);
	ATF_TP_ADD_TC(tp, state__memory_that_is_no_state_is_refused);
	ATF_TP_ADD_TC(tp, state__reset_clears_all_but_what_must_stay);
	ATF_TP_ADD_TC(tp, state__throttle_slot_is_whole_between_stores);
	ATF_TP_ADD_TC(tp, state__words_keep_their_parts);
	ATF_TP_ADD_TC(tp, counters__every_row_is_filled_in);
	ATF_TP_ADD_TC(tp, counters__latency_buckets_are_powers_of_two);
	return atf_no_error();
}
