/* SPDX-License-Identifier: ISC */
/*
 * Tests of vmmd/hurry.c, in a process of one thread and children that wait.
 * Nothing sleeps: a turn is waited for in its loop, within LIMIT_S.
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include <atf-c.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include <event2/event.h>

#include "vmmd/hurry.h"

#define LIMIT_S	15
#define NOBODY	65534

#define HURRIED	(SCHED_FIFO | SCHED_RESET_ON_FORK)

struct world {
	struct event_base	*base;
	struct hurry		*hurry;
	pid_t			 child;
};

static void
set_up(struct world *w)
{
	*w = (struct world) { .child = -1 };
	ATF_REQUIRE((w->base = event_base_new()) != NULL);
	ATF_REQUIRE((w->hurry = hurry_new(w->base)) != NULL);
	if (!hurry_is_allowed(w->hurry))
		atf_tc_skip("this host allows no scheduling in real time");
	ATF_REQUIRE((w->child = fork()) != -1);
	while (w->child == 0)
		pause();
}

static void
tear_down(struct world *w)
{
	kill(w->child, SIGKILL);
	ATF_REQUIRE_EQ(w->child, waitpid(w->child, NULL, 0));
	hurry_free(w->hurry);
	event_base_free(w->base);
}

/* Runs the loop until the turn has ended; false: it does not end. */
static bool
wait_for_end(struct world *w, void (*each)(struct world *))
{
	struct timeval limit = { LIMIT_S, 0 };

	event_base_loopexit(w->base, &limit);
	while ((sched_getscheduler(0) & ~SCHED_RESET_ON_FORK) != SCHED_OTHER) {
		if (each != NULL)
			each(w);
		if (event_base_loop(w->base, EVLOOP_ONCE) != 0 ||
		    event_base_got_exit(w->base))
			return false;
	}
	return true;
}

ATF_TC_WITHOUT_HEAD(hurry__turn_ends_by_itself);
ATF_TC_BODY(hurry__turn_ends_by_itself, tc)
{
	struct world w;

	set_up(&w);
	ATF_CHECK_EQ(SCHED_OTHER, sched_getscheduler(0));
	hurry_begin(w.hurry);
	ATF_CHECK_EQ(HURRIED, sched_getscheduler(0));
	hurry_add(w.hurry, w.child, &w.child, 1);
	ATF_CHECK_EQ(HURRIED, sched_getscheduler(w.child));
	ATF_CHECK(wait_for_end(&w, NULL));
	ATF_CHECK_EQ(SCHED_OTHER, sched_getscheduler(w.child));
	tear_down(&w);
}

static void
nothing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void
begin_again(struct world *w)
{
	const struct timeval soon = { 0, 100 };

	hurry_begin(w->hurry);
	hurry_add(w->hurry, w->child, &w->child, 1);
	/* Something for the loop to do at once, each time. */
	event_base_once(w->base, -1, EV_TIMEOUT, nothing, NULL, &soon);
}

ATF_TC_WITHOUT_HEAD(hurry__turn_is_not_made_longer);
ATF_TC_BODY(hurry__turn_is_not_made_longer, tc)
{
	struct world w;

	set_up(&w);
	hurry_begin(w.hurry);
	ATF_CHECK(wait_for_end(&w, begin_again));
	ATF_CHECK_EQ(SCHED_OTHER, sched_getscheduler(w.child));
	tear_down(&w);
}

/* The loop can always take the CPU from what it has raised. */
ATF_TC_WITHOUT_HEAD(hurry__loop_is_above_children);
ATF_TC_BODY(hurry__loop_is_above_children, tc)
{
	struct sched_param loop, child;
	struct world w;

	set_up(&w);
	hurry_add(w.hurry, w.child, &w.child, 1);
	ATF_REQUIRE(sched_getparam(0, &loop) == 0);
	ATF_REQUIRE(sched_getparam(w.child, &child) == 0);
	ATF_CHECK(loop.sched_priority > child.sched_priority);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(hurry__dropped_child_leaves_at_once);
ATF_TC_BODY(hurry__dropped_child_leaves_at_once, tc)
{
	struct world w;

	set_up(&w);
	hurry_add(w.hurry, w.child, &w.child, 1);
	hurry_drop(w.hurry, w.child);
	ATF_CHECK_EQ(SCHED_OTHER, sched_getscheduler(w.child));
	ATF_CHECK_EQ(HURRIED, sched_getscheduler(0));
	tear_down(&w);
}

/* A number that is another process's by now. */
ATF_TC_WITHOUT_HEAD(hurry__thread_of_another_is_left_alone);
ATF_TC_BODY(hurry__thread_of_another_is_left_alone, tc)
{
	struct world w;
	pid_t other;

	set_up(&w);
	ATF_REQUIRE((other = fork()) != -1);
	while (other == 0)
		pause();
	hurry_add(w.hurry, w.child, &other, 1);
	ATF_CHECK_EQ(SCHED_OTHER, sched_getscheduler(other));
	kill(other, SIGKILL);
	ATF_REQUIRE_EQ(other, waitpid(other, NULL, 0));
	tear_down(&w);
}

/* What a person has chosen for the monitor stays. */
ATF_TC_WITHOUT_HEAD(hurry__policy_of_its_own_stays);
ATF_TC_BODY(hurry__policy_of_its_own_stays, tc)
{
	const struct sched_param param = { .sched_priority = 0 };
	struct event_base *base;
	struct hurry *hurry;

	ATF_REQUIRE(sched_setscheduler(0, SCHED_BATCH, &param) == 0);
	ATF_REQUIRE((base = event_base_new()) != NULL);
	ATF_REQUIRE((hurry = hurry_new(base)) != NULL);
	ATF_CHECK(!hurry_is_allowed(hurry));
	hurry_begin(hurry);
	hurry_loop(hurry);
	ATF_CHECK(!hurry_self(hurry));
	ATF_CHECK_EQ(SCHED_BATCH, sched_getscheduler(0));
	hurry_free(hurry);
	event_base_free(base);
}

ATF_TC(hurry__refused_changes_nothing);
ATF_TC_HEAD(hurry__refused_changes_nothing, tc)
{
	atf_tc_set_md_var(tc, "require.user", "root");
}
ATF_TC_BODY(hurry__refused_changes_nothing, tc)
{
	struct event_base *base;
	struct hurry *hurry;
	int status;
	pid_t pid;

	/* The test itself has to write its result. */
	ATF_REQUIRE((pid = fork()) != -1);
	if (pid == 0) {
		if (setgroups(0, NULL) == -1 || setuid(NOBODY) == -1 ||
		    (base = event_base_new()) == NULL ||
		    (hurry = hurry_new(base)) == NULL)
			_exit(2);
		hurry_begin(hurry);
		_exit(hurry_is_allowed(hurry) || hurry_self(hurry) ||
		    sched_getscheduler(0) != SCHED_OTHER);
	}
	ATF_REQUIRE_EQ(pid, waitpid(pid, &status, 0));
	ATF_CHECK(WIFEXITED(status));
	ATF_CHECK_EQ(0, WEXITSTATUS(status));
}

/* The policy of a thread, without what only root can take back. */
static int
policy(pid_t tid)
{
	return sched_getscheduler(tid) & ~SCHED_RESET_ON_FORK;
}

/*
 * As a user of limits.conf(5): the turn ends for him, too, and what he has
 * raised is lowered again.
 */
static int
hurry_as_user(void)
{
	const struct rlimit limit = { 2, 2 };
	struct world w = { .child = -1 };

	/* A host that refuses this allows nothing, which is looked at, too. */
	(void)setrlimit(RLIMIT_RTPRIO, &limit);
	if (setgroups(0, NULL) == -1 || setuid(NOBODY) == -1 ||
	    (w.base = event_base_new()) == NULL ||
	    (w.hurry = hurry_new(w.base)) == NULL ||
	    policy(0) != SCHED_OTHER)
		return 2;
	hurry_calm_self();
	if (!hurry_is_allowed(w.hurry))
		return policy(0) != SCHED_OTHER;
	if ((w.child = fork()) == 0)
		for (;;)
			pause();
	hurry_add(w.hurry, w.child, &w.child, 1);
	if (policy(0) != SCHED_FIFO || policy(w.child) != SCHED_FIFO ||
	    !wait_for_end(&w, NULL) || policy(w.child) != SCHED_OTHER)
		return 3;
	kill(w.child, SIGKILL);
	return waitpid(w.child, NULL, 0) != w.child;
}

ATF_TC(hurry__of_a_user_ends);
ATF_TC_HEAD(hurry__of_a_user_ends, tc)
{
	atf_tc_set_md_var(tc, "require.user", "root");
}
ATF_TC_BODY(hurry__of_a_user_ends, tc)
{
	int status;
	pid_t pid;

	ATF_REQUIRE((pid = fork()) != -1);
	if (pid == 0)
		_exit(hurry_as_user());
	ATF_REQUIRE_EQ(pid, waitpid(pid, &status, 0));
	ATF_CHECK(WIFEXITED(status));
	ATF_CHECK_EQ(0, WEXITSTATUS(status));
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, hurry__turn_ends_by_itself);
	ATF_TP_ADD_TC(tp, hurry__turn_is_not_made_longer);
	ATF_TP_ADD_TC(tp, hurry__loop_is_above_children);
	ATF_TP_ADD_TC(tp, hurry__dropped_child_leaves_at_once);
	ATF_TP_ADD_TC(tp, hurry__thread_of_another_is_left_alone);
	ATF_TP_ADD_TC(tp, hurry__policy_of_its_own_stays);
	ATF_TP_ADD_TC(tp, hurry__refused_changes_nothing);
	ATF_TP_ADD_TC(tp, hurry__of_a_user_ends);
	return atf_no_error();
}
