/* SPDX-License-Identifier: ISC */
/*
 * Random chains: requests such as drivers send, and what becomes of them by
 * a few random changes of flags, addresses, lengths, links and tables.
 */
#ifndef PROPERTY_GEN_H
#define PROPERTY_GEN_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/property/world.h"

/* A disk of any kind. */
void	gen_config(struct rng *, struct world_config *);
/* Features and a queue size for it: as world_set_up takes them. */
void	gen_set_up(struct world *);

/*
 * Offer chains to the world, and show them.  As a rule several that share
 * no memory; with `alone` one, whose buffers lie anywhere but in the avail
 * ring: on the other rings, on its own descriptors, on each other.
 */
void	gen_chains(struct world *, bool alone);

#endif /* PROPERTY_GEN_H */
