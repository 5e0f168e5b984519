/* SPDX-License-Identifier: ISC */
/*
 * The window of a queue thread's looking.  Runs in blkd, queue thread;
 * arithmetic, touches nothing.
 */
#include "blkd/polling.h"

void
polling_learn(struct polling *p, uint64_t dry_ns)
{
	if (dry_ns > p->max_ns) {
		p->window_ns = p->window_ns > POLLING_FIRST_NS ?
		    p->window_ns / 2 : 0;
		return;
	}
	if (dry_ns <= p->window_ns)
		return;
	p->window_ns = p->window_ns < POLLING_FIRST_NS ? POLLING_FIRST_NS :
	    p->window_ns * 2;
	if (p->window_ns > p->max_ns)
		p->window_ns = p->max_ns;
}
