/* SPDX-License-Identifier: ISC */
/* blkd/regs: the register table, access rules and the configuration space. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blkd/blkconfig.h"
#include "blkd/regs_fixture.h"

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))

ATF_TC_WITHOUT_HEAD(regs__identify_a_virtio_1_block_device);
ATF_TC_BODY(regs__identify_a_virtio_1_block_device, tc)
{
	static const struct {
		uint32_t	offset;
		uint32_t	value;
	} cases[] = {
		{ VIRTIO_MMIO_MAGIC_VALUE, 0x74726976 },
		{ VIRTIO_MMIO_VERSION, 2 },
		{ VIRTIO_MMIO_DEVICE_ID, 2 },
		{ VIRTIO_MMIO_STATUS, 0 },
		{ VIRTIO_MMIO_INTERRUPT_STATUS, 0 },
		{ VIRTIO_MMIO_QUEUE_NUM_MAX, FIXTURE_NUM_MAX },
		{ VIRTIO_MMIO_QUEUE_READY, 0 },
		{ VIRTIO_MMIO_CONFIG_GENERATION, 0 },
		{ VIRTIO_MMIO_SHM_LEN_LOW, UINT32_MAX },
		{ VIRTIO_MMIO_SHM_LEN_HIGH, UINT32_MAX },
		{ VIRTIO_MMIO_SHM_BASE_LOW, UINT32_MAX },
		{ VIRTIO_MMIO_SHM_BASE_HIGH, UINT32_MAX },
	};
	struct fixture f;
	size_t i;

	fixture_make(&f);
	for (i = 0; i < NITEMS(cases); i++)
		ATF_CHECK_EQ_MSG(cases[i].value,
		    fixture_get(&f, cases[i].offset), "%#x", cases[i].offset);
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__other_than_aligned_words_reads_all_ones);
ATF_TC_BODY(regs__other_than_aligned_words_reads_all_ones, tc)
{
	static const uint32_t sizes[] = { 1, 2, 4, 8 };
	struct fixture f;
	uint32_t offset, size;
	uint64_t ones;
	size_t i;

	fixture_make(&f);
	for (offset = 0; offset < 0x100; offset++) {
		for (i = 0; i < NITEMS(sizes); i++) {
			size = sizes[i];
			if (size == 4 && offset % 4 == 0)
				continue;
			ones = size == 8 ? UINT64_MAX :
			    (UINT64_C(1) << 8 * size) - 1;
			ATF_CHECK_EQ_MSG(ones,
			    regs_read(f.regs, offset, size), "%#x/%u",
			    offset, size);
		}
	}
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__other_than_aligned_words_writes_nothing);
ATF_TC_BODY(regs__other_than_aligned_words_writes_nothing, tc)
{
	static const uint32_t sizes[] = { 1, 2, 4, 8 };
	struct fixture f;
	struct state_device before;
	uint32_t offset;
	size_t i;

	fixture_make(&f);
	fixture_put(&f, VIRTIO_MMIO_QUEUE_SEL, 1);
	before = f.disk.state->device;
	for (offset = 0; offset < 0x100; offset++) {
		for (i = 0; i < NITEMS(sizes); i++) {
			if (sizes[i] != 4 || offset % 4 != 0)
				regs_write(f.regs, offset, sizes[i], 1);
		}
	}
	ATF_CHECK(memcmp(&before, &f.disk.state->device,
	    sizeof(before)) == 0);
	fixture_free(&f);
}

static const struct regs_row *
find_row(uint32_t offset)
{
	const struct regs_row *row;
	size_t i;

	for (i = 0; (row = regs_row(i)) != NULL; i++) {
		if (row->offset == offset)
			return row;
	}
	return NULL;
}

ATF_TC_WITHOUT_HEAD(regs__table_is_by_offset_and_whole);
ATF_TC_BODY(regs__table_is_by_offset_and_whole, tc)
{
	const struct regs_row *row, *last = NULL;
	size_t i;

	for (i = 0; (row = regs_row(i)) != NULL; i++) {
		ATF_CHECK(row->offset % 4 == 0 && row->offset < 0x100);
		ATF_CHECK(last == NULL || last->offset < row->offset);
		ATF_CHECK(row->name != NULL && row->name[0] != '\0');
		ATF_CHECK(row->read != NULL || row->write != NULL);
		ATF_CHECK_EQ(row->write != NULL, row->writable != 0);
		last = row;
	}
	ATF_CHECK_EQ(NULL, regs_row(i + 1));
}

ATF_TC_WITHOUT_HEAD(regs__unknown_registers_read_zero);
ATF_TC_BODY(regs__unknown_registers_read_zero, tc)
{
	const struct regs_row *row;
	struct fixture f;
	uint32_t offset;

	fixture_make(&f);
	for (offset = 0; offset < 0x100; offset += 4) {
		row = find_row(offset);
		if (row == NULL || row->read == NULL)
			ATF_CHECK_EQ_MSG(0, fixture_get(&f, offset), "%#x",
			    offset);
	}
	fixture_free(&f);
}

/* Every register, in every phase: not heard means that nothing changes. */
ATF_TC_WITHOUT_HEAD(regs__writes_are_heard_only_in_their_phases);
ATF_TC_BODY(regs__writes_are_heard_only_in_their_phases, tc)
{
	static const struct {
		uint32_t	status;
		unsigned	phase;
	} phases[] = {
		{ 0, REGS_IN(REGS_PHASE_NEGOTIATE) },
		{ S_ACK, REGS_IN(REGS_PHASE_NEGOTIATE) },
		{ S_NEGOTIATE, REGS_IN(REGS_PHASE_NEGOTIATE) },
		{ S_QUEUES, REGS_IN(REGS_PHASE_QUEUES) },
		{ S_LIVE, REGS_IN(REGS_PHASE_LIVE) },
	};
	static struct state before;
	const struct regs_row *row;
	struct fixture f;
	uint32_t offset;
	size_t i;

	for (i = 0; i < NITEMS(phases); i++) {
		fixture_make(&f);
		fixture_climb(&f, phases[i].status, F_BASE);
		ATF_REQUIRE_EQ(phases[i].status,
		    fixture_get(&f, VIRTIO_MMIO_STATUS));
		memcpy(&before, f.disk.state, sizeof(before));
		for (offset = 0; offset < 0x100; offset += 4) {
			row = find_row(offset);
			if (row != NULL && row->write != NULL &&
			    row->writable & phases[i].phase)
				continue;
			fixture_put(&f, offset, 1);
			ATF_CHECK_MSG(memcmp(&before, f.disk.state,
			    sizeof(before)) == 0, "%#x in status %#x",
			    offset, phases[i].status);
		}
		fixture_free(&f);
	}
}

ATF_TC_WITHOUT_HEAD(regs__accesses_are_idempotent);
ATF_TC_BODY(regs__accesses_are_idempotent, tc)
{
	static struct state once;
	const struct regs_row *row;
	struct fixture f;
	size_t i;

	fixture_make(&f);
	fixture_climb(&f, S_QUEUES, F_BASE);
	fixture_lay_out(&f, 1, 16);
	for (i = 0; (row = regs_row(i)) != NULL; i++) {
		fixture_put(&f, row->offset, 1);
		memcpy(&once, f.disk.state, sizeof(once));
		fixture_put(&f, row->offset, 1);
		ATF_CHECK_MSG(memcmp(&once, f.disk.state,
		    sizeof(once)) == 0, "%s", row->name);
	}
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__interrupt_status_is_the_doorbell);
ATF_TC_BODY(regs__interrupt_status_is_the_doorbell, tc)
{
	struct fixture f;

	fixture_make(&f);
	doorbell_raise(f.disk.doorbell, UINT32_MAX);
	ATF_CHECK_EQ(DOORBELL_BITS,
	    fixture_get(&f, VIRTIO_MMIO_INTERRUPT_STATUS));
	fixture_put(&f, VIRTIO_MMIO_INTERRUPT_ACK, DOORBELL_USED);
	ATF_CHECK_EQ(DOORBELL_CONFIG,
	    fixture_get(&f, VIRTIO_MMIO_INTERRUPT_STATUS));
	fixture_put(&f, VIRTIO_MMIO_INTERRUPT_ACK, UINT32_MAX);
	ATF_CHECK_EQ(0, fixture_get(&f, VIRTIO_MMIO_INTERRUPT_STATUS));
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__device_features_come_in_halves);
ATF_TC_BODY(regs__device_features_come_in_halves, tc)
{
	struct fixture f;
	uint64_t offered;
	uint32_t half[4];
	static const uint32_t sel[4] = { 0, 1, 2, UINT32_MAX };
	size_t i;

	fixture_make(&f);
	offered = features_offered(&f.disk);
	for (i = 0; i < 4; i++) {
		fixture_put(&f, VIRTIO_MMIO_DEVICE_FEATURES_SEL, sel[i]);
		half[i] = fixture_get(&f, VIRTIO_MMIO_DEVICE_FEATURES);
	}
	ATF_CHECK_EQ((uint32_t)offered, half[0]);
	ATF_CHECK_EQ((uint32_t)(offered >> 32), half[1]);
	ATF_CHECK_EQ(0, half[2]);
	ATF_CHECK_EQ(0, half[3]);
	fixture_free(&f);
}

/* --- configuration space ----------------------------------------------- */

#define CONFIG(field)	(VIRTIO_MMIO_CONFIG + \
	(uint32_t)offsetof(struct virtio_blk_config, field))

ATF_TC_WITHOUT_HEAD(regs__config_has_what_the_disk_is);
ATF_TC_BODY(regs__config_has_what_the_disk_is, tc)
{
	static const struct {
		uint32_t	offset;
		uint32_t	size;
		uint64_t	value;
	} cases[] = {
		{ CONFIG(capacity), 8, FIXTURE_SECTORS },
		{ CONFIG(capacity), 4, FIXTURE_SECTORS },
		{ CONFIG(size_max), 4, 1 << 20 },
		{ CONFIG(seg_max), 4, FIXTURE_NUM_MAX - 2 },
		{ CONFIG(geometry), 4, 0 },
		{ CONFIG(blk_size), 4, 512 },
		{ CONFIG(physical_block_exp), 1, 3 },
		{ CONFIG(alignment_offset), 1, 0 },
		{ CONFIG(min_io_size), 2, 8 },
		{ CONFIG(opt_io_size), 4, 0 },
		{ CONFIG(wce), 1, 1 },
		{ CONFIG(num_queues), 2, FIXTURE_QUEUES },
		{ CONFIG(max_discard_sectors), 4, DISK_DISCARD_SECTORS_MAX },
		{ CONFIG(max_discard_seg), 4, DISK_DISCARD_SEG_MAX },
		{ CONFIG(discard_sector_alignment), 4, 8 },
		{ CONFIG(max_write_zeroes_sectors), 4,
		    DISK_DISCARD_SECTORS_MAX },
		{ CONFIG(max_write_zeroes_seg), 4, DISK_DISCARD_SEG_MAX },
		{ CONFIG(write_zeroes_may_unmap), 1, 1 },
		/* across fields, and over the end */
		{ CONFIG(size_max) + 2, 4, (FIXTURE_NUM_MAX - 2) << 16 | 16 },
		{ VIRTIO_MMIO_CONFIG + BLKCONFIG_BYTES - 4, 8, 1 },
		{ VIRTIO_MMIO_CONFIG + BLKCONFIG_BYTES, 4, 0 },
		{ 0xff8, 8, 0 }, { 0xfff, 1, 0 },
	};
	struct fixture f;
	size_t i;

	fixture_make(&f);
	for (i = 0; i < NITEMS(cases); i++)
		ATF_CHECK_EQ_MSG(cases[i].value, regs_read(f.regs,
		    cases[i].offset, cases[i].size), "%#x/%u",
		    cases[i].offset, cases[i].size);
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__config_reads_the_same_in_every_width);
ATF_TC_BODY(regs__config_reads_the_same_in_every_width, tc)
{
	static const uint32_t sizes[] = { 2, 4, 8 };
	struct fixture f;
	uint32_t offset, n;
	uint64_t bytes;
	size_t i;

	fixture_make(&f);
	for (offset = 0x100; offset < 0x150; offset++) {
		for (i = 0; i < NITEMS(sizes); i++) {
			bytes = 0;
			for (n = 0; n < sizes[i]; n++)
				bytes |= regs_read(f.regs, offset + n, 1) <<
				    8 * n;
			ATF_CHECK_EQ_MSG(bytes, regs_read(f.regs, offset,
			    sizes[i]), "%#x/%u", offset, sizes[i]);
		}
	}
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__config_of_what_is_not_offered_is_zero);
ATF_TC_BODY(regs__config_of_what_is_not_offered_is_zero, tc)
{
	struct fixture f;

	fixture_make(&f);
	f.disk.readonly = true;
	f.disk.queues = 1;
	f.disk.block_size = 4096;
	ATF_CHECK_EQ(0, regs_read(f.regs, CONFIG(num_queues), 2));
	ATF_CHECK_EQ(0, regs_read(f.regs, CONFIG(max_discard_sectors), 4));
	ATF_CHECK_EQ(0, regs_read(f.regs, CONFIG(max_write_zeroes_seg), 8));
	ATF_CHECK_EQ(4096, regs_read(f.regs, CONFIG(blk_size), 4));
	ATF_CHECK_EQ(0, regs_read(f.regs, CONFIG(physical_block_exp), 1));
	ATF_CHECK_EQ(1, regs_read(f.regs, CONFIG(min_io_size), 2));
	f.disk.queues = FIXTURE_QUEUES;
	fixture_free(&f);
}

ATF_TC_WITHOUT_HEAD(regs__config_writeback_needs_the_feature);
ATF_TC_BODY(regs__config_writeback_needs_the_feature, tc)
{
	static const struct {
		const char	*what;
		uint64_t	features;
		uint32_t	status;
		uint32_t	offset;
		uint32_t	size;
		uint64_t	value;
		uint32_t	writeback;
	} cases[] = {
#define WCE	(F_BASE | FEATURE(VIRTIO_BLK_F_CONFIG_WCE))
		{ "off", WCE, S_QUEUES, CONFIG(wce), 1, 0, 0 },
		{ "off, live", WCE, S_LIVE, CONFIG(wce), 1, 0, 0 },
		{ "high bits are not of this width", WCE, S_LIVE,
		    CONFIG(wce), 1, 0x100, 0 },
		{ "no such mode", WCE, S_LIVE, CONFIG(wce), 1, 2, 1 },
		{ "not negotiated", F_BASE, S_LIVE, CONFIG(wce), 1, 0, 1 },
		{ "too early", WCE, S_NEGOTIATE, CONFIG(wce), 1, 0, 1 },
		{ "other width", WCE, S_LIVE, CONFIG(wce), 2, 0, 1 },
		{ "other field", WCE, S_LIVE, CONFIG(wce) + 1, 1, 0, 1 },
		{ "no flush: write-through",
		    WCE & ~FEATURE(VIRTIO_BLK_F_FLUSH), S_LIVE,
		    CONFIG(capacity), 1, 0, 0 },
		{ "no flush, chosen",
		    WCE & ~FEATURE(VIRTIO_BLK_F_FLUSH), S_LIVE,
		    CONFIG(wce), 1, 1, 1 },
	};
	struct fixture f;
	size_t i;

	for (i = 0; i < NITEMS(cases); i++) {
		fixture_make(&f);
		fixture_climb(&f, cases[i].status, cases[i].features);
		regs_write(f.regs, cases[i].offset, cases[i].size,
		    cases[i].value);
		ATF_CHECK_EQ_MSG(cases[i].writeback, f.disk.writeback, "%s",
		    cases[i].what);
		ATF_CHECK_EQ(cases[i].writeback,
		    f.disk.state->device.s_writeback);
		ATF_CHECK_EQ(cases[i].writeback,
		    regs_read(f.regs, CONFIG(wce), 1));
		fixture_free(&f);
	}
}

/* --- features ---------------------------------------------------------- */

ATF_TC_WITHOUT_HEAD(features__offered_as_the_disk_is);
ATF_TC_BODY(features__offered_as_the_disk_is, tc)
{
	struct disk disk = { .queues = 1 };
	uint64_t plain = features_offered(&disk), changed;

	ATF_CHECK(plain & FEATURE(VIRTIO_F_VERSION_1));
	ATF_CHECK_EQ(0, plain & FEATURE(VIRTIO_BLK_F_RO));
	disk.queues = 2;
	changed = features_offered(&disk) ^ plain;
	ATF_CHECK_EQ(FEATURE(VIRTIO_BLK_F_MQ), changed);
	disk.queues = 1;
	disk.readonly = true;
	changed = features_offered(&disk) ^ plain;
	ATF_CHECK_EQ(FEATURE(VIRTIO_BLK_F_RO) |
	    FEATURE(VIRTIO_BLK_F_DISCARD) |
	    FEATURE(VIRTIO_BLK_F_WRITE_ZEROES), changed);
}

ATF_TC_WITHOUT_HEAD(features__each_row_has_a_bit_and_a_reason);
ATF_TC_BODY(features__each_row_has_a_bit_and_a_reason, tc)
{
	const struct feature_row *row;
	uint64_t seen = 0;
	size_t i;

	for (i = 0; (row = features_row(i)) != NULL; i++) {
		ATF_REQUIRE(row->bit < 64);
		ATF_CHECK_EQ_MSG(0, seen & FEATURE(row->bit), "%s", row->name);
		ATF_CHECK(strlen(row->reason) > 10);
		seen |= FEATURE(row->bit);
	}
	ATF_CHECK_EQ(13, i);
}

ATF_TC_WITHOUT_HEAD(features__manual_lists_each_row);
ATF_TC_BODY(features__manual_lists_each_row, tc)
{
	static char text[64 << 10];
	const struct feature_row *row;
	char path[4096], want[64];
	const char *line;
	size_t i, lines = 0;
	FILE *f;

	ATF_REQUIRE(getenv("VMMD_SRCDIR") != NULL);
	snprintf(path, sizeof(path), "%s/blkd/blkd.8", getenv("VMMD_SRCDIR"));
	ATF_REQUIRE_MSG((f = fopen(path, "re")) != NULL, "%s", path);
	ATF_REQUIRE(fread(text, 1, sizeof(text) - 1, f) > 0);
	fclose(f);
	for (i = 0; (row = features_row(i)) != NULL; i++) {
		snprintf(want, sizeof(want), "\n.It %s Ta ", row->name);
		ATF_CHECK_MSG(strstr(text, want) != NULL, "%s", row->name);
	}
	for (line = text; (line = strstr(line, "F_")) != NULL; line++)
		lines += line > text + 4 && (strncmp(line - 4, ".It ", 4) == 0 ||
		    strncmp(line - 8, ".It BLK_", 8) == 0 ||
		    strncmp(line - 9, ".It RING_", 9) == 0);
	ATF_CHECK_EQ_MSG(i, lines, "the manual has %zu features", lines);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, features__manual_lists_each_row);
	ATF_TP_ADD_TC(tp, regs__identify_a_virtio_1_block_device);
	ATF_TP_ADD_TC(tp, regs__other_than_aligned_words_reads_all_ones);
	ATF_TP_ADD_TC(tp, regs__other_than_aligned_words_writes_nothing);
	ATF_TP_ADD_TC(tp, regs__table_is_by_offset_and_whole);
	ATF_TP_ADD_TC(tp, regs__unknown_registers_read_zero);
	ATF_TP_ADD_TC(tp, regs__writes_are_heard_only_in_their_phases);
	ATF_TP_ADD_TC(tp, regs__accesses_are_idempotent);
	ATF_TP_ADD_TC(tp, regs__interrupt_status_is_the_doorbell);
	ATF_TP_ADD_TC(tp, regs__device_features_come_in_halves);
	ATF_TP_ADD_TC(tp, regs__config_has_what_the_disk_is);
	ATF_TP_ADD_TC(tp, regs__config_reads_the_same_in_every_width);
	ATF_TP_ADD_TC(tp, regs__config_of_what_is_not_offered_is_zero);
	ATF_TP_ADD_TC(tp, regs__config_writeback_needs_the_feature);
	ATF_TP_ADD_TC(tp, features__offered_as_the_disk_is);
	ATF_TP_ADD_TC(tp, features__each_row_has_a_bit_and_a_reason);
	return atf_no_error();
}
