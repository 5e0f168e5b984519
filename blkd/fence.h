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

struct fence;
struct state_fence;

/*
 * This thread is to hold it: all that takes a system call.  The state stays
 * mapped until the thread ends, or the fence is dropped.  NULL and errno;
 * without it the monitor waits for the reaping of the process.
 */
struct fence	*fence_prepare(struct state_fence *);
/*
 * From now until the thread that has prepared it ends, it is held: before
 * that thread touches guest memory or the file, and after nobody else holds
 * it.  Any thread of the process; NULL is accepted.
 */
void		 fence_take(struct fence *);
/* Its thread touches nothing any more: before the state is unmapped. */
void		 fence_drop(struct fence *);

#endif /* BLKD_FENCE_H */
