/* SPDX-License-Identifier: ISC */
/*
 * What tables of system calls are written with: a macro a kind of row, and
 * the ways that several processes make a call in.  For the tables alone:
 * the names are short.
 */
#ifndef UTIL_FILTER_ROWS_H
#define UTIL_FILTER_ROWS_H

#include "util/filter.h"

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))

#define ROW(sc, stages, section, error, ways, nways, why) \
	{ SCMP_SYS(sc), #sc, stages, section, error, ways, nways, why }

/* In both stages, or until it serves, with any arguments. */
#define BOTH(sc, why)	ROW(sc, FILTER_BOTH, 0, 0, NULL, 0, why)
#define START(sc, why)	ROW(sc, FILTER_START, 0, 0, NULL, 0, why)

/* In the ways of this table: sc_ways. */
#define BOTH_IF(sc, why) \
	ROW(sc, FILTER_BOTH, 0, 0, sc##_ways, NITEMS(sc##_ways), why)
#define START_IF(sc, why) \
	ROW(sc, FILTER_START, 0, 0, sc##_ways, NITEMS(sc##_ways), why)

/* In the ways of every table: below. */
#define SHARED(sc, stages, section, why) \
	ROW(sc, stages, section, 0, filter_ways_##sc, \
	    NITEMS(filter_ways_##sc), why)
#define BOTH_AS(sc, why)	SHARED(sc, FILTER_BOTH, 0, why)
#define START_AS(sc, why)	SHARED(sc, FILTER_START, 0, why)
#define URING_AS(sc, in, why)	SHARED(sc, in, FILTER_URING, why)

/* Refused, not fatal. */
#define REFUSE(sc, error, why)	ROW(sc, FILTER_BOTH, 0, error, NULL, 0, why)

/*
 * Memory.  mmap: private, which RLIMIT_DATA bounds; at the start also what
 * messages bring, which has its size.  Shared anonymous memory has no bound.
 * None is ever executable.  madvise: nothing that reaches another process.
 */
extern const struct filter_way	filter_ways_mmap[2];
extern const struct filter_way	filter_ways_mprotect[1];
extern const struct filter_way	filter_ways_madvise[1];

/* Of a descriptor: there is no file that a path could name. */
extern const struct filter_way	filter_ways_newfstatat[1];
extern const struct filter_way	filter_ways_statx[1];

/* A backing file, and the same on a block device: holes and zeroes. */
extern const struct filter_way	filter_ways_fallocate[2];
extern const struct filter_way	filter_ways_ioctl[2];

/*
 * A ring (blkd/uring.h) is made and restricted before the sandbox.  Here it
 * can be handed to the thread that uses it, and used.
 */
extern const struct filter_way	filter_ways_io_uring_register[1];
extern const struct filter_way	filter_ways_io_uring_enter[1];

/*
 * Threads.  futex: what libc's mutexes, conditions and joins need.  Not
 * REQUEUE: it moves others' waiters, too, and the monitor waits on words in
 * the state; not PI.  rt_sigaction: the signal by which libc changes the ids
 * of all threads.
 */
extern const struct filter_way	filter_ways_futex[3];
extern const struct filter_way	filter_ways_clone[1];
extern const struct filter_way	filter_ways_rt_sigaction[1];
extern const struct filter_way	filter_ways_prctl[1];

/* Packets: proto/chan.c. */
extern const struct filter_way	filter_ways_sendmsg[1];
extern const struct filter_way	filter_ways_recvmsg[1];

/* The last steps inwards: sandbox_limit_file, sandbox_narrow. */
extern const struct filter_way	filter_ways_prlimit64[2];
extern const struct filter_way	filter_ways_seccomp[1];

#endif /* UTIL_FILTER_ROWS_H */
