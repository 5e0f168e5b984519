/* SPDX-License-Identifier: ISC */
/*
 * Register accesses, compared with the model's; and successors that show the
 * same registers.
 *
 *	input: accesses: operation and size (1 byte), offset (2), value (4)
 */
#include "tests/fuzz/fuzz.h"
#include "tests/property/registers.h"

static void
begin(struct fixture *f, struct registers *m)
{
	fixture_make(f);
	*m = (struct registers) { .wce = 1 };
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fixture f;
	static struct registers m;
	struct fuzz_input in = { data, size };
	uint32_t offset, bytes, value;
	uint8_t op;

	if (f.regs == NULL)
		begin(&f, &m);
	regs_write(f.regs, VIRTIO_MMIO_STATUS, 4, 0);
	registers_reset(&m);
	while (in.left > 0) {
		op = fuzz_u8(&in);
		offset = fuzz_u16(&in);
		value = fuzz_u32(&in);
		bytes = (op & 0x0c) == 0 ? 4 : 1u << (op >> 4 & 3);
		if ((op & 3) == 0) {
			registers_check_read(&f, &m, offset, bytes);
			continue;
		}
		if ((op & 3) == 3 && op >> 4 == 0xf) {
			fixture_kill(&f);
			fixture_attach(&f, 1);
		} else {
			regs_write(f.regs, offset, bytes, value);
			registers_write(&m, offset, bytes, value);
		}
		registers_check_queues(&m);
	}
	registers_check_all(&f, &m);
	return 0;
}
