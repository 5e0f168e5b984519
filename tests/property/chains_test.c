/* SPDX-License-Identifier: ISC */
/*
 * Random chains against the data path of blkd: each is answered with the
 * status that DESIGN section 5 gives it, dropped and counted, or poisons the
 * ring; nothing else changes, in memory, in the backing or in the counters.
 */
#include <atf-c.h>
#include <stdio.h>

#include "tests/property/gen.h"
#include "tests/property/rng.h"
#include "tests/property/world.h"

#define BATCHES_A_WORLD	400u

static void
live(struct rng *rng, enum gen_kind kind, uint64_t *taken,
    uint64_t verdicts[MODEL_RUN + 1])
{
	struct world_config config;
	static struct world w;
	unsigned i;

	gen_config(rng, &config);
	world_make(&w, rng, &config);
	gen_set_up(&w);
	for (i = 0; i < BATCHES_A_WORLD; i++) {
		gen_chains(&w, kind);
		if (!world_run(&w) || rng_once_in(rng, 64))
			gen_set_up(&w);
	}
	*taken += w.taken;
	for (i = 0; i <= MODEL_RUN; i++)
		verdicts[i] += w.verdicts[i];
	world_free(&w);
}

static void
try_chains(const char *name, uint64_t usual, enum gen_kind kind)
{
	uint64_t taken = 0, verdicts[MODEL_RUN + 1] = { 0 };
	uint64_t trials = rng_trials(usual);
	struct rng rng;

	rng_seed(&rng, name);
	while (taken < trials)
		live(&rng, kind, &taken, verdicts);
	printf("%llu chains: %llu run, %llu ok, %llu unsupp, %llu ioerr, "
	    "%llu dropped, %llu poison\n", (unsigned long long)taken,
	    (unsigned long long)verdicts[MODEL_RUN],
	    (unsigned long long)verdicts[MODEL_OK],
	    (unsigned long long)verdicts[MODEL_UNSUPP],
	    (unsigned long long)verdicts[MODEL_IOERR],
	    (unsigned long long)verdicts[MODEL_DROP],
	    (unsigned long long)verdicts[MODEL_POISON]);
	/* The generator reaches each row of the table. */
	for (unsigned i = 0; i <= MODEL_RUN && trials > 1000; i++)
		ATF_CHECK(verdicts[i] > 0);
}

ATF_TC_WITHOUT_HEAD(chains__that_share_no_memory);
ATF_TC_BODY(chains__that_share_no_memory, tc)
{
	(void)tc;
	try_chains("chains", 850000, GEN_APART);
}

ATF_TC_WITHOUT_HEAD(chains__that_lie_anywhere);
ATF_TC_BODY(chains__that_lie_anywhere, tc)
{
	(void)tc;
	try_chains("chains alone", 200000, GEN_ALONE);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, chains__that_share_no_memory);
	ATF_TP_ADD_TC(tp, chains__that_lie_anywhere);
	return atf_no_error();
}
