/* SPDX-License-Identifier: ISC */
/*
 * Random numbers that can be had again: a run is its seed.
 *
 * PROPERTY_SEED in the environment repeats a run; without it each run has a
 * seed of its own, which it prints.  PROPERTY_COUNT says how many trials a
 * case makes, in place of its own number.
 */
#ifndef PROPERTY_RNG_H
#define PROPERTY_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t	state;
};

/* Seed it from the environment or the kernel, and print the seed. */
void		rng_seed(struct rng *, const char *what);

/* How many trials: `usual`, or what the environment says. */
uint64_t	rng_trials(uint64_t usual);

/* splitmix64 */
static inline uint64_t
rng_next(struct rng *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0..n-1; n > 0. */
static inline uint32_t
rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)((rng_next(r) >> 32) * n >> 32);
}

/* Once in n. */
static inline bool
rng_once_in(struct rng *r, uint32_t n)
{
	return rng_below(r, n) == 0;
}

#define RNG_PICK(r, array)	\
	((array)[rng_below((r), sizeof(array) / sizeof((array)[0]))])

#endif /* PROPERTY_RNG_H */
