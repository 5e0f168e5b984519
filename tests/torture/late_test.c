/* SPDX-License-Identifier: ISC */
/*
 * I/O of a dead blkd does not come late: what it had in flight on a device
 * that takes its time has ended when its successor says READY.  Judged by
 * the data, not by the clock: a write is in the image, a read does not
 * change guest memory any more.  The product's own life of a disk and its
 * own blkd, on a loop device; the test is the guest, and the vm.
 *
 * The corpse is not reaped before that: a tracer holds it.  So without the
 * rule of vmmd/disk_attach.c that io_uring waits beside a corpse READY comes
 * within a tenth of DELAY_MS, and each case of uring fails.
 */
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>

#include <atf-c.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "blkd/slow_device.h"
#include "shm/gmem.h"
#include "shm/memfd.h"
#include "tests/driver/driverq.h"
#include "tests/driver/mmiodrv.h"
#include "util/log.h"
#include "vmmd/children.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"

#define DELAY_MS	1500
#define PATIENCE_NS	UINT64_C(30000000000)
#define MEMORY		(UINT64_C(32) << 20)
#define BYTES		4096u
#define DEVICE_BYTES	(UINT64_C(1) << 20)
#define QUEUE_SIZE	64u
#define OFFSET		(512 * 1024)	/* nobody has read it ahead */

/* Where the dead one reads to, and where its successor is told to. */
#define OLD_GPA		DRIVERQ_DATA_GPA
#define NEW_GPA		(DRIVERQ_DATA_GPA + (1u << 20))

#define ON_DISK		0x5a	/* what is written, or read */
#define OF_GUEST	0xee	/* what the guest has there now */

struct world {
	struct slow_device	 device;
	struct event_base	*base;
	struct disk_host	 host;
	struct conf_disk	 conf;
	struct disk		*disk;
	struct disk_vm_part	 part;
	struct gmem		*gmem;
	struct driverq		 q;
	int			 channel;
	pid_t			 tracer;
	unsigned		 ready;
	bool			 gone;
	int			 landed;	/* at the second READY */
};

/* --- the monitor --------------------------------------------------------- */

static uint64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint8_t *
at(struct world *w, uint64_t gpa)
{
	uint8_t *p = gmem_at(w->gmem, gpa, BYTES);

	ATF_REQUIRE(p != NULL);
	return p;
}

/* Here the guest could go on: from now on memory and image are its own. */
static void
on_ready(void *ctx, struct disk *disk)
{
	struct world *w = ctx;

	(void)disk;
	if (++w->ready != 2)
		return;
	w->landed = slow_device_landed(OFFSET);
	memset(at(w, OLD_GPA), OF_GUEST, BYTES);
}

static void
on_failed(void *ctx, struct disk *disk, enum exitcode_reason reason)
{
	(void)ctx;
	(void)disk;
	atf_tc_fail("the disk does not start: %d", (int)reason);
}

static void
on_gone(void *ctx, struct disk *disk)
{
	struct world *w = ctx;

	(void)disk;
	w->gone = true;
}

static void
run_until(struct world *w, const char *what, bool (*is_so)(struct world *))
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	uint64_t limit = now() + PATIENCE_NS;

	while (!is_so(w)) {
		event_base_loop(w->base, EVLOOP_NONBLOCK);
		if (now() > limit)
			atf_tc_fail("waited for %s in vain", what);
		nanosleep(&nap, NULL);
	}
}

static bool
is_ready(struct world *w)
{
	return w->ready == 1;
}

static bool
is_ready_again(struct world *w)
{
	return w->ready == 2;
}

/* It has done the reads of its start: they would wait for the device, too. */
static bool
has_spare(struct world *w)
{
	return disk_has_spare(w->disk);
}

static bool
is_in_flight(struct world *w)
{
	return slow_device_in_flight(&w->device) > 0;
}

static bool
is_answered(struct world *w)
{
	return driverq_ready(&w->q) > 0;
}

static bool
is_idle(struct world *w)
{
	return slow_device_in_flight(&w->device) == 0;
}

static bool
is_gone(struct world *w)
{
	return w->gone;
}

/* --- the machine --------------------------------------------------------- */

static void
make_disk(struct world *w, enum proto_engine engine, unsigned threads)
{
	static char blkd[4096];

	ATF_REQUIRE(getenv("VMMD_BUILDDIR") != NULL);
	snprintf(blkd, sizeof(blkd), "%s/blkd/blkd", getenv("VMMD_BUILDDIR"));
	w->conf = (struct conf_disk) {
		.name = "vda", .queues = 1, .queue_size = QUEUE_SIZE,
		.block_size = 512, .engine = (int)engine,
		.direct = engine != PROTO_ENGINE_MMAP,
		.threads = threads,
	};
	snprintf(w->conf.path, sizeof(w->conf.path), "%s", w->device.path);
	w->host = (struct disk_host) {
		.base = w->base,
		.children = children_new(w->base),
		.blkd = blkd,
		.gmem_fd = memfd_make("gmem", MEMORY),
		.memory = MEMORY,
		.spare_ms = 1,
		.ctx = w,
		.ready = on_ready,
		.failed = on_failed,
		.gone = on_gone,
	};
	ATF_REQUIRE(w->host.children != NULL && w->host.gmem_fd != -1);
	ATF_REQUIRE((w->gmem = gmem_open(w->host.gmem_fd, MEMORY)) != NULL);
	ATF_REQUIRE_EQ(EXITCODE_NONE, disk_new(&w->host, &w->conf, 0,
	    &w->disk));
	disk_describe(w->disk, &w->part);
}

static void
go_live(struct world *w)
{
	const struct mmiodrv_queue queue = {
		.num = QUEUE_SIZE,
		.desc = DRIVERQ_DESC_GPA,
		.avail = DRIVERQ_AVAIL_GPA,
		.used = DRIVERQ_USED_GPA,
	};

	disk_start(w->disk);
	run_until(w, "READY", is_ready);
	ATF_REQUIRE((w->channel = disk_take_channel(w->disk)) != -1);
	ATF_REQUIRE_EQ(0, mmiodrv_go_live(w->channel,
	    UINT64_C(1) << VIRTIO_F_VERSION_1, &queue, 1));
	driverq_init(&w->q, gmem_at(w->gmem, 0, DRIVERQ_DATA_GPA), QUEUE_SIZE,
	    false, w->part.kick_fd[0]);
}

static void
set_up(struct world *w, enum proto_engine engine, unsigned threads)
{
	*w = (struct world) { .channel = -1 };
	log_open("test", LOG_TO_STDERR, LOG_LEVEL_DEBUG);
	slow_device_make(&w->device, DEVICE_BYTES, DELAY_MS, DELAY_MS);
	ATF_REQUIRE((w->base = event_base_new()) != NULL);
	make_disk(w, engine, threads);
	go_live(w);
}

static void
tear_down(struct world *w)
{
	disk_stop(w->disk);
	run_until(w, "the end", is_gone);
	disk_free(w->disk);
	children_free(w->host.children);
	event_base_free(w->base);
	gmem_close(w->gmem);
	close(w->host.gmem_fd);
	close(w->channel);
	slow_device_free(&w->device);
}

/* --- the cases ----------------------------------------------------------- */

/* Its parent does not hear of its end before the tracer's. */
static void
hold_corpse(struct world *w, pid_t pid)
{
	int fd[2];
	char byte;

	ATF_REQUIRE_EQ(0, pipe(fd));
	if ((w->tracer = fork()) == 0) {
		close(fd[0]);
		if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) == -1 ||
		    write(fd[1], "", 1) != 1)
			_exit(1);
		close(fd[1]);
		for (;;)
			pause();
	}
	close(fd[1]);
	if (read(fd[0], &byte, 1) != 1)
		atf_tc_skip("a process cannot be traced here");
	close(fd[0]);
}

static void
let_go(struct world *w)
{
	kill(w->tracer, SIGKILL);
	waitpid(w->tracer, NULL, 0);
}

/* One request is in flight; its blkd is killed; the next one serves. */
static void
die_with(struct world *w, uint32_t type)
{
	const struct driverq_request r = {
		.type = type, .sector = OFFSET / 512, .gpa = OLD_GPA,
		.bytes = BYTES,
	};
	struct proto_disk_status status;
	uint64_t begin;

	run_until(w, "a spare", has_spare);
	driverq_put(&w->q, 0, 0, &r);
	ATF_REQUIRE(driverq_show(&w->q) != -1);
	run_until(w, "the request", is_in_flight);
	disk_status(w->disk, &status);
	hold_corpse(w, (pid_t)status.m_pid);
	ATF_REQUIRE_EQ(0, kill((pid_t)status.m_pid, SIGKILL));
	begin = now();
	/* What is run again must not be taken for what comes late. */
	w->q.desc[1].addr = NEW_GPA;
	run_until(w, "the successor", is_ready_again);
	let_go(w);
	printf("READY after %.0f ms\n", (double)(now() - begin) / 1e6);
}

static void
test_write(enum proto_engine engine, unsigned threads)
{
	struct world w;

	set_up(&w, engine, threads);
	memset(at(&w, OLD_GPA), ON_DISK, BYTES);
	memset(at(&w, NEW_GPA), ON_DISK, BYTES);
	ATF_REQUIRE_EQ(0, slow_device_landed(OFFSET));
	die_with(&w, VIRTIO_BLK_T_OUT);
	/* What the successor has begun itself is not there yet. */
	ATF_CHECK_MSG(w.landed == ON_DISK, "a write of the dead one is still"
	    " to come");
	run_until(&w, "the answer", is_answered);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, driverq_status(&w.q, 0));
	tear_down(&w);
}

static void
test_read(enum proto_engine engine, unsigned threads)
{
	uint8_t data[BYTES], expected[BYTES];
	struct world w;
	int fd;

	set_up(&w, engine, threads);
	memset(data, ON_DISK, sizeof(data));
	/* Below the device: no cache on the way has it. */
	ATF_REQUIRE((fd = open(SLOW_FILE_IMAGE, O_WRONLY | O_CLOEXEC)) != -1);
	ATF_REQUIRE_EQ((ssize_t)BYTES, pwrite(fd, data, BYTES, OFFSET));
	close(fd);
	die_with(&w, VIRTIO_BLK_T_IN);
	run_until(&w, "the answer", is_answered);
	run_until(&w, "the last of all I/O", is_idle);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, driverq_status(&w.q, 0));
	/* The one that was run again has gone where it was told. */
	memset(expected, ON_DISK, BYTES);
	ATF_CHECK_EQ(0, memcmp(at(&w, NEW_GPA), expected, BYTES));
	memset(expected, OF_GUEST, BYTES);
	ATF_CHECK_MSG(memcmp(at(&w, OLD_GPA), expected, BYTES) == 0,
	    "a read of the dead one came after its successor's READY");
	tear_down(&w);
}

#define CASE(name, call)						\
ATF_TC_WITH_CLEANUP(name);						\
ATF_TC_HEAD(name, tc)							\
{									\
	atf_tc_set_md_var(tc, "require.user", "root");			\
	atf_tc_set_md_var(tc, "require.progs",				\
	    "nbdkit nbdfuse fusermount3");				\
}									\
ATF_TC_BODY(name, tc)							\
{									\
	(void)tc;							\
	call;								\
}									\
ATF_TC_CLEANUP(name, tc)						\
{									\
	(void)tc;							\
	slow_file_clean_up();						\
}

/*
 * A write to a mapping is the thread's own stores, over when it is; what the
 * kernel writes back later is whatever is newest.  Reads wait for the device.
 */
CASE(write__sync, test_write(PROTO_ENGINE_SYNC, 0))
CASE(write__threads, test_write(PROTO_ENGINE_SYNC, 2))
CASE(write__uring, test_write(PROTO_ENGINE_URING, 0))
CASE(read__mmap, test_read(PROTO_ENGINE_MMAP, 0))
CASE(read__sync, test_read(PROTO_ENGINE_SYNC, 0))
CASE(read__threads, test_read(PROTO_ENGINE_SYNC, 2))
CASE(read__uring, test_read(PROTO_ENGINE_URING, 0))

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, write__sync);
	ATF_TP_ADD_TC(tp, write__threads);
	ATF_TP_ADD_TC(tp, write__uring);
	ATF_TP_ADD_TC(tp, read__mmap);
	ATF_TP_ADD_TC(tp, read__sync);
	ATF_TP_ADD_TC(tp, read__threads);
	ATF_TP_ADD_TC(tp, read__uring);
	return atf_no_error();
}
