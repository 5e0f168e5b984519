/* SPDX-License-Identifier: ISC */
/* Tests of blkd/group.c, in simulated time; several processes share a page. */
#include <sys/mman.h>
#include <sys/wait.h>

#include <atf-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blkd/group.h"
#include "shm/shared.h"

#define SECOND	UINT64_C(1000000000)
#define HOUR	(3600 * SECOND)
#define EPOCH	(UINT64_C(12345) * SECOND + 6789)

static void
make(struct group *g, const struct throttle_limits *limits)
{
	*g = (struct group) { .limits = *limits, .epoch = EPOCH };
	g->page = mmap(NULL, sizeof(*g->page), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ATF_REQUIRE(g->page != MAP_FAILED);
}

/* As many requests as pass up to `end`, each asked for as late as told. */
static uint64_t
drain(struct group *g, uint64_t bytes, uint64_t end)
{
	uint64_t now = EPOCH, n = 0, wait;

	while (now <= EPOCH + end) {
		wait = group_take(g, bytes, now);
		ATF_REQUIRE(wait <= THROTTLE_WAIT_MAX);
		if (wait == 0)
			n++;
		now += wait;
	}
	return n;
}

ATF_TC_WITHOUT_HEAD(take__is_exact_over_hours);
ATF_TC_BODY(take__is_exact_over_hours, tc)
{
	static const struct {
		struct throttle_limits	limits;
		uint64_t		bytes;
		uint64_t		end;
		uint64_t		expected;
	} rows[] = {
		{ { .ops = { 3, 0 } }, 512, 24 * HOUR, 3 + 3 * 86400 },
		{ { .ops = { 999, 2000 } }, 512, HOUR, 2000 + 999 * 3600 },
		{ { .bytes = { 7, 0 } }, 1, 24 * HOUR, 7 + 7 * 86400 },
		{ { .bytes = { UINT64_C(10000000000), 0 } }, 1000000,
		    60 * SECOND, 10000 + 10000 * 60 },
		{ { .ops = { 100, 0 }, .bytes = { 4096, 0 } }, 512, HOUR,
		    8 + 8 * 3600 },
		{ { .ops = { 1000, 0 }, .iops_size = 4096 }, 16384, HOUR,
		    250 + 250 * 3600 },
	};
	struct group g;
	uint64_t n;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make(&g, &rows[i].limits);
		n = drain(&g, rows[i].bytes, rows[i].end);
		ATF_CHECK_MSG(n == rows[i].expected, "%zu: %ju, not %ju", i,
		    (uintmax_t)n, (uintmax_t)rows[i].expected);
	}
}

ATF_TC_WITHOUT_HEAD(take__from_both_or_neither);
ATF_TC_BODY(take__from_both_or_neither, tc)
{
	struct throttle_limits l = { .ops = { 10, 0 }, .bytes = { 100, 0 } };
	struct group g;

	make(&g, &l);
	ATF_CHECK_EQ(0, group_take(&g, 100, EPOCH));
	ATF_CHECK(group_take(&g, 1, EPOCH) != 0);
	ATF_CHECK_EQ(1, g.page->s_spent[0][0]);
	ATF_CHECK_EQ(100, g.page->s_spent[0][1]);
	group_give_back(&g, 100);
	ATF_CHECK_EQ(0, g.page->s_spent[0][0]);
	ATF_CHECK_EQ(0, g.page->s_spent[0][1]);
}

ATF_TC_WITHOUT_HEAD(take__larger_than_the_burst_leaves_debt);
ATF_TC_BODY(take__larger_than_the_burst_leaves_debt, tc)
{
	struct throttle_limits l = { .bytes = { 100, 0 } };
	struct group g;

	make(&g, &l);
	ATF_CHECK_EQ(0, group_take(&g, 1000, EPOCH));
	/* 900 in debt: 9 s until there is none, 9.01 until there is one. */
	ATF_CHECK_EQ(SECOND, group_take(&g, 1, EPOCH));
	ATF_CHECK_EQ(SECOND / 100, group_take(&g, 1, EPOCH + 9 * SECOND));
	ATF_CHECK_EQ(0, group_take(&g, 1000, EPOCH + 9 * SECOND));
}

ATF_TC_WITHOUT_HEAD(take__idle_time_fills_no_more_than_the_burst);
ATF_TC_BODY(take__idle_time_fills_no_more_than_the_burst, tc)
{
	struct throttle_limits l = { .ops = { 10, 20 } };
	uint64_t now = EPOCH + 24 * HOUR;
	struct group g;
	int n = 0;

	make(&g, &l);
	while (group_take(&g, 1, now) == 0)
		n++;
	ATF_CHECK_EQ(20, n);
	/* A clock before the epoch is no reason for more. */
	ATF_CHECK(group_take(&g, 1, now) != 0);
}

/* Whatever is written there: never a crash, and never a wait for good. */
ATF_TC_WITHOUT_HEAD(take__hostile_page_delays_and_no_more);
ATF_TC_BODY(take__hostile_page_delays_and_no_more, tc)
{
	struct throttle_limits l = {
		.ops = { 100, 0 }, .bytes = { UINT64_C(1) << 30, 0 },
	};
	uint64_t now, wait;
	struct group g;
	int i, asked;

	make(&g, &l);
	srandom(1);
	for (i = 0; i < 20000; i++) {
		now = EPOCH + (uint64_t)random() * 1000;
		g.page->s_spent[0][0] = (uint64_t)random() << 33 ^
		    (uint64_t)random() << (i % 40);
		g.page->s_spent[0][1] = (uint64_t)random() << (i % 64);
		for (asked = 0; asked < 200; asked++) {
			if ((wait = group_take(&g, 4096, now)) == 0)
				break;
			ATF_REQUIRE(wait <= THROTTLE_WAIT_MAX);
			now += wait;
			/* What it wrote on operations may be a real debt. */
			if (asked == 150)
				g.page->s_spent[0][0] = 0;
		}
		ATF_REQUIRE(asked < 200);
	}
	g.page->s_spent[0][0] = g.page->s_spent[0][1] = UINT64_C(1) << 62;
	ATF_CHECK_EQ(0, group_take(&g, 4096, EPOCH));
}

/* Others spend from the slot that they know; a new one is as it was made. */
ATF_TC_WITHOUT_HEAD(take__slots_are_apart);
ATF_TC_BODY(take__slots_are_apart, tc)
{
	struct throttle_limits l = { .ops = { 10, 0 } };
	struct group old, new;
	int n;

	make(&old, &l);
	new = old;
	new.limits.ops.rate = 1000;
	new.epoch = EPOCH + HOUR;
	new.slot = PROTO_GROUP_SLOTS - 1;
	/* As the monitor begins it: all of the burst is spent. */
	new.page->s_spent[new.slot][0] = 1000;
	for (n = 0; group_take(&old, 1, EPOCH + HOUR) == 0; n++)
		;
	ATF_CHECK_EQ(10, n);
	ATF_CHECK_EQ(SECOND / 1000, group_take(&new, 1, EPOCH + HOUR));
	ATF_CHECK_EQ(0, group_take(&new, 1, EPOCH + HOUR + SECOND / 1000));
	ATF_CHECK_EQ(SECOND / 10, group_take(&old, 1, EPOCH + HOUR));
}

#define DISKS		4

/* A disk that always has a request of `bytes`, and asks when it is told to. */
struct asker {
	uint64_t	bytes;
	uint64_t	at;		/* when it asks next, ns */
	uint64_t	granted;	/* requests */
	uint64_t	longest;	/* between two grants, ns */
	uint64_t	last;
};

/* Whoever waits shortest is next, but for how late the kernel wakes it. */
static void
contend(struct group *g, struct asker *a, unsigned n, uint64_t end)
{
	unsigned i, next;
	uint64_t wait;

	for (i = 0; i < n; i++)
		a[i].at = a[i].last = EPOCH;
	for (;;) {
		for (i = 1, next = 0; i < n; i++)
			if (a[i].at < a[next].at)
				next = i;
		if (a[next].at > EPOCH + end)
			break;
		wait = group_take(g, a[next].bytes, a[next].at);
		if (wait != 0) {
			a[next].at += wait + (uint64_t)random() % 50000;
			continue;
		}
		if (a[next].at - a[next].last > a[next].longest)
			a[next].longest = a[next].at - a[next].last;
		a[next].last = a[next].at;
		a[next].granted++;
		/* The request itself takes a while, of each disk another. */
		a[next].at += 20000 + 1000 * next;
	}
	for (i = 0; i < n; i++)
		if (EPOCH + end - a[i].last > a[i].longest)
			a[i].longest = EPOCH + end - a[i].last;
}

/*
 * Loaded disks of one group: together they get exactly what it has, none of
 * them starves, and none gets many more requests than another, be they small
 * or large.
 */
ATF_TC_WITHOUT_HEAD(take__loaded_disks_share_the_sum);
ATF_TC_BODY(take__loaded_disks_share_the_sum, tc)
{
	static const struct {
		struct throttle_limits	limits;
		uint64_t		bytes[DISKS];
		uint64_t		sum;	/* of ops, or of bytes */
	} rows[] = {
		{ { .ops = { 1000, 0 } }, { 512, 512, 512, 512 }, 1000 },
		{ { .ops = { 200, 400 } }, { 4096, 4096, 4096, 4096 }, 200 },
		{ { .bytes = { 1 << 20, 0 } }, { 4096, 4096, 4096, 4096 },
		    1 << 20 },
		{ { .bytes = { 10 << 20, 0 } }, { 512, 4096, 16384, 65536 },
		    10 << 20 },
	};
	uint64_t minutes = 10, least, most, sum, want;
	struct asker a[DISKS];
	struct group g;
	size_t i, j;

	srandom(1);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make(&g, &rows[i].limits);
		memset(a, 0, sizeof(a));
		for (j = 0; j < DISKS; j++)
			a[j].bytes = rows[i].bytes[j];
		contend(&g, a, DISKS, minutes * 60 * SECOND);
		least = UINT64_MAX;
		most = sum = 0;
		for (j = 0; j < DISKS; j++) {
			least = a[j].granted < least ? a[j].granted : least;
			most = a[j].granted > most ? a[j].granted : most;
			sum += rows[i].limits.ops.rate != 0 ? a[j].granted :
			    a[j].granted * a[j].bytes;
			/* None is passed over for long. */
			ATF_CHECK_MSG(a[j].longest <= 2 * SECOND,
			    "%zu: disk %zu waited %ju ns", i, j,
			    (uintmax_t)a[j].longest);
		}
		want = rows[i].sum * 60 * minutes;
		printf("row %zu: %ju of %ju, least %ju, most %ju\n", i,
		    (uintmax_t)sum, (uintmax_t)want, (uintmax_t)least,
		    (uintmax_t)most);
		/* The burst at the beginning comes to it: a second or two. */
		ATF_CHECK(sum >= want && sum <= want + 3 * rows[i].sum);
		ATF_CHECK_MSG(most * 2 <= least * 3, "%zu: %ju and %ju", i,
		    (uintmax_t)least, (uintmax_t)most);
	}
}

#define PROCESSES	4
#define BURST		200000

ATF_TC_WITHOUT_HEAD(take__processes_share_it);
ATF_TC_BODY(take__processes_share_it, tc)
{
	struct throttle_limits l = { .ops = { 1000, BURST } };
	uint32_t *granted, total = 0;
	struct group g;
	pid_t pid[PROCESSES];
	int i, status;

	make(&g, &l);
	granted = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ATF_REQUIRE(granted != MAP_FAILED);
	for (i = 0; i < PROCESSES; i++) {
		ATF_REQUIRE((pid[i] = fork()) != -1);
		if (pid[i] != 0)
			continue;
		/* Time stands still: there is the burst, and no more. */
		while (group_take(&g, 1, EPOCH) == 0)
			granted[i]++;
		_exit(0);
	}
	for (i = 0; i < PROCESSES; i++) {
		ATF_REQUIRE_EQ(pid[i], waitpid(pid[i], &status, 0));
		ATF_CHECK_EQ(0, status);
		total += granted[i];
	}
	ATF_CHECK_EQ(BURST, total);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, take__is_exact_over_hours);
	ATF_TP_ADD_TC(tp, take__from_both_or_neither);
	ATF_TP_ADD_TC(tp, take__larger_than_the_burst_leaves_debt);
	ATF_TP_ADD_TC(tp, take__idle_time_fills_no_more_than_the_burst);
	ATF_TP_ADD_TC(tp, take__hostile_page_delays_and_no_more);
	ATF_TP_ADD_TC(tp, take__slots_are_apart);
	ATF_TP_ADD_TC(tp, take__loaded_disks_share_the_sum);
	ATF_TP_ADD_TC(tp, take__processes_share_it);
	return atf_no_error();
}
