/* SPDX-License-Identifier: ISC */
/*
 * An engine for tests that holds operations back until it is told to let
 * them go, in any order: what an asynchronous engine does, but on purpose.
 * There is one at a time in a process.
 */
#ifndef BLKD_RING_ENGINE_H
#define BLKD_RING_ENGINE_H

#include "blkd/engine.h"

extern const struct engine_ops ring_engine;

/* Wait (10 s at most) until n operations are held. */
void	ring_engine_wait(unsigned n);

/* Carry out and finish the i-th oldest of those held. */
void	ring_engine_release(unsigned i);

#endif /* BLKD_RING_ENGINE_H */
