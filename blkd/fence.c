/* SPDX-License-Identifier: ISC */
/*
 * Robust futexes without libc.  Runs in blkd, each thread for itself, while
 * the sandbox still lets it (stage START).
 *
 * libc's list is replaced: it serves robust mutexes, of which there are none
 * here, and it would put pointers beside the futex, into memory that others
 * write.  Here the list is private and has one entry or none; futex_offset leads
 * from the entry to the futex, wherever that is.
 */
#include <sys/syscall.h>

#include <linux/futex.h>

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "blkd/fence.h"
#include "shm/shared.h"
#include "shm/state.h"

struct fence {
	struct robust_list_head	 head;
	struct robust_list	 entry;
	uint32_t		 tid;
	bool			 held;
	struct state_fence	*state;
};

/*
 * It must be there for as long as the thread is: no longer, no shorter.  So
 * it is the thread's own memory; the kernel reads it when the thread ends.
 */
static __thread struct fence own;

struct fence *
fence_prepare(struct state_fence *state)
{
	own.tid = (uint32_t)syscall(SYS_gettid);
	own.state = state;
	own.held = false;
	/* Empty: the word is another's, whose number may be ours, too. */
	own.head.list.next = &own.head.list;
	own.head.list_op_pending = NULL;
	own.head.futex_offset = (long)((uintptr_t)&state->s_futex -
	    (uintptr_t)&own.entry);
	own.entry.next = &own.head.list;
	if (syscall(SYS_set_robust_list, &own.head, sizeof(own.head)) == -1)
		return NULL;
	return &own;
}

void
fence_take(struct fence *f)
{
	if (f == NULL)
		return;
	f->held = true;
	__atomic_store_n(&f->head.list.next, &f->entry, __ATOMIC_RELEASE);
	/* Release: who sees it held finds it on the list. */
	shared_store_release(&f->state->s_futex, f->tid);
}

void
fence_drop(struct fence *f)
{
	if (f == NULL || !f->held)
		return;
	f->held = false;
	f->head.list.next = &f->head.list;
	/* As the kernel would: who waits for it is told. */
	shared_store_release(&f->state->s_futex, FUTEX_OWNER_DIED);
	syscall(SYS_futex, &f->state->s_futex, FUTEX_WAKE, INT_MAX, NULL,
	    NULL, 0);
}
