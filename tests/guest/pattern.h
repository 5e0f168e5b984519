/* SPDX-License-Identifier: ISC */
/*
 * The test guest: what it writes to disks. Each sector names itself: its
 * address, its generation, and words that follow from both, so that a sector
 * in the wrong place, an old one, and a torn one each show.
 */
#ifndef TESTS_GUEST_PATTERN_H
#define TESTS_GUEST_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

void	pattern_fill(void *, uint32_t sector, uint32_t generation);

/* True, and the generation, where this is some generation of that sector. */
bool	pattern_check(const void *, uint32_t sector, uint32_t *generation);

#endif
