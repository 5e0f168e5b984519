/* SPDX-License-Identifier: ISC */
/*
 * A queue whose thread is the test: in place of queue_thread.c it does the
 * same by the same serve.c, but only when it is told to, so that a test can
 * stop it between any two stores.  Its engine finishes half of what is in
 * flight each time it is kicked.  Tests only; one thread, one queue.
 */
#ifndef PROPERTY_STILL_QUEUE_H
#define PROPERTY_STILL_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "blkd/engine.h"

extern const struct engine_ops still_engine;

enum still {
	STILL_RESTS,		/* until a kick or a command */
	STILL_STALLED,		/* the throttle says wait */
	STILL_BUSY,		/* there is more to do at once */
};

/*
 * One turn of the queue thread; `batch` finished requests are published
 * together.  *wait_ns: where it is stalled.
 */
enum still	still_queue_turn(unsigned batch, uint64_t *wait_ns);

/* Requests in flight in the engine. */
unsigned	still_queue_running(void);

#endif /* PROPERTY_STILL_QUEUE_H */
