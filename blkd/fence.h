/* SPDX-License-Identifier: ISC */
/*
 * The fence of a thread: a robust futex in the state, held for life.
 *
 * The kernel marks it (FUTEX_OWNER_DIED) when the thread dies: after its
 * last system call, so nothing of it can reach the file or guest memory any
 * more, and before the memory of the process is torn down, which takes
 * longer the more of it was touched.  The monitor waits for the marks of all
 * threads and goes on at once (DESIGN 7).
 */
#ifndef BLKD_FENCE_H
#define BLKD_FENCE_H

struct state_fence;

/*
 * Hold it, from now until the thread ends: before the thread touches guest
 * memory or the file.  The state stays mapped until then, or the fence is
 * dropped.  0, or -1 and errno; without it the monitor waits for the
 * reaping of the process.
 */
int	fence_hold(struct state_fence *);
/* This thread touches nothing any more: before the state is unmapped. */
void	fence_drop(void);

#endif /* BLKD_FENCE_H */
