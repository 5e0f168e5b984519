/* SPDX-License-Identifier: ISC */
/*
 * The system calls of the sweeper, one row each: what they are for, with
 * which arguments.  What is not here kills the process; util/filter.h says
 * how to find out what it was.
 *
 * It opens to read or to lock, never to write or to make; its only socket is
 * one that asks whether somebody listens.  It sends and reads nothing.
 */
#include "config.h"

#include <sys/file.h>
#include <sys/socket.h>

#include <fcntl.h>

#include "util/filter_rows.h"
#include "vmmd/sweeper_seccomp.h"

/* Another file than the two in their directories nobody can name here. */
static const struct filter_way openat_ways[] = {
	FILTER_WAY2(FILTER_INT(0, AT_FDCWD),
	    FILTER_INT(2, O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
	FILTER_WAY2(FILTER_INT(0, AT_FDCWD),
	    FILTER_INT(2, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)),
};

static const struct filter_way flock_ways[] = {
	FILTER_WAY(FILTER_INT(1, LOCK_EX)),
	FILTER_WAY(FILTER_INT(1, LOCK_EX | LOCK_NB)),
};

static const struct filter_way newfstatat_ways[] = {
	FILTER_WAY(FILTER_INT(3, AT_EMPTY_PATH)),
	FILTER_WAY(FILTER_INT(3, AT_SYMLINK_NOFOLLOW)),
};

static const struct filter_way socket_ways[] = {
	FILTER_WAY2(FILTER_INT(0, AF_UNIX),
	    FILTER_INT(1, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)),
};

static const struct filter_row rows[] = {
	START(poll, "wait for the monitor's end"),
	START(restart_syscall, "poll(2), clock_nanosleep(2); not seen: after"
	    " SIGCONT"),

	/* the socket: vmmd/listener.c */
	START_IF(openat, "its directory, to lock it; the pid file"),
	START_IF(flock, "the directory; does somebody hold the pid file"),
	START_IF(newfstatat, "is it a socket, is it the file that is locked"),
	START_IF(socket, "to ask whether somebody listens"),
	START(connect, "the same"),
	START(unlink, "its task"),
	START(close, "descriptors"),

	START(clock_nanosleep, "between two looks"),
	START(exit_group, "the end"),
};

const struct filter_table sweeper_seccomp_table = {
	.name = "sweeper",
	.rows = rows,
	.nrows = NITEMS(rows),
};
