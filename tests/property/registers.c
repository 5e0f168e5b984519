/* SPDX-License-Identifier: ISC */
/* DESIGN section 4, as a reader understands it.  Runs in tests only. */
#include "tests/property/registers.h"

#define CONFIG		REGISTERS_CONFIG

static bool
is_setting_up(const struct registers *m)
{
	return (m->status & (S_FEATURES_OK | S_DRIVER_OK | S_FAILED)) ==
	    S_FEATURES_OK;
}

void
registers_reset(struct registers *m)
{
	*m = (struct registers) { .generation = m->generation + 1, .wce = 1 };
}

static void
model_status(struct registers *m, uint32_t v)
{
	uint64_t features = (uint64_t)m->features[1] << 32 | m->features[0];

	if (v == 0) {
		registers_reset(m);
	} else if ((v & S_FAILED) != 0) {
		m->status |= S_FAILED;
	} else if ((m->status == 0 && (v == 1 || v == 3)) ||
	    (m->status == 1 && v == 3) || (m->status == 11 && v == 15)) {
		m->status = v;
	} else if (m->status == 3 && v == 11 &&
	    (features & FEATURE(32)) != 0 &&
	    (features & ~REGISTERS_OFFERED) == 0) {
		m->status = v;
		m->wce = (features & FEATURE(9)) != 0;
	}
}

static bool
lies_in_memory(const uint32_t word[2], uint64_t bytes, uint64_t align)
{
	return word[1] == 0 && word[0] % align == 0 &&
	    word[0] < FIXTURE_MEMORY && bytes <= FIXTURE_MEMORY - word[0];
}

static void
model_ready(struct registers_queue *q, uint32_t v)
{
	if (v == 0)
		q->ready = false;
	else if (v == 1 && q->num != 0 && (q->num & (q->num - 1)) == 0 &&
	    q->num <= FIXTURE_NUM_MAX &&
	    lies_in_memory(&q->address[0], UINT64_C(16) * q->num, 16) &&
	    lies_in_memory(&q->address[2], 6 + UINT64_C(2) * q->num, 2) &&
	    lies_in_memory(&q->address[4], 6 + UINT64_C(8) * q->num, 4))
		q->ready = true;
}

static void
model_queue_write(struct registers *m, uint32_t offset, uint32_t v)
{
	static const uint32_t address[6] = { 0x80, 0x84, 0x90, 0x94, 0xa0,
		0xa4 };
	struct registers_queue *q;
	unsigned i;

	if (!is_setting_up(m) || m->queue_sel >= FIXTURE_QUEUES)
		return;
	q = &m->queue[m->queue_sel];
	if (offset == 0x44)
		model_ready(q, v);
	if (q->ready)
		return;
	if (offset == 0x38)
		q->num = v;
	for (i = 0; i < 6; i++)
		if (address[i] == offset)
			q->address[i] = v;
}

void
registers_write(struct registers *m, uint32_t offset, uint32_t size, uint64_t v)
{
	if (offset == REGISTERS_WCE && size == 1 && (v & 0xff) <= 1 &&
	    (m->status & S_FEATURES_OK) != 0 &&
	    (m->features[0] & FEATURE(11)) != 0)
		m->wce = (uint8_t)v;
	if (offset >= CONFIG || size != 4)
		return;
	switch (offset) {
	case 0x14:
		m->device_sel = (uint32_t)v;
		break;
	case 0x20:
		if (m->driver_sel <= 1 &&
		    (m->status & (S_FEATURES_OK | S_FAILED)) == 0)
			m->features[m->driver_sel] = (uint32_t)v;
		break;
	case 0x24:
		m->driver_sel = (uint32_t)v;
		break;
	case 0x30:
		m->queue_sel = (uint32_t)v;
		break;
	case 0x64:
		m->isr &= ~(uint32_t)v;
		break;
	case 0x70:
		model_status(m, (uint32_t)v);
		break;
	default:
		model_queue_write(m, offset, (uint32_t)v);
		break;
	}
}

static uint32_t
model_register(const struct registers *m, uint32_t offset)
{
	bool there = m->queue_sel < FIXTURE_QUEUES;

	switch (offset) {
	case 0x00:
		return 0x74726976;
	case 0x04:
	case 0x08:
		return 2;
	case 0x0c:
		return 0x444d4d56;
	case 0x10:
		return m->device_sel > 1 ? 0 :
		    (uint32_t)(REGISTERS_OFFERED >> 32 * m->device_sel);
	case 0x34:
		return there ? FIXTURE_NUM_MAX : 0;
	case 0x44:
		return there && m->queue[m->queue_sel].ready;
	case 0x60:
		return m->isr;
	case 0x70:
		return m->status;
	case 0xb0:	/* no shared memory region */
	case 0xb4:
	case 0xb8:
	case 0xbc:
		return UINT32_MAX;
	case 0xfc:
		return m->generation;
	default:
		return 0;
	}
}

static uint64_t
model_read(const struct registers *m, uint32_t offset, uint32_t size)
{
	if (size != 4 || offset % 4 != 0)
		return UINT64_MAX >> (64 - 8 * size);
	return model_register(m, offset);
}

/* --- comparing ---------------------------------------------------------- */

void
registers_check_read(struct fixture *f, const struct registers *m,
    uint32_t offset, uint32_t size)
{
	uint64_t v = regs_read(f->regs, offset, size), byte, i;

	if (offset < CONFIG) {
		if (v != model_read(m, offset, size))
			atf_tc_fail("register %#x by %u: %#llx, not %#llx",
			    offset, size, (unsigned long long)v,
			    (unsigned long long)model_read(m, offset, size));
		return;
	}
	/* Any width reads what its bytes read. */
	for (i = 0; i < size && i <= UINT32_MAX - offset; i++) {
		byte = regs_read(f->regs, (uint32_t)(offset + i), 1);
		if ((v >> 8 * i & 0xff) != byte)
			atf_tc_fail("config %#x by %u: byte %llu", offset,
			    size, (unsigned long long)i);
	}
}

void
registers_check_all(struct fixture *f, const struct registers *m)
{
	uint32_t offset;

	for (offset = 0; offset < CONFIG; offset += 4)
		registers_check_read(f, m, offset, 4);
	ATF_REQUIRE_EQ(m->wce, regs_read(f->regs, REGISTERS_WCE, 1));
	ATF_REQUIRE_EQ(m->wce, f->disk.writeback);
	ATF_REQUIRE_EQ(FIXTURE_SECTORS, regs_read(f->regs, CONFIG, 8));
}

void
registers_check_queues(const struct registers *m)
{
	unsigned i;

	for (i = 0; i < FIXTURE_QUEUES; i++) {
		const struct queue *q = queue_double_at(i);
		bool live = (m->status & S_DRIVER_OK) != 0 &&
		    m->queue[i].ready;

		ATF_REQUIRE_EQ(live, q->condition == QUEUE_RUNNING);
		if (!live)
			continue;
		ATF_REQUIRE_EQ(m->queue[i].num, q->setup.num);
		ATF_REQUIRE_EQ(m->queue[i].address[0], q->setup.desc);
		ATF_REQUIRE_EQ(m->queue[i].address[2], q->setup.driver);
		ATF_REQUIRE_EQ(m->queue[i].address[4], q->setup.device);
	}
}
