/* SPDX-License-Identifier: ISC */
/*
 * Arithmetic on numbers that somebody else chose.  Each function returns 0
 * and stores its result, or returns -1 with errno EOVERFLOW (EINVAL where
 * said) and leaves *out alone.  Any process, any thread.
 */
#ifndef UTIL_CHECKED_H
#define UTIL_CHECKED_H

#include <errno.h>
#include <stdint.h>

/* a + b */
static inline int
checked_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	uint64_t	sum;

	if (__builtin_add_overflow(a, b, &sum)) {
		errno = EOVERFLOW;
		return -1;
	}
	*out = sum;
	return 0;
}

/* a * b */
static inline int
checked_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	uint64_t	product;

	if (__builtin_mul_overflow(a, b, &product)) {
		errno = EOVERFLOW;
		return -1;
	}
	*out = product;
	return 0;
}

/* The lowest multiple of align that is >= a.  EINVAL: no power of two. */
static inline int
checked_align_up_u64(uint64_t a, uint64_t align, uint64_t *out)
{
	uint64_t	sum;

	if (align == 0 || (align & (align - 1)) != 0) {
		errno = EINVAL;
		return -1;
	}
	if (checked_add_u64(a, align - 1, &sum) == -1)
		return -1;
	*out = sum & ~(align - 1);
	return 0;
}

/*
 * The end (exclusive) of a range of len that must lie in [0, limit).
 * An empty range is inside up to and including limit.
 */
static inline int
checked_range_end_u64(uint64_t start, uint64_t len, uint64_t limit,
    uint64_t *out)
{
	if (start > limit || len > limit - start) {
		errno = EOVERFLOW;
		return -1;
	}
	*out = start + len;
	return 0;
}

#endif /* UTIL_CHECKED_H */
