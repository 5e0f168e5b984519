/* SPDX-License-Identifier: ISC */
/* A real blkd, from ATTACH to its end, by its channels and its ring. */
#include <sys/wait.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "blkd/process_harness.h"
#include "blkd/slow_file.h"
#include "proto/chan.h"
#include "util/fd.h"

#define ATTACHED_BY(tc, body, prepare)					\
ATF_TC_WITHOUT_HEAD(tc);						\
ATF_TC_BODY(tc, atf)							\
{									\
	struct process p;						\
									\
	process_make(&p);						\
	prepare(&p);							\
	process_attach(&p, NULL);					\
	body(&p);							\
	process_free(&p);						\
}

#define ATTACHED(tc)							\
static void tc##_on(struct process *);					\
ATTACHED_BY(tc, tc##_on, as_it_is)					\
static void								\
tc##_on(struct process *p)

/* A case for each engine. */
#define ATTACHED_EACH(tc)						\
static void tc##_on(struct process *);					\
ATTACHED_BY(tc##_by_sync, tc##_on, as_it_is)				\
ATTACHED_BY(tc##_by_threads, tc##_on, process_want_threads)		\
ATTACHED_BY(tc##_by_uring, tc##_on, process_want_uring)			\
static void								\
tc##_on(struct process *p)

#define ADD_EACH(tp, tc)						\
	ATF_TP_ADD_TC(tp, tc##_by_sync);				\
	ATF_TP_ADD_TC(tp, tc##_by_threads);				\
	ATF_TP_ADD_TC(tp, tc##_by_uring)

static void
as_it_is(struct process *p)
{
	(void)p;
}

static void
require_exit(struct process *p, int status)
{
	int got = process_wait(p);

	ATF_REQUIRE_MSG(WIFEXITED(got), "killed by signal %d",
	    WTERMSIG(got));
	ATF_CHECK_EQ_MSG(status, WEXITSTATUS(got), "%d", WEXITSTATUS(got));
}

/* The hexadecimal or decimal number after `key` in /proc/PID/status. */
static unsigned long long
status_of(pid_t pid, const char *key, int base)
{
	unsigned long long value = ~0ull;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	ATF_REQUIRE((f = fopen(path, "re")) != NULL);
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtoull(line + strlen(key), NULL, base);
	fclose(f);
	return value;
}

/* Nothing was ever said to it. */
ATF_TC_WITHOUT_HEAD(session__shut_in_before_the_first_message);
ATF_TC_BODY(session__shut_in_before_the_first_message, tc)
{
	struct process p;
	int i;

	process_make(&p);
	process_spawn(&p);
	for (i = 0; i < 10000 && status_of(p.pid, "Seccomp:", 10) != 2; i++)
		usleep(1000);
	ATF_CHECK_EQ(2, status_of(p.pid, "Seccomp:", 10));
	ATF_CHECK_EQ(1, status_of(p.pid, "NoNewPrivs:", 10));
	ATF_CHECK_EQ(0, status_of(p.pid, "CapPrm:", 16));
	ATF_CHECK_EQ(0, status_of(p.pid, "CapEff:", 16));
	ATF_CHECK_EQ(0, status_of(p.pid, "CapBnd:", 16));
	ATF_CHECK(process_is_silent(p.control, 0));
	process_free(&p);
}

ATF_TC_WITHOUT_HEAD(session__attach_answers_what_the_disk_is);
ATF_TC_BODY(session__attach_answers_what_the_disk_is, tc)
{
	struct proto_blk_ready ready;
	struct process p;

	process_make(&p);
	process_attach(&p, &ready);
	ATF_CHECK_EQ(RING_DISK_SECTORS, ready.m_capacity);
	ATF_CHECK_EQ(0, ready.m_replayed);
	ATF_CHECK(ready.m_layers & PROTO_LAYER_SECCOMP);
	ATF_CHECK(ready.m_layers & PROTO_LAYER_NNP);
	ATF_CHECK(ready.m_layers & PROTO_LAYER_CAPS);
	ATF_CHECK_EQ(0x74726976, process_read(&p, 0, 4));
	ATF_CHECK_EQ(2, process_read(&p, VIRTIO_MMIO_DEVICE_ID, 4));
	ATF_CHECK_EQ(RING_DISK_SECTORS,
	    process_read(&p, VIRTIO_MMIO_CONFIG, 8));
	process_free(&p);
}

ATTACHED_EACH(session__requests_go_through_the_ring)
{
	uint8_t sector[512];
	uint32_t len;

	process_go_live(p);
	memset(ring_harness_data(&p->ring, 0), 0x5a, 4096);
	ring_harness_request(&p->ring, 0, VIRTIO_BLK_T_OUT, 8, 4096);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&p->ring, 0, &len));
	ring_harness_sector(&p->ring, 15, sector);
	ATF_CHECK_EQ(0x5a, sector[511]);
	ring_harness_request(&p->ring, 1, VIRTIO_BLK_T_FLUSH, 0, 0);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&p->ring, 1, &len));
	ring_harness_request(&p->ring, 2, VIRTIO_BLK_T_IN, 8, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&p->ring, 2, &len));
	ATF_CHECK_EQ(513, len);
	ATF_CHECK_EQ(0x5a, ring_harness_data(&p->ring, 2)[0]);
	ATF_CHECK_EQ(DOORBELL_USED,
	    process_read(p, VIRTIO_MMIO_INTERRUPT_STATUS, 4));
	ATF_CHECK(ring_harness_irqs(&p->ring) > 0);
}

ATTACHED_EACH(session__detach_flushes_and_exits_0)
{
	process_go_live(p);
	process_tell(p, PROTO_BLK_DETACH);
	require_exit(p, EX_OK);
}

ATF_TC_WITHOUT_HEAD(session__spare_detaches_without_a_disk);
ATF_TC_BODY(session__spare_detaches_without_a_disk, tc)
{
	struct process p;
	struct msg m;

	process_make(&p);
	process_spawn(&p);
	process_tell(&p, PROTO_BLK_PING);
	process_expect(p.control, PROTO_BLK_PONG, &m);
	ATF_CHECK_EQ(p.sequence, m.hdr.m_sequence);
	process_tell(&p, PROTO_BLK_DETACH);
	require_exit(&p, EX_OK);
	process_free(&p);
}

ATTACHED_EACH(session__monitor_gone_ends_blkd)
{
	process_go_live(p);
	fd_close(&p->control);
	require_exit(p, EX_UNAVAILABLE);
}

ATTACHED(session__vm_gone_waits_for_the_monitor)
{
	struct msg m;

	process_go_live(p);
	fd_close(&p->mmio);
	process_tell(p, PROTO_BLK_PING);
	process_expect(p->control, PROTO_BLK_PONG, &m);
	process_tell(p, PROTO_BLK_DETACH);
	require_exit(p, EX_OK);
}

/* --- engines ------------------------------------------------------------ */

static const struct {
	enum proto_engine	wanted;
	bool			rings;
	int			engine;		/* -1: FAIL */
} engines[] = {
	{ PROTO_ENGINE_SYNC,	false,	PROTO_ENGINE_SYNC },
	{ PROTO_ENGINE_URING,	false,	-1 },
	{ PROTO_ENGINE_AUTO,	false,	PROTO_ENGINE_SYNC },
	{ PROTO_ENGINE_URING,	true,	PROTO_ENGINE_URING },
	{ PROTO_ENGINE_AUTO,	true,	PROTO_ENGINE_URING },
	{ PROTO_ENGINE_MMAP,	false,	PROTO_ENGINE_MMAP },
};

ATF_TC_WITHOUT_HEAD(session__engine_is_what_can_be_had);
ATF_TC_BODY(session__engine_is_what_can_be_had, tc)
{
	struct proto_blk_ready ready;
	int fds[PROTO_FDS_MAX], ends[2];
	struct process p;
	struct msg m;
	size_t i;

	for (i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
		process_make(&p);
		if (engines[i].rings)
			process_want_uring(&p);
		p.attach.m_engine = engines[i].wanted;
		p.no_rings = !engines[i].rings;
		if (engines[i].engine != -1) {
			process_attach(&p, &ready);
			ATF_CHECK_EQ((uint32_t)engines[i].engine,
			    ready.m_engine);
			process_free(&p);
			continue;
		}
		process_spawn(&p);
		ATF_REQUIRE(chan_pair(ends) == 0);
		p.mmio = ends[0];
		p.mmio_blkd = ends[1];
		process_send_attach(&p, fds, process_fds(&p, fds));
		process_expect(p.control, PROTO_BLK_FAIL, &m);
		ATF_CHECK_MSG(strstr(m.fail.m_text, "engine = uring") != NULL,
		    "%s", m.fail.m_text);
		require_exit(&p, EX_CONFIG);
		process_free(&p);
	}
}

/* --- pause ------------------------------------------------------------- */

ATTACHED_EACH(session__pause_parks_and_resume_loses_no_kick)
{
	struct msg m;
	uint32_t len;

	process_go_live(p);
	ring_harness_request(&p->ring, 0, VIRTIO_BLK_T_OUT, 0, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&p->ring, 0, &len));
	process_tell(p, PROTO_BLK_PAUSE);
	process_expect(p->control, PROTO_BLK_PAUSED, &m);
	ring_harness_request(&p->ring, 1, VIRTIO_BLK_T_OUT, 0, 512);
	ring_harness_offer(&p->ring, ring_harness_head(1));
	ring_harness_kick(&p->ring);
	/* Registers are answered; the request is not touched. */
	ATF_CHECK_EQ(PROCESS_LIVE, process_read(p, VIRTIO_MMIO_STATUS, 4));
	process_tell(p, PROTO_BLK_PING);
	process_expect(p->control, PROTO_BLK_PONG, &m);
	ATF_CHECK_EQ(RING_STATUS_UNTOUCHED, ring_harness_status(&p->ring, 1));
	process_tell(p, PROTO_BLK_RESUME);
	process_expect(p->control, PROTO_BLK_RESUMED, &m);
	ring_harness_wait_used(&p->ring, 1);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_status(&p->ring, 1));
}

ATTACHED(session__driver_ok_while_paused_runs_after_resume)
{
	struct msg m;

	process_tell(p, PROTO_BLK_PAUSE);
	process_expect(p->control, PROTO_BLK_PAUSED, &m);
	process_go_live(p);
	ring_harness_request(&p->ring, 0, VIRTIO_BLK_T_OUT, 0, 512);
	ring_harness_offer(&p->ring, ring_harness_head(0));
	ring_harness_kick(&p->ring);
	process_tell(p, PROTO_BLK_RESUME);
	process_expect(p->control, PROTO_BLK_RESUMED, &m);
	ring_harness_wait_used(&p->ring, 1);
}

/* The filter lets a file be emptied; by a ring it is that ring's. */
ATTACHED_EACH(session__discard_and_write_zeroes)
{
	const struct virtio_blk_discard_write_zeroes range = {
		.sector = 8, .num_sectors = 16 };
	static const uint32_t types[] = { VIRTIO_BLK_T_DISCARD,
	    VIRTIO_BLK_T_WRITE_ZEROES };
	uint8_t block[16 * 512], zeroes[16 * 512] = { 0 };
	unsigned i;

	p->ring.setup.features |= RING_FEATURE(VIRTIO_BLK_F_DISCARD) |
	    RING_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);
	process_go_live(p);
	memset(block, 0x33, sizeof(block));
	for (i = 0; i < 2; i++) {
		ATF_REQUIRE_EQ((ssize_t)sizeof(block), pwrite(
		    p->ring.backingfd, block, sizeof(block), 8 * 512));
		ring_harness_request(&p->ring, i, types[i], 0, sizeof(range));
		memcpy(ring_harness_data(&p->ring, i), &range, sizeof(range));
		ATF_CHECK_EQ(VIRTIO_BLK_S_OK,
		    ring_harness_run(&p->ring, i, NULL));
		ATF_REQUIRE_EQ((ssize_t)sizeof(block), pread(
		    p->ring.backingfd, block, sizeof(block), 8 * 512));
		ATF_CHECK_EQ(0, memcmp(block, zeroes, sizeof(block)));
		memset(block, 0x44, sizeof(block));
	}
}

/* --- what the monitor changes ------------------------------------------ */

ATTACHED(session__resize_tells_the_driver)
{
	struct msg m;

	process_go_live(p);
	ATF_REQUIRE(ftruncate(p->ring.backingfd,
	    2 * RING_DISK_SECTORS * 512 + 100) == 0);
	process_tell(p, PROTO_BLK_RESIZE);
	process_expect(p->control, PROTO_BLK_RESIZED, &m);
	ATF_CHECK_EQ(2 * RING_DISK_SECTORS, m.resized.m_capacity);
	ATF_CHECK_EQ(2 * RING_DISK_SECTORS,
	    process_read(p, VIRTIO_MMIO_CONFIG, 8));
	ATF_CHECK_EQ(DOORBELL_CONFIG,
	    process_read(p, VIRTIO_MMIO_INTERRUPT_STATUS, 4));
	ATF_CHECK(ring_harness_irqs(&p->ring) > 0);
}

ATTACHED(session__limits_change_while_a_request_waits)
{
	struct proto_blk_limits q = { .m_limits.m_ops_rate = 1 };
	struct msg m;
	unsigned i;

	process_go_live(p);
	chan_header(&q.m_hdr, PROTO_BLK_LIMITS, 1);
	ATF_REQUIRE(chan_send(p->control, &q, NULL, 0) == 0);
	process_expect(p->control, PROTO_BLK_LIMITED, &m);
	for (i = 0; i < 8; i++) {
		ring_harness_request(&p->ring, i, VIRTIO_BLK_T_OUT, i, 512);
		ring_harness_offer(&p->ring, ring_harness_head(i));
	}
	ring_harness_kick(&p->ring);
	ring_harness_wait_counter(&p->ring, COUNTER_THROTTLED, 1);
	q.m_limits.m_ops_rate = 0;
	chan_header(&q.m_hdr, PROTO_BLK_LIMITS, 2);
	ATF_REQUIRE(chan_send(p->control, &q, NULL, 0) == 0);
	process_expect(p->control, PROTO_BLK_LIMITED, &m);
	ring_harness_wait_used(&p->ring, 8);
}

/* --- reset ------------------------------------------------------------- */

ATTACHED(session__reset_while_throttled_is_answered_at_once)
{
	struct proto_blk_limits q = { .m_limits.m_ops_rate = 1 };
	struct msg m;
	unsigned i;

	process_go_live(p);
	chan_header(&q.m_hdr, PROTO_BLK_LIMITS, 1);
	ATF_REQUIRE(chan_send(p->control, &q, NULL, 0) == 0);
	process_expect(p->control, PROTO_BLK_LIMITED, &m);
	for (i = 0; i < 8; i++) {
		ring_harness_request(&p->ring, i, VIRTIO_BLK_T_OUT, i, 512);
		ring_harness_offer(&p->ring, ring_harness_head(i));
	}
	ring_harness_kick(&p->ring);
	ring_harness_wait_counter(&p->ring, COUNTER_THROTTLED, 1);
	process_write(p, VIRTIO_MMIO_STATUS, 0);
	ATF_CHECK_EQ(0, process_read(p, VIRTIO_MMIO_STATUS, 4));
	ATF_CHECK_EQ(RING_STATUS_UNTOUCHED, ring_harness_status(&p->ring, 7));
	ATF_CHECK_EQ(2, p->ring.disk.state->counters.
	    s_value[COUNTER_RESETS]);
}

/* As a driver does it before it starts anew. */
static void
forget_ring(struct process *p, uint16_t num)
{
	p->ring.setup.num = num;
	p->ring.avail_idx = p->ring.used_idx = 0;
	p->ring.avail->g_idx = 0;
	p->ring.used->g_idx = 0;
}

/* A write of slot 0 that takes as long as the file wants. */
static void
start_slow_write(struct process *p, struct slow_file *slow,
    void (*prepare)(struct process *), unsigned ms)
{
	slow_file_make(slow, RING_DISK_SECTORS * 512, ms, 0);
	process_make(p);
	prepare(p);
	p->ring.backingfd = slow->fd;
	process_attach(p, NULL);
	process_go_live(p);
	ring_harness_request(&p->ring, 0, VIRTIO_BLK_T_OUT, 0, 512);
	ring_harness_offer(&p->ring, ring_harness_head(0));
	ring_harness_kick(&p->ring);
	while (p->ring.disk.state->queue[0].s_inflight[0] == 0)
		usleep(1000);
}

#define SLOW_BY(tc, body, prepare)					\
ATF_TC_WITH_CLEANUP(tc);						\
ATF_TC_HEAD(tc, atf)							\
{									\
	atf_tc_set_md_var(atf, "require.progs",				\
	    "nbdkit nbdfuse fusermount3");				\
}									\
ATF_TC_CLEANUP(tc, atf)							\
{									\
	slow_file_clean_up();						\
}									\
ATF_TC_BODY(tc, atf)							\
{									\
	body(prepare);							\
}

/* A case for the queue thread itself, and one for those beside it. */
#define SLOW(tc)							\
static void tc##_on(void (*prepare)(struct process *));			\
SLOW_BY(tc##_by_sync, tc##_on, as_it_is)				\
SLOW_BY(tc##_by_threads, tc##_on, process_want_threads)			\
static void								\
tc##_on(void (*prepare)(struct process *))

#define ADD_SLOW(tp, tc)						\
	ATF_TP_ADD_TC(tp, tc##_by_sync);				\
	ATF_TP_ADD_TC(tp, tc##_by_threads)

SLOW(session__reset_waits_for_io_in_flight)
{
	struct slow_file slow;
	struct process p;
	struct msg m;
	uint32_t len;

	start_slow_write(&p, &slow, prepare, 400);
	process_post(&p, VIRTIO_MMIO_STATUS, 0);
	ATF_CHECK(process_is_silent(p.mmio, 100));
	/* The thread that waits is not the one that answers. */
	process_tell(&p, PROTO_BLK_PING);
	process_expect(p.control, PROTO_BLK_PONG, &m);
	process_expect(p.mmio, PROTO_MMIO_ACK, &m);
	ATF_CHECK_EQ(0, process_read(&p, VIRTIO_MMIO_STATUS, 4));
	ATF_CHECK(process_is_silent(p.control, 0));
	/* And again, on a ring of another size. */
	forget_ring(&p, 64);
	process_go_live(&p);
	ring_harness_request(&p.ring, 1, VIRTIO_BLK_T_IN, 0, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&p.ring, 1, &len));
	process_free(&p);
	slow_file_free(&slow);
}

SLOW(session__reset_that_takes_too_long_asks_for_a_successor)
{
	struct proto_blk_ready ready;
	struct slow_file slow;
	struct process p;
	struct msg m;

	start_slow_write(&p, &slow, prepare, 2000);
	process_post(&p, VIRTIO_MMIO_STATUS, 0);
	process_expect(p.control, PROTO_BLK_REPLACE, &m);
	ATF_CHECK_EQ(PROTO_REPLACE_RESET, m.replace.m_reason);
	ATF_CHECK(process_is_silent(p.mmio, 0));
	process_kill(&p);
	process_succeed(&p, &ready);
	ATF_CHECK_EQ(0, ready.m_replayed);
	ATF_CHECK_EQ(0, process_read(&p, VIRTIO_MMIO_STATUS, 4));
	process_write(&p, VIRTIO_MMIO_STATUS, 0);
	forget_ring(&p, PROCESS_QUEUE_SIZE);
	process_go_live(&p);
	process_free(&p);
	slow_file_free(&slow);
}

SLOW(session__detach_waits_for_io_in_flight)
{
	struct slow_file slow;
	struct process p;

	start_slow_write(&p, &slow, prepare, 300);
	process_tell(&p, PROTO_BLK_DETACH);
	require_exit(&p, EX_OK);
	ring_harness_wait_used(&p.ring, 1);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_status(&p.ring, 0));
	process_free(&p);
	slow_file_free(&slow);
}

SLOW(session__pause_waits_for_io_in_flight)
{
	struct slow_file slow;
	struct process p;
	struct msg m;

	start_slow_write(&p, &slow, prepare, 300);
	process_tell(&p, PROTO_BLK_PAUSE);
	ATF_CHECK(process_is_silent(p.control, 50));
	process_expect(p.control, PROTO_BLK_PAUSED, &m);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_status(&p.ring, 0));
	process_free(&p);
	slow_file_free(&slow);
}

/* --- death ------------------------------------------------------------- */

SLOW(session__kill_in_flight_is_completed_by_the_successor)
{
	struct proto_blk_ready ready;
	struct slow_file slow;
	struct process p;

	start_slow_write(&p, &slow, prepare, 200);
	process_kill(&p);
	ATF_CHECK_EQ(RING_STATUS_UNTOUCHED, ring_harness_status(&p.ring, 0));
	process_succeed(&p, &ready);
	ATF_CHECK_EQ(1, ready.m_replayed);
	ATF_CHECK_EQ(PROCESS_LIVE, process_read(&p, VIRTIO_MMIO_STATUS, 4));
	ring_harness_wait_used(&p.ring, 1);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_status(&p.ring, 0));
	ATF_CHECK_EQ(1, p.ring.disk.state->counters.
	    s_value[COUNTER_RESPAWNS]);
	process_free(&p);
	slow_file_free(&slow);
}

ATTACHED_EACH(session__many_kills_complete_every_request_once)
{
	unsigned i, slot;

	process_go_live(p);
	for (i = 0; i < 20; i++) {
		for (slot = 0; slot < 32; slot++) {
			ring_harness_request(&p->ring, slot, VIRTIO_BLK_T_OUT,
			    slot * 8, 4096);
			ring_harness_offer(&p->ring, ring_harness_head(slot));
		}
		ring_harness_kick(&p->ring);
		process_kill(p);
		process_succeed(p, NULL);
		ring_harness_wait_used(&p->ring, 32);
		for (slot = 0; slot < 32; slot++) {
			ring_harness_take_used(&p->ring);
			ATF_CHECK_EQ(VIRTIO_BLK_S_OK,
			    ring_harness_status(&p->ring, slot));
		}
	}
	ATF_CHECK_EQ(20 * 32, p->ring.used_idx);
}

/* Context switches of all threads; *asleep says whether all of them sleep. */
static unsigned long
switches(pid_t pid, bool *asleep)
{
	char path[288], line[128];
	unsigned long n, sum = 0;
	struct dirent *e;
	FILE *f;
	DIR *d;

	*asleep = true;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	ATF_REQUIRE((d = opendir(path)) != NULL);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status",
		    (int)pid, e->d_name);
		ATF_REQUIRE((f = fopen(path, "r")) != NULL);
		while (fgets(line, sizeof(line), f) != NULL) {
			if (strncmp(line, "State:", 6) == 0)
				*asleep &= strstr(line, "sleeping") != NULL;
			if (sscanf(line, "voluntary_ctxt_switches: %lu",
			    &n) == 1 || sscanf(line,
			    "nonvoluntary_ctxt_switches: %lu", &n) == 1)
				sum += n;
		}
		fclose(f);
	}
	closedir(d);
	return sum;
}

/*
 * After work that made it look for more, a disk sleeps: no thread of it runs
 * in a time of silence.  The time is what is measured here.
 */
ATTACHED_EACH(session__idle_makes_no_wake_ups)
{
	unsigned long before;
	bool asleep = false;
	unsigned i;

	process_go_live(p);
	for (i = 0; i < 1000; i++) {
		ring_harness_request(&p->ring, 0, VIRTIO_BLK_T_IN, 0, 512);
		ATF_REQUIRE_EQ(VIRTIO_BLK_S_OK,
		    ring_harness_run(&p->ring, 0, NULL));
	}
	for (i = 0; i < 1000 && !asleep; i++) {
		before = switches(p->pid, &asleep);
		usleep(1000);
	}
	ATF_REQUIRE(asleep);
	before = switches(p->pid, &asleep);
	usleep(300000);
	ATF_CHECK_EQ(before, switches(p->pid, &asleep));
	ATF_CHECK(asleep);
}

ATF_TP_ADD_TCS(tp)
{
	ADD_EACH(tp, session__idle_makes_no_wake_ups);
	ADD_EACH(tp, session__pause_parks_and_resume_loses_no_kick);
	ATF_TP_ADD_TC(tp, session__driver_ok_while_paused_runs_after_resume);
	ATF_TP_ADD_TC(tp, session__resize_tells_the_driver);
	ATF_TP_ADD_TC(tp, session__limits_change_while_a_request_waits);
	ATF_TP_ADD_TC(tp, session__reset_while_throttled_is_answered_at_once);
	ADD_SLOW(tp, session__reset_waits_for_io_in_flight);
	ADD_SLOW(tp,
	    session__reset_that_takes_too_long_asks_for_a_successor);
	ADD_SLOW(tp, session__detach_waits_for_io_in_flight);
	ADD_SLOW(tp, session__pause_waits_for_io_in_flight);
	ADD_SLOW(tp, session__kill_in_flight_is_completed_by_the_successor);
	ADD_EACH(tp, session__many_kills_complete_every_request_once);
	ATF_TP_ADD_TC(tp, session__shut_in_before_the_first_message);
	ATF_TP_ADD_TC(tp, session__attach_answers_what_the_disk_is);
	ATF_TP_ADD_TC(tp, session__engine_is_what_can_be_had);
	ADD_EACH(tp, session__requests_go_through_the_ring);
	ADD_EACH(tp, session__detach_flushes_and_exits_0);
	ADD_EACH(tp, session__discard_and_write_zeroes);
	ATF_TP_ADD_TC(tp, session__spare_detaches_without_a_disk);
	ADD_EACH(tp, session__monitor_gone_ends_blkd);
	ATF_TP_ADD_TC(tp, session__vm_gone_waits_for_the_monitor);
	return atf_no_error();
}
