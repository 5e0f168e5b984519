/* SPDX-License-Identifier: ISC */
/*
 * The state of a disk: what must outlive a blkd that is killed.
 *
 * The monitor makes it (state_make) and keeps it; each blkd in turn maps
 * it.  To a blkd it is a journal: read and checked once, at ATTACH, into
 * private copies; after that only written.  So nothing that is written here
 * by mistake or malice while a blkd runs can change what that blkd does,
 * and a successor treats all of it like guest input.  The vm process and
 * the monitor map it read-only, for statistics, and believe nothing.
 *
 * Order.  A blkd can be killed between any two stores, so every store
 * leaves the whole valid:
 *
 *  registers	one store each: a register access is idempotent, and the vm
 *		process repeats the one that was not answered.
 *  reset	s_resetting = 1; everything cleared; s_generation + 1;
 *		s_resetting = 0.  Found 1, the reset is done again and
 *		nothing is replayed.
 *  in flight	s_inflight[head] is one 64-bit word, order number and mark
 *		together, so that there is no instant at which an order
 *		number is new and its mark is not.  It is stored before the
 *		request is executed, and stays (unmarked) when the head is
 *		freed: the avail cursor is one past the newest order number
 *		of the table, marked or not.
 *  publish	s_batch[], then s_publish with the pending bit (release);
 *		the guest's used elements, then its used.idx (release); the
 *		heads freed one by one; s_publish without the bit (release).
 *		A head is marked again only after that.
 *  throttle	two slots, written alternately; s_throttle_slot says which
 *		is whole.
 *
 * Fields carry the prefix s_ and are touched through shared.h only.
 */
#ifndef SHM_STATE_H
#define SHM_STATE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/counters.h"

#define STATE_MAGIC		0x6174736bu	/* "ksta" */
#define STATE_VERSION		2
#define STATE_QUEUES_MAX	8
#define STATE_QUEUE_SIZE_MAX	1024
#define STATE_THREADS_MAX	8	/* beside that of a queue, each */

/* --- in-flight word ---------------------------------------------------- */

/*
 *	63                     8 7      1  0
 *	| order number, from 1   | deaths | M |
 *
 * The order number is the free-running count of heads taken from the avail
 * ring since the last reset, so its low 16 bits, less one, plus s_base are
 * the ring index of the head.  deaths counts those of blkds that had
 * begun to run the request: stored by a successor, as it begins to run it
 * again.  M: in flight.  0: never used since the last reset.
 */
#define STATE_INFLIGHT_MARK		UINT64_C(1)
#define STATE_INFLIGHT_DEATHS_MAX	127
#define STATE_INFLIGHT_ORDER_MAX	(UINT64_MAX >> 8)

static inline uint64_t
state_inflight_word(uint64_t order, unsigned deaths, int marked)
{
	return order << 8 | (uint64_t)(deaths & 127) << 1 | !!marked;
}

static inline uint64_t
state_inflight_order(uint64_t word)
{
	return word >> 8;
}

static inline unsigned
state_inflight_deaths(uint64_t word)
{
	return word >> 1 & 127;
}

/* --- publish word ------------------------------------------------------ */

/*
 *	32        31..16       15..0
 *	pending | new index | old index
 *
 * Without the pending bit, new index is the last published used.idx.
 */
#define STATE_PUBLISH_PENDING	(UINT64_C(1) << 32)

static inline uint64_t
state_publish_word(uint16_t old_idx, uint16_t new_idx, int pending)
{
	return (pending ? STATE_PUBLISH_PENDING : 0) |
	    (uint64_t)new_idx << 16 | old_idx;
}

/* --- beat word --------------------------------------------------------- */

/*
 *	63                 2 1  0
 *	| a count            | what |
 *
 * What a queue thread does, or one of its pool, with a count that changes
 * with it.  Who watches it takes one that runs and does not change for a
 * hang; a device may take what time it wants.
 */
enum state_beat {
	STATE_BEAT_ASLEEP,	/* or parked: it waits for something */
	STATE_BEAT_RUNS,
	STATE_BEAT_IN_IO,	/* in the engine, or the backing */
};
#define STATE_BEAT_BITS		2

static inline enum state_beat
state_beat_what(uint64_t word)
{
	return (enum state_beat)(word & ((1u << STATE_BEAT_BITS) - 1));
}

/* --- the shared structures --------------------------------------------- */

/* Written once by state_make, never again. */
struct state_head {
	uint32_t	s_magic;
	uint32_t	s_version;
	uint64_t	s_bytes;	/* of the whole */
	uint32_t	s_queues;	/* 1..STATE_QUEUES_MAX */
	uint32_t	s_queue_size;	/* QueueNumMax */
	uint8_t		s_pad[40];
};
static_assert(sizeof(struct state_head) == 64, "one cache line");

/* The device's registers.  Writer: the register thread. */
struct state_device {
	uint32_t	s_resetting;	/* 1: a reset is not finished */
	uint32_t	s_status;
	uint32_t	s_device_features_sel;
	uint32_t	s_driver_features_sel;
	uint32_t	s_driver_features[2];
	uint32_t	s_queue_sel;
	uint32_t	s_generation;	/* ConfigGeneration */
	uint64_t	s_capacity;	/* 512-byte sectors, as last announced */
	uint32_t	s_writeback;	/* config field, CONFIG_WCE */
	uint32_t	s_attached;	/* times that a blkd was attached */
	uint8_t		s_pad[16];
};
static_assert(sizeof(struct state_device) == 64, "one cache line");

/* One level of a token bucket; see blkd/throttle.h for the units. */
struct state_bucket {
	int64_t		s_level;	/* tokens; negative is debt */
	uint64_t	s_remainder;	/* of the division, kept */
};

/* Writer: whichever thread holds the throttle's lock. */
struct state_throttle {
	struct state_bucket	s_ops;
	struct state_bucket	s_bytes;
	uint64_t		s_stamp;	/* CLOCK_MONOTONIC, ns; 0: never */
	uint8_t			s_pad[24];
};
static_assert(sizeof(struct state_throttle) == 64, "one cache line");

/*
 * A robust futex, held for life by a thread that touches guest memory or
 * the backing file: owner's tid, and FUTEX_OWNER_DIED from the kernel.
 */
struct state_fence {
	uint32_t	s_futex;
	uint32_t	s_pad0;
	/*
	 * Beat word: of the threads of thread_fence alone, each the writer
	 * of its own.  Was padding: 0, which is asleep.
	 */
	uint64_t	s_beat;
	uint8_t		s_pad1[48];
};
static_assert(sizeof(struct state_fence) == 64, "one cache line");

/* An element of the publish record, as it stands in the used ring. */
struct state_used {
	uint32_t	s_id;
	uint32_t	s_len;
};

struct state_queue {
	/* Registers.  Writer: the register thread. */
	uint32_t	s_num;
	uint32_t	s_ready;
	uint32_t	s_desc[2];	/* guest-physical: low, high */
	uint32_t	s_driver[2];	/* avail ring */
	uint32_t	s_device[2];	/* used ring */
	uint32_t	s_poisoned;	/* 1: corrupt; untouched until reset */
	/*
	 * The avail index at which the order numbers began: 0, but where a
	 * vhost-user front-end started a ring that had been in use.
	 */
	uint32_t	s_base;		/* 16 bits of it */
	uint8_t		s_pad0[24];

	/* Writer: the queue thread; the register thread while it is parked. */
	uint64_t	s_publish;	/* publish word */
	uint64_t	s_beat;		/* beat word */
	uint8_t		s_pad1[48];
	struct state_counters s_counters;
	uint64_t	s_inflight[STATE_QUEUE_SIZE_MAX];
	struct state_used s_batch[STATE_QUEUE_SIZE_MAX];
};
static_assert(offsetof(struct state_queue, s_publish) == 64, "own line");
static_assert(offsetof(struct state_queue, s_counters) == 128, "own line");
static_assert(offsetof(struct state_queue, s_inflight) % 64 == 0, "own line");

struct state {
	struct state_head	head;
	struct state_device	device;
	uint32_t		s_throttle_slot;	/* 0 or 1 */
	uint8_t			s_pad[60];
	struct state_throttle	throttle[2];
	struct state_fence	fence[1 + STATE_QUEUES_MAX]; /* 0: registers */
	/*
	 * Of the threads to which a queue thread hands I/O.  Taken by that
	 * one before it hands over the first, so what is not held when it is
	 * dead has touched nothing, or is dead, too.
	 */
	struct state_fence	thread_fence[STATE_QUEUES_MAX]
				    [STATE_THREADS_MAX];
	struct state_counters	counters;	/* register thread's */
	struct state_queue	queue[STATE_QUEUES_MAX];
};
static_assert(offsetof(struct state, throttle) % 64 == 0, "own line");
static_assert(offsetof(struct state, queue) % 64 == 0, "own line");

/*
 * Monitor: make and seal the state of a new disk.  Returns a memfd (the
 * caller's), or -1 and errno: EINVAL for a count or size out of range.
 */
int	state_make(unsigned queues, unsigned queue_size);

/* The same, in what state_make made before; who has it mapped sees it. */
int	state_make_again(int fd, unsigned queues, unsigned queue_size);

/*
 * Map a state that a peer sent, after checking the memfd and the head
 * against what the peer said beside it.  blkd maps it writable, the others
 * do not.  Returns NULL and errno: EINVAL, EPERM (memfd_check), EPROTO (the
 * head is of another version or shape).
 */
struct state	*state_map(int fd, unsigned queues, unsigned queue_size);
const struct state *state_map_readonly(int fd, unsigned queues,
		    unsigned queue_size);
void		 state_unmap(const struct state *);	/* NULL is accepted */

/*
 * Clear what a reset clears: the registers, the in-flight tables, the
 * publish words.  Counters, throttle levels and fences stay.  Bumps
 * ConfigGeneration.  Register thread, while every queue thread is parked;
 * or a successor that finds s_resetting.  The doorbell is the caller's.
 */
void	state_reset(struct state *);

/*
 * Throttle levels: store a whole new set, or load the last whole one (as
 * hostile as all of this).  Any thread, under the throttle's lock.
 */
struct state_levels {
	int64_t		ops_level;
	uint64_t	ops_remainder;
	int64_t		bytes_level;
	uint64_t	bytes_remainder;
	uint64_t	stamp;
};
void	state_throttle_store(struct state *, const struct state_levels *);
void	state_throttle_load(const struct state *, struct state_levels *);

#endif /* SHM_STATE_H */
