/* SPDX-License-Identifier: ISC */
/*
 * Tests of vmmd/fencewatch.c.  The holder is a process with robust futexes of
 * its own making; nothing sleeps: what must not happen is looked for after
 * something that comes later has happened.
 */
#include <sys/syscall.h>
#include <sys/wait.h>

#include <atf-c.h>
#include <linux/futex.h>
#include <dirent.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "shm/shared.h"
#include "shm/state.h"
#include "util/fd.h"
#include "vmmd/fencewatch.h"
#include "vmmd/hurry.h"

#define LIMIT_S		15

struct world {
	struct event_base	*base;
	struct fencewatch	*watch;
	int			 fd;
	struct state		*state;
	int			 fell;
	int			 policy;	/* the loop's, then */
	struct hurry		*hurry;
};

static void
on_down(void *ctx)
{
	struct world *w = ctx;

	w->fell++;
	w->policy = sched_getscheduler(0);
	event_base_loopbreak(w->base);
}

static void
set_up(struct world *w)
{
	*w = (struct world) { .fell = 0 };
	ATF_REQUIRE((w->base = event_base_new()) != NULL);
	ATF_REQUIRE((w->fd = state_make(1, 64)) != -1);
	ATF_REQUIRE((w->state = state_map(w->fd, 1, 64)) != NULL);
	ATF_REQUIRE((w->hurry = hurry_new(w->base)) != NULL);
	w->watch = fencewatch_new(w->base, w->fd, 1, 64, w->hurry, on_down, w);
	ATF_REQUIRE(w->watch != NULL);
}

static void
tear_down(struct world *w)
{
	fencewatch_free(w->watch);
	hurry_free(w->hurry);
	state_unmap(w->state);
	fd_close(&w->fd);
	event_base_free(w->base);
}

/* In the child: hold this fence; those of the others are down. */
static void
hold(struct world *w, struct state_fence *fence, int ready)
{
	static struct robust_list_head head;
	static struct robust_list entry;
	uint32_t tid = (uint32_t)syscall(SYS_gettid);
	unsigned i;

	head.list.next = &entry;
	head.futex_offset = (long)((uintptr_t)&fence->s_futex -
	    (uintptr_t)&entry);
	entry.next = &head.list;
	if (syscall(SYS_set_robust_list, &head, sizeof(head)) == -1)
		_exit(1);
	for (i = 0; i < 2; i++)
		shared_store_release(&w->state->fence[i].s_futex,
		    FUTEX_OWNER_DIED);
	shared_store_release(&fence->s_futex, tid);
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static pid_t
start_holder_of(struct world *w, struct state_fence *fence)
{
	int pipes[2];
	char byte;
	pid_t pid;

	ATF_REQUIRE(pipe(pipes) == 0);
	ATF_REQUIRE((pid = fork()) != -1);
	if (pid == 0)
		hold(w, fence, pipes[1]);
	ATF_REQUIRE_EQ(1, read(pipes[0], &byte, 1));
	close(pipes[0]);
	close(pipes[1]);
	return pid;
}

/* The register thread's: what is waited for last. */
static pid_t
start_holder(struct world *w)
{
	return start_holder_of(w, &w->state->fence[0]);
}

static void
end_holder(pid_t pid)
{
	kill(pid, SIGKILL);
	ATF_REQUIRE_EQ(pid, waitpid(pid, NULL, 0));
}

static void
run(struct world *w)
{
	struct timeval limit = { LIMIT_S, 0 };

	event_base_loopexit(w->base, &limit);
	event_base_dispatch(w->base);
}

ATF_TC_WITHOUT_HEAD(fencewatch__tells_of_a_death_once);
ATF_TC_BODY(fencewatch__tells_of_a_death_once, tc)
{
	struct world w;
	pid_t pid;

	set_up(&w);
	pid = start_holder(&w);
	ATF_REQUIRE_EQ(0, fencewatch_start(w.watch));
	event_base_loop(w.base, EVLOOP_NONBLOCK);
	ATF_CHECK_EQ(0, w.fell);
	end_holder(pid);
	run(&w);
	ATF_CHECK_EQ(1, w.fell);
	event_base_loop(w.base, EVLOOP_NONBLOCK);
	ATF_CHECK_EQ(1, w.fell);
	tear_down(&w);
}

/* A thread for slow I/O outlives the others: nothing is down before it is. */
ATF_TC_WITHOUT_HEAD(fencewatch__waits_for_threads_of_slow_io);
ATF_TC_BODY(fencewatch__waits_for_threads_of_slow_io, tc)
{
	struct timeval nap = { 0, 20000 };
	struct world w;
	unsigned i;
	pid_t pid;

	set_up(&w);
	for (i = 0; i < STATE_THREADS_MAX; i++) {
		pid = start_holder_of(&w, &w.state->thread_fence[0][i]);
		ATF_REQUIRE_EQ(0, fencewatch_start(w.watch));
		event_base_loopexit(w.base, &nap);
		event_base_dispatch(w.base);
		ATF_CHECK_EQ((int)i, w.fell);
		end_holder(pid);
		run(&w);
		ATF_CHECK_EQ((int)i + 1, w.fell);
	}
	tear_down(&w);
}

/* Each round is its own, on one thread. */
ATF_TC_WITHOUT_HEAD(fencewatch__is_started_again);
ATF_TC_BODY(fencewatch__is_started_again, tc)
{
	struct world w;
	int i;

	set_up(&w);
	for (i = 1; i <= 50; i++) {
		pid_t pid = start_holder(&w);

		ATF_REQUIRE_EQ(0, fencewatch_start(w.watch));
		end_holder(pid);
		run(&w);
		ATF_REQUIRE_EQ(i, w.fell);
	}
	tear_down(&w);
}

/* What is stopped says nothing, also when it is known already. */
ATF_TC_WITHOUT_HEAD(fencewatch__stopped_is_silent);
ATF_TC_BODY(fencewatch__stopped_is_silent, tc)
{
	struct world w;
	pid_t pid;
	int i;

	set_up(&w);
	for (i = 0; i < 50; i++) {
		pid = start_holder(&w);
		ATF_REQUIRE_EQ(0, fencewatch_start(w.watch));
		if (i % 2 == 0)
			fencewatch_stop(w.watch);
		end_holder(pid);
		fencewatch_stop(w.watch);
		event_base_loop(w.base, EVLOOP_NONBLOCK);
		ATF_REQUIRE_EQ(0, w.fell);
	}
	pid = start_holder(&w);
	ATF_REQUIRE_EQ(0, fencewatch_start(w.watch));
	end_holder(pid);
	run(&w);
	ATF_CHECK_EQ(1, w.fell);
	tear_down(&w);
}

/* A word that was never held is no death. */
ATF_TC_WITHOUT_HEAD(fencewatch__zero_is_no_death);
ATF_TC_BODY(fencewatch__zero_is_no_death, tc)
{
	struct world w;
	pid_t pid;

	set_up(&w);
	ATF_REQUIRE_EQ(0, fencewatch_start(w.watch));
	event_base_loop(w.base, EVLOOP_NONBLOCK);
	ATF_CHECK_EQ(0, w.fell);
	pid = start_holder(&w);
	ATF_REQUIRE_EQ(0, fencewatch_start(w.watch));
	end_holder(pid);
	run(&w);
	ATF_CHECK_EQ(1, w.fell);
	tear_down(&w);
}

/* The holder lives: the thread sleeps on its word, and is freed at once. */
ATF_TC_WITHOUT_HEAD(fencewatch__freed_while_it_waits);
ATF_TC_BODY(fencewatch__freed_while_it_waits, tc)
{
	struct world w;
	pid_t pid;

	set_up(&w);
	pid = start_holder(&w);
	ATF_REQUIRE_EQ(0, fencewatch_start(w.watch));
	tear_down(&w);
	end_holder(pid);
}

/* Whoever writes to the words all the time does not keep the watch. */
ATF_TC_WITHOUT_HEAD(fencewatch__freed_under_hostile_writes);
ATF_TC_BODY(fencewatch__freed_under_hostile_writes, tc)
{
	struct world w;
	pid_t pid;

	set_up(&w);
	ATF_REQUIRE((pid = fork()) != -1);
	if (pid == 0) {
		for (;;) {
			shared_store_release(&w.state->fence[0].s_futex,
			    1 | FUTEX_WAITERS);
			shared_store_release(&w.state->fence[1].s_futex,
			    1 | FUTEX_WAITERS);
		}
	}
	ATF_REQUIRE_EQ(0, fencewatch_start(w.watch));
	fencewatch_stop(w.watch);
	ATF_REQUIRE_EQ(0, fencewatch_start(w.watch));
	fencewatch_free(w.watch);
	w.watch = NULL;
	end_holder(pid);
	ATF_CHECK_EQ(0, w.fell);
	tear_down(&w);
}

static void
need_hurry(const struct world *w)
{
	if (!hurry_is_allowed(w->hurry))
		atf_tc_skip("this host allows no scheduling in real time");
}

ATF_TC_WITHOUT_HEAD(fencewatch__death_is_told_in_a_hurry);
ATF_TC_BODY(fencewatch__death_is_told_in_a_hurry, tc)
{
	struct world w;
	pid_t pid;

	set_up(&w);
	need_hurry(&w);
	pid = start_holder(&w);
	ATF_REQUIRE_EQ(0, fencewatch_start(w.watch));
	end_holder(pid);
	run(&w);
	ATF_CHECK_EQ(1, w.fell);
	ATF_CHECK_EQ(SCHED_FIFO | SCHED_RESET_ON_FORK, w.policy);
	tear_down(&w);
}

/* The one thread beside this one; 0: none. */
static pid_t
watching_thread(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	pid_t tid, found = 0;

	ATF_REQUIRE(dir != NULL);
	while ((entry = readdir(dir)) != NULL) {
		tid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (tid > 0 && tid != getpid())
			found = tid;
	}
	closedir(dir);
	return found;
}

/* Until the thread has this policy; meanwhile the word is waked. */
static bool
wake_until(struct world *w, pid_t thread, int policy)
{
	time_t end = time(NULL) + LIMIT_S;

	while (sched_getscheduler(thread) != policy) {
		if (time(NULL) > end)
			return false;
		syscall(SYS_futex, &w->state->fence[0].s_futex, FUTEX_WAKE,
		    INT_MAX, NULL, NULL, 0);
		sched_yield();
	}
	return true;
}

/* Whoever shares the page can wake the thread: not in real time for ever. */
ATF_TC_WITHOUT_HEAD(fencewatch__waked_at_will_is_in_no_hurry);
ATF_TC_BODY(fencewatch__waked_at_will_is_in_no_hurry, tc)
{
	struct world w;
	pid_t pid;

	set_up(&w);
	need_hurry(&w);
	pid = start_holder(&w);
	ATF_REQUIRE_EQ(0, fencewatch_start(w.watch));
	ATF_CHECK(wake_until(&w, watching_thread(),
	    SCHED_FIFO | SCHED_RESET_ON_FORK));
	ATF_CHECK(wake_until(&w, watching_thread(), SCHED_OTHER));
	end_holder(pid);
	run(&w);
	ATF_CHECK_EQ(1, w.fell);
	tear_down(&w);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, fencewatch__tells_of_a_death_once);
	ATF_TP_ADD_TC(tp, fencewatch__waits_for_threads_of_slow_io);
	ATF_TP_ADD_TC(tp, fencewatch__is_started_again);
	ATF_TP_ADD_TC(tp, fencewatch__stopped_is_silent);
	ATF_TP_ADD_TC(tp, fencewatch__zero_is_no_death);
	ATF_TP_ADD_TC(tp, fencewatch__freed_while_it_waits);
	ATF_TP_ADD_TC(tp, fencewatch__freed_under_hostile_writes);
	ATF_TP_ADD_TC(tp, fencewatch__death_is_told_in_a_hurry);
	ATF_TP_ADD_TC(tp, fencewatch__waked_at_will_is_in_no_hurry);
	return atf_no_error();
}
