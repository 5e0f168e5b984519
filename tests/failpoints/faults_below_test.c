/* SPDX-License-Identifier: ISC */
/*
 * Faults below a disk, by the queue thread, the threads of a pool and the
 * ring, on a file and on a block device: of every call on the backing, one in
 * a hundred fails with EIO, ENOSPC or EINTR, or does only a part.  A driver
 * on a real queue thread keeps for each sector what it may hold: what was
 * said to be written is there, what was said to have failed may be, a read
 * that succeeded tells the truth, nothing hangs, and the counters add up.
 */
#include <sys/ioctl.h>

#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <fiu.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blkd/backing.h"
#include "blkd/engine.h"
#include "blkd/ring_harness.h"
#include "blkd/uring.h"
#include "tests/failpoints/fail_call.h"

#define QUEUE		128u
#define SLOTS		(QUEUE / RING_SLOT_DESCS)
#define SECTORS		2048u
#define SECTORS_MAX	(RING_DATA_BYTES / 512)
#define ROUNDS		6000u
#define WORDS		(512 / sizeof(uint32_t))
#define MAY_MAX		6u
#define ALL		(FAIL_CALL_HARD | FAIL_CALL_SOFT)
#define THREADS		4u	/* of a pool, and every operation is slow */

#define FEATURES	(RING_FEATURES | \
	RING_FEATURE(VIRTIO_BLK_F_DISCARD) | \
	RING_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES))

/* The contents that a sector may have; each write has a number of its own. */
struct sector {
	uint32_t	may[MAY_MAX];
	unsigned	n;		/* > MAY_MAX: anything */
};

struct request {
	uint32_t	type;
	uint32_t	at, n;		/* sectors */
	uint32_t	number;
};

struct driver {
	struct ring_harness	h;
	struct sector		sector[SECTORS];
	struct request		request[SLOTS];
	uint32_t		number;
	uint64_t		ok, failed;
};

static struct driver d;

/* --- what sectors hold ---------------------------------------------------- */

static void
is_now(struct sector *s, uint32_t number)
{
	s->n = 1;
	s->may[0] = number;
}

static void
may_be(struct sector *s, uint32_t number)
{
	if (s->n < MAY_MAX)
		s->may[s->n] = number;
	if (s->n <= MAY_MAX)
		s->n++;
}

static bool
is_possible(const struct sector *s, uint32_t word)
{
	unsigned i;

	for (i = 0; i < s->n && i < MAY_MAX; i++)
		if (s->may[i] == word)
			return true;
	return s->n > MAY_MAX;
}

/* A write that failed may end within a sector, though not within a word. */
static void
check_sector(uint32_t at, const uint8_t *data, const char *whence)
{
	uint32_t word;
	size_t i;

	for (i = 0; i < WORDS; i++) {
		memcpy(&word, data + i * sizeof(word), sizeof(word));
		ATF_REQUIRE_MSG(is_possible(&d.sector[at], word),
		    "%s: sector %u holds %u of %u possible, at word %zu",
		    whence, at, word, d.sector[at].n, i);
	}
}

static bool
changes(uint32_t type)
{
	return type == VIRTIO_BLK_T_OUT || type == VIRTIO_BLK_T_DISCARD ||
	    type == VIRTIO_BLK_T_WRITE_ZEROES;
}

/* --- requests ------------------------------------------------------------- */

static bool
overlaps(const struct request *r, unsigned before)
{
	unsigned i;

	for (i = 0; i < before; i++)
		if (r->at < d.request[i].at + d.request[i].n &&
		    d.request[i].at < r->at + r->n)
			return true;
	return false;
}

static void
choose(unsigned slot)
{
	static const uint32_t types[] = {
		VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_OUT,
		VIRTIO_BLK_T_IN, VIRTIO_BLK_T_IN, VIRTIO_BLK_T_FLUSH,
		VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES,
	};
	struct request *r = &d.request[slot];

	r->type = types[(unsigned)random() % 8];
	r->number = r->type == VIRTIO_BLK_T_OUT ? ++d.number : 0;
	do {
		r->n = r->type == VIRTIO_BLK_T_FLUSH ? 0 :
		    1 + (uint32_t)random() % (random() % 4 == 0 ?
		    SECTORS_MAX : 8);
		r->at = (uint32_t)random() % (SECTORS - r->n);
	} while (overlaps(r, slot));
}

static void
offer(unsigned slot)
{
	const struct request *r = &d.request[slot];
	struct virtio_blk_discard_write_zeroes range = {
		.sector = r->at, .num_sectors = r->n,
	};
	uint8_t *data = ring_harness_data(&d.h, slot);
	size_t i;

	for (i = 0; r->type == VIRTIO_BLK_T_OUT && i < r->n * WORDS; i++)
		memcpy(data + i * 4, &r->number, 4);
	if (r->type == VIRTIO_BLK_T_IN)
		memset(data, 0xff, r->n * 512);
	if (r->type == VIRTIO_BLK_T_OUT || r->type == VIRTIO_BLK_T_IN ||
	    r->type == VIRTIO_BLK_T_FLUSH) {
		ring_harness_request(&d.h, slot, r->type, r->at, r->n * 512);
	} else {
		memcpy(data, &range, sizeof(range));
		ring_harness_request(&d.h, slot, r->type, 0, sizeof(range));
	}
	ring_harness_offer(&d.h, ring_harness_head(slot));
}

static void
judge(unsigned slot)
{
	const struct request *r = &d.request[slot];
	uint8_t status = ring_harness_status(&d.h, slot);
	uint32_t i;

	ATF_REQUIRE(status == VIRTIO_BLK_S_OK || status == VIRTIO_BLK_S_IOERR);
	if (status == VIRTIO_BLK_S_OK)
		d.ok++;
	else
		d.failed++;
	for (i = 0; i < r->n; i++) {
		if (changes(r->type) && status == VIRTIO_BLK_S_OK)
			is_now(&d.sector[r->at + i], r->number);
		else if (changes(r->type))
			may_be(&d.sector[r->at + i], r->number);
		else if (status == VIRTIO_BLK_S_OK)
			check_sector(r->at + i, ring_harness_data(&d.h, slot) +
			    i * 512, "read");
	}
}

static void
run_batch(void)
{
	unsigned i, n = 1 + (unsigned)random() % SLOTS;
	bool seen[SLOTS] = { false };
	uint32_t id;

	for (i = 0; i < n; i++) {
		choose(i);
		offer(i);
	}
	ring_harness_kick(&d.h);
	ring_harness_wait_used(&d.h, (uint16_t)n);
	for (i = 0; i < n; i++) {
		id = ring_harness_take_used(&d.h).g_id;
		ATF_REQUIRE(id % RING_SLOT_DESCS == 0 &&
		    id / RING_SLOT_DESCS < n && !seen[id / RING_SLOT_DESCS]);
		seen[id / RING_SLOT_DESCS] = true;
		judge(id / RING_SLOT_DESCS);
	}
}

/* --- the disk ------------------------------------------------------------- */

/* What is below, and who carries it out. */
struct trial {
	const struct engine_ops	*engine;
	unsigned		 kinds;		/* of failures */
	bool			 direct;
	bool			 device;	/* a block device */
	unsigned		 threads;	/* of a pool; 0: none */
};

/*
 * A loop device over the file, its path in `path`, of `size`.  It goes with
 * its last descriptor, of which the first is returned.
 */
static int
make_device(int file, char *path, size_t size)
{
	struct loop_config config = {
		.fd = (uint32_t)file,
		.info = { .lo_flags = LO_FLAGS_AUTOCLEAR },
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int fd, tries;

	if (control == -1)
		atf_tc_skip("/dev/loop-control: %s", strerror(errno));
	/* Another process may take the free one first. */
	for (tries = 0; tries < 100; tries++) {
		snprintf(path, size, "/dev/loop%d", ioctl(control,
		    LOOP_CTL_GET_FREE));
		if ((fd = open(path, O_RDWR | O_CLOEXEC)) == -1)
			atf_tc_skip("%s: %s", path, strerror(errno));
		if (ioctl(fd, LOOP_CONFIGURE, &config) == 0) {
			close(control);
			return fd;
		}
		ATF_REQUIRE_EQ(EBUSY, errno);
		close(fd);
	}
	atf_tc_fail("no loop device is free for long");
}

/* A new file, or a device over it; the harness looks at what is kept. */
static int
make_below(const struct trial *t)
{
	char path[32] = "backing.XXXXXX", file[32];
	int fd, flags = O_RDWR | O_CLOEXEC | (t->direct ? O_DIRECT : 0);

	ATF_REQUIRE((fd = mkstemp(path)) != -1);
	ATF_REQUIRE(ftruncate(fd, SECTORS * 512) == 0);
	memcpy(file, path, sizeof(file));
	if (t->device)
		d.h.backingfd = make_device(fd, path, sizeof(path));
	else
		d.h.backingfd = open(path, O_RDWR | O_CLOEXEC);
	close(fd);
	if ((fd = open(path, flags)) == -1)
		atf_tc_skip("no O_DIRECT here");
	unlink(file);
	return fd;
}

static void
make(const struct trial *t)
{
	const struct engine_ops *engine = t->engine;
	unsigned i;
	int fd;

	ring_harness_make(&d.h, QUEUE, FEATURES);
	d.h.disk.engine = engine;
	d.h.disk.threads = t->threads;
	d.h.disk.slow_us = 0;
	d.h.disk.uring = engine == &engine_uring ? uring_make(1, QUEUE) : NULL;
	if (d.h.disk.uring != NULL && uring_error(d.h.disk.uring) != 0)
		atf_tc_skip("io_uring: %s",
		    strerror(uring_error(d.h.disk.uring)));
	backing_close(d.h.disk.backing);
	fd = make_below(t);
	d.h.disk.sectors = SECTORS;
	d.h.disk.backing = backing_open(fd, false, 512);
	ATF_REQUIRE(d.h.disk.backing != NULL);
	fail_call_align(t->direct ? 4096 : sizeof(uint32_t));
	for (i = 0; i < SECTORS; i++)
		is_now(&d.sector[i], 0);
}

static void
check_counters(void)
{
	static const enum counter kinds[] = {
		COUNTER_READS, COUNTER_WRITES, COUNTER_FLUSHES,
		COUNTER_DISCARDS, COUNTER_WRITE_ZEROES,
	};
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		n += ring_harness_counter(&d.h, kinds[i]);
	ATF_CHECK_EQ(d.ok, n);
	ATF_CHECK_EQ(d.failed, ring_harness_counter(&d.h, COUNTER_IO_ERRORS));
	ATF_CHECK_EQ(0, ring_harness_counter(&d.h, COUNTER_IN_FLIGHT));
	ATF_CHECK_EQ(0, ring_harness_counter(&d.h, COUNTER_SHORT_READS));
	ATF_CHECK_EQ(0, ring_harness_counter(&d.h, COUNTER_DROPPED));
}

static void
check_file(void)
{
	uint8_t data[512];
	uint32_t i;

	for (i = 0; i < SECTORS; i++) {
		ring_harness_sector(&d.h, i, data);
		check_sector(i, data, "file");
	}
}

/*
 * One failure is one request: none is tried again, none is hidden.  But a
 * range that the ring cannot zero is tried by other ways.
 */
static void
check_failures(const struct trial *t)
{
	unsigned hard = fail_call_struck(FAIL_CALL_HARD);

	printf("%llu answered OK, %llu with an error; calls that failed: "
	    "%u softly, %u hard; %u calls by threads of a pool\n",
	    (unsigned long long)d.ok, (unsigned long long)d.failed,
	    fail_call_struck(FAIL_CALL_SOFT), hard, fail_call_pool());
	ATF_CHECK(fail_call_struck(t->kinds & FAIL_CALL_SOFT) > 50);
	if (t->engine == &engine_uring)
		ATF_CHECK(d.failed <= hard);
	else
		ATF_CHECK_EQ(hard, d.failed);
	ATF_CHECK_EQ((t->kinds & FAIL_CALL_HARD) != 0, d.failed > 50);
	/* The ring has its own way to devices, and seldom needs another. */
	if (t->device && t->engine == &engine_sync) {
		ATF_CHECK(fail_call_struck_in("BLKDISCARD", t->kinds) > 5);
		ATF_CHECK(fail_call_struck_in("BLKZEROOUT", t->kinds) > 5);
	}
	/* What comes alone may be carried out by the queue thread. */
	if (t->threads > 0)
		ATF_CHECK(fail_call_pool() > (d.ok + d.failed) * 3 / 4);
	else
		ATF_CHECK_EQ(0, fail_call_pool());
}

static void
run(const struct trial *t)
{
	unsigned i;

	ATF_REQUIRE_EQ(0, fiu_init(0));
	srandom(1);
	make(t);
	fail_call_count_pool();
	ATF_REQUIRE_EQ(0, ring_harness_start(&d.h, false));
	fail_call_enable(t->kinds, 0.01f);
	for (i = 0; i < ROUNDS / (t->direct || t->device ? 4 : 1); i++)
		run_batch();
	fail_call_enable(t->kinds, 0);
	check_file();
	check_counters();
	check_failures(t);
	ring_harness_stop(&d.h);
	uring_free(d.h.disk.uring);
	ring_harness_free(&d.h);
}

#define CASE(name, by, fail, ...)					\
ATF_TC_WITHOUT_HEAD(name);						\
ATF_TC_BODY(name, tc)							\
{									\
	const struct trial t = {					\
		.engine = &engine_##by, .kinds = fail, ##__VA_ARGS__	\
	};								\
									\
	(void)tc;							\
	run(&t);							\
}

CASE(sync__every_kind, sync, ALL)
CASE(sync__soft_ones_are_not_seen, sync, FAIL_CALL_SOFT)
CASE(sync__direct, sync, ALL, .direct = true)
CASE(sync__device, sync, ALL, .device = true)
CASE(sync__device_soft_ones, sync, FAIL_CALL_SOFT, .device = true)
CASE(sync__threads, sync, ALL, .threads = THREADS)
CASE(sync__threads_soft_ones, sync, FAIL_CALL_SOFT,
    .threads = THREADS)
CASE(sync__threads_direct, sync, ALL, .direct = true,
    .threads = THREADS)
CASE(sync__threads_device, sync, ALL, .device = true,
    .threads = THREADS)
CASE(uring__every_kind, uring, ALL)
CASE(uring__soft_ones_are_not_seen, uring, FAIL_CALL_SOFT)
CASE(uring__direct, uring, ALL, .direct = true)
CASE(uring__device, uring, ALL, .device = true)

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, sync__every_kind);
	ATF_TP_ADD_TC(tp, sync__soft_ones_are_not_seen);
	ATF_TP_ADD_TC(tp, sync__direct);
	ATF_TP_ADD_TC(tp, sync__device);
	ATF_TP_ADD_TC(tp, sync__device_soft_ones);
	ATF_TP_ADD_TC(tp, sync__threads);
	ATF_TP_ADD_TC(tp, sync__threads_soft_ones);
	ATF_TP_ADD_TC(tp, sync__threads_direct);
	ATF_TP_ADD_TC(tp, sync__threads_device);
	ATF_TP_ADD_TC(tp, uring__every_kind);
	ATF_TP_ADD_TC(tp, uring__soft_ones_are_not_seen);
	ATF_TP_ADD_TC(tp, uring__direct);
	ATF_TP_ADD_TC(tp, uring__device);
	return atf_no_error();
}
