/* SPDX-License-Identifier: ISC */
/*
 * Random accesses to the registers, each answered as a small model of DESIGN
 * section 4 says; after a kill at any of them a successor shows the same
 * registers.  Random states at ATTACH end in a device that works after a
 * reset.
 */
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <string.h>

#include "blkd/regs_fixture.h"
#include "tests/property/rng.h"

#define OFFERED		(FEATURE(32) | FEATURE(29) | FEATURE(28) | \
	FEATURE(1) | FEATURE(2) | FEATURE(6) | FEATURE(9) | FEATURE(10) | \
	FEATURE(11) | FEATURE(12) | FEATURE(13) | FEATURE(14))

#define CONFIG		0x100u
#define CONFIG_WCE	(CONFIG + 32)

/* What a reader of DESIGN section 4 keeps in his head. */
struct model_queue {
	uint32_t	num;
	uint32_t	address[6];	/* desc, driver, device; low, high */
	bool		ready;
};

struct registers {
	uint32_t		status;
	uint32_t		device_sel, driver_sel, queue_sel;
	uint32_t		features[2];
	uint32_t		generation;
	uint32_t		isr;
	uint8_t			wce;
	struct model_queue	queue[FIXTURE_QUEUES];
};

/* --- the model ---------------------------------------------------------- */

static bool
is_setting_up(const struct registers *m)
{
	return (m->status & (S_FEATURES_OK | S_DRIVER_OK | S_FAILED)) ==
	    S_FEATURES_OK;
}

static void
model_reset(struct registers *m)
{
	*m = (struct registers) { .generation = m->generation + 1, .wce = 1 };
}

static void
model_status(struct registers *m, uint32_t v)
{
	uint64_t features = (uint64_t)m->features[1] << 32 | m->features[0];

	if (v == 0) {
		model_reset(m);
	} else if ((v & S_FAILED) != 0) {
		m->status |= S_FAILED;
	} else if ((m->status == 0 && (v == 1 || v == 3)) ||
	    (m->status == 1 && v == 3) || (m->status == 11 && v == 15)) {
		m->status = v;
	} else if (m->status == 3 && v == 11 &&
	    (features & FEATURE(32)) != 0 && (features & ~OFFERED) == 0) {
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
model_ready(struct model_queue *q, uint32_t v)
{
	if (v == 0)
		q->ready = false;
	else if (v == 1 && q->num != 0 && (q->num & (q->num - 1)) == 0 &&
	    q->num <= FIXTURE_NUM_MAX &&
	    lies_in_memory(&q->address[0], 16 * q->num, 16) &&
	    lies_in_memory(&q->address[2], 6 + 2 * q->num, 2) &&
	    lies_in_memory(&q->address[4], 6 + 8 * q->num, 4))
		q->ready = true;
}

static void
model_queue_write(struct registers *m, uint32_t offset, uint32_t v)
{
	static const uint32_t address[6] = { 0x80, 0x84, 0x90, 0x94, 0xa0,
		0xa4 };
	struct model_queue *q;
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

static void
model_write(struct registers *m, uint32_t offset, uint32_t size, uint64_t v)
{
	if (offset == CONFIG_WCE && size == 1 && (v & 0xff) <= 1 &&
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
		    (uint32_t)(OFFERED >> 32 * m->device_sel);
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

/* --- accesses ----------------------------------------------------------- */

static uint32_t
random_offset(struct rng *rng)
{
	/* Those that lead somewhere, more often. */
	static const uint32_t often[] = { 0x70, 0x70, 0x70, 0x20, 0x24, 0x30,
		0x38, 0x44, 0x80, 0x84, 0x90, 0x94, 0xa0, 0xa4, CONFIG_WCE };

	if (!rng_once_in(rng, 4))
		return RNG_PICK(rng, often);
	if (rng_once_in(rng, 2))
		return rng_below(rng, 0x40) * 4;
	return rng_once_in(rng, 64) ? UINT32_MAX - rng_below(rng, 16) :
	    rng_below(rng, 0x1000);
}

static uint32_t
random_size(struct rng *rng)
{
	return rng_once_in(rng, 6) ? 1u << rng_below(rng, 4) : 4;
}

static uint64_t
random_value(struct rng *rng, const struct registers *m, uint32_t offset)
{
	static const uint32_t climb[] = { 1, 3, 11, 15, 3, 11, 15, 0, 0, 2, 7,
		64, 75, 128 };
	static const uint32_t few[] = { 0, 0, 1, 1, 2, 256, 128, 512, 0x10000,
		0x20000, 0x28000, 0x2a000, FIXTURE_MEMORY - 0x1000,
		FIXTURE_MEMORY - 16, 0x10008, 0x10001 };

	if (rng_once_in(rng, 16))
		return rng_next(rng);
	if (offset == 0x70 && rng_once_in(rng, 2))
		return m->status == 0 ? 3 : m->status == 3 ? 11 : 15;
	if (offset == 0x70)
		return RNG_PICK(rng, climb);
	if (offset == 0x20 && m->driver_sel <= 1)
		return (uint32_t)(OFFERED >> 32 * m->driver_sel) &
		    (rng_once_in(rng, 8) ? (uint32_t)rng_next(rng) :
		    UINT32_MAX);
	if (offset == 0x84 || offset == 0x94 || offset == 0xa4)
		return 0;
	return RNG_PICK(rng, few);
}

static void
check_read(struct fixture *f, const struct registers *m, uint32_t offset,
    uint32_t size)
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

static void
check_all(struct fixture *f, const struct registers *m)
{
	uint32_t offset;

	for (offset = 0; offset < CONFIG; offset += 4)
		check_read(f, m, offset, 4);
	ATF_REQUIRE_EQ(m->wce, regs_read(f->regs, CONFIG_WCE, 1));
	ATF_REQUIRE_EQ(m->wce, f->disk.writeback);
	ATF_REQUIRE_EQ(FIXTURE_SECTORS, regs_read(f->regs, CONFIG, 8));
}

static void
check_queues(const struct registers *m)
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

/* The process ends here, perhaps in a reset; its successor attaches. */
static void
succeed(struct fixture *f, struct registers *m, struct rng *rng)
{
	static uint32_t incarnation;

	if (rng_once_in(rng, 8)) {
		f->disk.state->device.s_resetting = 1;
		model_reset(m);
	}
	fixture_kill(f);
	fixture_attach(f, ++incarnation);
}

ATF_TC_WITHOUT_HEAD(registers__any_access);
ATF_TC_BODY(registers__any_access, tc)
{
	uint64_t i, n = rng_trials(2000000), value, lives = 0;
	struct registers m = { .wce = 1 };
	uint32_t offset, size;
	struct fixture f;
	struct rng rng;

	(void)tc;
	rng_seed(&rng, "registers");
	fixture_make(&f);
	for (i = 0; i < n; i++) {
		offset = random_offset(&rng);
		size = random_size(&rng);
		if (rng_once_in(&rng, 4)) {
			check_read(&f, &m, offset, size);
			continue;
		}
		value = random_value(&rng, &m, offset);
		regs_write(f.regs, offset, size, value);
		model_write(&m, offset, size, value);
		lives += m.status == S_LIVE && offset == 0x70;
		if (rng_once_in(&rng, 64))
			succeed(&f, &m, &rng);
		if (rng_once_in(&rng, 16))
			check_all(&f, &m);
		check_queues(&m);
	}
	printf("%llu accesses, %llu live\n", (unsigned long long)n,
	    (unsigned long long)lives);
	ATF_CHECK(lives > n / 10000);
	fixture_free(&f);
}

/* --- a state that nobody would write ------------------------------------ */

static void
scribble(struct rng *rng, void *p, size_t bytes, unsigned times)
{
	uint8_t *to = p;
	uint64_t v;
	size_t at;

	while (times-- > 0) {
		at = rng_below(rng, (uint32_t)(bytes / 4)) * 4;
		v = rng_once_in(rng, 2) ? rng_next(rng) : rng_below(rng, 256);
		memcpy(to + at, &v, 4);
	}
}

static void
spoil(struct rng *rng, struct state *s)
{
	unsigned q = rng_below(rng, STATE_QUEUES_MAX);

	switch (rng_below(rng, 4)) {
	case 0:
		scribble(rng, &s->device, sizeof(*s) - sizeof(s->head), 4096);
		break;
	case 1:
		scribble(rng, &s->device, sizeof(s->device), 1);
		break;
	case 2:
		scribble(rng, &s->queue[q], offsetof(struct state_queue,
		    s_counters), 1);
		break;
	default:
		scribble(rng, &s->device, sizeof(s->device), 16);
		scribble(rng, &s->queue[q], offsetof(struct state_queue,
		    s_counters), 16);
		break;
	}
}

/* Whatever it was: the driver resets it, and has a disk again. */
static void
recover_by_reset(struct fixture *f)
{
	fixture_put(f, VIRTIO_MMIO_STATUS, 0);
	ATF_REQUIRE(!regs_is_resetting(f->regs));
	ATF_REQUIRE_EQ(0, fixture_get(f, VIRTIO_MMIO_STATUS));
	fixture_go_live(f, 128, F_BASE);
}

ATF_TC_WITHOUT_HEAD(state__any_at_attach);
ATF_TC_BODY(state__any_at_attach, tc)
{
	uint64_t i, n = rng_trials(20000), refused = 0;
	struct fixture f;
	struct rng rng;

	(void)tc;
	rng_seed(&rng, "states");
	fixture_make(&f);
	for (i = 0; i < n; i++) {
		fixture_go_live(&f, 128, F_BASE);
		spoil(&rng, f.disk.state);
		fixture_kill(&f);
		fixture_attach(&f, 1);
		refused += (fixture_get(&f, VIRTIO_MMIO_STATUS) &
		    S_NEEDS_RESET) != 0;
		recover_by_reset(&f);
		fixture_put(&f, VIRTIO_MMIO_STATUS, 0);
	}
	printf("%llu states, %llu need a reset\n", (unsigned long long)n,
	    (unsigned long long)refused);
	ATF_CHECK(refused > 0 && refused < n);
	fixture_free(&f);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, registers__any_access);
	ATF_TP_ADD_TC(tp, state__any_at_attach);
	return atf_no_error();
}
