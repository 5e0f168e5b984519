/* SPDX-License-Identifier: ISC */
/* The table on which a register machine is tested. */
#include <sys/eventfd.h>

#include <string.h>
#include <unistd.h>

#include "blkd/regs_fixture.h"
#include "shm/memfd.h"

void
fixture_make_disk(struct fixture *f)
{
	int gmem, state, doorbell;

	memset(f, 0, sizeof(*f));
	gmem = memfd_make("test-gmem", FIXTURE_MEMORY);
	state = state_make(FIXTURE_QUEUES, FIXTURE_NUM_MAX);
	doorbell = memfd_make("test-doorbell", DOORBELL_BYTES);
	f->disk.block_size = 512;
	f->disk.queues = FIXTURE_QUEUES;
	f->disk.queue_size = FIXTURE_NUM_MAX;
	f->disk.sectors = FIXTURE_SECTORS;
	f->disk.gmem = gmem_open(gmem, FIXTURE_MEMORY);
	f->disk.state = state_map(state, FIXTURE_QUEUES, FIXTURE_NUM_MAX);
	f->disk.doorbell = memfd_map(doorbell, DOORBELL_BYTES, true);
	f->disk.irqfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ATF_REQUIRE(f->disk.gmem != NULL && f->disk.state != NULL &&
	    f->disk.doorbell != NULL && f->disk.irqfd != -1 &&
	    f->eventfd != -1);
	close(gmem);
	close(state);
	close(doorbell);
}

unsigned
fixture_attach(struct fixture *f, uint32_t incarnation)
{
	f->regs = regs_make(&f->disk, f->eventfd);
	ATF_REQUIRE(f->regs != NULL);
	return regs_recover(f->regs, incarnation);
}

void
fixture_make(struct fixture *f)
{
	fixture_make_disk(f);
	ATF_REQUIRE_EQ(0, fixture_attach(f, 0));
}

void
fixture_kill(struct fixture *f)
{
	regs_free(f->regs);
	f->regs = NULL;
}

void
fixture_free(struct fixture *f)
{
	regs_free(f->regs);
	gmem_close(f->disk.gmem);
	state_unmap(f->disk.state);
	memfd_unmap(f->disk.doorbell, DOORBELL_BYTES);
	close(f->disk.irqfd);
	close(f->eventfd);
	ATF_CHECK_EQ(0, queue_double_living());
}

uint32_t
fixture_get(struct fixture *f, uint32_t offset)
{
	return (uint32_t)regs_read(f->regs, offset, 4);
}

void
fixture_put(struct fixture *f, uint32_t offset, uint32_t value)
{
	regs_write(f->regs, offset, 4, value);
}

void
fixture_climb(struct fixture *f, uint32_t status, uint64_t features)
{
	static const uint32_t steps[] = {
		S_ACK, S_NEGOTIATE, S_QUEUES, S_LIVE
	};
	size_t i;

	fixture_put(f, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	fixture_put(f, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
	fixture_put(f, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	fixture_put(f, VIRTIO_MMIO_DRIVER_FEATURES,
	    (uint32_t)(features >> 32));
	for (i = 0; i < 4 && steps[i] <= status; i++)
		fixture_put(f, VIRTIO_MMIO_STATUS, steps[i]);
}

void
fixture_lay_out(struct fixture *f, uint32_t index, uint32_t num)
{
	uint32_t base = 0x10000 * (index + 1);

	fixture_put(f, VIRTIO_MMIO_QUEUE_SEL, index);
	fixture_put(f, VIRTIO_MMIO_QUEUE_NUM, num);
	fixture_put(f, VIRTIO_MMIO_QUEUE_DESC_LOW, base);
	fixture_put(f, VIRTIO_MMIO_QUEUE_DESC_HIGH, 0);
	fixture_put(f, VIRTIO_MMIO_QUEUE_AVAIL_LOW, base + 0x8000);
	fixture_put(f, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, 0);
	fixture_put(f, VIRTIO_MMIO_QUEUE_USED_LOW, base + 0xa000);
	fixture_put(f, VIRTIO_MMIO_QUEUE_USED_HIGH, 0);
}

void
fixture_go_live(struct fixture *f, uint32_t num, uint64_t features)
{
	uint32_t i;

	fixture_climb(f, S_QUEUES, features);
	for (i = 0; i < FIXTURE_QUEUES; i++) {
		fixture_lay_out(f, i, num);
		fixture_put(f, VIRTIO_MMIO_QUEUE_READY, 1);
	}
	fixture_put(f, VIRTIO_MMIO_STATUS, S_LIVE);
	ATF_REQUIRE_EQ(S_LIVE, fixture_get(f, VIRTIO_MMIO_STATUS));
}

uint64_t
fixture_counter(struct fixture *f, enum counter which)
{
	return f->disk.state->counters.s_value[which];
}

uint64_t
fixture_irqs(struct fixture *f)
{
	uint64_t n = 0;

	if (read(f->disk.irqfd, &n, sizeof(n)) == -1)
		return 0;
	return n;
}
