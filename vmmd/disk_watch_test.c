/* SPDX-License-Identifier: ISC */
/*
 * Tests of disk_watch.c and disk_spare.c: what is beside a disk's life, with
 * child_double for its blkds.  Nothing here sleeps: each step ends with a
 * callback of the disk, or after so many looks of the watch.
 */
#include <atf-c.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "shm/memfd.h"
#include "util/log.h"
#include "vmmd/children.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"

#define HANG_MS		60
#define LIMIT_S		15
#define MEMORY		(UINT64_C(2) << 20)
#define IMAGE		"image"

struct world {
	struct event_base	*base;
	struct disk_host	 host;
	struct conf_disk	 conf;
	struct disk		*disk;
	int			 ready;
	int			 failed;	/* the reason */
	int			 gone;
};

static void
on_ready(void *ctx, struct disk *disk)
{
	struct world *w = ctx;

	(void)disk;
	w->ready++;
	event_base_loopbreak(w->base);
}

static void
on_failed(void *ctx, struct disk *disk, enum exitcode_reason reason)
{
	struct world *w = ctx;

	w->failed = (int)reason;
	disk_stop(disk);
}

static void
on_gone(void *ctx, struct disk *disk)
{
	struct world *w = ctx;

	(void)disk;
	w->gone++;
	event_base_loopbreak(w->base);
}

static void
make_image(off_t bytes)
{
	int fd = open(IMAGE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	ATF_REQUIRE(fd != -1);
	ATF_REQUIRE_EQ(0, ftruncate(fd, bytes));
	close(fd);
}

/* The world, with a disk that is not started. */
static void
set_up(struct world *w, const char *serial)
{
	static char path[4096];

	*w = (struct world) { .failed = 0 };
	ATF_REQUIRE(getenv("VMMD_BUILDDIR") != NULL);
	snprintf(path, sizeof(path), "%s/vmmd/child_double",
	    getenv("VMMD_BUILDDIR"));
	log_open("test", LOG_TO_STDERR, LOG_LEVEL_DEBUG);
	make_image(1 << 20);
	w->conf = (struct conf_disk) {
		.name = "vda", .path = IMAGE, .queues = 2, .queue_size = 64,
		.block_size = 512,
	};
	snprintf(w->conf.serial, sizeof(w->conf.serial), "%s", serial);
	ATF_REQUIRE((w->base = event_base_new()) != NULL);
	w->host = (struct disk_host) {
		.base = w->base,
		.children = children_new(w->base),
		.blkd = path,
		.gmem_fd = memfd_make("gmem", MEMORY),
		.memory = MEMORY,
		.ctx = w,
		.ready = on_ready,
		.failed = on_failed,
		.gone = on_gone,
	};
	ATF_REQUIRE(w->host.children != NULL && w->host.gmem_fd != -1);
	ATF_REQUIRE_EQ(EXITCODE_NONE, disk_new(&w->host, &w->conf, 0,
	    &w->disk));
}

/* Run until a callback has something to say. */
static void
step(struct world *w)
{
	struct timeval limit = { LIMIT_S, 0 };
	int ready = w->ready, gone = w->gone;

	event_base_loopexit(w->base, &limit);
	event_base_dispatch(w->base);
	if (ready == w->ready && gone == w->gone)
		atf_tc_fail("nothing in %d s in state %s", LIMIT_S,
		    disk_state_name(w->disk));
}

static void
tear_down(struct world *w)
{
	disk_stop(w->disk);
	if (!disk_is_gone(w->disk))
		step(w);
	ATF_REQUIRE(disk_is_gone(w->disk));
	disk_free(w->disk);
	children_free(w->host.children);
	close(w->host.gmem_fd);
	event_base_free(w->base);
}

static void
start(struct world *w)
{
	disk_start(w->disk);
	step(w);
	ATF_REQUIRE_EQ(1, w->ready);
}

/* As many looks of the watch as would find any hang thrice. */
static void
watch_on(struct world *w)
{
	struct timeval limit = { 0, HANG_MS * 6 * 1000 };

	event_base_loopexit(w->base, &limit);
	event_base_dispatch(w->base);
}

static uint64_t
hangs(struct world *w)
{
	struct proto_disk_status status;

	disk_status(w->disk, &status);
	return status.m_hangs;
}

/* The first one hangs, and is replaced by one that does not. */
static void
test_hang(const char *serial)
{
	struct world w;

	set_up(&w, serial);
	w.host.hang_ms = HANG_MS;
	start(&w);
	ATF_CHECK_EQ(0, hangs(&w));
	step(&w);
	ATF_CHECK_EQ(2, w.ready);
	watch_on(&w);
	ATF_CHECK_EQ(2, w.ready);
	ATF_CHECK_EQ(1, hangs(&w));
	tear_down(&w);
}

/* It is left alone. */
static void
test_well(const char *serial)
{
	struct world w;

	set_up(&w, serial);
	w.host.hang_ms = HANG_MS;
	start(&w);
	watch_on(&w);
	ATF_CHECK_EQ(1, w.ready);
	ATF_CHECK_EQ(0, hangs(&w));
	tear_down(&w);
}

#define CASE(name, call)			\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)			\
	{					\
		(void)tc;			\
		call;				\
	}

CASE(watch__no_answer, test_hang("numb"))
CASE(watch__queue_runs_without_a_step, test_hang("spin"))
CASE(watch__queue_waits_for_its_device, test_well("wait"))
CASE(watch__pool_thread_runs_without_a_step, test_hang("poolspin"))
CASE(watch__pool_thread_waits_for_its_device, test_well("poolwait"))
CASE(watch__idle, test_well("good"))

/* Run until the spare can take over. */
static void
await_spare(struct world *w)
{
	struct timeval look = { 0, 5000 };
	int i;

	for (i = 0; i < 2000 && !disk_has_spare(w->disk); i++) {
		event_base_loopexit(w->base, &look);
		event_base_dispatch(w->base);
	}
	ATF_REQUIRE(disk_has_spare(w->disk));
}

static pid_t
pid_of(struct world *w)
{
	struct proto_disk_status status;

	disk_status(w->disk, &status);
	return (pid_t)status.m_pid;
}

/* The one that stood by is the next one; another one takes its place. */
ATF_TC_WITHOUT_HEAD(spare__takes_over);
ATF_TC_BODY(spare__takes_over, tc)
{
	struct world w;
	pid_t old;
	int i;

	set_up(&w, "good");
	w.host.spare_ms = 1;
	w.host.healthy_ms = 1;
	start(&w);
	for (i = 2; i < 5; i++) {
		await_spare(&w);
		old = pid_of(&w);
		ATF_REQUIRE_EQ(0, kill(old, SIGKILL));
		step(&w);
		ATF_CHECK_EQ(i, w.ready);
		ATF_CHECK(pid_of(&w) != old);
	}
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(spare__upgrade);
ATF_TC_BODY(spare__upgrade, tc)
{
	struct proto_disk_status status;
	struct world w;
	pid_t old;

	set_up(&w, "good");
	w.host.spare_ms = 1;
	start(&w);
	await_spare(&w);
	old = pid_of(&w);
	disk_upgrade(w.disk);
	/* The one that waited is of the old program. */
	ATF_CHECK(!disk_has_spare(w.disk));
	step(&w);
	ATF_CHECK_EQ(2, w.ready);
	ATF_CHECK(pid_of(&w) != old);
	disk_status(w.disk, &status);
	ATF_CHECK_EQ(0, status.m_deaths);
	tear_down(&w);
}

/* None is left behind. */
ATF_TC_WITHOUT_HEAD(spare__ends_with_its_disk);
ATF_TC_BODY(spare__ends_with_its_disk, tc)
{
	struct world w;

	set_up(&w, "good");
	w.host.spare_ms = 1;
	start(&w);
	await_spare(&w);
	tear_down(&w);
	ATF_CHECK_EQ(1, w.gone);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, watch__no_answer);
	ATF_TP_ADD_TC(tp, watch__queue_runs_without_a_step);
	ATF_TP_ADD_TC(tp, watch__queue_waits_for_its_device);
	ATF_TP_ADD_TC(tp, watch__pool_thread_runs_without_a_step);
	ATF_TP_ADD_TC(tp, watch__pool_thread_waits_for_its_device);
	ATF_TP_ADD_TC(tp, watch__idle);
	ATF_TP_ADD_TC(tp, spare__takes_over);
	ATF_TP_ADD_TC(tp, spare__upgrade);
	ATF_TP_ADD_TC(tp, spare__ends_with_its_disk);
	return atf_no_error();
}
