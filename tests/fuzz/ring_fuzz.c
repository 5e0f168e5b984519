/* SPDX-License-Identifier: ISC */
/*
 * A whole ring, as the queue thread serves it: whatever lies in it, the I/O
 * stays within disk and memory, and after a reset the queue works.
 *
 *	input: queue size, features, whims (4 bytes); then pieces of memory:
 *	    address (2 bytes), length (1), bytes; an address of ffff: run
 */
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "shm/gmem.h"
#include "tests/fuzz/fuzz.h"
#include "tests/property/gen.h"
#include "tests/property/world.h"

#define MEMORY	WORLD_LOW

static struct world w;
static struct rng rng;

static uint64_t
features_of(uint8_t bits)
{
	static const unsigned names[] = { VIRTIO_RING_F_INDIRECT_DESC,
		VIRTIO_RING_F_EVENT_IDX, VIRTIO_BLK_F_FLUSH,
		VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_F_WRITE_ZEROES };
	uint64_t features = UINT64_C(1) << VIRTIO_F_VERSION_1;
	unsigned i;

	for (i = 0; i < 5; i++)
		if (bits >> i & 1)
			features |= UINT64_C(1) << names[i];
	return features;
}

/* Returns false when the ring is poisoned. */
static bool
run(void)
{
	world_rest(&w);
	return !w.serve.poisoned;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct world_config config = { .memory = MEMORY,
	    .sectors = 128, .file_bytes = UINT64_C(128) * 512, .queue_size = 64,
	    .block_size = 512, .writeback = true, .shuffle = true,
	    .faults = true };
	struct fuzz_input in = { data, size };
	uint8_t piece[256];
	uint16_t num, at, n;

	if (w.disk.gmem == NULL)
		world_make(&w, &rng, &config);
	rng.state = 1;
	num = (uint16_t)(1u << fuzz_u8(&in) % 7);
	w.lawless = true;
	world_set_up(&w, num, features_of(fuzz_u8(&in)));
	w.config.shuffle = fuzz_u8(&in) & 1;
	w.config.faults = fuzz_u8(&in) & 1;
	memset(gmem_at(w.disk.gmem, 0, 0x20000), 0, 0x20000);
	while (in.left > 0) {
		at = fuzz_u16(&in);
		if (at == 0xffff) {
			if (!run())
				break;
			continue;
		}
		n = fuzz_u8(&in);
		fuzz_take(&in, piece, n);
		memcpy(gmem_at(w.disk.gmem, at, sizeof(piece)), piece, n);
	}
	if (!w.serve.poisoned)
		run();
	world_resync(&w);
	w.lawless = false;
	world_set_up(&w, 64, features_of(0x1f));
	gen_chains(&w, GEN_SOUND);
	world_run(&w);
	return 0;
}
