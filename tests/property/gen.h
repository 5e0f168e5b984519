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

enum gen_kind {
	/* Several that share no memory. */
	GEN_APART,
	/*
	 * One, whose buffers lie anywhere but in the avail ring: on the
	 * other rings, on its own descriptors, on each other.
	 */
	GEN_ALONE,
	/*
	 * Several that can be carried out twice: none poisons the ring or
	 * overwrites what describes it.
	 */
	GEN_SOUND,
};

/* Offer chains to the world, and show them. */
void	gen_chains(struct world *, enum gen_kind);

#endif /* PROPERTY_GEN_H */
