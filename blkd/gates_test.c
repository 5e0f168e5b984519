/* SPDX-License-Identifier: ISC */
/*
 * The table of DESIGN section 5, row by row and type by type, through a real
 * queue thread: what is answered, what is counted, and that the file and the
 * guest's memory stay as they were.
 */
#include <atf-c.h>
#include <string.h>
#include <unistd.h>

#include "blkd/chain.h"
#include "blkd/gates.h"
#include "blkd/request.h"
#include "blkd/ring_harness.h"
#include "shm/shared.h"

#define NUM		64u
#define NOWHERE		UINT64_C(0x700000000)	/* no memory there */
#define FEATURES	(RING_FEATURES | \
	RING_FEATURE(VIRTIO_BLK_F_DISCARD) | \
	RING_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES) | \
	RING_FEATURE(VIRTIO_RING_F_INDIRECT_DESC))
#define W		VRING_DESC_F_WRITE

#define UNTOUCHED	0x77u	/* the guest's data and the file before */
#define GOOD		8u	/* the slot of a request that is in order */

struct fixture {
	struct ring_harness h;
	struct virtq_desc *d;	/* descriptors of slot 0: 0, 1, 2 */
};

static void
set_up(struct fixture *f, uint32_t type, uint64_t sector, uint32_t bytes)
{
	uint8_t block[4096];
	off_t at;

	ring_harness_make(&f->h, NUM, FEATURES);
	memset(block, UNTOUCHED, sizeof(block));
	for (at = 0; at < (off_t)RING_DISK_SECTORS * 512; at += 4096)
		ATF_REQUIRE_EQ(4096, pwrite(f->h.backingfd, block, 4096, at));
	memset(ring_harness_data(&f->h, 0), UNTOUCHED, RING_DATA_BYTES);
	ring_harness_request(&f->h, 0, type, sector, bytes);
	f->d = f->h.desc;
}

static void
check_untouched(struct fixture *f)
{
	uint8_t sector[512];
	uint64_t i;
	size_t j;

	for (j = 0; j < RING_DATA_BYTES; j++)
		ATF_REQUIRE_EQ(UNTOUCHED, ring_harness_data(&f->h, 0)[j]);
	for (i = 0; i < RING_DISK_SECTORS; i += 97) {
		ring_harness_sector(&f->h, i, sector);
		for (j = 0; j < 512; j++)
			ATF_REQUIRE_EQ(UNTOUCHED, sector[j]);
	}
}

static void
expect(struct fixture *f, uint8_t status, enum counter counter)
{
	uint32_t len;

	ATF_REQUIRE_EQ(0, ring_harness_start(&f->h, false));
	ATF_CHECK_EQ(status, ring_harness_run(&f->h, 0, &len));
	ATF_CHECK_EQ(1, len);
	ring_harness_wait_counter(&f->h, counter, 1);
	check_untouched(f);
	ring_harness_free(&f->h);
}

static void
expect_ioerr(struct fixture *f)
{
	expect(f, VIRTIO_BLK_S_IOERR, COUNTER_IO_ERRORS);
}

static void
expect_unsupp(struct fixture *f)
{
	expect(f, VIRTIO_BLK_S_UNSUPP, COUNTER_UNSUPPORTED);
}

/* A request behind it is answered, it is not. */
static void
expect_drop(struct fixture *f)
{
	struct ring_harness *h = &f->h;

	ATF_REQUIRE_EQ(0, ring_harness_start(h, false));
	ring_harness_offer(h, 0);
	ring_harness_request(h, GOOD, VIRTIO_BLK_T_FLUSH, 0, 0);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(h, GOOD, NULL));
	ring_harness_wait_counter(h, COUNTER_FLUSHES, 1);
	ATF_CHECK_EQ(1, ring_harness_counter(h, COUNTER_DROPPED));
	ATF_CHECK_EQ(1, ring_harness_counter(h, COUNTER_IO_ERRORS));
	ATF_CHECK_EQ(1, shared_load(&h->used->g_idx));
	ATF_CHECK_EQ(RING_STATUS_UNTOUCHED, ring_harness_status(h, 0));
	check_untouched(f);
	/* The cursor of a successor steps over it. */
	ring_harness_stop(h);
	ATF_CHECK_EQ(0, ring_harness_start(h, true));
	ring_harness_wait_counter(h, COUNTER_IRQS, 2);
	ATF_CHECK_EQ(1, ring_harness_counter(h, COUNTER_DROPPED));
	ring_harness_free(h);
}

/* A case: a request that would be in order, one thing changed in it. */
#define CASE(name, type, sector, bytes, change, expectation)		\
	ATF_TC_WITHOUT_HEAD(name);					\
	ATF_TC_BODY(name, tc)						\
	{								\
		struct fixture f;					\
									\
		(void)tc;						\
		set_up(&f, VIRTIO_BLK_T_##type, sector, bytes);		\
		change;							\
		expectation(&f);					\
	}

static void
set_range(struct fixture *f, uint64_t sector, uint32_t sectors, uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes *range =
	    ring_harness_at(&f->h, RING_TABLE_GPA);

	range->sector = sector;
	range->num_sectors = sectors;
	range->flags = flags;
	f->d[1].g_addr = RING_TABLE_GPA;
}

/* --- 1: no status ------------------------------------------------------- */

CASE(gates__one_descriptor, IN, 0, 512, f.d[0].g_flags = W, expect_drop)
CASE(gates__status_readable_in, IN, 0, 512, f.d[2].g_flags = 0, expect_drop)
CASE(gates__status_readable_out, OUT, 0, 512, f.d[2].g_flags = 0, expect_drop)
CASE(gates__status_readable_flush, FLUSH, 0, 0, f.d[1].g_flags = 0,
    expect_drop)
CASE(gates__status_empty, OUT, 0, 512, f.d[2].g_len = 0, expect_drop)
CASE(gates__status_unmapped, OUT, 0, 512, f.d[2].g_addr = NOWHERE,
    expect_drop)
CASE(gates__status_past_the_end, OUT, 0, 512, f.d[2].g_addr = RING_MEMORY,
    expect_drop)
CASE(gates__status_overflows, OUT, 0, 512,
    (f.d[2].g_addr = UINT64_MAX, f.d[2].g_len = 2), expect_drop)

/* --- 2: too many -------------------------------------------------------- */

/* Slot 0 by an indirect table of n descriptors, n - 2 of them data. */
static void
make_indirect(struct fixture *f, uint16_t n)
{
	struct virtq_desc *t = ring_harness_at(&f->h, RING_TABLE_GPA);
	uint16_t i;

	for (i = 0; i < n; i++) {
		t[i] = i == 0 ? f->d[0] : f->d[1];
		t[i].g_flags |= VRING_DESC_F_NEXT;
		t[i].g_next = (uint16_t)(i + 1);
	}
	t[n - 1] = f->d[2];
	f->d[0] = (struct virtq_desc) { RING_TABLE_GPA, n * 16u,
	    VRING_DESC_F_INDIRECT, 0 };
}

CASE(gates__too_many_in, IN, 0, 512, make_indirect(&f, NUM + 1), expect_ioerr)
CASE(gates__too_many_out, OUT, 0, 512, make_indirect(&f, NUM + 1),
    expect_ioerr)
CASE(gates__far_too_many, OUT, 0, 512, make_indirect(&f, 3000), expect_ioerr)

ATF_TC_WITHOUT_HEAD(gates__as_many_as_allowed);
ATF_TC_BODY(gates__as_many_as_allowed, tc)
{
	struct fixture f;
	uint32_t len;

	(void)tc;
	set_up(&f, VIRTIO_BLK_T_IN, 0, 512);
	make_indirect(&f, NUM);
	ATF_REQUIRE_EQ(0, ring_harness_start(&f.h, false));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&f.h, 0, &len));
	ATF_CHECK_EQ((NUM - 2) * 512 + 1, len);
	ring_harness_free(&f.h);
}

/* --- 3: header ---------------------------------------------------------- */

CASE(gates__header_writable, OUT, 0, 512, f.d[0].g_flags |= W, expect_ioerr)
CASE(gates__header_short, OUT, 0, 512, f.d[0].g_len = 15, expect_ioerr)
CASE(gates__header_unmapped, OUT, 0, 512, f.d[0].g_addr = NOWHERE,
    expect_ioerr)
CASE(gates__header_past_the_end, OUT, 0, 512,
    f.d[0].g_addr = RING_MEMORY - 15, expect_ioerr)
CASE(gates__header_overflows, OUT, 0, 512, f.d[0].g_addr = UINT64_MAX - 7,
    expect_ioerr)

/* --- 4: size_max -------------------------------------------------------- */

#define TOO_LONG	(DISK_SIZE_MAX + 512)

CASE(gates__long_buffer_in, IN, 0, TOO_LONG, , expect_ioerr)
CASE(gates__long_buffer_out, OUT, 0, TOO_LONG, , expect_ioerr)
CASE(gates__long_buffer_get_id, GET_ID, 0, TOO_LONG, , expect_ioerr)
CASE(gates__long_buffer_scsi, SCSI_CMD, 0, TOO_LONG, , expect_ioerr)

ATF_TC_WITHOUT_HEAD(gates__longest_buffer);
ATF_TC_BODY(gates__longest_buffer, tc)
{
	struct fixture f;
	uint32_t len;

	(void)tc;
	set_up(&f, VIRTIO_BLK_T_IN, 0, DISK_SIZE_MAX);
	ATF_REQUIRE_EQ(0, ring_harness_start(&f.h, false));
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&f.h, 0, &len));
	ATF_CHECK_EQ(DISK_SIZE_MAX + 1, len);
	ring_harness_free(&f.h);
}

/* --- 5: data ------------------------------------------------------------ */

CASE(gates__no_data_in, IN, 0, 0, , expect_ioerr)
CASE(gates__no_data_out, OUT, 0, 0, , expect_ioerr)
CASE(gates__no_data_get_id, GET_ID, 0, 0, , expect_ioerr)
CASE(gates__no_data_discard, DISCARD, 0, 0, , expect_ioerr)
CASE(gates__no_data_write_zeroes, WRITE_ZEROES, 0, 0, , expect_ioerr)
CASE(gates__empty_data_in, IN, 0, 512, f.d[1].g_len = 0, expect_ioerr)
CASE(gates__empty_data_out, OUT, 0, 512, f.d[1].g_len = 0, expect_ioerr)
CASE(gates__data_flush, FLUSH, 0, 512, , expect_ioerr)

/* --- 6: whole sectors --------------------------------------------------- */

CASE(gates__torn_in, IN, 0, 513, , expect_ioerr)
CASE(gates__torn_out, OUT, 0, 511, , expect_ioerr)
CASE(gates__torn_discard, DISCARD, 0, 15, , expect_ioerr)
CASE(gates__torn_write_zeroes, WRITE_ZEROES, 0, 17, , expect_ioerr)
CASE(gates__two_ranges_discard, DISCARD, 0, 32, , expect_ioerr)

/* --- 7, 8: read-only ---------------------------------------------------- */

CASE(gates__readonly_out, OUT, 0, 512, f.h.disk.readonly = true,
    expect_ioerr)
CASE(gates__readonly_discard, DISCARD, 0, 16,
    (f.h.disk.readonly = true, set_range(&f, 0, 8, 0)), expect_ioerr)
CASE(gates__readonly_write_zeroes, WRITE_ZEROES, 0, 16,
    (f.h.disk.readonly = true, set_range(&f, 0, 8, 0)), expect_ioerr)

static void
expect_flush_ok(struct fixture *f)
{
	expect(f, VIRTIO_BLK_S_OK, COUNTER_FLUSHES);
}

CASE(gates__readonly_flush, FLUSH, 0, 0, f.h.disk.readonly = true,
    expect_flush_ok)

/* --- 9: types ----------------------------------------------------------- */

CASE(gates__unknown_scsi, SCSI_CMD, 0, 512, , expect_unsupp)
CASE(gates__unknown_secure_erase, SECURE_ERASE, 0, 16, , expect_unsupp)
CASE(gates__unknown_barrier, BARRIER, 0, 512, , expect_unsupp)
CASE(gates__unknown_without_data, SCSI_CMD, 0, 0, , expect_unsupp)
CASE(gates__not_negotiated_flush, FLUSH, 0, 0, f.h.setup.features = 0,
    expect_unsupp)
CASE(gates__not_negotiated_discard, DISCARD, 0, 16,
    (f.h.setup.features = RING_FEATURES, set_range(&f, 0, 8, 0)),
    expect_unsupp)
CASE(gates__not_negotiated_write_zeroes, WRITE_ZEROES, 0, 16,
    (f.h.setup.features = RING_FEATURES, set_range(&f, 0, 8, 0)),
    expect_unsupp)

/* --- 10: direction ------------------------------------------------------ */

CASE(gates__direction_in, IN, 0, 512, f.d[1].g_flags &= ~W, expect_ioerr)
CASE(gates__direction_out, OUT, 0, 512, f.d[1].g_flags |= W, expect_ioerr)
CASE(gates__direction_get_id, GET_ID, 0, 20, f.d[1].g_flags &= ~W,
    expect_ioerr)
CASE(gates__direction_discard, DISCARD, 0, 16,
    (set_range(&f, 0, 8, 0), f.d[1].g_flags |= W), expect_ioerr)
CASE(gates__direction_write_zeroes, WRITE_ZEROES, 0, 16,
    (set_range(&f, 0, 8, 0), f.d[1].g_flags |= W), expect_ioerr)

/* --- 11: ranges --------------------------------------------------------- */

CASE(gates__unmapped_in, IN, 0, 512, f.d[1].g_addr = NOWHERE, expect_ioerr)
CASE(gates__unmapped_out, OUT, 0, 512, f.d[1].g_addr = NOWHERE, expect_ioerr)
CASE(gates__unmapped_get_id, GET_ID, 0, 20, f.d[1].g_addr = NOWHERE,
    expect_ioerr)
CASE(gates__unmapped_discard, DISCARD, 0, 16, f.d[1].g_addr = NOWHERE,
    expect_ioerr)
CASE(gates__past_the_end_in, IN, RING_DISK_SECTORS - 1, 1024, , expect_ioerr)
CASE(gates__past_the_end_out, OUT, RING_DISK_SECTORS, 512, , expect_ioerr)
CASE(gates__past_the_end_discard, DISCARD, 0, 16,
    set_range(&f, RING_DISK_SECTORS - 7, 8, 0), expect_ioerr)
CASE(gates__past_the_end_write_zeroes, WRITE_ZEROES, 0, 16,
    set_range(&f, RING_DISK_SECTORS - 7, 8, 0), expect_ioerr)
CASE(gates__sector_overflows_in, IN, UINT64_MAX, 512, , expect_ioerr)
CASE(gates__sector_overflows_out, OUT, UINT64_MAX / 512 + 1, 512, ,
    expect_ioerr)
CASE(gates__sector_overflows_discard, DISCARD, 0, 16,
    set_range(&f, UINT64_MAX - 7, 8, 0), expect_ioerr)
CASE(gates__short_get_id, GET_ID, 0, 19, , expect_ioerr)
CASE(gates__long_range_discard, DISCARD, 0, 16,
    (f.h.disk.sectors = UINT64_C(1) << 40,
    set_range(&f, 0, DISK_DISCARD_SECTORS_MAX + 1, 0)), expect_ioerr)
CASE(gates__unmap_discard, DISCARD, 0, 16,
    set_range(&f, 0, 8, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP), expect_unsupp)
CASE(gates__unknown_flags_write_zeroes, WRITE_ZEROES, 0, 16,
    set_range(&f, 0, 8, 2), expect_unsupp)

/* The second of two buffers is no memory: the first is not written either. */
static void
add_unmapped(struct fixture *f)
{
	f->d[3] = f->d[2];
	f->d[2] = f->d[1];
	f->d[2].g_addr = NOWHERE;
	f->d[2].g_next = 3;
}

CASE(gates__half_unmapped_in, IN, 0, 512, add_unmapped(&f), expect_ioerr)
CASE(gates__half_unmapped_out, OUT, 0, 512,
    (add_unmapped(&f), memset(ring_harness_data(&f.h, 0), UNTOUCHED, 512)),
    expect_ioerr)

/* --- order -------------------------------------------------------------- */

/*
 * A request that offends every row that an OUT can offend, mended from the
 * top: each time the next row decides.
 */
ATF_TC_WITHOUT_HEAD(gates__first_row_decides);
ATF_TC_BODY(gates__first_row_decides, tc)
{
	static struct chain c;
	struct iovec iov[4];
	struct request r = { .iov = iov };
	struct fixture f;
	struct gates g = { .disk = &f.h.disk, .iov_max = 4 };

	(void)tc;
	set_up(&f, VIRTIO_BLK_T_OUT, UINT64_MAX, 512);
	f.h.disk.readonly = true;
	c.desc[0] = (struct chain_desc) { RING_HEADER_GPA, 15, true };
	c.desc[1] = (struct chain_desc) { NOWHERE, DISK_SIZE_MAX + 1, true };
	c.last = (struct chain_desc) { NOWHERE, 1, false };
	c.n = NUM + 1;
	ATF_CHECK_EQ(1, gates_row(&g, &c, &r));
	c.last = (struct chain_desc) { RING_STATUS_GPA, 1, true };
	ATF_CHECK_EQ(2, gates_row(&g, &c, &r));
	c.n = 3;
	ATF_CHECK_EQ(3, gates_row(&g, &c, &r));
	c.desc[0] = (struct chain_desc) { RING_HEADER_GPA, 16, false };
	ATF_CHECK_EQ(4, gates_row(&g, &c, &r));
	c.desc[1].len = 0;
	ATF_CHECK_EQ(5, gates_row(&g, &c, &r));
	c.desc[1].len = 100;
	ATF_CHECK_EQ(6, gates_row(&g, &c, &r));
	c.desc[1].len = 512;
	ATF_CHECK_EQ(7, gates_row(&g, &c, &r));
	f.h.disk.readonly = false;
	ATF_CHECK_EQ(10, gates_row(&g, &c, &r));
	c.desc[1].writable = false;
	ATF_CHECK_EQ(11, gates_row(&g, &c, &r));
	c.desc[1].gpa = RING_DATA_GPA;
	ATF_CHECK_EQ(11, gates_row(&g, &c, &r));
	ring_harness_header(&f.h, 0, VIRTIO_BLK_T_OUT, 0);
	ATF_CHECK_EQ(0, gates_row(&g, &c, &r));
	ring_harness_free(&f.h);
}

/*
 * Rows 7 to 10 apply to different types: which of two comes first shows in
 * a request that both refuse.
 */
ATF_TC_WITHOUT_HEAD(gates__order_of_the_types_rows);
ATF_TC_BODY(gates__order_of_the_types_rows, tc)
{
	static const struct {
		uint32_t	type;
		bool		readonly;
		uint32_t	bytes;		/* of data, 0: none */
		bool		writable;
		unsigned	row;
	} cases[] = {
		{ 99, false, 512, true, 9 },
		{ 99, false, 512, false, 9 },
		{ 99, true, 512, true, 9 },
		{ VIRTIO_BLK_T_DISCARD, false, 16, true, 9 },
		{ VIRTIO_BLK_T_DISCARD, true, 16, true, 7 },
		{ VIRTIO_BLK_T_WRITE_ZEROES, true, 16, false, 7 },
		{ VIRTIO_BLK_T_FLUSH, true, 0, false, 8 },
		{ VIRTIO_BLK_T_FLUSH, false, 0, false, 9 },
		{ VIRTIO_BLK_T_FLUSH, true, 512, false, 5 },
		{ VIRTIO_BLK_T_IN, true, 512, false, 10 },
		{ VIRTIO_BLK_T_GET_ID, true, 19, false, 10 },
		{ VIRTIO_BLK_T_GET_ID, true, 19, true, 11 },
	};
	static struct chain c;
	struct iovec iov[4];
	struct request r = { .iov = iov };
	struct fixture f;
	/* Nothing is negotiated. */
	struct gates g = { .disk = &f.h.disk, .iov_max = 4 };
	size_t i;

	(void)tc;
	set_up(&f, VIRTIO_BLK_T_IN, 0, 512);
	c.desc[0] = (struct chain_desc) { RING_HEADER_GPA, 16, false };
	c.last = (struct chain_desc) { RING_STATUS_GPA, 1, true };
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ring_harness_header(&f.h, 0, cases[i].type, 0);
		f.h.disk.readonly = cases[i].readonly;
		c.desc[1] = (struct chain_desc) {
			RING_DATA_GPA, cases[i].bytes, cases[i].writable,
		};
		c.n = cases[i].bytes == 0 ? 2 : 3;
		ATF_CHECK_EQ_MSG(cases[i].row, gates_row(&g, &c, &r),
		    "case %zu", i);
	}
	ring_harness_free(&f.h);
}

#define ADD(name)	ATF_TP_ADD_TC(tp, gates__##name)

static atf_error_t
add_form(atf_tp_t *tp)
{
	ADD(one_descriptor);
	ADD(status_readable_in);
	ADD(status_readable_out);
	ADD(status_readable_flush);
	ADD(status_empty);
	ADD(status_unmapped);
	ADD(status_past_the_end);
	ADD(status_overflows);
	ADD(too_many_in);
	ADD(too_many_out);
	ADD(far_too_many);
	ADD(as_many_as_allowed);
	ADD(header_writable);
	ADD(header_short);
	ADD(header_unmapped);
	ADD(header_past_the_end);
	ADD(header_overflows);
	ADD(long_buffer_in);
	ADD(long_buffer_out);
	ADD(long_buffer_get_id);
	ADD(long_buffer_scsi);
	ADD(longest_buffer);
	ADD(no_data_in);
	ADD(no_data_out);
	ADD(no_data_get_id);
	ADD(no_data_discard);
	ADD(no_data_write_zeroes);
	ADD(empty_data_in);
	ADD(empty_data_out);
	ADD(data_flush);
	ADD(torn_in);
	ADD(torn_out);
	ADD(torn_discard);
	ADD(torn_write_zeroes);
	ADD(two_ranges_discard);
	return atf_no_error();
}

static atf_error_t
add_sense(atf_tp_t *tp)
{
	ADD(readonly_out);
	ADD(readonly_discard);
	ADD(readonly_write_zeroes);
	ADD(readonly_flush);
	ADD(unknown_scsi);
	ADD(unknown_secure_erase);
	ADD(unknown_barrier);
	ADD(unknown_without_data);
	ADD(not_negotiated_flush);
	ADD(not_negotiated_discard);
	ADD(not_negotiated_write_zeroes);
	ADD(direction_in);
	ADD(direction_out);
	ADD(direction_get_id);
	ADD(direction_discard);
	ADD(direction_write_zeroes);
	ADD(unmapped_in);
	ADD(unmapped_out);
	ADD(unmapped_get_id);
	ADD(unmapped_discard);
	ADD(past_the_end_in);
	ADD(past_the_end_out);
	ADD(past_the_end_discard);
	ADD(past_the_end_write_zeroes);
	ADD(sector_overflows_in);
	ADD(sector_overflows_out);
	ADD(sector_overflows_discard);
	ADD(short_get_id);
	ADD(long_range_discard);
	ADD(unmap_discard);
	ADD(unknown_flags_write_zeroes);
	ADD(half_unmapped_in);
	ADD(half_unmapped_out);
	ADD(first_row_decides);
	ADD(order_of_the_types_rows);
	return atf_no_error();
}

ATF_TP_ADD_TCS(tp)
{
	atf_error_t e = add_form(tp);

	return atf_is_error(e) ? e : add_sense(tp);
}
