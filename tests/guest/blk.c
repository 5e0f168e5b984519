/* SPDX-License-Identifier: ISC */
/*
 * The test guest: a virtio-blk driver over virtio-mmio. Runs in the guest;
 * touches the device's window and the memory it is given. The device is what
 * is being tested: nothing that it answers is taken on trust.
 */
#include "blk.h"
#include "cpu.h"
#include "lib.h"
#include "vmmio.h"
#include "x86.h"

enum {
	GENERATION_TRIES = 100,
	SPINS_A_LOOK = 64		/* at the clock, while polling */
};

static uint64_t
bit(enum blk_feature feature)
{
	return (uint64_t)1 << feature;
}

bool
blk_has(const struct blk *blk, enum blk_feature feature)
{
	return (blk->features & bit(feature)) != 0;
}

uint32_t
blk_count_interrupts(const struct blk *blk)
{
	return cpu_count_irq(blk->irq) - blk->first_irq;
}

static const char *
identify(const struct blk *blk)
{
	if (vmmio_read(blk->base, VMMIO_MAGIC) != VMMIO_MAGIC_VALUE)
		return "wrong magic";
	if (vmmio_read(blk->base, VMMIO_VERSION) != VMMIO_VERSION_2)
		return "not version 2";
	if (vmmio_read(blk->base, VMMIO_DEVICE_ID) != BLK_DEVICE_ID)
		return "not a block device";
	return NULL;
}

static const char *
negotiate(struct blk *blk)
{
	uint64_t want;

	want = bit(BLK_F_SIZE_MAX) | bit(BLK_F_SEG_MAX) | bit(BLK_F_RO) |
	    bit(BLK_F_BLK_SIZE) | bit(BLK_F_FLUSH) | bit(BLK_F_VERSION_1);
	if (blk->options.queues > 1)
		want |= bit(BLK_F_MQ);
	if (blk->options.event_idx)
		want |= bit(BLK_F_EVENT_IDX);
	blk->offered = vmmio_read_features(blk->base);
	blk->features = blk->offered & want;
	if (!blk_has(blk, BLK_F_VERSION_1))
		return "VERSION_1 is not offered";
	if (blk->options.event_idx && !blk_has(blk, BLK_F_EVENT_IDX))
		return "EVENT_IDX is not offered";
	if (blk->options.queues > 1 && !blk_has(blk, BLK_F_MQ))
		return "MQ is not offered";
	vmmio_write_features(blk->base, blk->features);
	if ((vmmio_add_status(blk->base, VMMIO_FEATURES_OK) &
	    VMMIO_FEATURES_OK) == 0)
		return "FEATURES_OK does not stick";
	return NULL;
}

static uint32_t
read_config(const struct blk *blk, enum blk_config field)
{
	return vmmio_read(blk->base, VMMIO_CONFIG + field);
}

const char *
blk_configure(struct blk *blk)
{
	uint32_t before, tries, queues = 1;

	for (tries = 0; tries < GENERATION_TRIES; tries++) {
		before = vmmio_read(blk->base, VMMIO_CONFIG_GENERATION);
		blk->capacity = read_config(blk, BLK_CONFIG_CAPACITY) |
		    (uint64_t)read_config(blk, BLK_CONFIG_CAPACITY + 4) << 32;
		blk->size_max = blk_has(blk, BLK_F_SIZE_MAX) ?
		    read_config(blk, BLK_CONFIG_SIZE_MAX) : 0;
		blk->seg_max = blk_has(blk, BLK_F_SEG_MAX) ?
		    read_config(blk, BLK_CONFIG_SEG_MAX) : 0;
		blk->block_size = blk_has(blk, BLK_F_BLK_SIZE) ?
		    read_config(blk, BLK_CONFIG_BLK_SIZE) : BLK_SECTOR;
		if (blk_has(blk, BLK_F_MQ))
			queues = vmmio_read16(blk->base,
			    VMMIO_CONFIG + BLK_CONFIG_NUM_QUEUES);
		if (vmmio_read(blk->base, VMMIO_CONFIG_GENERATION) == before)
			break;
	}
	if (tries == GENERATION_TRIES)
		return "the configuration never settles";
	if (blk->block_size < BLK_SECTOR || blk->block_size > 4096 ||
	    (blk->block_size & (blk->block_size - 1)) != 0)
		return "an odd block size";
	if (blk->options.queues > queues)
		return "fewer queues than asked for";
	blk->queues = blk->options.queues;
	return NULL;
}

static const char *
start_queue(struct blk *blk, uint32_t index)
{
	const struct virtq_memory *memory = &blk->memory[index];
	uint32_t base = blk->base, max;

	vmmio_write(base, VMMIO_QUEUE_SEL, index);
	if (vmmio_read(base, VMMIO_QUEUE_READY) != 0)
		return "a queue is ready before it was set up";
	max = vmmio_read(base, VMMIO_QUEUE_NUM_MAX);
	if (max == 0)
		return "a queue does not exist";
	if (max > VIRTQ_SIZE_MAX)
		max = VIRTQ_SIZE_MAX;
	blk->queue_size = blk->options.queue_size;
	if (blk->queue_size == 0)
		blk->queue_size = max;
	if (blk->queue_size > max)
		return "the queue size is more than the device can";
	virtq_init(&blk->queue[index], &blk->memory[index], blk->queue_size,
	    blk_has(blk, BLK_F_EVENT_IDX));
	virtq_ask_interrupts(&blk->queue[index], blk->options.interrupts);
	vmmio_write(base, VMMIO_QUEUE_NUM, blk->queue_size);
	vmmio_write(base, VMMIO_QUEUE_DESC_LOW, (uint32_t)memory->desc);
	vmmio_write(base, VMMIO_QUEUE_DESC_HIGH, 0);
	vmmio_write(base, VMMIO_QUEUE_DRIVER_LOW, (uint32_t)memory->avail);
	vmmio_write(base, VMMIO_QUEUE_DRIVER_HIGH, 0);
	vmmio_write(base, VMMIO_QUEUE_DEVICE_LOW, (uint32_t)memory->used);
	vmmio_write(base, VMMIO_QUEUE_DEVICE_HIGH, 0);
	vmmio_write(base, VMMIO_QUEUE_READY, 1);
	if (vmmio_read(base, VMMIO_QUEUE_READY) != 1)
		return "QueueReady does not stick";
	return NULL;
}

static const char *
start_queues(struct blk *blk)
{
	const char *why;
	uint32_t i;

	if (blk->options.queues == 0 || blk->options.queues > BLK_QUEUES_MAX ||
	    (blk->options.queue_size & (blk->options.queue_size - 1)) != 0)
		return "no such number or size of queues";
	for (i = 0; i < blk->queues; i++) {
		why = start_queue(blk, i);
		if (why != NULL)
			return why;
	}
	return NULL;
}

const char *
blk_open(struct blk *blk, const struct args_device *device,
    const struct blk_options *options)
{
	const char *why;

	blk->base = device->base;
	blk->irq = device->irq;
	blk->options = *options;
	blk->kicks = 0;
	if ((why = identify(blk)) != NULL || (why = blk_reset(blk)) != NULL)
		return why;
	vmmio_add_status(blk->base, VMMIO_ACKNOWLEDGE);
	vmmio_add_status(blk->base, VMMIO_DRIVER);
	if ((why = negotiate(blk)) != NULL ||
	    (why = blk_configure(blk)) != NULL ||
	    (why = start_queues(blk)) != NULL)
		return why;
	blk->first_irq = cpu_count_irq(blk->irq);
	cpu_unmask_irq(blk->irq);
	if ((vmmio_add_status(blk->base, VMMIO_DRIVER_OK) &
	    VMMIO_DRIVER_OK) == 0)
		return "DRIVER_OK does not stick";
	return NULL;
}

const char *
blk_reset(struct blk *blk)
{
	const char *why;

	cpu_mask_irq(blk->irq);
	why = vmmio_reset(blk->base, blk->options.timeout_ms);
	if (why == NULL)
		vmmio_ack_interrupts(blk->base);
	blk->in_flight = 0;
	return why;
}

int
blk_submit(struct blk *blk, uint32_t queue, struct blk_req *req,
    enum blk_type type, uint64_t sector, const struct virtq_seg *data,
    uint32_t nsegs)
{
	struct virtq_seg segs[BLK_SEGS_MAX + 2];
	uint32_t i;

	req->header.type = type;
	req->header.reserved = 0;
	req->header.sector = sector;
	req->status = BLK_S_UNWRITTEN;
	segs[0] = (struct virtq_seg){ (uint32_t)&req->header,
		sizeof(req->header), false };
	for (i = 0; i < nsegs && i < BLK_SEGS_MAX; i++)
		segs[1 + i] = data[i];
	segs[1 + i] = (struct virtq_seg){ (uint32_t)&req->status, 1, true };
	if (virtq_add(&blk->queue[queue], segs, i + 2, req) == -1)
		return -1;
	req->in_flight = true;
	blk->in_flight++;
	return 0;
}

void
blk_kick(struct blk *blk, uint32_t queue)
{
	if (!virtq_publish(&blk->queue[queue]))
		return;
	blk->kicks++;
	vmmio_write(blk->base, VMMIO_QUEUE_NOTIFY, queue);
}

static bool
has_used(const struct blk *blk)
{
	uint32_t i;

	for (i = 0; i < blk->queues; i++) {
		if (virtq_has_used(&blk->queue[i]))
			return true;
	}
	return false;
}

static const char *
explain_silence(const struct blk *blk)
{
	if (vmmio_read(blk->base, VMMIO_STATUS) & VMMIO_NEEDS_RESET)
		return "the device needs a reset";
	if (has_used(blk))
		return "a completion without its interrupt";
	return "no completion in time";
}

/*
 * Sleeps between interrupts. The rings are looked at only after an interrupt
 * of the device's own line, so that a timer tick cannot hide a lost one.
 */
static const char *
wait_interrupt(struct blk *blk)
{
	uint32_t i, pending, seen, ms = blk->options.timeout_ms;

	for (;;) {
		seen = cpu_count_irq(blk->irq);
		for (i = 0; i < blk->queues; i++)
			virtq_ask_interrupts(&blk->queue[i], true);
		if (has_used(blk))
			return NULL;
		if (!cpu_wait_irq(blk->irq, seen, ms == 0 ? UINT32_MAX : ms))
			return explain_silence(blk);
		pending = vmmio_ack_interrupts(blk->base);
		/* Status is a message to the device: not on the common way. */
		if ((pending & VMMIO_CONFIG_INTERRUPT) != 0 &&
		    (vmmio_read(blk->base, VMMIO_STATUS) &
		    VMMIO_NEEDS_RESET) != 0)
			return "the device needs a reset";
	}
}

static const char *
wait_polling(struct blk *blk)
{
	uint32_t spins, start = cpu_poll();

	while (!has_used(blk)) {
		for (spins = 0; spins < SPINS_A_LOOK && !has_used(blk); spins++)
			x86_pause();
		if (cpu_poll() - start > blk->options.timeout_ms &&
		    blk->options.timeout_ms != 0)
			return explain_silence(blk);
	}
	return NULL;
}

const char *
blk_wait(struct blk *blk)
{
	return blk->options.interrupts ? wait_interrupt(blk) :
	    wait_polling(blk);
}

const char *
blk_reap(struct blk *blk, struct blk_req **req)
{
	void *owner;
	uint32_t i, len;
	int found = 0;

	*req = NULL;
	for (i = 0; i < blk->queues && found == 0; i++) {
		found = virtq_take(&blk->queue[i], &owner, &len);
		if (found == 1 && !blk->options.interrupts)
			virtq_ask_interrupts(&blk->queue[i], false);
	}
	if (found == -1)
		return "an answer to nothing that is in flight";
	if (found == 0)
		return NULL;
	*req = owner;
	(*req)->used_len = len;
	(*req)->in_flight = false;
	blk->in_flight--;
	if ((*req)->status == BLK_S_UNWRITTEN)
		return "an answer without a status";
	return NULL;
}

const char *
blk_check_status(uint8_t status)
{
	switch (status) {
	case BLK_S_OK:
		return NULL;
	case BLK_S_IOERR:
		return "the device answers IOERR";
	case BLK_S_UNSUPP:
		return "the device answers UNSUPP";
	case BLK_S_UNWRITTEN:
		return "the device writes no status";
	default:
		return "the device writes no known status";
	}
}

const char *
blk_try(struct blk *blk, enum blk_type type, uint64_t sector, void *data,
    uint32_t len, uint8_t *status)
{
	const struct virtq_seg seg = { (uint32_t)data, len,
		type != BLK_T_OUT };
	struct blk_req req, *done;
	const char *why;

	if (blk_submit(blk, 0, &req, type, sector, &seg, len != 0) == -1)
		return "no room in the queue";
	blk_kick(blk, 0);
	do {
		if ((why = blk_wait(blk)) != NULL ||
		    (why = blk_reap(blk, &done)) != NULL)
			return why;
	} while (done == NULL);
	if (done != &req)
		return "an answer to another request";
	*status = req.status;
	return NULL;
}

const char *
blk_do(struct blk *blk, enum blk_type type, uint64_t sector, void *data,
    uint32_t len)
{
	uint8_t status;
	const char *why;

	why = blk_try(blk, type, sector, data, len, &status);
	return why != NULL ? why : blk_check_status(status);
}
