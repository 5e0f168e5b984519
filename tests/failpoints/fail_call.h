/* SPDX-License-Identifier: ISC */
/*
 * Calls on the backing that fail on purpose (libfiu), in place of libc's,
 * linked before it: preadv, pwritev, fdatasync, fallocate and the ioctls of
 * ranges (BLKDISCARD, BLKZEROOUT).  Each kind of failure of each call is a
 * point of its own, "pwritev/EIO".  Tests alone.
 */
#ifndef FAILPOINTS_FAIL_CALL_H
#define FAILPOINTS_FAIL_CALL_H

#include <stddef.h>

enum fail_call_kind {
	FAIL_CALL_EIO,
	FAIL_CALL_ENOSPC,
	FAIL_CALL_EINTR,
	FAIL_CALL_SHORT,	/* a part of it is transferred */
	FAIL_CALL_KINDS
};

/* What a request is to see nothing of, and what it is to fail with. */
#define FAIL_CALL_SOFT	(1u << FAIL_CALL_EINTR | 1u << FAIL_CALL_SHORT)
#define FAIL_CALL_HARD	(1u << FAIL_CALL_EIO | 1u << FAIL_CALL_ENOSPC)

/*
 * Each call fails with this probability in each of the kinds; 0: no more.
 * Before the first of them fiu_init.
 */
void		 fail_call_enable(unsigned kinds, float probability);

/* Parts are multiples of so many bytes, as O_DIRECT needs; 1 at first. */
void		 fail_call_align(size_t);

/*
 * The same for io_uring, whose calls libc does not make: how many bytes of a
 * request are asked for, and what a completion says that said `result`.
 */
unsigned	 fail_call_length(unsigned bytes);
int		 fail_call_result(int result);

/* How often calls have failed in these kinds; any thread. */
unsigned	 fail_call_struck(unsigned kinds);
/* The same of one call: "BLKDISCARD". */
unsigned	 fail_call_struck_in(const char *call, unsigned kinds);

/*
 * How many calls were made by threads of pools (pool.h), from the call of
 * fail_call_count_pool on; any thread.  No sandbox lets them ask their names.
 */
void		 fail_call_count_pool(void);
unsigned	 fail_call_pool(void);

#endif /* FAILPOINTS_FAIL_CALL_H */
