/* SPDX-License-Identifier: ISC */
/*
 * Included before the sources of the data path, when they are compiled for
 * stores_test: before each store into shared memory the test is asked
 * whether blkd dies there.
 */
#ifndef PROPERTY_KILL_HOOK_H
#define PROPERTY_KILL_HOOK_H

#include "shm/shared.h"

void	kill_hook_step(void);

#undef shared_store
#undef shared_store_release
#define shared_store(p, v) \
	(kill_hook_step(), __atomic_store_n((p), (v), __ATOMIC_RELAXED))
#define shared_store_release(p, v) \
	(kill_hook_step(), __atomic_store_n((p), (v), __ATOMIC_RELEASE))

#endif /* PROPERTY_KILL_HOOK_H */
