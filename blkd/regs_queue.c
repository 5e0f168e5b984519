/* SPDX-License-Identifier: ISC */
/*
 * The queue registers.  Runs in blkd, register thread.  What the driver
 * writes is kept as it is; it is checked when the queue is made ready, and
 * does not change while it is.
 */
#include <linux/virtio_config.h>

#include "blkd/disk.h"
#include "blkd/regs_impl.h"
#include "shm/counters.h"
#include "shm/gmem.h"
#include "shm/shared.h"
#include "shm/state.h"
#include "util/log.h"

/* Bytes of the rings, the event fields included (virtio 1.2, 2.7). */
#define DESC_BYTES(num)		(UINT64_C(16) * (num))
#define DRIVER_BYTES(num)	(UINT64_C(2) * (num) + 6)
#define DEVICE_BYTES(num)	(UINT64_C(8) * (num) + 6)

const struct regs_queue *
regs_queue_selected(const struct regs *r)
{
	uint32_t sel = r->queue_sel;

	return sel < r->disk->queues ? &r->queue[sel] : NULL;
}

uint32_t
regs_queue_read_num_max(const struct regs *r)
{
	return regs_queue_selected(r) != NULL ? r->disk->queue_size : 0;
}

uint32_t
regs_queue_read_ready(const struct regs *r)
{
	const struct regs_queue *q = regs_queue_selected(r);

	return q != NULL && q->ready;
}

/* --- what makes a queue ready ------------------------------------------ */

static uint64_t
address(const uint32_t word[2])
{
	return (uint64_t)word[1] << 32 | word[0];
}

static bool
is_ring(const struct regs *r, const uint32_t word[2], uint64_t bytes,
    uint64_t align)
{
	uint64_t gpa = address(word);

	return gpa % align == 0 && gmem_at(r->disk->gmem, gpa, bytes) != NULL;
}

bool
regs_queue_is_sound(const struct regs *r, const struct regs_queue *q)
{
	return q->num != 0 && (q->num & (q->num - 1)) == 0 &&
	    q->num <= r->disk->queue_size &&
	    is_ring(r, q->desc, DESC_BYTES(q->num), 16) &&
	    is_ring(r, q->driver, DRIVER_BYTES(q->num), 2) &&
	    is_ring(r, q->device, DEVICE_BYTES(q->num), 4);
}

void
regs_queue_write_ready(struct regs *r, uint32_t value)
{
	struct regs_queue *q;
	bool ready = value == 1;

	if (value > 1 || r->queue_sel >= r->disk->queues)
		return;
	q = &r->queue[r->queue_sel];
	if (ready && !regs_queue_is_sound(r, q))
		return;
	q->ready = ready;
	/* Release: the addresses are in the state before the queue is. */
	shared_store_release(&r->disk->state->queue[r->queue_sel].s_ready,
	    ready);
}

/* --- size and addresses ------------------------------------------------ */

/* The selected queue, if its size and addresses may be written. */
static struct regs_queue *
writable_queue(struct regs *r)
{
	if (r->queue_sel >= r->disk->queues || r->queue[r->queue_sel].ready)
		return NULL;
	return &r->queue[r->queue_sel];
}

#define QUEUE_WORD(name, field, s_field)				\
void									\
regs_queue_write_##name(struct regs *r, uint32_t value)			\
{									\
	struct regs_queue *q = writable_queue(r);			\
									\
	if (q == NULL)							\
		return;							\
	q->field = value;						\
	shared_store(&r->disk->state->queue[r->queue_sel].s_field, value); \
}

QUEUE_WORD(num, num, s_num)
QUEUE_WORD(desc_low, desc[0], s_desc[0])
QUEUE_WORD(desc_high, desc[1], s_desc[1])
QUEUE_WORD(driver_low, driver[0], s_driver[0])
QUEUE_WORD(driver_high, driver[1], s_driver[1])
QUEUE_WORD(device_low, device[0], s_device[0])
QUEUE_WORD(device_high, device[1], s_device[1])

/* --- running ----------------------------------------------------------- */

unsigned
regs_queue_start(struct regs *r, unsigned index, bool recover)
{
	struct regs_queue *q = &r->queue[index];
	struct queue_setup setup = {
		.num = (uint16_t)q->num,
		.desc = address(q->desc),
		.driver = address(q->driver),
		.device = address(q->device),
		.features = regs_features(r),
	};
	int replayed;

	q->started = true;
	replayed = queue_start(q->queue, &setup, recover);
	if (replayed == -1) {
		regs_queue_poison(r, index);
		return 0;
	}
	return (unsigned)replayed;
}

void
regs_queue_poison(struct regs *r, unsigned index)
{
	r->queue[index].poisoned = true;
	shared_store_release(&r->disk->state->queue[index].s_poisoned, 1);
	log_warning("queue %u: its ring is corrupt: the device needs a reset",
	    index);
	regs_status_need_reset(r);
}

void
regs_notify(struct regs *r, uint32_t queue)
{
	if (queue < r->disk->queues && r->queue[queue].started &&
	    !r->queue[queue].poisoned)
		queue_kick(r->queue[queue].queue);
}
