/* SPDX-License-Identifier: ISC */
/*
 * A queue without a thread, in place of queue.c in unit tests: it notes what
 * the register machine asks for, and is in whatever condition a test says.
 */
#ifndef BLKD_QUEUE_DOUBLE_H
#define BLKD_QUEUE_DOUBLE_H

#include <stdbool.h>

#include "blkd/queue.h"

struct queue {
	unsigned		index;
	int			eventfd;
	enum queue_condition	condition;
	struct queue_setup	setup;		/* of the last start */
	bool			recover;	/* of the last start */
	unsigned		starts;
	unsigned		parks;
	unsigned		resumes;
	unsigned		kicks;
	unsigned		nudges;
	bool			busy;		/* parking takes a while */
	int			start_result;	/* -1: EPROTO */
};

/* The queue that queue_make made last for this index. */
struct queue	*queue_double_at(unsigned index);

/* The thread's part: something has become of the queue. */
void		 queue_double_become(struct queue *, enum queue_condition);

/* How many queues are not freed. */
unsigned	 queue_double_living(void);

#endif /* BLKD_QUEUE_DOUBLE_H */
