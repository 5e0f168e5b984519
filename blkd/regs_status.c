/* SPDX-License-Identifier: ISC */
/*
 * The device status: its climb, reset, and the states in which the queues do
 * not run.  Runs in blkd, register thread.
 *
 * Reset, in stores that a kill may part anywhere: s_resetting, so that a
 * successor replays nothing; then the queues end what is in flight; then
 * state_reset.  The vm process repeats the write that was not answered, which
 * resets once more.
 */
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>

#include "blkd/disk.h"
#include "blkd/features.h"
#include "blkd/regs_impl.h"
#include "shm/doorbell.h"
#include "shm/shared.h"
#include "shm/state.h"

#define ACK		VIRTIO_CONFIG_S_ACKNOWLEDGE
#define DRIVER		VIRTIO_CONFIG_S_DRIVER
#define FEATURES_OK	VIRTIO_CONFIG_S_FEATURES_OK
#define DRIVER_OK	VIRTIO_CONFIG_S_DRIVER_OK
#define NEEDS_RESET	VIRTIO_CONFIG_S_NEEDS_RESET
#define FAILED		VIRTIO_CONFIG_S_FAILED

/* Bits that do not belong to the climb: of the device, of a giving up. */
#define ASIDE		(NEEDS_RESET | FAILED)

static bool	accept_features(struct regs *);
static void	start_queues(struct regs *);

/*
 * The climb (virtio 1.2, 3.1.1).  `accept` may refuse the step: the status
 * stays.  What it settles is stored before the new status, and what `enter`
 * does comes after it: so a successor that finds the new status finds all
 * that belongs to it, and knows that the queues may have run.
 */
static const struct step {
	uint32_t	from;
	uint32_t	to;
	bool		(*accept)(struct regs *);
	void		(*enter)(struct regs *);
} steps[] = {
	{ 0, ACK, NULL, NULL },
	{ 0, ACK | DRIVER, NULL, NULL },	/* firmware writes both */
	{ ACK, ACK | DRIVER, NULL, NULL },
	{ ACK | DRIVER, ACK | DRIVER | FEATURES_OK, accept_features,
	    NULL },
	{ ACK | DRIVER | FEATURES_OK,
	    ACK | DRIVER | FEATURES_OK | DRIVER_OK, NULL, start_queues },
};

#define NSTEPS	(sizeof(steps) / sizeof(steps[0]))

uint32_t
regs_status_legal_part(uint32_t status)
{
	uint32_t legal = 0;
	size_t i;

	for (i = 0; i < NSTEPS; i++) {
		if ((steps[i].to & ~status) == 0)
			legal = steps[i].to;
	}
	return legal | (status & ASIDE);
}

bool
regs_status_is_legal(uint32_t status)
{
	return status == regs_status_legal_part(status);
}

enum regs_phase
regs_status_phase(const struct regs *r)
{
	if (r->status & FAILED)
		return REGS_PHASE_FAILED;
	if (r->status & DRIVER_OK)
		return REGS_PHASE_LIVE;
	if (r->status & FEATURES_OK)
		return REGS_PHASE_QUEUES;
	return REGS_PHASE_NEGOTIATE;
}

uint32_t
regs_status_read(const struct regs *r)
{
	return r->status;
}

void
regs_status_set(struct regs *r, uint32_t status)
{
	r->status = status;
	shared_store_release(&r->disk->state->device.s_status, status);
}

/* --- the steps --------------------------------------------------------- */

/*
 * 5.2.5, 5.2.6.2: a driver that cannot flush gets a write-through cache; one
 * that can starts with write-back, and may choose where CONFIG_WCE is
 * negotiated.
 */
static bool
accept_features(struct regs *r)
{
	uint64_t features = regs_features(r);

	if (!features_acceptable(r->offered, features))
		return false;
	regs_set_writeback(r, (features & FEATURE(VIRTIO_BLK_F_FLUSH)) != 0);
	return true;
}

/* Start what is ready and does not run yet; while paused that waits. */
static void
start_queues(struct regs *r)
{
	unsigned i;

	for (i = 0; i < r->disk->queues && !r->paused; i++) {
		if (r->queue[i].ready && !r->queue[i].started &&
		    !r->queue[i].poisoned)
			regs_queue_start(r, i, r->queue[i].recover);
	}
}

/* --- writes ------------------------------------------------------------ */

static void
climb(struct regs *r, uint32_t to)
{
	const struct step *s;

	for (s = steps; s < steps + NSTEPS; s++) {
		if (s->from == r->status && s->to == to)
			break;
	}
	/* No such step: a bit is cleared, skipped or unknown. */
	if (s == steps + NSTEPS || (s->accept != NULL && !s->accept(r)))
		return;
	regs_status_set(r, to);
	if (s->enter != NULL)
		s->enter(r);
}

static void
park_queues(struct regs *r)
{
	unsigned i;

	for (i = 0; i < r->disk->queues; i++) {
		if (r->queue[i].started)
			queue_park(r->queue[i].queue);
	}
}

static void
start_reset(struct regs *r)
{
	r->resetting = true;
	shared_store_release(&r->disk->state->device.s_resetting, 1);
	park_queues(r);
	regs_update(r);
}

void
regs_status_write(struct regs *r, uint32_t value)
{
	if (value == 0)
		start_reset(r);
	else if (value & FAILED)
		regs_status_set(r, r->status | FAILED);
	else if ((r->status & ASIDE) == 0)
		climb(r, value);
}

/* --- a device that needs a reset --------------------------------------- */

void
regs_status_need_reset(struct regs *r)
{
	if (r->status & NEEDS_RESET)
		return;
	/*
	 * The interrupt first: killed in between, the successor finds why the
	 * bit is due, but not whether the interrupt was given.  The driver
	 * cannot see the order: its read of the status waits for us.
	 */
	if (r->status & DRIVER_OK)
		regs_interrupt(r, DOORBELL_CONFIG);
	regs_status_set(r, r->status | NEEDS_RESET);
}

/* --- reset and pause --------------------------------------------------- */

static bool
is_at_rest(const struct regs_queue *q)
{
	enum queue_condition c;

	if (!q->started)
		return true;
	c = queue_poll(q->queue);
	return c == QUEUE_PARKED || c == QUEUE_POISONED;
}

bool
regs_is_quiet(const struct regs *r)
{
	unsigned i;

	for (i = 0; i < r->disk->queues; i++) {
		if (!is_at_rest(&r->queue[i]))
			return false;
	}
	return true;
}

static void
forget_registers(struct regs *r)
{
	unsigned i;

	r->status = 0;
	r->device_features_sel = 0;
	r->driver_features_sel = 0;
	r->driver_features[0] = 0;
	r->driver_features[1] = 0;
	r->queue_sel = 0;
	for (i = 0; i < r->disk->queues; i++)
		r->queue[i] = (struct regs_queue) {
			.queue = r->queue[i].queue,
		};
}

void
regs_status_finish_reset(struct regs *r)
{
	doorbell_clear(r->disk->doorbell);
	forget_registers(r);
	state_reset(r->disk->state);
	regs_set_generation(r, r->generation + 1);
	regs_set_writeback(r, 1);
	r->resetting = false;
}

bool
regs_is_resetting(const struct regs *r)
{
	return r->resetting;
}

void
regs_update(struct regs *r)
{
	unsigned i;

	if (r->resetting) {
		if (!regs_is_quiet(r))
			return;
		regs_status_finish_reset(r);
		counter_add(&r->disk->state->counters, COUNTER_RESETS, 1);
		return;
	}
	for (i = 0; i < r->disk->queues; i++) {
		if (r->queue[i].started && !r->queue[i].poisoned &&
		    queue_poll(r->queue[i].queue) == QUEUE_POISONED)
			regs_queue_poison(r, i);
	}
}

void
regs_pause(struct regs *r)
{
	r->paused = true;
	park_queues(r);
}

void
regs_resume(struct regs *r)
{
	unsigned i;

	r->paused = false;
	/* A reset keeps parked what it has parked. */
	if (r->resetting || (r->status & DRIVER_OK) == 0)
		return;
	for (i = 0; i < r->disk->queues; i++) {
		if (r->queue[i].started && !r->queue[i].poisoned)
			queue_resume(r->queue[i].queue);
	}
	start_queues(r);
}
