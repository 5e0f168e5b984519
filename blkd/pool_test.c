/* SPDX-License-Identifier: ISC */
/*
 * The threads for slow I/O.  The I/O is the test's: an operation is held
 * until it is let go, so that how many are under way is counted, not timed.
 */
#include <atf-c.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "blkd/engine.h"
#include "blkd/pool.h"
#include "shm/shared.h"
#include "shm/state.h"

#define THREADS		4u
#define OPS		64u
#define PATIENCE_S	10

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

/* What backing the operations have: a gate for each, by its offset. */
static struct gates {
	pthread_mutex_t	 lock;
	pthread_cond_t	 opened;
	bool		 open[OPS];
	unsigned	 under_way, most, begun;
} gates = {
	.lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER,
};

static int
pass_gate(struct backing *b, struct engine_op *op)
{
	(void)b;
	pthread_mutex_lock(&gates.lock);
	gates.begun++;
	if (++gates.under_way > gates.most)
		gates.most = gates.under_way;
	while (!gates.open[op->offset])
		pthread_cond_wait(&gates.opened, &gates.lock);
	gates.under_way--;
	pthread_mutex_unlock(&gates.lock);
	errno = ENOSPC;
	return op->type == ENGINE_WRITE ? -1 : 0;
}

static void
open_gates(unsigned first, unsigned n)
{
	pthread_mutex_lock(&gates.lock);
	while (n-- > 0)
		gates.open[first++] = true;
	pthread_cond_broadcast(&gates.opened);
	pthread_mutex_unlock(&gates.lock);
}

static void
await_under_way(unsigned n)
{
	time_t end = time(NULL) + PATIENCE_S;
	unsigned now;

	do {
		pthread_mutex_lock(&gates.lock);
		now = gates.under_way;
		pthread_mutex_unlock(&gates.lock);
		ATF_REQUIRE_MSG(time(NULL) <= end, "%u under way, not %u",
		    now, n);
		sched_yield();
	} while (now != n);
}

static struct pool *
make(unsigned threads, struct state_fence *fence)
{
	const struct pool_setup setup = {
		.run = pass_gate, .threads = threads, .fence = fence,
	};
	struct pool *p = pool_make(&setup);

	ATF_REQUIRE(p != NULL);
	ATF_REQUIRE_EQ(0, pool_start(p));
	return p;
}

/* Operations from `first` on, in one batch. */
static void
hand(struct pool *p, struct engine_op *op, unsigned first, unsigned n)
{
	unsigned i;

	for (i = first; i < first + n; i++)
		op[i] = (struct engine_op) { .type = ENGINE_READ, .offset = i,
		    .next = &op[i + 1] };
	pool_hand(p, &op[first], &op[first + n - 1], n);
}

static bool
is_readable(int fd, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, ms) == 1;
}

static struct engine_op *
await(struct pool *p)
{
	struct engine_op *op;

	while ((op = pool_take(p)) == NULL)
		ATF_REQUIRE(is_readable(pool_wait_fd(p), PATIENCE_S * 1000));
	return op;
}

CASE(pool__as_many_at_a_time_as_threads)
{
	struct engine_op op[3 * THREADS + 1], *done;
	struct pool *p = make(THREADS, NULL);
	unsigned n = 0;

	(void)tc;
	hand(p, op, 0, 3 * THREADS);
	await_under_way(THREADS);
	open_gates(0, 3 * THREADS);
	while (n < 3 * THREADS)
		for (done = await(p); done != NULL; done = done->next)
			n++;
	ATF_CHECK_EQ(THREADS, gates.most);
	ATF_CHECK_EQ(0, pool_running(p));
	pool_free(p);
}

/* One batch after the other, while the first is under way. */
CASE(pool__what_comes_later_does_not_wait)
{
	struct engine_op op[THREADS + 1];
	struct pool *p = make(THREADS, NULL);
	unsigned i;

	(void)tc;
	for (i = 0; i < THREADS; i++) {
		hand(p, op, i, 1);
		await_under_way(i + 1);
	}
	open_gates(0, THREADS);
	pool_free(p);
}

CASE(pool__finished_first_given_back_first)
{
	struct engine_op op[THREADS + 1];
	struct pool *p = make(THREADS, NULL);
	unsigned i;

	(void)tc;
	hand(p, op, 0, THREADS);
	await_under_way(THREADS);
	for (i = THREADS; i-- > 0;) {
		open_gates(i, 1);
		ATF_CHECK_EQ(&op[i], await(p));
		ATF_CHECK_EQ(i, pool_running(p));
	}
	pool_free(p);
}

CASE(pool__error_is_told)
{
	struct engine_op op[2] = { { .type = ENGINE_WRITE } };
	struct pool *p = make(1, NULL);

	(void)tc;
	open_gates(0, 1);
	pool_hand(p, &op[0], &op[0], 1);
	ATF_CHECK_EQ(&op[0], await(p));
	ATF_CHECK_EQ(ENOSPC, op[0].error);
	pool_free(p);
}

CASE(pool__readable_from_finish_to_take)
{
	struct engine_op op[3];
	struct pool *p = make(2, NULL);

	(void)tc;
	hand(p, op, 0, 2);
	ATF_CHECK(!is_readable(pool_wait_fd(p), 0));
	ATF_CHECK(pool_take(p) == NULL);
	open_gates(0, 1);
	await_under_way(1);
	/* Finished before or after we ask: both are seen. */
	ATF_CHECK(is_readable(pool_wait_fd(p), PATIENCE_S * 1000));
	ATF_CHECK(is_readable(pool_wait_fd(p), 0));
	ATF_CHECK_EQ(&op[0], pool_take(p));
	ATF_CHECK(!is_readable(pool_wait_fd(p), 0));
	open_gates(1, 1);
	ATF_CHECK(is_readable(pool_wait_fd(p), PATIENCE_S * 1000));
	ATF_CHECK_EQ(&op[1], pool_take(p));
	pool_free(p);
}

/* Nobody has to wait for a thread that never had work. */
CASE(pool__fences_are_held_from_the_first_work_on)
{
	struct state_fence fence[2] = { { .s_futex = 0 } };
	struct engine_op op[2];
	struct pool *p = make(2, fence);
	unsigned i;

	(void)tc;
	for (i = 0; i < 2; i++)
		ATF_CHECK_EQ(0, shared_load(&fence[i].s_futex));
	hand(p, op, 0, 1);
	for (i = 0; i < 2; i++)
		ATF_CHECK(shared_load(&fence[i].s_futex) != 0);
	ATF_CHECK(shared_load(&fence[0].s_futex) !=
	    shared_load(&fence[1].s_futex));
	open_gates(0, 1);
	pool_free(p);
	for (i = 0; i < 2; i++)
		ATF_CHECK_EQ((uint32_t)FUTEX_OWNER_DIED,
		    shared_load(&fence[i].s_futex));
}

static void
await_beat(const struct state_fence *fence, enum state_beat what)
{
	time_t end = time(NULL) + PATIENCE_S;
	enum state_beat now;

	while ((now = state_beat_what(shared_load(&fence->s_beat))) != what) {
		ATF_REQUIRE_MSG(time(NULL) <= end, "beat %d, not %d", now,
		    what);
		sched_yield();
	}
}

/* Who watches sees each step: that it is in I/O, and that it ended. */
CASE(pool__beats)
{
	struct state_fence fence = { .s_futex = 0 };
	struct engine_op op[3];
	struct pool *p = make(1, &fence);
	uint64_t before = 0, now;
	unsigned i;

	(void)tc;
	for (i = 0; i < 2; i++) {
		hand(p, op, i, 1);
		await_under_way(1);
		now = shared_load(&fence.s_beat);
		ATF_CHECK_EQ(STATE_BEAT_IN_IO, state_beat_what(now));
		ATF_CHECK(now > before);
		before = now;
		open_gates(i, 1);
		ATF_CHECK_EQ(&op[i], await(p));
		await_beat(&fence, STATE_BEAT_ASLEEP);
	}
	pool_free(p);
}

CASE(pool__free_finishes_what_it_has)
{
	struct engine_op op[OPS + 1];
	struct pool *p = make(2, NULL);

	(void)tc;
	open_gates(0, OPS);
	hand(p, op, 0, OPS);
	pool_free(p);
	ATF_CHECK_EQ(OPS, gates.begun);
	ATF_CHECK_EQ(0, gates.under_way);
}

/* Batches of all sizes, taken by looking and by sleeping. */
CASE(pool__each_is_given_back_once)
{
	struct engine_op op[OPS + 1], *done;
	struct pool *p = make(THREADS, NULL);
	bool given[OPS];
	unsigned round, n, left;

	(void)tc;
	open_gates(0, OPS);
	for (round = 0; round < 2000; round++) {
		memset(given, 0, sizeof(given));
		n = left = round % OPS + 1;
		hand(p, op, 0, n / 2 + 1);
		if (n > n / 2 + 1)
			hand(p, op, n / 2 + 1, n - n / 2 - 1);
		else
			left = n = n / 2 + 1;
		while (left > 0) {
			done = round % 2 == 0 ? await(p) : pool_take(p);
			for (; done != NULL; done = done->next, left--) {
				ATF_REQUIRE(done->offset < n);
				ATF_REQUIRE(!given[done->offset]);
				given[done->offset] = true;
			}
		}
		ATF_REQUIRE_EQ(0, pool_running(p));
	}
	ATF_CHECK(gates.most <= THREADS);
	pool_free(p);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, pool__as_many_at_a_time_as_threads);
	ATF_TP_ADD_TC(tp, pool__what_comes_later_does_not_wait);
	ATF_TP_ADD_TC(tp, pool__finished_first_given_back_first);
	ATF_TP_ADD_TC(tp, pool__error_is_told);
	ATF_TP_ADD_TC(tp, pool__readable_from_finish_to_take);
	ATF_TP_ADD_TC(tp, pool__beats);
	ATF_TP_ADD_TC(tp, pool__fences_are_held_from_the_first_work_on);
	ATF_TP_ADD_TC(tp, pool__free_finishes_what_it_has);
	ATF_TP_ADD_TC(tp, pool__each_is_given_back_once);
	return atf_no_error();
}
