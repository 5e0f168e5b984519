/* SPDX-License-Identifier: ISC */
/* The clock and the priority of both halves of the torture.  Tests only. */
#include <err.h>
#include <sched.h>
#include <time.h>

#include "tests/torture/score.h"

uint64_t
score_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void
score_hurry(int priority)
{
	struct sched_param param = { .sched_priority = priority };

	if (sched_setscheduler(0, SCHED_FIFO, &param) == -1)
		err(1, "torture: real time");
}
