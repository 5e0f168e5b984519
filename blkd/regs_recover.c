/* SPDX-License-Identifier: ISC */
/*
 * The registers from the state.  Runs in blkd, register thread, once.  The
 * state is as hostile as a driver: every word is read once, and must be what
 * a driver could have brought about, else the device needs a reset; that is
 * an answer that ends with a working disk, and not with a crash loop.
 */
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>

#include "blkd/disk.h"
#include "blkd/features.h"
#include "blkd/regs_impl.h"
#include "shm/doorbell.h"
#include "shm/shared.h"
#include "shm/state.h"
#include "util/log.h"

#define FEATURES_OK	VIRTIO_CONFIG_S_FEATURES_OK
#define DRIVER_OK	VIRTIO_CONFIG_S_DRIVER_OK

static void
load_device(struct regs *r)
{
	const struct state_device *d = &r->disk->state->device;

	r->status = shared_load_acquire(&d->s_status);
	r->device_features_sel = shared_load(&d->s_device_features_sel);
	r->driver_features_sel = shared_load(&d->s_driver_features_sel);
	r->driver_features[0] = shared_load(&d->s_driver_features[0]);
	r->driver_features[1] = shared_load(&d->s_driver_features[1]);
	r->queue_sel = shared_load(&d->s_queue_sel);
}

static void
load_queue(struct regs_queue *q, const struct state_queue *s)
{
	unsigned i;

	q->ready = shared_load_acquire(&s->s_ready) != 0;
	q->poisoned = shared_load(&s->s_poisoned) != 0;
	q->num = shared_load(&s->s_num);
	for (i = 0; i < 2; i++) {
		q->desc[i] = shared_load(&s->s_desc[i]);
		q->driver[i] = shared_load(&s->s_driver[i]);
		q->device[i] = shared_load(&s->s_device[i]);
	}
}

/* No driver could have brought the device as a whole here: false. */
static bool
check_device(struct regs *r)
{
	bool sound = true;

	if (!regs_status_is_legal(r->status)) {
		log_warning("state: status %#x is none that a driver reaches",
		    r->status);
		regs_status_set(r, regs_status_legal_part(r->status));
		sound = false;
	}
	if (r->status & FEATURES_OK &&
	    !features_acceptable(r->offered, regs_features(r))) {
		log_warning("state: features %#llx were not offered",
		    (unsigned long long)regs_features(r));
		sound = false;
	}
	return sound;
}

static void
check_queue(struct regs *r, unsigned index)
{
	struct regs_queue *q = &r->queue[index];

	/* QueueReady is not heard before FEATURES_OK. */
	if (q->ready && (r->status & FEATURES_OK) == 0) {
		q->ready = false;
		shared_store(&r->disk->state->queue[index].s_ready, 0);
	}
	if (q->poisoned || (q->ready && !regs_queue_is_sound(r, q)))
		regs_queue_poison(r, index);
}

static void
recover_cache(struct regs *r)
{
	const struct state_device *d = &r->disk->state->device;
	uint64_t features = regs_features(r);
	uint32_t writeback = 1;

	if (r->status & FEATURES_OK) {
		writeback = (features & FEATURE(VIRTIO_BLK_F_FLUSH)) != 0;
		if (features & FEATURE(VIRTIO_BLK_F_CONFIG_WCE))
			writeback = shared_load(&d->s_writeback) != 0;
	}
	regs_set_writeback(r, writeback);
}

/* The backing may have grown or shrunk while no blkd was there. */
static void
recover_capacity(struct regs *r)
{
	struct state_device *d = &r->disk->state->device;
	uint64_t sectors = shared_load(&r->disk->sectors);

	if (shared_load(&d->s_attached) == 0)
		shared_store(&d->s_capacity, sectors);
	regs_resize(r, sectors);
}

static unsigned
recover_queues(struct regs *r)
{
	unsigned i, replayed = 0;

	if ((r->status & DRIVER_OK) == 0)
		return 0;
	for (i = 0; i < r->disk->queues; i++) {
		if (!r->queue[i].ready || r->queue[i].poisoned)
			continue;
		/* Paused: what is left in flight waits for regs_resume, too. */
		if (r->paused)
			r->queue[i].recover = true;
		else
			replayed += regs_queue_start(r, i, true);
	}
	/* The predecessor may have raised a bit and died before the irq. */
	if (doorbell_pending(r->disk->doorbell) != 0)
		regs_interrupt(r, 0);
	return replayed;
}

static unsigned
recover_registers(struct regs *r)
{
	unsigned i;
	bool sound;

	load_device(r);
	sound = check_device(r);
	for (i = 0; i < r->disk->queues; i++) {
		load_queue(&r->queue[i], &r->disk->state->queue[i]);
		/* Not sound as a whole: no queue is touched, also later. */
		if (!sound)
			r->queue[i].poisoned = true;
		check_queue(r, i);
	}
	recover_cache(r);
	recover_capacity(r);
	return recover_queues(r);
}

unsigned
regs_recover(struct regs *r, uint32_t incarnation)
{
	struct state *s = r->disk->state;
	unsigned replayed = 0;

	r->generation = shared_load(&s->device.s_generation);
	if (shared_load_acquire(&s->device.s_resetting) != 0) {
		regs_status_finish_reset(r);
		recover_capacity(r);
	} else
		replayed = recover_registers(r);
	shared_store(&s->device.s_attached,
	    shared_load(&s->device.s_attached) + 1);
	if (incarnation > 0)
		counter_add(&s->counters, COUNTER_RESPAWNS, 1);
	return replayed;
}
