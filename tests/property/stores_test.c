/* SPDX-License-Identifier: ISC */
/*
 * Death between any two stores: the data path, compiled with a hook before
 * each store into shared memory, is cut off at random ones, also while it
 * recovers.  Each chain is then answered exactly once all the same, and
 * carried out in its order, and never after its answer.
 */
#include <atf-c.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "tests/property/gen.h"
#include "tests/property/kill_hook.h"
#include "tests/property/rng.h"
#include "tests/property/world.h"

#define BATCHES_A_WORLD	200u
#define STORES_MAX	200u	/* as many as a batch has */

static struct world w;
static jmp_buf death;
static unsigned fuse;		/* stores to live; 0: for ever */

void
kill_hook_step(const char *function, const char *what)
{
	(void)function;
	(void)what;
	if (fuse != 0 && --fuse == 0)
		longjmp(death, 1);
}

/* Returns false if it died. */
static bool
lives_through(bool again)
{
	if (setjmp(death) != 0)
		return false;
	if (again && world_recover(&w) == -1)
		world_fail(&w, "the successor finds the ring corrupt");
	world_rest(&w);
	fuse = 0;
	return true;
}

static unsigned
run_batch(struct rng *rng)
{
	unsigned deaths = 0;
	bool again = false;

	gen_chains(&w, GEN_SOUND);
	fuse = 1 + rng_below(rng, STORES_MAX);
	while (!lives_through(again)) {
		deaths++;
		world_die(&w);
		again = true;
		fuse = rng_once_in(rng, 2) ? 0 :
		    1 + rng_below(rng, STORES_MAX / 4);
	}
	world_check(&w);
	return deaths;
}

ATF_TC_WITHOUT_HEAD(stores__death_between_any_two);
ATF_TC_BODY(stores__death_between_any_two, tc)
{
	uint64_t deaths = 0, trials = rng_trials(40000), taken = 0;
	struct world_config config;
	struct rng rng;
	unsigned i;

	(void)tc;
	rng_seed(&rng, "stores");
	while (deaths < trials) {
		gen_config(&rng, &config);
		/* Nothing can be told of what has failed only once. */
		config.faults = false;
		world_make(&w, &rng, &config);
		gen_set_up(&w);
		for (i = 0; i < BATCHES_A_WORLD; i++)
			deaths += run_batch(&rng);
		taken += w.taken;
		world_free(&w);
	}
	printf("%llu deaths, %llu chains\n", (unsigned long long)deaths,
	    (unsigned long long)taken);
}

/* --- what nobody would write -------------------------------------------- */

static void
spoil_journal(struct rng *rng, struct state_queue *q)
{
	unsigned i, n = 1 + rng_below(rng, 4);
	uint64_t *word;

	for (i = 0; i < n; i++) {
		switch (rng_below(rng, 4)) {
		case 0:
			word = &q->s_publish;
			break;
		case 1:
			word = &q->s_inflight[rng_below(rng, 8)];
			break;
		case 2:
			word = &q->s_inflight[rng_below(rng, 1024)];
			break;
		default:
			word = (uint64_t *)(void *)
			    &q->s_batch[rng_below(rng, 16)];
			break;
		}
		if (rng_once_in(rng, 2))
			*word ^= UINT64_C(1) << rng_below(rng, 64);
		else
			*word = rng_once_in(rng, 2) ? rng_next(rng) :
			    rng_below(rng, 0x20000);
	}
}

ATF_TC_WITHOUT_HEAD(journal__any_at_attach);
ATF_TC_BODY(journal__any_at_attach, tc)
{
	uint64_t i, trials = rng_trials(40000), refused = 0;
	struct world_config config;
	struct rng rng;

	(void)tc;
	rng_seed(&rng, "journal");
	for (i = 0; i < trials; i++) {
		if (i % 200 == 0) {
			gen_config(&rng, &config);
			config.memory = WORLD_LOW;
			world_make(&w, &rng, &config);
		}
		gen_set_up(&w);
		gen_chains(&w, GEN_SOUND);
		fuse = 1 + rng_below(&rng, STORES_MAX / 2);
		if (lives_through(false))
			world_check(&w);
		world_die(&w);
		spoil_journal(&rng, &w.disk.state->queue[0]);
		w.lawless = true;
		if (world_recover(&w) == -1)
			refused++;
		else
			world_rest(&w);
		world_resync(&w);
		w.lawless = false;
		w.deaths = 0;
		if (i % 200 == 199 || i + 1 == trials)
			world_free(&w);
	}
	printf("%llu journals, %llu refused\n", (unsigned long long)trials,
	    (unsigned long long)refused);
	ATF_CHECK(refused > 0 && refused < trials);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, stores__death_between_any_two);
	ATF_TP_ADD_TC(tp, journal__any_at_attach);
	return atf_no_error();
}
