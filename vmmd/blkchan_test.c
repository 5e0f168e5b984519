/* SPDX-License-Identifier: ISC */
/*
 * A disk as the vm process sees it, with a blkd that the test plays: alive,
 * dead, silent, lying, replaced.  Accesses run on a thread, as a vCPU's do;
 * the time limit is the test's.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/chan.h"
#include "shm/doorbell.h"
#include "shm/memfd.h"
#include "vmmd/blkchan.h"

#define LONG_MS		20000	/* never runs out in a test that passes */
#define SHORT_MS	30	/* is meant to run out */

struct fixture {
	struct blkchan	*bc;
	struct notice	*notice;
	struct doorbell	*doorbell;
	int		 blkd;		/* its end of the channel */
	pthread_t	 vcpu;
	/* what the vCPU does, and what it got */
	bool		 write;
	uint32_t	 offset;
	uint32_t	 size;
	uint64_t	 value;
};

static int
new_end(int *vm_end)
{
	struct timeval limit = { .tv_sec = LONG_MS / 1000 };
	int ends[2];

	ATF_REQUIRE_EQ(0, chan_pair(ends));
	ATF_REQUIRE_EQ(0, setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO,
	    &limit, sizeof(limit)));
	*vm_end = ends[0];
	return ends[1];
}

static void
setup(struct fixture *f, unsigned timeout_ms, bool message)
{
	struct blkchan_setup s = {
		.index = 3, .queues = 2, .message = message,
		.timeout_ms = timeout_ms,
	};

	memset(f, 0, sizeof(*f));
	f->notice = notice_new();
	ATF_REQUIRE(f->notice != NULL);
	s.notice = f->notice;
	s.doorbell = memfd_make("doorbell", DOORBELL_BYTES);
	ATF_REQUIRE(s.doorbell != -1);
	f->doorbell = memfd_map(s.doorbell, DOORBELL_BYTES, true);
	f->blkd = new_end(&s.channel);
	f->bc = blkchan_new(&s);
	ATF_REQUIRE(f->bc != NULL);
	close(s.doorbell);
}

static void
teardown(struct fixture *f)
{
	blkchan_free(f->bc);
	notice_free(f->notice);
	memfd_unmap(f->doorbell, DOORBELL_BYTES);
	if (f->blkd != -1)
		close(f->blkd);
}

static void
replace(struct fixture *f)
{
	int vm_end;

	if (f->blkd != -1)
		close(f->blkd);
	f->blkd = new_end(&vm_end);
	blkchan_attach(f->bc, vm_end);
}

static void *
access_it(void *arg)
{
	struct fixture *f = arg;

	if (f->write)
		blkchan_write(f->bc, f->offset, f->size, f->value);
	else
		f->value = blkchan_read(f->bc, f->offset, f->size);
	return NULL;
}

static void
start_read(struct fixture *f, uint32_t offset)
{
	f->write = false;
	f->offset = offset;
	f->size = 4;
	ATF_REQUIRE_EQ(0, pthread_create(&f->vcpu, NULL, access_it, f));
}

static uint64_t
finish(struct fixture *f)
{
	ATF_REQUIRE_EQ(0, pthread_join(f->vcpu, NULL));
	return f->value;
}

/* The read that the vCPU sends, as blkd sees it. */
static uint32_t
expect_read(struct fixture *f, uint32_t offset)
{
	struct msg m;

	ATF_REQUIRE_EQ(PROTO_OK, chan_recv(f->blkd, &m));
	ATF_REQUIRE_EQ(PROTO_MMIO_READ, m.hdr.m_type);
	ATF_CHECK_EQ(offset, m.mmio_read.m_offset);
	ATF_CHECK_EQ(4, m.mmio_read.m_size);
	return m.hdr.m_sequence;
}

static void
answer(struct fixture *f, uint32_t sequence, uint64_t value)
{
	struct proto_mmio_data d = { .m_value = value };

	chan_header(&d.m_hdr, PROTO_MMIO_DATA, sequence);
	ATF_REQUIRE_EQ(0, chan_send(f->blkd, &d, NULL, 0));
}

/* Wait until the monitor would be told; returns the disks that are stuck. */
static uint32_t
wait_stuck(struct fixture *f)
{
	struct pollfd p = { .fd = notice_fd(f->notice), .events = POLLIN };
	struct end end;
	uint32_t stuck;

	ATF_REQUIRE_EQ(1, poll(&p, 1, LONG_MS));
	ATF_CHECK(!notice_take(f->notice, &stuck, &end));
	return stuck;
}

static bool
was_told(struct fixture *f)
{
	struct pollfd p = { .fd = notice_fd(f->notice), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* --- alive ------------------------------------------------------------- */

ATF_TC_WITHOUT_HEAD(access__read_is_answered);
ATF_TC_BODY(access__read_is_answered, tc)
{
	struct fixture f;

	(void)tc;
	setup(&f, LONG_MS, false);
	start_read(&f, 0x70);
	answer(&f, expect_read(&f, 0x70), 0x0f);
	ATF_CHECK_EQ(0x0f, finish(&f));
	ATF_CHECK(!was_told(&f));
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(access__write_waits_for_its_ack);
ATF_TC_BODY(access__write_waits_for_its_ack, tc)
{
	struct proto_empty ack;
	struct fixture f;
	struct msg m;

	(void)tc;
	setup(&f, LONG_MS, false);
	f.write = true;
	f.offset = 0x50;	/* a kick that ioeventfd did not take */
	f.size = 2;
	f.value = 7;
	ATF_REQUIRE_EQ(0, pthread_create(&f.vcpu, NULL, access_it, &f));
	ATF_REQUIRE_EQ(PROTO_OK, chan_recv(f.blkd, &m));
	ATF_CHECK_EQ(PROTO_MMIO_WRITE, m.hdr.m_type);
	ATF_CHECK_EQ(0x50, m.mmio_write.m_offset);
	ATF_CHECK_EQ(2, m.mmio_write.m_size);
	ATF_CHECK_EQ(7, m.mmio_write.m_value);
	chan_header(&ack.m_hdr, PROTO_MMIO_ACK, m.hdr.m_sequence);
	ATF_REQUIRE_EQ(0, chan_send(f.blkd, &ack, NULL, 0));
	finish(&f);
	teardown(&f);
}

/* The interrupt registers need no blkd at all. */
ATF_TC_WITHOUT_HEAD(access__interrupt_registers_are_the_doorbell);
ATF_TC_BODY(access__interrupt_registers_are_the_doorbell, tc)
{
	struct fixture f;
	struct msg m;

	(void)tc;
	setup(&f, LONG_MS, false);
	ATF_CHECK_EQ(0, blkchan_read(f.bc, 0x60, 4));
	doorbell_raise(f.doorbell, DOORBELL_USED | DOORBELL_CONFIG);
	ATF_CHECK_EQ(3, blkchan_read(f.bc, 0x60, 4));
	blkchan_write(f.bc, 0x64, 4, DOORBELL_USED);
	ATF_CHECK_EQ(DOORBELL_CONFIG, blkchan_read(f.bc, 0x60, 4));
	ATF_CHECK_EQ(PROTO_E_AGAIN, chan_recv_nowait(f.blkd, &m));
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(notify__is_posted_where_asked_for);
ATF_TC_BODY(notify__is_posted_where_asked_for, tc)
{
	struct fixture f;
	struct msg m;

	(void)tc;
	setup(&f, LONG_MS, true);
	blkchan_write(f.bc, 0x50, 4, 1);
	ATF_REQUIRE_EQ(PROTO_OK, chan_recv(f.blkd, &m));
	ATF_CHECK_EQ(PROTO_MMIO_NOTIFY, m.hdr.m_type);
	ATF_CHECK_EQ(1, m.notify.m_queue);
	/* to a blkd that is dead: the successor looks by itself */
	close(f.blkd);
	f.blkd = -1;
	blkchan_write(f.bc, 0x50, 4, 0);
	ATF_CHECK(!was_told(&f));
	teardown(&f);
}

/* --- dead -------------------------------------------------------------- */

ATF_TC_WITHOUT_HEAD(death__before_the_answer);
ATF_TC_BODY(death__before_the_answer, tc)
{
	struct fixture f;

	(void)tc;
	setup(&f, LONG_MS, false);
	start_read(&f, 0x70);
	(void)expect_read(&f, 0x70);
	replace(&f);
	answer(&f, expect_read(&f, 0x70), 4);
	ATF_CHECK_EQ(4, finish(&f));
	ATF_CHECK(!was_told(&f));
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(death__before_the_access);
ATF_TC_BODY(death__before_the_access, tc)
{
	struct fixture f;

	(void)tc;
	setup(&f, LONG_MS, false);
	close(f.blkd);
	f.blkd = -1;
	start_read(&f, 0x70);
	replace(&f);
	answer(&f, expect_read(&f, 0x70), 4);
	ATF_CHECK_EQ(4, finish(&f));
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(death__three_in_a_row);
ATF_TC_BODY(death__three_in_a_row, tc)
{
	struct fixture f;
	int i;

	(void)tc;
	setup(&f, LONG_MS, false);
	start_read(&f, 0x70);
	for (i = 0; i < 3; i++) {
		(void)expect_read(&f, 0x70);
		replace(&f);
	}
	answer(&f, expect_read(&f, 0x70), 4);
	ATF_CHECK_EQ(4, finish(&f));
	teardown(&f);
}

/* The successor comes while the old channel is still there, and in use. */
ATF_TC_WITHOUT_HEAD(successor__while_an_access_waits);
ATF_TC_BODY(successor__while_an_access_waits, tc)
{
	struct fixture f;
	int old;

	(void)tc;
	setup(&f, LONG_MS, false);
	start_read(&f, 0x70);
	(void)expect_read(&f, 0x70);
	old = f.blkd;
	f.blkd = -1;
	replace(&f);
	answer(&f, expect_read(&f, 0x70), 4);
	ATF_CHECK_EQ(4, finish(&f));
	ATF_CHECK(!was_told(&f));
	close(old);
	teardown(&f);
}

/* Nobody comes: it is said once. */
ATF_TC_WITHOUT_HEAD(death__without_a_successor_is_told);
ATF_TC_BODY(death__without_a_successor_is_told, tc)
{
	struct fixture f;

	(void)tc;
	setup(&f, SHORT_MS, false);
	close(f.blkd);
	f.blkd = -1;
	start_read(&f, 0x70);
	ATF_CHECK_EQ(1u << 3, wait_stuck(&f));
	replace(&f);
	/* It has SHORT_MS as well, so what it answers does not matter. */
	(void)expect_read(&f, 0x70);
	blkchan_stop(f.bc);
	finish(&f);
	teardown(&f);
}

/* --- silent, lying ----------------------------------------------------- */

ATF_TC_WITHOUT_HEAD(silence__is_told_once_and_waited_out);
ATF_TC_BODY(silence__is_told_once_and_waited_out, tc)
{
	struct fixture f;
	int old;

	(void)tc;
	setup(&f, SHORT_MS, false);
	start_read(&f, 0x70);
	(void)expect_read(&f, 0x70);
	ATF_CHECK_EQ(1u << 3, wait_stuck(&f));
	/* The answer of the one that is given up is not taken any more. */
	old = f.blkd;
	f.blkd = -1;
	replace(&f);
	(void)expect_read(&f, 0x70);
	ATF_CHECK_EQ(1u << 3, wait_stuck(&f));
	blkchan_stop(f.bc);
	ATF_CHECK_EQ(UINT64_MAX, finish(&f));
	close(old);
	teardown(&f);
}

/* What a lying blkd can send instead of an answer. */
static void
lie_type(struct fixture *f, uint32_t sequence)
{
	struct proto_empty e;

	chan_header(&e.m_hdr, PROTO_MMIO_ACK, sequence);
	ATF_REQUIRE_EQ(0, chan_send(f->blkd, &e, NULL, 0));
}

static void
lie_sequence(struct fixture *f, uint32_t sequence)
{
	answer(f, sequence + 1, 0);
}

static void
lie_bytes(struct fixture *f, uint32_t sequence)
{
	(void)sequence;
	ATF_REQUIRE_EQ(3, write(f->blkd, "lie", 3));
}

static void
lie_direction(struct fixture *f, uint32_t sequence)
{
	struct proto_mmio_read r = { .m_size = 4 };

	chan_header(&r.m_hdr, PROTO_MMIO_READ, sequence);
	ATF_REQUIRE_EQ(0, chan_send(f->blkd, &r, NULL, 0));
}

ATF_TC_WITHOUT_HEAD(lie__ends_the_channel_and_is_told);
ATF_TC_BODY(lie__ends_the_channel_and_is_told, tc)
{
	static void (*const lies[])(struct fixture *, uint32_t) = {
		lie_type, lie_sequence, lie_bytes, lie_direction,
	};
	struct fixture f;
	struct msg m;
	size_t i;

	(void)tc;
	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		setup(&f, LONG_MS, false);
		start_read(&f, 0x70);
		lies[i](&f, expect_read(&f, 0x70));
		ATF_CHECK_EQ(1u << 3, wait_stuck(&f));
		ATF_CHECK_EQ(PROTO_E_EOF, chan_recv(f.blkd, &m));
		replace(&f);
		answer(&f, expect_read(&f, 0x70), 4);
		ATF_CHECK_EQ(4, finish(&f));
		teardown(&f);
	}
}

/* --- stop -------------------------------------------------------------- */

ATF_TC_WITHOUT_HEAD(stop__frees_who_waits_for_an_answer);
ATF_TC_BODY(stop__frees_who_waits_for_an_answer, tc)
{
	struct fixture f;

	(void)tc;
	setup(&f, LONG_MS, false);
	start_read(&f, 0x70);
	(void)expect_read(&f, 0x70);
	blkchan_stop(f.bc);
	ATF_CHECK_EQ(UINT64_MAX, finish(&f));
	ATF_CHECK(!was_told(&f));
	/* and whoever comes later does not wait at all */
	ATF_CHECK_EQ(UINT64_MAX, blkchan_read(f.bc, 0x70, 4));
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(stop__frees_who_waits_for_a_successor);
ATF_TC_BODY(stop__frees_who_waits_for_a_successor, tc)
{
	struct fixture f;

	(void)tc;
	setup(&f, LONG_MS, false);
	close(f.blkd);
	f.blkd = -1;
	start_read(&f, 0x70);
	blkchan_stop(f.bc);
	ATF_CHECK_EQ(UINT64_MAX, finish(&f));
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(setup__doorbell_must_be_one);
ATF_TC_BODY(setup__doorbell_must_be_one, tc)
{
	struct blkchan_setup s = { .queues = 1, .timeout_ms = LONG_MS };
	int blkd;

	(void)tc;
	blkd = new_end(&s.channel);
	s.doorbell = memfd_make("doorbell", UINT64_C(2) * DOORBELL_BYTES);
	ATF_CHECK(blkchan_new(&s) == NULL);
	ATF_CHECK_EQ(EINVAL, errno);
	/* the channel went with it */
	ATF_CHECK_EQ(-1, fcntl(s.channel, F_GETFD));
	close(s.doorbell);
	close(blkd);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, access__read_is_answered);
	ATF_TP_ADD_TC(tp, access__write_waits_for_its_ack);
	ATF_TP_ADD_TC(tp, access__interrupt_registers_are_the_doorbell);
	ATF_TP_ADD_TC(tp, notify__is_posted_where_asked_for);
	ATF_TP_ADD_TC(tp, death__before_the_answer);
	ATF_TP_ADD_TC(tp, death__before_the_access);
	ATF_TP_ADD_TC(tp, death__three_in_a_row);
	ATF_TP_ADD_TC(tp, successor__while_an_access_waits);
	ATF_TP_ADD_TC(tp, death__without_a_successor_is_told);
	ATF_TP_ADD_TC(tp, silence__is_told_once_and_waited_out);
	ATF_TP_ADD_TC(tp, lie__ends_the_channel_and_is_told);
	ATF_TP_ADD_TC(tp, stop__frees_who_waits_for_an_answer);
	ATF_TP_ADD_TC(tp, stop__frees_who_waits_for_a_successor);
	ATF_TP_ADD_TC(tp, setup__doorbell_must_be_one);
	return atf_no_error();
}
