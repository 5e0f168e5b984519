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
#include "tests/property/registers.h"
#include "tests/property/rng.h"

/* --- accesses ----------------------------------------------------------- */

static uint32_t
random_offset(struct rng *rng)
{
	/* Those that lead somewhere, more often. */
	static const uint32_t often[] = { 0x70, 0x70, 0x70, 0x20, 0x24, 0x30,
		0x38, 0x44, 0x80, 0x84, 0x90, 0x94, 0xa0, 0xa4, REGISTERS_WCE };

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
		return (uint32_t)(REGISTERS_OFFERED >> 32 * m->driver_sel) &
		    (rng_once_in(rng, 8) ? (uint32_t)rng_next(rng) :
		    UINT32_MAX);
	if (offset == 0x84 || offset == 0x94 || offset == 0xa4)
		return 0;
	return RNG_PICK(rng, few);
}

/* The process ends here, perhaps in a reset; its successor attaches. */
static void
succeed(struct fixture *f, struct registers *m, struct rng *rng)
{
	static uint32_t incarnation;

	if (rng_once_in(rng, 8)) {
		f->disk.state->device.s_resetting = 1;
		registers_reset(m);
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
			registers_check_read(&f, &m, offset, size);
			continue;
		}
		value = random_value(&rng, &m, offset);
		regs_write(f.regs, offset, size, value);
		registers_write(&m, offset, size, value);
		lives += m.status == S_LIVE && offset == 0x70;
		if (rng_once_in(&rng, 64))
			succeed(&f, &m, &rng);
		if (rng_once_in(&rng, 16))
			registers_check_all(&f, &m);
		registers_check_queues(&m);
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
		at = (size_t)4 * rng_below(rng, (uint32_t)(bytes / 4));
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
