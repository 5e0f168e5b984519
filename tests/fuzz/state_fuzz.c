/* SPDX-License-Identifier: ISC */
/*
 * The state page at ATTACH, the registers' part: recovered or in need of a
 * reset, and after it the device works.
 *
 *	input: the device's registers (64 bytes), queue 0's and 1's (64 each),
 *	    the throttle's levels
 */
#include "tests/fuzz/fuzz.h"
#include "blkd/regs_fixture.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fixture f;
	struct fuzz_input in = { data, size };
	struct state *s;

	if (f.regs == NULL)
		fixture_make(&f);
	fixture_kill(&f);
	s = f.disk.state;
	fuzz_take(&in, &s->device, sizeof(s->device));
	fuzz_take(&in, &s->queue[0], offsetof(struct state_queue, s_publish));
	fuzz_take(&in, &s->queue[1], offsetof(struct state_queue, s_publish));
	fuzz_take(&in, &s->s_throttle_slot, sizeof(s->s_throttle_slot));
	fuzz_take(&in, s->throttle, sizeof(s->throttle));
	fixture_attach(&f, 1);
	fixture_put(&f, VIRTIO_MMIO_STATUS, 0);
	FUZZ_REQUIRE(!regs_is_resetting(f.regs));
	FUZZ_REQUIRE(fixture_get(&f, VIRTIO_MMIO_STATUS) == 0);
	fixture_go_live(&f, 128, F_BASE);
	return 0;
}
