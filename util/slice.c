/* SPDX-License-Identifier: ISC */
/* Short slices of CPU time.  Both daemons; touches its own scheduling only. */
#include <sys/syscall.h>

#include <sched.h>
#include <stdint.h>
#include <unistd.h>

#include "util/slice.h"

#define SLICE_NS	100000	/* the least that the kernel grants */

/* As in linux/sched/types.h, which older glibc cannot have beside sched.h. */
struct attributes {
	uint32_t	size;
	uint32_t	policy;
	uint64_t	flags;
	int32_t		nice;
	uint32_t	priority;
	uint64_t	runtime;
	uint64_t	deadline;
	uint64_t	period;
};

static void
set(uint64_t ns)
{
	struct attributes a;

	/* The nice value and whatever else was given stay. */
	if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) == -1 ||
	    a.policy != SCHED_OTHER)
		return;
	a.runtime = ns;
	(void)syscall(SYS_sched_setattr, 0, &a, 0);
}

void
slice_shorten(void)
{
	set(SLICE_NS);
}

void
slice_restore(void)
{
	set(0);
}
