/* SPDX-License-Identifier: ISC */
/*
 * The engine of a world: the synchronous one inside, but requests can finish
 * in any order, later, or with an error; and each is told to the world at
 * the moment at which it is carried out.
 */
#ifndef PROPERTY_WORLD_ENGINE_H
#define PROPERTY_WORLD_ENGINE_H

struct world;

/* Put it in place of the engine that serve_init has made. */
void	world_engine_install(struct world *);

#endif /* PROPERTY_WORLD_ENGINE_H */
