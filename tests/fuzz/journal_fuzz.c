/* SPDX-License-Identifier: ISC */
/*
 * The journal of a queue at ATTACH: recovered or refused, and after a reset
 * the queue works.
 *
 *	input: used.idx, avail.idx, publish word (12 bytes); then words of
 *	    the in-flight table (1 byte of index, 8) until an index of ff;
 *	    then the batch
 */
#include <linux/virtio_config.h>

#include "shm/gmem.h"
#include "tests/fuzz/fuzz.h"
#include "tests/property/gen.h"
#include "tests/property/world.h"

static struct world w;
static struct rng rng;

static void
lay_journal(struct fuzz_input *in)
{
	struct state_queue *q = &w.disk.state->queue[0];
	uint16_t used, avail;
	uint8_t i;

	used = fuzz_u16(in);
	avail = fuzz_u16(in);
	memcpy(gmem_at(w.disk.gmem, WORLD_USED + 2, 2), &used, 2);
	memcpy(gmem_at(w.disk.gmem, WORLD_AVAIL + 2, 2), &avail, 2);
	q->s_publish = fuzz_u64(in);
	while (in->left > 0 && (i = fuzz_u8(in)) != 0xff)
		q->s_inflight[i] = fuzz_u64(in);
	fuzz_take(in, q->s_batch, 64 * sizeof(q->s_batch[0]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct world_config config = { .memory = WORLD_LOW,
	    .sectors = 128, .file_bytes = UINT64_C(128) * 512, .queue_size = 64,
	    .block_size = 512, .writeback = true };
	const uint64_t features = UINT64_C(1) << VIRTIO_F_VERSION_1;
	struct fuzz_input in = { data, size };

	if (w.disk.gmem == NULL)
		world_make(&w, &rng, &config);
	rng.state = 1;
	/* Sound chains in the ring: what is replayed is carried out. */
	world_set_up(&w, 64, features);
	gen_chains(&w, GEN_SOUND);
	world_die(&w);
	lay_journal(&in);
	w.lawless = true;
	if (world_recover(&w) >= 0)
		world_rest(&w);
	world_resync(&w);
	w.lawless = false;
	w.deaths = 0;
	world_set_up(&w, 64, features);
	gen_chains(&w, GEN_SOUND);
	world_run(&w);
	return 0;
}
