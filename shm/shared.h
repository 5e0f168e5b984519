/* SPDX-License-Identifier: ISC */
/*
 * Single reads and single writes of memory that another party can change:
 * guest memory, the doorbell, the state.
 *
 * A field that others can write is never named outside these macros.  What
 * is loaded goes into a local, the local is checked, the local is used.
 * A release store is seen after everything stored before it, by other
 * threads and, after SIGKILL, by a successor; it pairs with an acquire load.
 */
#ifndef SHM_SHARED_H
#define SHM_SHARED_H

#include <stddef.h>
#include <string.h>

#define shared_load(p)			__atomic_load_n((p), __ATOMIC_RELAXED)
#define shared_load_acquire(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define shared_store(p, v)		__atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define shared_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)

/*
 * Copy, once, bytes of any alignment that another party can change.  The
 * compiler may not go back to the original: it must believe that the bytes
 * have changed since.
 */
static inline void
shared_copy(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	__asm__ volatile ("" : : : "memory");
}

/*
 * A full barrier: the store before it is visible before the load after it
 * reads.  Name its partner where it is used.
 */
#define shared_fence()			__atomic_thread_fence(__ATOMIC_SEQ_CST)

#endif /* SHM_SHARED_H */
