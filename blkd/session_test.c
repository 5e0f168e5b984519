/* SPDX-License-Identifier: ISC */
/* A real blkd, from ATTACH to its end, by its channels and its ring. */
#include <sys/wait.h>

#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "blkd/process_harness.h"
#include "proto/chan.h"
#include "util/fd.h"

#define ATTACHED(tc)							\
ATF_TC_WITHOUT_HEAD(tc);						\
static void tc##_on(struct process *);					\
ATF_TC_BODY(tc, atf)							\
{									\
	struct process p;						\
									\
	process_make(&p);						\
	process_attach(&p, NULL);					\
	tc##_on(&p);							\
	process_free(&p);						\
}									\
static void								\
tc##_on(struct process *p)

static void
require_exit(struct process *p, int status)
{
	int got = process_wait(p);

	ATF_REQUIRE_MSG(WIFEXITED(got), "killed by signal %d",
	    WTERMSIG(got));
	ATF_CHECK_EQ_MSG(status, WEXITSTATUS(got), "%d", WEXITSTATUS(got));
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

ATTACHED(session__requests_go_through_the_ring)
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

ATTACHED(session__detach_flushes_and_exits_0)
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

ATTACHED(session__monitor_gone_ends_blkd)
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

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, session__attach_answers_what_the_disk_is);
	ATF_TP_ADD_TC(tp, session__requests_go_through_the_ring);
	ATF_TP_ADD_TC(tp, session__detach_flushes_and_exits_0);
	ATF_TP_ADD_TC(tp, session__spare_detaches_without_a_disk);
	ATF_TP_ADD_TC(tp, session__monitor_gone_ends_blkd);
	ATF_TP_ADD_TC(tp, session__vm_gone_waits_for_the_monitor);
	return atf_no_error();
}
