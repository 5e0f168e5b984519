/* SPDX-License-Identifier: ISC */
/*
 * The loop of a blkd behind vhost-user.  Runs in blkd, main thread, inside
 * the sandbox; who may connect is decided by the mode of the socket.
 */
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "blkd/backing.h"
#include "blkd/disk.h"
#include "blkd/throttle.h"
#include "blkd/vhost.h"
#include "blkd/vhost_door.h"
#include "shm/shared.h"
#include "shm/state.h"
#include "util/log.h"

/* Looks at what waits for I/O in flight. */
#define PATIENCE_NS	100000000L

enum { PARENT, SIGNAL, EVENT, LISTEN, MESSAGE, FDS };

static uint64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* --- statistics --------------------------------------------------------- */

/* One line, name=value, summed over the queues. */
static void
say_stats(const struct vhost_door *d)
{
	char line[LOG_MESSAGE_MAX];
	size_t n = 0;
	unsigned c, q;

	for (c = 0; c < COUNTER_COUNT && n < sizeof(line); c++) {
		uint64_t sum = 0;

		for (q = 0; q < d->disk->queues; q++)
			sum += shared_load(&d->disk->state->queue[q].
			    s_counters.s_value[c]);
		n += (size_t)snprintf(line + n, sizeof(line) - n, " %s=%ju",
		    counter_row((enum counter)c)->name, (uintmax_t)sum);
	}
	log_info("%s: statistics:%s", d->disk->name, line);
	vhost_log_catch_up(d->vhost);
}

/* --- what wakes the loop ------------------------------------------------ */

/* Returns true where it means the end. */
static bool
hear(const struct vhost_door *d, char what)
{
	switch (what) {
	case VHOST_DOOR_STATS:
		say_stats(d);
		return false;
	case VHOST_DOOR_RESIZE:
		vhost_resize(d->vhost);
		return false;
	default:
		return true;
	}
}

/* The parent writes all of it at once. */
static bool
hear_limits(const struct vhost_door *d)
{
	struct throttle_limits limits;

	if (read(d->parentfd, &limits, sizeof(limits)) != sizeof(limits))
		return true;
	vhost_limit(d->vhost, &limits);
	return false;
}

static bool
hear_parent(const struct vhost_door *d)
{
	char what = VHOST_DOOR_END;

	/* Its end is the end. */
	if (read(d->parentfd, &what, sizeof(what)) == -1 && errno == EINTR)
		return false;
	return what == VHOST_DOOR_LIMITS ? hear_limits(d) : hear(d, what);
}

static bool
hear_signal(const struct vhost_door *d)
{
	struct signalfd_siginfo info;

	if (read(d->signalfd, &info, sizeof(info)) != sizeof(info))
		return false;
	return hear(d, info.ssi_signo == SIGUSR1 ? VHOST_DOOR_STATS :
	    VHOST_DOOR_END);
}

static void
let_in(const struct vhost_door *d)
{
	int fd = accept4(d->listenfd, NULL, NULL, SOCK_CLOEXEC |
	    SOCK_NONBLOCK);

	/* Else it is gone already, or somebody else has it. */
	if (fd != -1)
		vhost_connect(d->vhost, fd);
	else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
		log_warning("%s: cannot accept: %s", d->disk->name,
		    strerror(errno));
}

static int
wait_for(const struct vhost_door *d, struct pollfd p[FDS], bool ending)
{
	const struct timespec patience = { 0, PATIENCE_NS };
	bool limited = ending || vhost_is_waiting(d->vhost);
	bool busy = vhost_is_busy(d->vhost);
	int i;

	p[PARENT].fd = ending ? -1 : d->parentfd;
	p[SIGNAL].fd = ending ? -1 : d->signalfd;
	p[EVENT].fd = vhost_event_fd(d->vhost);
	p[LISTEN].fd = busy || ending ? -1 : d->listenfd;
	p[MESSAGE].fd = busy ? vhost_message_fd(d->vhost) : -1;
	for (i = 0; i < FDS; i++) {
		p[i].events = POLLIN;
		p[i].revents = 0;
	}
	return ppoll(p, FDS, limited ? &patience : NULL, NULL);
}

/* Returns true where a signal or the parent says that it is the end. */
static bool
turn(const struct vhost_door *d, bool ending)
{
	struct pollfd p[FDS];
	bool end = false;
	int n;

	if ((n = wait_for(d, p, ending)) == -1)
		return false;
	if (n == 0)
		vhost_on_patience(d->vhost);
	if (p[PARENT].revents != 0)
		end |= hear_parent(d);
	if (p[SIGNAL].revents != 0)
		end |= hear_signal(d);
	if (p[EVENT].revents != 0)
		vhost_on_event(d->vhost);
	if (p[MESSAGE].revents != 0 && vhost_message_fd(d->vhost) != -1)
		vhost_on_message(d->vhost);
	if (p[LISTEN].revents != 0 && !vhost_is_busy(d->vhost))
		let_in(d);
	return end;
}

/* --- the end ------------------------------------------------------------ */

static int
end(const struct vhost_door *d)
{
	uint64_t limit = clock_ms() + VHOST_DOOR_END_MS;

	vhost_end(d->vhost);
	while (vhost_is_busy(d->vhost) && clock_ms() < limit)
		(void)turn(d, true);
	if (vhost_is_busy(d->vhost)) {
		log_error("%s: I/O in flight outlives blkd", d->disk->name);
		return EX_IOERR;
	}
	if (!d->disk->readonly && backing_flush(d->disk->backing) == -1) {
		log_error("%s: cannot flush the backing: %s", d->disk->name,
		    strerror(errno));
		return EX_IOERR;
	}
	say_stats(d);
	return EX_OK;
}

int
vhost_door_run(const struct vhost_door *d)
{
	while (!turn(d, false))
		;
	return end(d);
}
