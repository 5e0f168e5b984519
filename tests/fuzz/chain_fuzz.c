/* SPDX-License-Identifier: ISC */
/*
 * The walk of a chain and its verdict, compared with the model's.
 *
 *	input: disk and features (4 bytes), head (2), bytes of memory that
 *	    are laid over the descriptor table and what follows it
 */
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "blkd/chain.h"
#include "blkd/disk.h"
#include "blkd/gates.h"
#include "blkd/request.h"
#include "blkd/virtq.h"
#include "shm/gmem.h"
#include "shm/memfd.h"
#include "tests/fuzz/fuzz.h"
#include "tests/property/model.h"

#define MEMORY		(UINT64_C(64) << 10)
#define IOVS		(1024 + GMEM_REGIONS_MAX)
#define SECTORS		128u

static struct gmem *gmem;
static struct chain chain;
static struct model_request expected;
static struct model model;

static void
make(void)
{
	int fd = memfd_make("gmem", MEMORY);

	gmem = gmem_open(fd, MEMORY);
	FUZZ_REQUIRE(gmem != NULL);
	model.mem = gmem_at(gmem, 0, MEMORY);
	model.low = MEMORY;
	model.sectors = SECTORS;
}

static enum model_verdict
verdict_of(const struct gates *g, struct request *r, const struct virtq *vq,
    uint16_t head)
{
	if (head >= vq->num || chain_read(&chain, vq, gmem, head) == -1)
		return MODEL_POISON;
	switch (gates_check(g, &chain, r, 1)) {
	case GATES_PASS:
		return MODEL_RUN;
	case GATES_OK:
		return MODEL_OK;
	case GATES_UNSUPP:
		return MODEL_UNSUPP;
	case GATES_DROP:
		return MODEL_DROP;
	default:
		return MODEL_IOERR;
	}
}

static void
compare(const struct request *r)
{
	FUZZ_REQUIRE(expected.verdict == MODEL_POISON ||
	    expected.nsegs == chain.n);
	if (expected.verdict <= MODEL_DROP)
		return;
	FUZZ_REQUIRE(r->status ==
	    model_at(&model, expected.status_gpa, 1));
	if (expected.verdict != MODEL_RUN)
		return;
	FUZZ_REQUIRE(r->type == expected.type);
	if (r->type != VIRTIO_BLK_T_FLUSH && r->type != VIRTIO_BLK_T_GET_ID)
		FUZZ_REQUIRE(r->sector == expected.sector &&
		    r->bytes == expected.bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned features[] = { VIRTIO_RING_F_INDIRECT_DESC,
		VIRTIO_BLK_F_FLUSH, VIRTIO_BLK_F_DISCARD,
		VIRTIO_BLK_F_WRITE_ZEROES };
	static struct iovec iov[IOVS];
	struct fuzz_input in = { data, size };
	struct disk disk = { .sectors = SECTORS, .block_size = 512 };
	struct gates g = { .disk = &disk, .iov_max = IOVS };
	struct request r = { .iov = iov };
	struct virtq vq = { 0 };
	uint8_t bits;
	uint16_t head;
	unsigned i;

	if (gmem == NULL)
		make();
	disk.gmem = gmem;
	disk.queue_size = 1u << fuzz_u8(&in) % 11;
	vq.num = (uint16_t)(disk.queue_size >> fuzz_u8(&in) % 3);
	if (vq.num == 0)
		vq.num = 1;
	bits = fuzz_u8(&in);
	disk.readonly = fuzz_u8(&in) & 1;
	for (i = 0; i < 4; i++)
		if (bits >> i & 1)
			g.features |= UINT64_C(1) << features[i];
	head = fuzz_u16(&in);
	fuzz_take(&in, model.mem, MEMORY);
	vq.desc = gmem_at(gmem, 0, UINT64_C(16) * vq.num);
	vq.indirect = bits & 1;
	model.num = vq.num;
	model.queue_size = disk.queue_size;
	model.readonly = disk.readonly;
	model.features = g.features;
	model_judge(&model, head, &expected);
	FUZZ_REQUIRE(verdict_of(&g, &r, &vq, head) == expected.verdict);
	compare(&r);
	return 0;
}
