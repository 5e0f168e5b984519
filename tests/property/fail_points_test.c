/* SPDX-License-Identifier: ISC */
/*
 * Death before each store in turn, and in the successor before each of its
 * stores again: a store is followed by the next one, so these are the points
 * after each store, too.  For batches of one, of eight and of all that the
 * ring holds, where the ring and both of its indices wrap, under each
 * condition of the table.  All requests write the same sector, so that their
 * order shows.
 */
#include <atf-c.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blkd/throttle.h"
#include "shm/shared.h"
#include "tests/property/life.h"

#define SECTOR		7u

/* Instrumented, it takes too long: fewer second deaths. */
#ifdef __SANITIZE_ADDRESS__
#define THRIFT	20u
#else
#define THRIFT	1u
#endif

#define SENTINEL	0xeeu
#define SECOND		UINT64_C(1000000000)

/* Where the indices of a ring are that wraps in the midst of a batch. */
enum wrap { NOWHERE, RING, INDEX };

static const struct start {
	const char	*name;
	enum wrap	 avail, used;
} starts[] = {
	{ "a new ring", NOWHERE, NOWHERE },
	{ "the wrap of the ring", RING, RING },
	{ "the wrap of both indices", INDEX, INDEX },
	{ "the wrap of the avail index", INDEX, RING },
	{ "the wrap of the used index", RING, INDEX },
};

struct trial {
	uint16_t	n;		/* requests, and their batch */
	uint16_t	avail, used;
	unsigned	first, second;	/* stores to live */
	bool		lived[2];
};

static uint16_t
index_of(enum wrap w, uint16_t n)
{
	switch (w) {
	case RING:
		return (uint16_t)(LIFE_RING - 1 - n / 2);
	case INDEX:
		return (uint16_t)(UINT16_MAX - n / 2);
	default:
		return 0;
	}
}

/* --- time ------------------------------------------------------------------ */

/*
 * In the place of libc's.  How batches are cut depends on the clock; so that
 * all runs have the same stores, a microsecond goes by at each look.
 */
int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	static uint64_t ns = SECOND;

	(void)clock;
	ns += 1000;
	ts->tv_sec = (time_t)(ns / SECOND);
	ts->tv_nsec = (long)(ns % SECOND);
	return 0;
}

/* --- what all conditions do ---------------------------------------------- */

static void
offer_from(uint16_t slot, uint16_t n)
{
	uint16_t i;

	for (i = slot; i < slot + n; i++) {
		ring_harness_request(&life, i, VIRTIO_BLK_T_OUT, SECTOR, 512);
		memset(ring_harness_data(&life, i), 1 + i, 512);
		ring_harness_offer(&life, ring_harness_head(i));
	}
	ring_harness_show(&life);
}

static void
offer(uint16_t n)
{
	offer_from(0, n);
}

static uint8_t
sector(void)
{
	uint8_t data[512];

	ring_harness_sector(&life, SECTOR, data);
	return data[0];
}

/* n requests are answered, each once and in order; nothing is left. */
static void
check(uint16_t n)
{
	uint16_t i;

	ATF_REQUIRE_EQ((uint16_t)(life.used_idx + n), life.used->g_idx);
	for (i = 0; i < n; i++) {
		ATF_REQUIRE_EQ(ring_harness_head(i),
		    ring_harness_take_used(&life).g_id);
		ATF_REQUIRE_EQ(VIRTIO_BLK_S_OK,
		    ring_harness_status(&life, i));
	}
	ATF_REQUIRE_EQ(n, sector());
	ATF_REQUIRE_EQ(0, ring_harness_counter(&life, COUNTER_IN_FLIGHT));
}

/* What comes next is served by the same journal; a death at rest is none. */
static void
check_next(void)
{
	life_die();
	life_rest(1);
	offer(1);
	life_rest(1);
	check(1);
}

/* At the start of the trial's batch, or so many requests before it. */
static void
begin(const struct trial *t, uint16_t before)
{
	life_go_live();
	if (t->avail != 0 || t->used != 0)
		life_move((uint16_t)(t->avail - before),
		    (uint16_t)(t->used - before));
}

static void
disarm(struct trial *t)
{
	life_disarm(&t->lived[0], &t->lived[1]);
}

/* --- the conditions ------------------------------------------------------- */

static void
while_serving(struct trial *t)
{
	life_make(NULL);
	begin(t, 0);
	life_turn(1);
	offer(t->n);
	life_arm(t->first, t->second);
	life_rest(t->n);
	disarm(t);
	check(t->n);
}

/* The first blkd of a disk and the start of its driver; or a successor. */
static void
during_attach(struct trial *t)
{
	life_make(NULL);
	if (t->avail == 0)
		life_arm(t->first, t->second);
	begin(t, 0);
	if (t->avail != 0)
		life_arm(t->first, t->second);
	life_rest(t->n);
	disarm(t);
	offer(t->n);
	life_rest(t->n);
	check(t->n);
}

/*
 * The bucket is empty: neither do deaths fill it, nor does a request pay
 * twice but where the death was between its paying and its mark.
 */
static void
while_throttled(struct trial *t)
{
	struct throttle_limits limits = { .ops = { .rate = t->n } };
	uint64_t start;

	life_make(&limits);
	begin(t, t->n);
	offer(t->n);
	life_rest(t->n);
	check(t->n);
	offer(t->n);
	start = life_clock();
	life_arm(t->first, t->second);
	life_rest(t->n);
	disarm(t);
	check(t->n);
	ATF_REQUIRE(life_clock() - start >= SECOND);
	ATF_REQUIRE(life_clock() - start <= 4 * SECOND);
	ATF_REQUIRE_EQ(0, ring_harness_counter(&life, COUNTER_THROTTLED_NOW));
}

/* Nothing is taken and nothing published; then all of it. */
static void
while_paused(struct trial *t)
{
	uint16_t before = (uint16_t)((t->n + 1) / 2), used;

	life_make(NULL);
	begin(t, 0);
	life_turn(1);
	offer(before);
	life_arm(t->first, t->second);
	life_turn(t->n);
	life_pause(t->n);
	used = life.used->g_idx;
	offer_from(before, before);
	life_rest(t->n);
	life_die();
	life_rest(t->n);
	ATF_REQUIRE_EQ(used, life.used->g_idx);
	life_resume();
	life_rest(t->n);
	disarm(t);
	check((uint16_t)(2 * before));
}

/* What was before the reset is never heard of again. */
static void
during_reset(struct trial *t)
{
	uint8_t fill[512];
	uint16_t used;

	life_make(NULL);
	begin(t, 0);
	life_turn(1);
	offer(t->n);
	life_arm(t->first, t->second);
	life_turn(t->n);
	life_reset();
	disarm(t);
	memset(fill, SENTINEL, sizeof(fill));
	ATF_REQUIRE_EQ(512, pwrite(life.backingfd, fill, 512, SECTOR * 512));
	used = life.used->g_idx;
	life_rest(1);
	life_die();
	life_rest(1);
	ATF_REQUIRE_EQ(used, life.used->g_idx);
	ATF_REQUIRE_EQ(SENTINEL, sector());
	life.avail->g_idx = life.used->g_idx = 0;
	life.avail_idx = life.used_idx = 0;
	life_go_live();
	life_rest(1);
	ATF_REQUIRE_EQ(SENTINEL, sector());
	offer(t->n);
	life_rest(t->n);
	check(t->n);
}

/* What must have been died before; of these the rest is more than enough. */
static const struct condition {
	const char	*name;
	void		(*run)(struct trial *);
	unsigned	stride;		/* of second deaths: times that of n */
	const char	*functions[12];
} conditions[] = {
	{ "while serving", while_serving, 1, { "store_word", "serve_publish",
	    "inflight_publish", "virtq_put", "virtq_publish", "free_recorded",
	    "serve_fire", "virtq_kicks_off", "virtq_kicks_on" } },
	{ "while throttled", while_throttled, 1, { "store_word",
	    "serve_publish", "inflight_publish", "virtq_put",
	    "virtq_publish", "free_recorded",
	    "serve_fire", "state_throttle_store", "counter_set" } },
	{ "while paused", while_paused, 1, { "store_word", "serve_publish",
	    "inflight_publish", "virtq_put", "virtq_publish", "free_recorded",
	    "serve_fire", "regs_recover" } },
	{ "during reset", during_reset, 5, { "store_word", "serve_publish",
	    "inflight_publish", "virtq_put", "virtq_publish", "free_recorded",
	    "start_reset", "regs_status_finish_reset", "state_reset",
	    "reset_queue", "reset_device", "regs_set_generation" } },
	{ "during attach", during_attach, 1, { "regs_recover" } },
};

/* --- all of them ----------------------------------------------------------- */

static void
try(const struct condition *c, struct trial *t)
{
	c->run(t);
	check_next();
	life_free();
}

static bool
died_in(const char *function, const struct life_store *s, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (strcmp(s[i].function, function) == 0)
			return true;
	return false;
}

/* Every store, and a second death in what follows, `stride` stores apart. */
static unsigned
try_all(const struct condition *c, const struct start *s, uint16_t n,
    unsigned stride)
{
	struct trial t = { .n = n, .avail = index_of(s->avail, n),
	    .used = index_of(s->used, n) };
	const struct life_store *stores;
	unsigned i, nstores, runs = 0, lived = 0;

	life_forget();
	for (t.first = 1; lived < 4; t.first++) {
		t.lived[0] = t.lived[1] = false;
		for (t.second = 1 + t.first % stride; !t.lived[1] &&
		    !t.lived[0]; t.second += stride, runs++)
			try(c, &t);
		lived = t.lived[0] ? lived + 1 : 0;
	}
	stores = life_stores(&nstores);
	printf("%s, %u requests, at %s: %u stores, %u runs\n", c->name, n,
	    s->name, nstores, runs);
	for (i = 0; i < 12 && c->functions[i] != NULL; i++)
		ATF_CHECK_MSG(died_in(c->functions[i], stores, nstores),
		    "%s, %u requests, at %s: no death in %s", c->name, n,
		    s->name, c->functions[i]);
	return nstores;
}

static void
try_starts(const char *name)
{
	static const struct {
		uint16_t	n;
		unsigned	stride;
	} batches[] = { { 1, 1 }, { 8, 7 }, { LIFE_ALL, 97 } };
	const struct condition *c = conditions;
	unsigned pairs = 0;
	size_t b, s;

	while (strcmp(c->name, name) != 0)
		c++;
	for (b = 0; b < sizeof(batches) / sizeof(batches[0]); b++)
		for (s = 0; s < sizeof(starts) / sizeof(starts[0]); s++)
			pairs += try_all(c, &starts[s], batches[b].n,
			    batches[b].stride * c->stride * THRIFT);
	printf("%s: %u pairs of store and condition\n", name, pairs);
}

#define CONDITION(id, name)						\
ATF_TC_WITHOUT_HEAD(id);						\
ATF_TC_BODY(id, tc)							\
{									\
	try_starts(name);						\
}

CONDITION(death__while_serving, "while serving")
CONDITION(death__while_throttled, "while throttled")
CONDITION(death__while_paused, "while paused")
CONDITION(death__during_reset, "during reset")
CONDITION(death__during_attach, "during attach")

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, death__while_serving);
	ATF_TP_ADD_TC(tp, death__while_throttled);
	ATF_TP_ADD_TC(tp, death__while_paused);
	ATF_TP_ADD_TC(tp, death__during_reset);
	ATF_TP_ADD_TC(tp, death__during_attach);
	return atf_no_error();
}
