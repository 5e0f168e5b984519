/* SPDX-License-Identifier: ISC */
/*
 * A blkd whose queue thread hangs with its first interrupts behind it, while
 * its other thread answers: in place of libc's eventfd_write(3), linked
 * before it.  With SPIN_THREAD it is a thread of its pool (blkd/pool.h) that
 * hangs, as it tells the queue thread of the end of an operation.  Tests
 * only.
 */
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define WRITES	60

static pthread_t first;
static __thread bool in_pool;	/* its name is q0w1, not q0 */

#ifdef SPIN_THREAD
static const bool pool_hangs = true;
#else
static const bool pool_hangs = false;
#endif

__attribute__((constructor)) static void
remember(void)
{
	first = pthread_self();
}

/* Each thread of blkd names itself. */
int
pthread_setname_np(pthread_t self, const char *name)
{
	(void)self;
	in_pool = strchr(name, 'w') != NULL;
	return prctl(PR_SET_NAME, name);
}

int
eventfd_write(int fd, eventfd_t n)
{
	static unsigned calls;
	static volatile int forever = 1;

	if (!pthread_equal(pthread_self(), first) && in_pool == pool_hangs &&
	    __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) > WRITES)
		while (forever)
			continue;
	return write(fd, &n, sizeof(n)) == sizeof(n) ? 0 : -1;
}
