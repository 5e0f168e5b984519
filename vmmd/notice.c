/* SPDX-License-Identifier: ISC */
/*
 * From the vCPU threads to the main thread, by a lock and an eventfd.
 * Runs in the vm process.
 */
#include <sys/eventfd.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmmd/notice.h"

struct notice {
	pthread_mutex_t	lock;
	int		fd;
	uint32_t	stuck;
	struct end	end;	/* reason 0: not yet */
};

struct notice *
notice_new(void)
{
	struct notice *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	pthread_mutex_init(&n->lock, NULL);
	n->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (n->fd == -1) {
		notice_free(n);
		return NULL;
	}
	return n;
}

void
notice_free(struct notice *n)
{
	if (n == NULL)
		return;
	if (n->fd != -1)
		close(n->fd);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

int
notice_fd(const struct notice *n)
{
	return n->fd;
}

static void
signal_main(const struct notice *n)
{
	uint64_t one = 1;
	ssize_t done;

	/* Cannot fail but by a counter that is full: it is readable then. */
	do {
		done = write(n->fd, &one, sizeof(one));
	} while (done == -1 && errno == EINTR);
}

void
notice_end(struct notice *n, const struct end *end)
{
	pthread_mutex_lock(&n->lock);
	if (n->end.reason == 0)
		n->end = *end;
	pthread_mutex_unlock(&n->lock);
	signal_main(n);
}

void
notice_stuck(struct notice *n, uint32_t disk)
{
	pthread_mutex_lock(&n->lock);
	n->stuck |= UINT32_C(1) << disk;
	pthread_mutex_unlock(&n->lock);
	signal_main(n);
}

bool
notice_take(struct notice *n, uint32_t *stuck, struct end *end)
{
	uint64_t count;
	ssize_t done;

	do {
		done = read(n->fd, &count, sizeof(count));
	} while (done == -1 && errno == EINTR);
	pthread_mutex_lock(&n->lock);
	*stuck = n->stuck;
	n->stuck = 0;
	*end = n->end;
	pthread_mutex_unlock(&n->lock);
	return end->reason != 0;
}
