/* SPDX-License-Identifier: ISC */
/* Faults on purpose in a real blkd, in its sandbox, by its ring. */
#include <sys/wait.h>

#include <atf-c.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "blkd/process_harness.h"
#include "proto/chan.h"
#include "shm/memfd.h"
#include "util/fd.h"

#define KILLED	137

#define WITH_FAULTS(tc)							\
ATF_TC_WITHOUT_HEAD(tc);						\
static void tc##_on(struct process *);					\
ATF_TC_BODY(tc, atf)							\
{									\
	struct process p;						\
									\
	process_make(&p);						\
	process_allow_faults(&p);					\
	process_attach(&p, NULL);					\
	process_go_live(&p);						\
	tc##_on(&p);							\
	process_free(&p);						\
}									\
static void								\
tc##_on(struct process *p)

static uint32_t last_id;

static struct proto_fault
rule(uint32_t action, uint32_t ops)
{
	return (struct proto_fault) {
		.m_id = ++last_id, .m_action = action, .m_ops = ops,
		.m_last = UINT64_MAX, .m_every = 1, .m_ppm = PROTO_FAULT_PPM,
	};
}

static struct proto_blk_faulted
tell(struct process *p, struct proto_fault f)
{
	struct proto_blk_fault q = { .m_fault = f };
	struct msg m;

	chan_header(&q.m_hdr, PROTO_BLK_FAULT, ++p->sequence);
	ATF_REQUIRE(chan_send(p->control, &q, NULL, 0) == 0);
	process_expect(p->control, PROTO_BLK_FAULTED, &m);
	ATF_CHECK_EQ(p->sequence, m.hdr.m_sequence);
	return m.faulted;
}

static void
add(struct process *p, struct proto_fault f)
{
	struct proto_blk_faulted m = tell(p, f);

	ATF_REQUIRE_EQ(0, m.m_errno);
}

static void
offer(struct process *p, unsigned slot, uint32_t type, uint64_t sector,
    uint32_t bytes, int byte)
{
	memset(ring_harness_data(&p->ring, slot), byte, bytes);
	ring_harness_request(&p->ring, slot, type, sector, bytes);
	ring_harness_offer(&p->ring, ring_harness_head(slot));
	ring_harness_kick(&p->ring);
}

static uint8_t
run(struct process *p, uint32_t type, uint64_t sector, uint32_t bytes,
    int byte)
{
	offer(p, 0, type, sector, bytes, byte);
	ring_harness_wait_used(&p->ring, 1);
	ring_harness_take_used(&p->ring);
	return ring_harness_status(&p->ring, 0);
}

#define WRITE(p, sector, n, byte)	run(p, VIRTIO_BLK_T_OUT, sector, \
	(n) * 512, byte)
#define READ(p, sector, n)		run(p, VIRTIO_BLK_T_IN, sector, \
	(n) * 512, 0x11)
#define FLUSH(p)			run(p, VIRTIO_BLK_T_FLUSH, 0, 0, 0)

static int
in_file(struct process *p, uint64_t sector)
{
	uint8_t data[512];

	ring_harness_sector(&p->ring, sector, data);
	return data[0];
}

static uint64_t
injected(struct process *p)
{
	return ring_harness_counter(&p->ring, COUNTER_FAULTS_INJECTED);
}

static void
require_killed(struct process *p)
{
	int status = process_wait(p);

	ATF_REQUIRE(WIFEXITED(status));
	ATF_CHECK_EQ(KILLED, WEXITSTATUS(status));
}

ATF_TC_WITHOUT_HEAD(fault__refused_where_not_allowed);
ATF_TC_BODY(fault__refused_where_not_allowed, tc)
{
	struct process p;

	process_make(&p);
	process_attach(&p, NULL);
	process_go_live(&p);
	ATF_CHECK_EQ(ENOTSUP, tell(&p, rule(PROTO_FAULT_EIO,
	    PROTO_FAULT_OPS)).m_errno);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, WRITE(&p, 0, 1, 'a'));
	process_free(&p);
}

WITH_FAULTS(fault__errors_are_answered_and_counted)
{
	struct proto_fault f = rule(PROTO_FAULT_EIO, PROTO_FAULT_WRITE);
	struct proto_blk_faulted m;

	f.m_first = 8;
	f.m_last = 15;
	add(p, f);
	add(p, rule(PROTO_FAULT_ENOSPC, PROTO_FAULT_FLUSH));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, WRITE(p, 0, 8, 'a'));
	ATF_CHECK_EQ(VIRTIO_BLK_S_IOERR, WRITE(p, 4, 8, 'b'));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, READ(p, 8, 8));
	ATF_CHECK_EQ(VIRTIO_BLK_S_IOERR, FLUSH(p));
	ATF_CHECK_EQ('a', in_file(p, 4));
	ATF_CHECK_EQ(2, injected(p));
	ATF_CHECK_EQ(2, ring_harness_counter(&p->ring, COUNTER_IO_ERRORS));
	m = tell(p, (struct proto_fault) { .m_action = PROTO_FAULT_LIST });
	ATF_CHECK_EQ(1, m.m_row[0].m_seen);
	ATF_CHECK_EQ(1, m.m_row[1].m_struck);
	tell(p, (struct proto_fault) { .m_action = PROTO_FAULT_CLEAR });
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, WRITE(p, 4, 8, 'b'));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, FLUSH(p));
}

WITH_FAULTS(fault__torn_writes_the_first_sectors)
{
	int i, written = 0;

	add(p, rule(PROTO_FAULT_TORN, PROTO_FAULT_WRITE));
	ATF_CHECK_EQ(VIRTIO_BLK_S_IOERR, WRITE(p, 0, 16, 'a'));
	while (written < 16 && in_file(p, (uint64_t)written) == 'a')
		written++;
	ATF_CHECK_MSG(written >= 1 && written < 16, "%d", written);
	for (i = written; i < 16; i++)
		ATF_CHECK_EQ(0, in_file(p, (uint64_t)i));
}

WITH_FAULTS(fault__short_says_ok)
{
	const uint8_t *data = ring_harness_data(&p->ring, 0);

	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, WRITE(p, 0, 16, 'a'));
	add(p, rule(PROTO_FAULT_SHORT, PROTO_FAULT_READ | PROTO_FAULT_WRITE));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, READ(p, 0, 16));
	ATF_CHECK_EQ('a', data[0]);
	ATF_CHECK_EQ(0, data[16 * 512 - 1]);
	ATF_CHECK_EQ(1, ring_harness_counter(&p->ring, COUNTER_SHORT_READS));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, WRITE(p, 0, 16, 'b'));
	ATF_CHECK_EQ('b', in_file(p, 0));
	ATF_CHECK_EQ('a', in_file(p, 15));
}

/* Side by side: the sum is not waited for. */
WITH_FAULTS(fault__delays_run_side_by_side)
{
	struct proto_fault f = rule(PROTO_FAULT_DELAY, PROTO_FAULT_READ);
	struct timespec a, b;
	int64_t ms;
	unsigned i;

	f.m_delay_ns = 300000000;
	add(p, f);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (i = 1; i <= 20; i++)
		offer(p, i, VIRTIO_BLK_T_IN, i, 512, 0x11);
	/* What does not match is not held up. */
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, WRITE(p, 0, 1, 'a'));
	ring_harness_wait_used(&p->ring, 20);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
	ATF_CHECK_MSG(ms >= 300 && ms < 5000, "%jd ms", (intmax_t)ms);
	for (i = 1; i <= 20; i++)
		ATF_CHECK_EQ(VIRTIO_BLK_S_OK,
		    ring_harness_status(&p->ring, i));
}

static void
kill_at_third_write(struct process *p, uint32_t after)
{
	struct proto_fault f = rule(PROTO_FAULT_KILL, PROTO_FAULT_WRITE);
	struct proto_blk_ready ready;

	f.m_skip = 2;
	f.m_count = 1;
	f.m_after = after;
	add(p, f);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, WRITE(p, 0, 1, 'a'));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, WRITE(p, 1, 1, 'b'));
	offer(p, 1, VIRTIO_BLK_T_OUT, 2, 512, 'c');
	require_killed(p);
	ATF_CHECK_EQ(after ? 'c' : 0, in_file(p, 2));
	process_succeed(p, &ready);
	ATF_CHECK_EQ(1, ready.m_replayed);
	ring_harness_wait_used(&p->ring, 1);
	ring_harness_take_used(&p->ring);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_status(&p->ring, 1));
	ATF_CHECK_EQ('c', in_file(p, 2));
	ATF_CHECK_EQ(1, injected(p));
}

WITH_FAULTS(fault__kill_before_the_io)
{
	kill_at_third_write(p, 0);
}

WITH_FAULTS(fault__kill_after_the_io)
{
	kill_at_third_write(p, 1);
}

WITH_FAULTS(fault__stop_hangs_all_of_it)
{
	struct msg m;
	int i;

	add(p, rule(PROTO_FAULT_STOP, PROTO_FAULT_WRITE));
	offer(p, 1, VIRTIO_BLK_T_OUT, 2, 512, 'c');
	ring_harness_wait_counter(&p->ring, COUNTER_FAULTS_INJECTED, 1);
	/* Answers may cross with the stop; after it there is none. */
	process_tell(p, PROTO_BLK_PING);
	for (i = 0; i < 1000 && !process_is_silent(p->control, 200); i++) {
		process_expect(p->control, PROTO_BLK_PONG, &m);
		process_tell(p, PROTO_BLK_PING);
	}
	ATF_CHECK(i < 1000);
	ATF_CHECK_EQ(0, in_file(p, 2));
}

/* A, FLUSH, B, and the power is gone: A is in the file, B never was. */
WITH_FAULTS(fault__lost_flush_loses_what_is_not_flushed)
{
	int status;

	add(p, rule(PROTO_FAULT_LOST_FLUSH, PROTO_FAULT_WRITE));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, WRITE(p, 0, 64, 'A'));
	ATF_CHECK_EQ(0, in_file(p, 0));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, FLUSH(p));
	ATF_CHECK_EQ('A', in_file(p, 0));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, WRITE(p, 8, 64, 'B'));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, READ(p, 7, 2));
	ATF_CHECK_EQ('A', ring_harness_data(&p->ring, 0)[511]);
	ATF_CHECK_EQ('B', ring_harness_data(&p->ring, 0)[512]);
	fd_close(&p->control);
	status = process_wait(p);
	ATF_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EX_UNAVAILABLE);
	ATF_CHECK_EQ('A', in_file(p, 8));
	ATF_CHECK_EQ(0, in_file(p, 71));
}

/* The death of a blkd is no power cut; an orderly end is none either. */
WITH_FAULTS(fault__lost_flush_outlives_a_blkd)
{
	int status;

	add(p, rule(PROTO_FAULT_LOST_FLUSH, PROTO_FAULT_WRITE));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, WRITE(p, 0, 8, 'B'));
	process_kill(p);
	ATF_CHECK_EQ(0, in_file(p, 0));
	process_succeed(p, NULL);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, READ(p, 0, 8));
	ATF_CHECK_EQ('B', ring_harness_data(&p->ring, 0)[0]);
	ATF_CHECK_EQ(0, in_file(p, 0));
	process_tell(p, PROTO_BLK_DETACH);
	status = process_wait(p);
	ATF_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EX_OK);
	ATF_CHECK_EQ('B', in_file(p, 7));
}

/* It is written, though nobody asks for anything; the timeout bounds it. */
static void
require_let_go(struct process *p)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	while (in_file(p, 7) != 'B')
		nanosleep(&ms, NULL);
}

WITH_FAULTS(fault__lost_flush_cleared_lets_go)
{
	add(p, rule(PROTO_FAULT_LOST_FLUSH, PROTO_FAULT_WRITE));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, WRITE(p, 0, 8, 'B'));
	ATF_CHECK_EQ(0, in_file(p, 0));
	tell(p, (struct proto_fault) { .m_action = PROTO_FAULT_CLEAR });
	require_let_go(p);
}

/* Torn by the power cut: answered OK, and only the beginning is there. */
WITH_FAULTS(fault__lost_flush_and_torn)
{
	add(p, rule(PROTO_FAULT_LOST_FLUSH, PROTO_FAULT_WRITE));
	add(p, rule(PROTO_FAULT_TORN, PROTO_FAULT_WRITE));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, WRITE(p, 0, 16, 'B'));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, READ(p, 0, 16));
	ATF_CHECK_EQ('B', ring_harness_data(&p->ring, 0)[16 * 512 - 1]);
	process_kill(p);
	ATF_CHECK_EQ('B', in_file(p, 0));
	ATF_CHECK_EQ(0, in_file(p, 15));
}

ATF_TC_WITHOUT_HEAD(fault__memory_of_another_size_is_refused);
ATF_TC_BODY(fault__memory_of_another_size_is_refused, tc)
{
	struct proto_empty q;
	struct process p;
	struct msg m;
	int fd;

	process_make(&p);
	process_spawn(&p);
	fd = memfd_make("faults", 4096);
	chan_header(&q.m_hdr, PROTO_BLK_FAULTS, ++p.sequence);
	ATF_REQUIRE(chan_send(p.control, &q, &fd, 1) == 0);
	close(fd);
	process_expect(p.control, PROTO_BLK_FAIL, &m);
	ATF_CHECK(strstr(m.fail.m_text, "memory of faults") != NULL);
	process_wait(&p);
	process_free(&p);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, fault__refused_where_not_allowed);
	ATF_TP_ADD_TC(tp, fault__errors_are_answered_and_counted);
	ATF_TP_ADD_TC(tp, fault__torn_writes_the_first_sectors);
	ATF_TP_ADD_TC(tp, fault__short_says_ok);
	ATF_TP_ADD_TC(tp, fault__delays_run_side_by_side);
	ATF_TP_ADD_TC(tp, fault__kill_before_the_io);
	ATF_TP_ADD_TC(tp, fault__kill_after_the_io);
	ATF_TP_ADD_TC(tp, fault__stop_hangs_all_of_it);
	ATF_TP_ADD_TC(tp, fault__lost_flush_loses_what_is_not_flushed);
	ATF_TP_ADD_TC(tp, fault__lost_flush_outlives_a_blkd);
	ATF_TP_ADD_TC(tp, fault__lost_flush_cleared_lets_go);
	ATF_TP_ADD_TC(tp, fault__lost_flush_and_torn);
	ATF_TP_ADD_TC(tp, fault__memory_of_another_size_is_refused);
	return atf_no_error();
}
