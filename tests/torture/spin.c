/* SPDX-License-Identifier: ISC */
/*
 * A blkd whose queue thread hangs with its first interrupts behind it, while
 * its other thread answers: in place of libc's eventfd_write(3), linked
 * before it.  Tests only.
 */
#include <sys/eventfd.h>

#include <pthread.h>
#include <unistd.h>

#define INTERRUPTS	60

static pthread_t first;

__attribute__((constructor)) static void
remember(void)
{
	first = pthread_self();
}

int
eventfd_write(int fd, eventfd_t n)
{
	static unsigned calls;
	static volatile int forever = 1;

	if (!pthread_equal(pthread_self(), first) && ++calls > INTERRUPTS)
		while (forever)
			continue;
	return write(fd, &n, sizeof(n)) == sizeof(n) ? 0 : -1;
}
