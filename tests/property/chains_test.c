/* SPDX-License-Identifier: ISC */
/*
 * Random chains against the data path of blkd: each is answered with the
 * status that DESIGN section 5 gives it, dropped and counted, or poisons the
 * ring; nothing else changes, in memory, in the backing or in the counters.
 */
#include <atf-c.h>
#include <pthread.h>
#include <stdio.h>

#include "shm/gmem.h"
#include "shm/shared.h"
#include "tests/property/gen.h"
#include "tests/property/rng.h"
#include "tests/property/world.h"

#define BATCHES_A_WORLD	100u

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
	for (unsigned i = 0; i <= MODEL_RUN && trials > 20000; i++)
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

/* --- while another vCPU writes ------------------------------------------ */

struct scribbler {
	struct rng	 rng;
	uint8_t		*mem;	/* WORLD_LOW bytes */
	uint32_t	 stop;
};

/*
 * Descriptors, heads, indices, headers: what is checked here and used there.
 * Bytes change at any instant, to what would be refused.
 */
static void *
scribble(void *arg)
{
	static const uint64_t places[] = { WORLD_DESC, WORLD_DESC,
		WORLD_AVAIL, WORLD_SLOTS, WORLD_SLOTS + WORLD_SLOT - 4096 };
	struct scribbler *s = arg;
	uint64_t at;
	uint32_t v;

	while (shared_load(&s->stop) == 0) {
		at = RNG_PICK(&s->rng, places) +
		    UINT64_C(4) * rng_below(&s->rng, 256);
		/* avail.idx seldom: that ends the game at once. */
		if (at == WORLD_AVAIL && !rng_once_in(&s->rng, 64))
			continue;
		v = rng_once_in(&s->rng, 2) ? rng_below(&s->rng, 1024) :
		    (uint32_t)rng_next(&s->rng);
		shared_store((uint32_t *)(void *)(s->mem + at), v);
	}
	return NULL;
}

static uint64_t
live_underfoot(struct rng *rng)
{
	struct world_config config;
	struct scribbler s = { .rng = { rng_next(rng) } };
	static struct world w;
	pthread_t thread;
	unsigned i;
	uint64_t poisoned = 0;

	gen_config(rng, &config);
	config.memory = WORLD_LOW;
	world_make(&w, rng, &config);
	s.mem = gmem_at(w.disk.gmem, 0, WORLD_LOW);
	w.lawless = true;
	ATF_REQUIRE_EQ(0, pthread_create(&thread, NULL, scribble, &s));
	for (i = 0; i < BATCHES_A_WORLD; i++) {
		if (i == 0 || w.serve.poisoned)
			gen_set_up(&w);
		gen_chains(&w, GEN_APART);
		world_rest(&w);
		poisoned += w.serve.poisoned;
		world_resync(&w);
	}
	shared_store(&s.stop, 1);
	pthread_join(thread, NULL);
	/* It is as good as new. */
	world_resync(&w);
	w.lawless = false;
	gen_set_up(&w);
	gen_chains(&w, GEN_SOUND);
	world_run(&w);
	world_free(&w);
	return poisoned;
}

ATF_TC_WITHOUT_HEAD(rings__that_change_underfoot);
ATF_TC_BODY(rings__that_change_underfoot, tc)
{
	uint64_t done, trials = rng_trials(40000), poisoned = 0;
	struct rng rng;

	(void)tc;
	rng_seed(&rng, "underfoot");
	for (done = 0; done < trials; done += BATCHES_A_WORLD)
		poisoned += live_underfoot(&rng);
	printf("%llu batches, %llu poisoned\n", (unsigned long long)done,
	    (unsigned long long)poisoned);
	ATF_CHECK(poisoned > 0 && poisoned < done);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, chains__that_share_no_memory);
	ATF_TP_ADD_TC(tp, chains__that_lie_anywhere);
	ATF_TP_ADD_TC(tp, rings__that_change_underfoot);
	return atf_no_error();
}
