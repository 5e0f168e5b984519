/* SPDX-License-Identifier: ISC */
/*
 * Robust futexes without libc.  Runs in blkd, each thread for itself, while
 * the sandbox still lets it (stage START).
 *
 * libc's list is replaced: it serves robust mutexes, of which there are none
 * here, and it would put pointers beside the futex, into memory that others
 * write.  Here the list is private and has one entry; futex_offset leads
 * from the entry to the futex, wherever that is.
 */
#include <sys/syscall.h>

#include <linux/futex.h>

#include <limits.h>
#include <stdint.h>
#include <unistd.h>

#include "blkd/fence.h"
#include "shm/shared.h"
#include "shm/state.h"

/*
 * It must be there for as long as the thread is: no longer, no shorter.  So
 * it is the thread's own memory; the kernel reads it when the thread ends.
 */
static __thread struct {
	struct robust_list_head	 head;
	struct robust_list	 entry;
	struct state_fence	*fence;		/* NULL: dropped */
} held;

int
fence_hold(struct state_fence *fence)
{
	uint32_t tid = (uint32_t)syscall(SYS_gettid);

	held.fence = fence;
	held.entry.next = &held.head.list;
	held.head.list.next = &held.entry;
	held.head.list_op_pending = NULL;
	held.head.futex_offset = (long)((uintptr_t)&fence->s_futex -
	    (uintptr_t)&held.entry);
	if (syscall(SYS_set_robust_list, &held.head, sizeof(held.head)) == -1)
		return -1;
	/* Release: who sees it held finds it on the list. */
	shared_store_release(&fence->s_futex, tid);
	return 0;
}

void
fence_drop(void)
{
	if (held.fence == NULL)
		return;
	held.head.list.next = &held.head.list;
	/* As the kernel would: who waits for it is told. */
	shared_store_release(&held.fence->s_futex, FUTEX_OWNER_DIED);
	syscall(SYS_futex, &held.fence->s_futex, FUTEX_WAKE, INT_MAX, NULL,
	    NULL, 0);
	held.fence = NULL;
}
