/* SPDX-License-Identifier: ISC */
/* A real blkd that stands by beside one that serves, and takes over. */
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "blkd/process_harness.h"
#include "proto/chan.h"
#include "shm/shared.h"
#include "shm/state.h"
#include "util/fd.h"

/* The one that serves, while the harness has the one that stands by. */
struct old {
	pid_t	pid;
	int	control;
	int	mmio;
};

#define BESIDE(tc)							\
static void tc##_on(struct process *, struct old *);			\
ATF_TC_WITHOUT_HEAD(tc);						\
ATF_TC_BODY(tc, atf)							\
{									\
	struct process p;						\
	struct old old;							\
									\
	process_make(&p);						\
	process_attach(&p, NULL);					\
	process_go_live(&p);						\
	stand_by(&p, &old);						\
	tc##_on(&p, &old);						\
	bury(&old);							\
	process_free(&p);						\
}									\
static void								\
tc##_on(struct process *p, struct old *old)

static void
stand_by(struct process *p, struct old *old)
{
	int ends[2], fds[PROTO_FDS_MAX];
	struct msg m;

	*old = (struct old) { p->pid, p->control, p->mmio };
	p->pid = 0;
	p->control = p->mmio = -1;
	process_spawn(p);
	ATF_REQUIRE(chan_pair(ends) == 0);
	p->mmio = ends[0];
	p->mmio_blkd = ends[1];
	p->attach.m_flags |= PROTO_DISK_STANDBY;
	process_send_attach(p, fds, process_fds(p, fds));
	fd_close(&p->mmio_blkd);
	process_expect(p->control, PROTO_BLK_STANDING, &m);
	ATF_CHECK_EQ(p->sequence, m.hdr.m_sequence);
}

static void
bury(struct old *old)
{
	if (old->pid != 0) {
		kill(old->pid, SIGKILL);
		ATF_REQUIRE_EQ(old->pid, waitpid(old->pid, NULL, 0));
	}
	old->pid = 0;
	fd_close(&old->control);
	fd_close(&old->mmio);
}

static void
take_over(struct process *p, uint32_t flags, struct proto_blk_ready *ready)
{
	struct proto_blk_take_over m = { .m_flags = flags,
	    .m_incarnation = 1 };
	struct msg answer;

	chan_header(&m.m_hdr, PROTO_BLK_TAKE_OVER, ++p->sequence);
	ATF_REQUIRE(chan_send(p->control, &m, NULL, 0) == 0);
	process_expect(p->control, PROTO_BLK_READY, &answer);
	ATF_CHECK_EQ(p->sequence, answer.hdr.m_sequence);
	*ready = answer.ready;
}

static void
offer_write(struct process *p, unsigned slot)
{
	ring_harness_request(&p->ring, slot, VIRTIO_BLK_T_OUT, slot * 8, 4096);
	ring_harness_offer(&p->ring, ring_harness_head(slot));
}

BESIDE(standby__touches_nothing)
{
	const struct state *s = p->ring.disk.state;
	uint32_t attached = shared_load(&s->device.s_attached);
	uint32_t held[2], len;
	unsigned i;

	for (i = 0; i < 2; i++)
		held[i] = shared_load(&s->fence[i].s_futex);
	ring_harness_request(&p->ring, 0, VIRTIO_BLK_T_OUT, 0, 4096);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&p->ring, 0, &len));
	ATF_CHECK_EQ(attached, shared_load(&s->device.s_attached));
	/* In its namespace its threads have the same numbers. */
	process_kill(p);
	for (i = 0; i < 2; i++)
		ATF_CHECK_EQ(held[i], shared_load(&s->fence[i].s_futex));
	ring_harness_request(&p->ring, 1, VIRTIO_BLK_T_IN, 0, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&p->ring, 1, &len));
	ATF_CHECK(old->pid != 0);
}

BESIDE(standby__takes_over_what_was_in_flight)
{
	struct proto_blk_ready ready;
	unsigned slot;

	for (slot = 0; slot < 32; slot++)
		offer_write(p, slot);
	ring_harness_kick(&p->ring);
	bury(old);
	take_over(p, 0, &ready);
	ATF_CHECK_EQ(RING_DISK_SECTORS, ready.m_capacity);
	ATF_CHECK(ready.m_layers & PROTO_LAYER_SECCOMP);
	ring_harness_wait_used(&p->ring, 32);
	for (slot = 0; slot < 32; slot++) {
		ring_harness_take_used(&p->ring);
		ATF_CHECK_EQ(VIRTIO_BLK_S_OK,
		    ring_harness_status(&p->ring, slot));
	}
	ATF_CHECK_EQ(PROCESS_LIVE, process_read(p, VIRTIO_MMIO_STATUS, 4));
}

BESIDE(standby__holds_its_fences_when_it_is_ready)
{
	const struct state *s = p->ring.disk.state;
	struct proto_blk_ready ready;
	unsigned i;

	bury(old);
	for (i = 0; i < 2; i++)
		ATF_CHECK_EQ(0x40000000u,
		    shared_load(&s->fence[i].s_futex) & 0x7fffffffu);
	take_over(p, 0, &ready);
	for (i = 0; i < 2; i++)
		ATF_CHECK(shared_load(&s->fence[i].s_futex) != 0x40000000u);
	process_kill(p);
	for (i = 0; i < 2; i++)
		ATF_CHECK_EQ(0x40000000u,
		    shared_load(&s->fence[i].s_futex) & 0x7fffffffu);
}

BESIDE(standby__takes_over_paused)
{
	struct proto_blk_ready ready;
	struct msg m;

	bury(old);
	take_over(p, PROTO_DISK_PAUSED, &ready);
	offer_write(p, 0);
	ring_harness_kick(&p->ring);
	ATF_CHECK_EQ(PROCESS_LIVE, process_read(p, VIRTIO_MMIO_STATUS, 4));
	process_tell(p, PROTO_BLK_RESUME);
	process_expect(p->control, PROTO_BLK_RESUMED, &m);
	ring_harness_wait_used(&p->ring, 1);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_status(&p->ring, 0));
}

BESIDE(standby__detaches_without_a_flush)
{
	int status;

	(void)old;
	process_tell(p, PROTO_BLK_DETACH);
	status = process_wait(p);
	ATF_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EX_OK);
}

ATF_TC_WITHOUT_HEAD(standby__take_over_of_one_that_serves_is_refused);
ATF_TC_BODY(standby__take_over_of_one_that_serves_is_refused, tc)
{
	struct proto_blk_take_over m = { .m_incarnation = 1 };
	struct process p;
	int status;

	process_make(&p);
	process_attach(&p, NULL);
	chan_header(&m.m_hdr, PROTO_BLK_TAKE_OVER, ++p.sequence);
	ATF_REQUIRE(chan_send(p.control, &m, NULL, 0) == 0);
	status = process_wait(&p);
	ATF_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EX_PROTOCOL);
	process_free(&p);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, standby__touches_nothing);
	ATF_TP_ADD_TC(tp, standby__takes_over_what_was_in_flight);
	ATF_TP_ADD_TC(tp, standby__holds_its_fences_when_it_is_ready);
	ATF_TP_ADD_TC(tp, standby__takes_over_paused);
	ATF_TP_ADD_TC(tp, standby__detaches_without_a_flush);
	ATF_TP_ADD_TC(tp, standby__take_over_of_one_that_serves_is_refused);
	return atf_no_error();
}
