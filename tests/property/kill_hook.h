/* SPDX-License-Identifier: ISC */
/*
 * Included before the sources of the data path, when they are compiled for
 * tests of kills: before each store into shared memory, and before each
 * interrupt, the test is asked whether blkd dies there.  A store is named by
 * its function and by what it stores to.
 */
#ifndef PROPERTY_KILL_HOOK_H
#define PROPERTY_KILL_HOOK_H

#include <sys/eventfd.h>

#include "shm/doorbell.h"
#include "shm/shared.h"

void	kill_hook_step(const char *function, const char *what);

#undef shared_store
#undef shared_store_release
#define shared_store(p, v) \
	(kill_hook_step(__func__, #p), \
	    __atomic_store_n((p), (v), __ATOMIC_RELAXED))
#define shared_store_release(p, v) \
	(kill_hook_step(__func__, #p), \
	    __atomic_store_n((p), (v), __ATOMIC_RELEASE))
#define doorbell_raise(d, bits) \
	(kill_hook_step(__func__, "doorbell"), (doorbell_raise)((d), (bits)))
#define doorbell_clear(d) \
	(kill_hook_step(__func__, "doorbell"), (doorbell_clear)(d))
#define eventfd_write(fd, n) \
	(kill_hook_step(__func__, "irq"), (eventfd_write)((fd), (n)))

#endif /* PROPERTY_KILL_HOOK_H */
