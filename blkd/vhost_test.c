/* SPDX-License-Identifier: ISC */
/*
 * A front-end that does what it should: each message, and a disk behind them.
 * What is bad is in vhost_bad_test.c.
 */
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <linux/virtio_blk.h>

#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "blkd/vhost_harness.h"
#include "shm/gmem.h"
#include "shm/shared.h"

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

static void
write_and_read(struct vhost_harness *h, unsigned sector)
{
	uint8_t block[512];

	ring_harness_request(&h->ring, 0, VIRTIO_BLK_T_OUT, sector, 512);
	memset(ring_harness_data(&h->ring, 0), 0x5a + (int)sector, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h->ring, 0, NULL));
	ring_harness_sector(&h->ring, sector, block);
	ATF_CHECK_EQ((uint8_t)(0x5a + sector), block[511]);
	ring_harness_request(&h->ring, 1, VIRTIO_BLK_T_IN, sector, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h->ring, 1, NULL));
	ATF_CHECK_EQ(0, memcmp(block, ring_harness_data(&h->ring, 1), 512));
}

CASE(disk__serves_requests)
{
	struct vhost_harness h;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	harness_go_live(&h);
	write_and_read(&h, 7);
	ATF_CHECK(ring_harness_irqs(&h.ring) > 0);
	harness_free(&h);
}

CASE(end__sigterm_flushes_and_removes_the_socket)
{
	struct vhost_harness h;
	int status;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	harness_go_live(&h);
	write_and_read(&h, 7);
	kill(h.pid, SIGTERM);
	status = harness_wait(&h);
	ATF_CHECK(WIFEXITED(status));
	ATF_CHECK_EQ(EX_OK, WEXITSTATUS(status));
	ATF_CHECK(access(HARNESS_SOCKET, F_OK) == -1);
	harness_free(&h);
}

CASE(connect__again_and_again)
{
	struct vhost_harness h;
	unsigned i;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	for (i = 0; i < 20; i++) {
		harness_connect(&h);
		harness_negotiate(&h, HARNESS_FEATURES,
		    VHOST_PROTOCOL_OFFERED);
		harness_memory(&h);
		harness_ring(&h, 0, h.ring.used_idx);
		write_and_read(&h, i);
		harness_disconnect(&h);
	}
	harness_free(&h);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, disk__serves_requests);
	ATF_TP_ADD_TC(tp, end__sigterm_flushes_and_removes_the_socket);
	ATF_TP_ADD_TC(tp, connect__again_and_again);
	return atf_no_error();
}
