/* SPDX-License-Identifier: ISC */
/*
 * What the fuzzers share.  Each is a program of libFuzzer around one place
 * where bytes of others come in; `make fuzz` builds and runs them.  What
 * must hold and does not, aborts.
 *
 * An input is read from the front; where it ends, zeroes follow, so that
 * every input means something.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct fuzz_input {
	const uint8_t	*p;
	size_t		 left;
};

/* Up to n bytes into `to`, zeroes after them; returns how many there were. */
static inline size_t
fuzz_take(struct fuzz_input *in, void *to, size_t n)
{
	size_t have = n < in->left ? n : in->left;

	memset(to, 0, n);
	if (have > 0)
		memcpy(to, in->p, have);
	in->p += have;
	in->left -= have;
	return have;
}

#define FUZZ_NUMBER(bits)						\
static inline uint##bits##_t						\
fuzz_u##bits(struct fuzz_input *in)					\
{									\
	uint##bits##_t v;						\
									\
	fuzz_take(in, &v, sizeof(v));					\
	return v;							\
}
FUZZ_NUMBER(8)
FUZZ_NUMBER(16)
FUZZ_NUMBER(32)
FUZZ_NUMBER(64)

#define FUZZ_REQUIRE(e)	do {						\
	if (!(e)) {							\
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #e);	\
		abort();						\
	}								\
} while (0)

#endif /* FUZZ_FUZZ_H */
