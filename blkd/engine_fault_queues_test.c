/* SPDX-License-Identifier: ISC */
/*
 * Faults on purpose where a disk has several queues: what one holds back all
 * of them read, and a FLUSH of any is one of all.
 */
#include <atf-c.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blkd/backing.h"
#include "blkd/engine.h"
#include "blkd/engine_fault.h"
#include "blkd/faults.h"
#include "blkd/ring_harness.h"
#include "shm/memfd.h"

#define QUEUES		4u
#define ROUNDS		400u
#define SPAN		64u	/* sectors of each queue */
#define SECTOR		512u

struct bench {
	struct ring_harness	 h;
	int			 faultfd;
	struct engine		*engine[QUEUES];
};

static struct bench b;

static void
set_up(void)
{
	struct proto_fault f = {
		.m_id = 1, .m_action = PROTO_FAULT_LOST_FLUSH,
		.m_ops = PROTO_FAULT_WRITE, .m_last = UINT64_MAX,
		.m_every = 1, .m_ppm = PROTO_FAULT_PPM,
	};
	unsigned i;

	ring_harness_make(&b.h, 128, RING_FEATURES);
	b.faultfd = memfd_make("faults", PROTO_FAULT_BYTES);
	b.h.disk.faults = faults_open(b.faultfd);
	ATF_REQUIRE(b.h.disk.faults != NULL);
	ATF_REQUIRE_EQ(0, faults_start(b.h.disk.faults, b.h.eventfd));
	ATF_REQUIRE_EQ(0, faults_command(b.h.disk.faults, &f));
	for (i = 0; i < QUEUES; i++)
		ATF_REQUIRE((b.engine[i] = engine_fault_make(&b.h.disk, i)) !=
		    NULL);
}

static void
tear_down(void)
{
	unsigned i;

	for (i = 0; i < QUEUES; i++)
		engine_fault.free(b.engine[i]);
	faults_close(b.h.disk.faults);
	close(b.faultfd);
	ring_harness_free(&b.h);
	close(b.h.backingfd);
}

/* `n` sectors from `at` on, on a queue; 0, or an errno. */
static int
io(unsigned queue, enum engine_op_type type, uint64_t at, uint64_t n,
    uint8_t *data)
{
	struct iovec iov = { data, n * SECTOR };
	struct engine_op op = {
		.type = type, .offset = at * SECTOR, .bytes = n * SECTOR,
		.iov = &iov, .niov = n == 0 ? 0 : 1,
	};

	engine_fault.submit(b.engine[queue], &op);
	engine_fault.kick(b.engine[queue]);
	ATF_REQUIRE(engine_fault.reap(b.engine[queue]) == &op);
	return op.error;
}

static int
put(unsigned queue, uint64_t at, uint64_t n, int byte)
{
	uint8_t data[SPAN * SECTOR];

	memset(data, byte, sizeof(data));
	return io(queue, ENGINE_WRITE, at, n, data);
}

/* The byte that all of these sectors are; -1: they differ. */
static int
get(unsigned queue, uint64_t at, uint64_t n)
{
	uint8_t data[SPAN * SECTOR];
	size_t i;

	if (io(queue, ENGINE_READ, at, n, data) != 0)
		return -1;
	for (i = 1; i < n * SECTOR; i++)
		if (data[i] != data[0])
			return -1;
	return data[0];
}

static int
in_file(uint64_t at)
{
	uint8_t data[SECTOR];

	ring_harness_sector(&b.h, at, data);
	return data[0];
}

ATF_TC_WITHOUT_HEAD(queues__read_what_another_holds);
ATF_TC_BODY(queues__read_what_another_holds, tc)
{
	set_up();
	ATF_CHECK_EQ(0, put(0, 0, 16, 'a'));
	ATF_CHECK_EQ(0, in_file(0));
	ATF_CHECK_EQ('a', get(3, 0, 16));
	ATF_CHECK_EQ(0, put(2, 4, 2, 'b'));
	ATF_CHECK_EQ('b', get(1, 4, 2));
	ATF_CHECK_EQ('a', get(0, 6, 10));
	ATF_CHECK_EQ(0, in_file(4));
	tear_down();
}

ATF_TC_WITHOUT_HEAD(queues__flush_of_one_is_of_all);
ATF_TC_BODY(queues__flush_of_one_is_of_all, tc)
{
	unsigned q;

	set_up();
	for (q = 0; q < QUEUES; q++)
		ATF_CHECK_EQ(0, put(q, q * SPAN, SPAN, 'a' + (int)q));
	ATF_CHECK_EQ(0, in_file(SPAN));
	ATF_CHECK_EQ(0, io(2, ENGINE_FLUSH, 0, 0, NULL));
	for (q = 0; q < QUEUES; q++) {
		ATF_CHECK_EQ('a' + (int)q, in_file(q * SPAN));
		ATF_CHECK_EQ('a' + (int)q, in_file(q * SPAN + SPAN - 1));
	}
	tear_down();
}

/*
 * Each queue has sectors of its own: after its FLUSH the file has what it
 * wrote before, or what it or nobody has written since; and each queue reads
 * what it wrote, while the others flush.
 */
static void *
hammer(void *arg)
{
	unsigned queue = *(const unsigned *)arg, round;
	uint64_t at = queue * SPAN;
	int byte;

	for (round = 1; round <= ROUNDS; round++) {
		byte = (int)(round & 0x7f) + 1;
		ATF_REQUIRE_EQ(0, put(queue, at, SPAN, byte));
		ATF_REQUIRE_EQ(byte, get(queue, at, SPAN));
		if (round % (3 + queue) != 0)
			continue;
		ATF_REQUIRE_EQ(0, io(queue, ENGINE_FLUSH, 0, 0, NULL));
		ATF_REQUIRE_EQ(byte, in_file(at));
		ATF_REQUIRE_EQ(byte, in_file(at + SPAN - 1));
	}
	return NULL;
}

ATF_TC_WITHOUT_HEAD(queues__side_by_side);
ATF_TC_BODY(queues__side_by_side, tc)
{
	unsigned queue[QUEUES], i;
	pthread_t thread[QUEUES];

	set_up();
	for (i = 0; i < QUEUES; i++) {
		queue[i] = i;
		ATF_REQUIRE_EQ(0, pthread_create(&thread[i], NULL, hammer,
		    &queue[i]));
	}
	for (i = 0; i < QUEUES; i++)
		ATF_REQUIRE_EQ(0, pthread_join(thread[i], NULL));
	tear_down();
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, queues__read_what_another_holds);
	ATF_TP_ADD_TC(tp, queues__flush_of_one_is_of_all);
	ATF_TP_ADD_TC(tp, queues__side_by_side);
	return atf_no_error();
}
