/* SPDX-License-Identifier: ISC */
/*
 * Tests of a disk (vmmd/disk.c, disk_*.c) with child_double for its blkd.
 * Nothing here sleeps: each step ends with a callback of the disk, or after
 * LIMIT_S.
 */
#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "shm/memfd.h"
#include "util/log.h"
#include "vmmd/children.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"
#include "util/imagelock.h"

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

static int
try_lock(enum imagelock_byte byte)
{
	int fd = open(IMAGE, O_RDWR | O_CLOEXEC), ret;

	ATF_REQUIRE(fd != -1);
	ret = imagelock_take(fd, byte, false);
	close(fd);
	return ret;
}

static void
start(struct world *w)
{
	disk_start(w->disk);
	ATF_CHECK_MSG(disk_take_channel(w->disk) != -1, "no channel at once");
	step(w);
	ATF_REQUIRE_EQ(1, w->ready);
}

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

ATF_TC_WITHOUT_HEAD(life__start_and_stop);
ATF_TC_BODY(life__start_and_stop, tc)
{
	struct world w;

	set_up(&w, "good");
	start(&w);
	ATF_CHECK_EQ(-1, try_lock(IMAGELOCK_FENCE));
	ATF_CHECK_EQ(-1, try_lock(IMAGELOCK_OWNER));
	tear_down(&w);
	ATF_CHECK_EQ(0, w.failed);
	ATF_CHECK_EQ(0, try_lock(IMAGELOCK_FENCE));
	ATF_CHECK_EQ(0, try_lock(IMAGELOCK_OWNER));
}

ATF_TC_WITHOUT_HEAD(life__stop_before_start);
ATF_TC_BODY(life__stop_before_start, tc)
{
	struct world w;

	set_up(&w, "good");
	disk_stop(w.disk);
	ATF_CHECK_EQ(1, w.gone);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(life__stop_while_attaching);
ATF_TC_BODY(life__stop_while_attaching, tc)
{
	struct world w;

	set_up(&w, "good");
	disk_start(w.disk);
	tear_down(&w);
	ATF_CHECK_EQ(1, w.gone);
}

/* The double's pid: the only child of this process. */
static pid_t
child_of_mine(void)
{
	char path[64], line[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children",
	    (int)getpid());
	ATF_REQUIRE((f = fopen(path, "r")) != NULL);
	ATF_REQUIRE(fgets(line, sizeof(line), f) != NULL);
	fclose(f);
	return (pid_t)atoi(line);
}

ATF_TC_WITHOUT_HEAD(death__successor);
ATF_TC_BODY(death__successor, tc)
{
	struct world w;
	double begin;

	set_up(&w, "good");
	start(&w);
	begin = seconds();
	kill(child_of_mine(), SIGKILL);
	step(&w);
	ATF_CHECK_EQ(2, w.ready);
	ATF_CHECK_MSG(disk_take_channel(w.disk) != -1, "no new channel");
	/* The first respawn does not wait: 10 ms would be back-off. */
	printf("respawned after %.1f ms\n", (seconds() - begin) * 1e3);
	ATF_CHECK_EQ(-1, try_lock(IMAGELOCK_FENCE));
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(death__back_off_grows);
ATF_TC_BODY(death__back_off_grows, tc)
{
	struct world w;
	double begin;
	int i;

	set_up(&w, "good");
	start(&w);
	begin = seconds();
	for (i = 0; i < 5; i++) {
		kill(child_of_mine(), SIGKILL);
		step(&w);
	}
	ATF_CHECK_EQ(6, w.ready);
	/* 0, 10, 20, 40 and 80 ms. */
	ATF_CHECK_MSG(seconds() - begin >= 0.150, "too soon");
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(death__stop_during_back_off);
ATF_TC_BODY(death__stop_during_back_off, tc)
{
	struct world w;
	int i;

	set_up(&w, "good");
	start(&w);
	for (i = 0; i < 5; i++) {
		kill(child_of_mine(), SIGKILL);
		step(&w);
	}
	kill(child_of_mine(), SIGKILL);
	while (strcmp(disk_state_name(w.disk), "back-off") != 0)
		event_base_loop(w.base, EVLOOP_ONCE);
	disk_stop(w.disk);
	ATF_CHECK_EQ(1, w.gone);
	tear_down(&w);
}

/* Somebody's I/O still holds the fence: the successor waits for it. */
ATF_TC_WITHOUT_HEAD(death__waits_for_fence);
ATF_TC_BODY(death__waits_for_fence, tc)
{
	struct timeval wait = { 0, 300000 };
	struct world w;
	int fd;

	set_up(&w, "good");
	ATF_REQUIRE((fd = open(IMAGE, O_RDWR | O_CLOEXEC)) != -1);
	start(&w);
	kill(child_of_mine(), SIGKILL);
	while (imagelock_take(fd, IMAGELOCK_FENCE, false) == -1)
		ATF_REQUIRE_EQ(EAGAIN, errno);
	event_base_loopexit(w.base, &wait);
	event_base_dispatch(w.base);
	ATF_CHECK_EQ(1, w.ready);
	ATF_CHECK_STREQ("locking", disk_state_name(w.disk));
	close(fd);
	step(&w);
	ATF_CHECK_EQ(2, w.ready);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(start__fails);
ATF_TC_BODY(start__fails, tc)
{
	struct world w;

	set_up(&w, "fail");
	disk_start(w.disk);
	step(&w);
	ATF_CHECK_EQ(0, w.ready);
	ATF_CHECK_EQ(EXITCODE_DISK, w.failed);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(start__dies);
ATF_TC_BODY(start__dies, tc)
{
	struct world w;

	set_up(&w, "die");
	disk_start(w.disk);
	step(&w);
	ATF_CHECK_EQ(EXITCODE_DISK, w.failed);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(start__no_program);
ATF_TC_BODY(start__no_program, tc)
{
	struct world w;

	set_up(&w, "good");
	w.host.blkd = "/nonexistent";
	disk_start(w.disk);
	step(&w);
	ATF_CHECK_EQ(EXITCODE_DISK, w.failed);
	tear_down(&w);
}

/* A busy host may need long: there is no guest yet that would wait. */
ATF_TC_WITHOUT_HEAD(start__slow_is_waited_for);
ATF_TC_BODY(start__slow_is_waited_for, tc)
{
	struct world w;

	set_up(&w, "slow");
	w.host.attach_ms = 1000;
	disk_start(w.disk);
	step(&w);
	ATF_CHECK_EQ(0, w.failed);
	ATF_CHECK_EQ(1, w.ready);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(start__mute_is_killed);
ATF_TC_BODY(start__mute_is_killed, tc)
{
	struct world w;

	set_up(&w, "mute");
	w.host.attach_ms = 100;
	disk_start(w.disk);
	step(&w);
	ATF_CHECK_EQ(EXITCODE_DISK, w.failed);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(stop__disobedient_is_killed);
ATF_TC_BODY(stop__disobedient_is_killed, tc)
{
	struct world w;

	set_up(&w, "stay");
	start(&w);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(replace__asked_by_blkd);
ATF_TC_BODY(replace__asked_by_blkd, tc)
{
	struct world w;

	set_up(&w, "replace");
	start(&w);
	step(&w);
	ATF_CHECK_EQ(2, w.ready);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(replace__asked_by_vm);
ATF_TC_BODY(replace__asked_by_vm, tc)
{
	struct world w;

	set_up(&w, "good");
	start(&w);
	disk_replace(w.disk, "the test asks for it");
	step(&w);
	ATF_CHECK_EQ(2, w.ready);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(replace__after_garbage);
ATF_TC_BODY(replace__after_garbage, tc)
{
	struct world w;

	set_up(&w, "garbage");
	start(&w);
	step(&w);
	ATF_CHECK_EQ(2, w.ready);
	tear_down(&w);
}

/* blkd refuses by itself; this is for one that does not. */
ATF_TC_WITHOUT_HEAD(strict__unboxed_does_not_start);
ATF_TC_BODY(strict__unboxed_does_not_start, tc)
{
	struct world w;

	set_up(&w, "bare");
	w.host.strict = true;
	disk_start(w.disk);
	step(&w);
	ATF_CHECK_EQ(0, w.ready);
	ATF_CHECK_EQ(EXITCODE_SANDBOX, w.failed);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(strict__unboxed_successor_is_killed);
ATF_TC_BODY(strict__unboxed_successor_is_killed, tc)
{
	struct proto_disk_status status;
	struct world w;

	set_up(&w, "shed");
	w.host.strict = true;
	start(&w);
	kill(child_of_mine(), SIGKILL);
	step(&w);
	ATF_CHECK_EQ(2, w.ready);
	ATF_CHECK_EQ(0, w.failed);
	/* The one that was killed, and the one that lacked a layer. */
	disk_status(w.disk, &status);
	ATF_CHECK_EQ(2, status.m_deaths);
	ATF_CHECK_EQ(PROTO_LAYERS, status.m_layers);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(best_effort__unboxed_serves);
ATF_TC_BODY(best_effort__unboxed_serves, tc)
{
	struct proto_disk_status status;
	struct world w;

	set_up(&w, "bare");
	start(&w);
	disk_status(w.disk, &status);
	ATF_CHECK_EQ(PROTO_LAYERS & ~PROTO_LAYER_LANDLOCK, status.m_layers);
	tear_down(&w);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, strict__unboxed_does_not_start);
	ATF_TP_ADD_TC(tp, strict__unboxed_successor_is_killed);
	ATF_TP_ADD_TC(tp, best_effort__unboxed_serves);
	ATF_TP_ADD_TC(tp, life__start_and_stop);
	ATF_TP_ADD_TC(tp, life__stop_before_start);
	ATF_TP_ADD_TC(tp, life__stop_while_attaching);
	ATF_TP_ADD_TC(tp, death__successor);
	ATF_TP_ADD_TC(tp, death__back_off_grows);
	ATF_TP_ADD_TC(tp, death__stop_during_back_off);
	ATF_TP_ADD_TC(tp, death__waits_for_fence);
	ATF_TP_ADD_TC(tp, start__fails);
	ATF_TP_ADD_TC(tp, start__dies);
	ATF_TP_ADD_TC(tp, start__no_program);
	ATF_TP_ADD_TC(tp, start__slow_is_waited_for);
	ATF_TP_ADD_TC(tp, start__mute_is_killed);
	ATF_TP_ADD_TC(tp, stop__disobedient_is_killed);
	ATF_TP_ADD_TC(tp, replace__asked_by_blkd);
	ATF_TP_ADD_TC(tp, replace__asked_by_vm);
	ATF_TP_ADD_TC(tp, replace__after_garbage);
	return atf_no_error();
}
