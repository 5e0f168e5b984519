/* SPDX-License-Identifier: ISC */
/*
 * Included before the sources of the data path, when they are compiled into
 * a blkd that can be told to die: before and after each store into shared
 * memory.  The blkd that is installed knows nothing of this.
 */
#ifndef FAILPOINTS_FAIL_HOOK_H
#define FAILPOINTS_FAIL_HOOK_H

#include <sys/eventfd.h>

#include "shm/shared.h"

void	fail_point_before(const char *function);
void	fail_point_after(const char *function);

#undef shared_store
#undef shared_store_release
#define shared_store(p, v) \
	(fail_point_before(__func__), \
	    __atomic_store_n((p), (v), __ATOMIC_RELAXED), \
	    fail_point_after(__func__))
#define shared_store_release(p, v) \
	(fail_point_before(__func__), \
	    __atomic_store_n((p), (v), __ATOMIC_RELEASE), \
	    fail_point_after(__func__))
#define eventfd_write(fd, n) \
	(fail_point_before(__func__), (eventfd_write)((fd), (n)))

#endif /* FAILPOINTS_FAIL_HOOK_H */
