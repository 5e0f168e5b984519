/* SPDX-License-Identifier: ISC */
/*
 * The test guest: the pieces of a C library that it needs.
 */
#ifndef TESTS_GUEST_LIB_H
#define TESTS_GUEST_LIB_H

#include <stddef.h>
#include <stdint.h>

/* The compiler calls the mem* functions on its own, by these names. */
void	*memset(void *, int, size_t);
void	*memcpy(void *, const void *, size_t);
int	 memcmp(const void *, const void *, size_t);
size_t	 strlen(const char *);
int	 strcmp(const char *, const char *);
int	 strncmp(const char *, const char *, size_t);

/* The next number of the sequence in *state, which must not be 0. */
uint32_t lib_random(uint32_t *state);

/* A number in [0, limit); limit must not be 0. */
uint32_t lib_random_below(uint32_t *state, uint32_t limit);

/*
 * Reads a number, decimal or 0x hexadecimal, with an optional K, M or G, from
 * *text and moves *text past it. 0, or -1 where there is none or it does not
 * fit 32 bits.
 */
int	 lib_parse_u32(const char **text, uint32_t *value);

#endif
