/* SPDX-License-Identifier: ISC */
/*
 * One virtqueue and the thread that serves it: from the guest's kick to
 * the interrupt.  The seam between the registers and the requests.
 *
 *	register thread			queue thread
 *	queue_make		->	created, parked
 *	queue_start(setup)	->	recovers, then serves kicks
 *	queue_park		->	nothing in flight, waits
 *	queue_free		->	joined
 *	event (an eventfd)	<-	poisoned, or parked late
 *
 * The queue thread alone touches the rings, the requests and the queue's
 * part of the state; while it is parked, the register thread may.  All
 * functions here are called by the register thread; none waits for backing
 * I/O but queue_free.
 */
#ifndef BLKD_QUEUE_H
#define BLKD_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

struct disk;
struct queue;

/* What the driver has set up: checked by the registers before it is used. */
struct queue_setup {
	uint16_t	num;		/* power of two, <= disk->queue_size */
	uint64_t	desc;		/* guest-physical, aligned, in memory */
	uint64_t	driver;		/* avail ring */
	uint64_t	device;		/* used ring */
	uint64_t	features;	/* negotiated, VIRTIO_F_* and _BLK_F_* */
	/*
	 * The ring may have been in use: a start that does not recover goes
	 * on at this avail index and at the used index that it finds.
	 */
	bool		used;
	uint16_t	base;
};

/*
 * Make the queue and its thread, parked.  `eventfd` is signalled whenever
 * queue_poll would say something new; it stays the caller's.  Returns NULL
 * and errno on failure.
 */
struct queue	*queue_make(const struct disk *, unsigned index, int eventfd);

/*
 * From now on the thread's fence in the state is its own (fence.h): before
 * queue_start, once a predecessor is gone.
 */
void		 queue_hold(struct queue *);

/*
 * Start serving.  With `recover`, first settle what a predecessor left in
 * the state: the publish record, then the requests in flight, in order;
 * then one interrupt.  Without it the queue is fresh (after a reset).
 * Returns the number of requests that will be run again (0 when fresh), or
 * -1 and errno: EFAULT, a ring is not in guest memory; EPROTO, the state and
 * the ring contradict each other (the queue is poisoned).
 */
int		 queue_start(struct queue *, const struct queue_setup *,
		    bool recover);

/*
 * Ask the thread to stop taking requests; queue_poll says when the last one
 * in flight is finished.  queue_resume takes it back (pause), queue_start
 * sets it up anew (reset).  Parking a parked queue is a no-op.
 */
void		 queue_park(struct queue *);
void		 queue_resume(struct queue *);

/* The avail index of the next head to take; while it is parked or poisoned. */
uint16_t	 queue_cursor(const struct queue *);

/* A kick by message, where ioeventfd is switched off. */
void		 queue_kick(struct queue *);

/* The throttle's limits have changed: a stalled queue asks again. */
void		 queue_nudge(struct queue *);

enum queue_condition {
	QUEUE_PARKED,		/* nothing in flight, takes nothing */
	QUEUE_RUNNING,
	QUEUE_PARKING,		/* asked to park, I/O still in flight */
	QUEUE_POISONED,		/* corrupt ring: parked until reset */
};
enum queue_condition queue_poll(const struct queue *);

/* End and join the thread: waits for what is in flight.  NULL is accepted. */
void		 queue_free(struct queue *);

#endif /* BLKD_QUEUE_H */
