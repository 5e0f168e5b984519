/* SPDX-License-Identifier: ISC */
/*
 * So many 4 KiB reads by a queue thread, in one process and without a
 * sandbox: for callgrind, which counts what each costs in user space.
 *
 *	insn sync|threads|uring requests depth
 *
 * With `threads` there are some for slow I/O, and this is none.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "blkd/engine.h"
#include "blkd/ring_harness.h"
#include "blkd/uring.h"
#include "shm/shared.h"

#define NUM	128u

static void
run(struct ring_harness *h, unsigned requests, unsigned depth)
{
	unsigned i, put = 0, taken = 0;

	while (taken < requests) {
		for (i = 0; i < depth; i++, put++) {
			ring_harness_request(h, i, VIRTIO_BLK_T_IN,
			    put * 8 % RING_DISK_SECTORS, 4096);
			ring_harness_offer(h, ring_harness_head(i));
		}
		ring_harness_kick(h);
		ring_harness_wait_used(h, (uint16_t)depth);
		for (i = 0; i < depth; i++, taken++)
			ring_harness_take_used(h);
	}
}

int
main(int argc, char **argv)
{
	struct ring_harness h;
	unsigned depth;

	if (argc != 4 || (depth = (unsigned)atoi(argv[3])) < 1 ||
	    depth > NUM / RING_SLOT_DESCS)
		errx(64, "usage: insn sync|threads|uring requests depth");
	ring_harness_make(&h, NUM, RING_FEATURES |
	    RING_FEATURE(VIRTIO_RING_F_EVENT_IDX));
	if (strcmp(argv[1], "uring") == 0) {
		h.disk.uring = uring_make(1, NUM);
		if (uring_error(h.disk.uring) != 0)
			errx(1, "no io_uring here");
		h.disk.engine = &engine_uring;
	}
	if (strcmp(argv[1], "threads") == 0) {
		h.disk.threads = PROTO_THREADS_MAX;
		h.disk.slow_us = PROTO_SLOW_US_MAX;
	}
	if (ring_harness_start(&h, false) == -1)
		err(1, "queue");
	run(&h, (unsigned)atoi(argv[2]), depth);
	ring_harness_stop(&h);
	uring_free(h.disk.uring);
	ring_harness_free(&h);
	return 0;
}
