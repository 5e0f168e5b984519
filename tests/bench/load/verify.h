/* SPDX-License-Identifier: ISC */
/*
 * Data that can be checked.  The part of the disk that is used is cut into as
 * many pieces as there are requests in flight, and each slot stays in its
 * own: what a read must return is then known exactly.
 */
#ifndef LOAD_VERIFY_H
#define LOAD_VERIFY_H

#include <stdint.h>

#define VERIFY_BYTES_MAX	(UINT64_C(32) << 20)	/* of the disk */

struct verify;

/* blocks of `bytes` each; exits where there is no memory. */
struct verify	*verify_make(uint64_t blocks, uint32_t bytes);
void		 verify_free(struct verify *);

/* Data of the block's next write, and memory that a read must overwrite. */
void	verify_fill(struct verify *, uint64_t block, void *data);
void	verify_spoil(struct verify *, void *data);
/* How many sectors of what was read are wrong; says the first few. */
unsigned verify_check(struct verify *, uint64_t block, const void *data);

#endif /* LOAD_VERIFY_H */
