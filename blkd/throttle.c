/* SPDX-License-Identifier: ISC */
/*
 * The token buckets.  Pure arithmetic, any process; what comes from the
 * state is not trusted, what comes from the configuration was checked.
 *
 * A token is 10^9 parts.  In dt nanoseconds a bucket earns rate * dt parts;
 * whole tokens go to the level, what is left over to the remainder.
 */
#include <assert.h>
#include <stddef.h>

#include "blkd/throttle.h"
#include "proto/proto.h"
#include "shm/state.h"

#define PARTS		UINT64_C(1000000000)	/* of a token */
/* Of a rate, a burst, a cost: sums and differences fit into 64 bits. */
#define TOKENS_MAX	(UINT64_C(1) << 61)
static_assert(PROTO_LIMIT_MAX <= TOKENS_MAX,
    "a limit that the monitor takes must not end each blkd that is told it");
/* A debt larger than any request could leave was not left by a request. */
#define DEBT_MAX	(INT64_C(1) << 40)

static const char *
check(const struct throttle_limit *l)
{
	if (l->rate == 0 && l->burst != 0)
		return "a burst needs a rate";
	if (l->burst != 0 && l->burst < l->rate)
		return "the burst must be at least one second of the rate";
	if (l->rate > TOKENS_MAX || l->burst > TOKENS_MAX)
		return "the limit is too large";
	return NULL;
}

const char *
throttle_check(const struct throttle_limits *l)
{
	const char *wrong = check(&l->ops);

	return wrong != NULL ? wrong : check(&l->bytes);
}

static int64_t
burst(const struct throttle_bucket *b)
{
	return (int64_t)(b->limit.burst != 0 ? b->limit.burst : b->limit.rate);
}

static void
fill(struct throttle_bucket *b)
{
	b->level = burst(b);
	b->remainder = 0;
}

static void
refill(struct throttle_bucket *b, uint64_t dt)
{
	unsigned __int128 parts;

	if (b->limit.rate == 0)
		return;
	parts = (unsigned __int128)b->limit.rate * dt + b->remainder;
	if (parts / PARTS >= (unsigned __int128)(burst(b) - b->level)) {
		fill(b);
		return;
	}
	b->level += (int64_t)(parts / PARTS);
	b->remainder = (uint64_t)(parts % PARTS);
}

/* A clock that goes backwards earns nothing, and nothing twice later. */
static void
advance(struct throttle *t, uint64_t now)
{
	if (now <= t->stamp)
		return;
	refill(&t->ops, now - t->stamp);
	refill(&t->bytes, now - t->stamp);
	t->stamp = now;
}

/* The time until the bucket lets `cost` through; 0: it does now. */
static uint64_t
wait_for(const struct throttle_bucket *b, uint64_t cost)
{
	unsigned __int128 parts, ns;
	int64_t need;

	if (b->limit.rate == 0)
		return 0;
	/* More than the burst: it never will be there, so no debt is enough. */
	need = cost > (uint64_t)burst(b) ? 0 : (int64_t)cost;
	if (b->level >= need)
		return 0;
	parts = (unsigned __int128)(need - b->level) * PARTS - b->remainder;
	ns = (parts + b->limit.rate - 1) / b->limit.rate;
	return ns > THROTTLE_WAIT_MAX ? THROTTLE_WAIT_MAX : (uint64_t)ns;
}

static void
pay(struct throttle_bucket *b, uint64_t cost)
{
	if (b->limit.rate != 0)
		b->level -= (int64_t)(cost > TOKENS_MAX ? TOKENS_MAX : cost);
}

static uint64_t
operations(const struct throttle *t, uint64_t bytes)
{
	if (t->iops_size == 0 || bytes <= t->iops_size)
		return 1;
	return bytes / t->iops_size + (bytes % t->iops_size != 0);
}

void
throttle_init(struct throttle *t, const struct throttle_limits *l,
    uint64_t now)
{
	*t = (struct throttle) {
		.ops.limit = l->ops, .bytes.limit = l->bytes,
		.iops_size = l->iops_size, .stamp = now,
	};
	fill(&t->ops);
	fill(&t->bytes);
}

static void
change(struct throttle_bucket *b, const struct throttle_limit *l)
{
	bool was_unlimited = b->limit.rate == 0;

	b->limit = *l;
	if (was_unlimited || b->level >= burst(b))
		fill(b);
}

void
throttle_limits(struct throttle *t, const struct throttle_limits *l,
    uint64_t now)
{
	advance(t, now);
	change(&t->ops, &l->ops);
	change(&t->bytes, &l->bytes);
	t->iops_size = l->iops_size;
}

uint64_t
throttle_take(struct throttle *t, uint64_t bytes, uint64_t now)
{
	uint64_t ops = operations(t, bytes), wait, other;

	advance(t, now);
	wait = wait_for(&t->ops, ops);
	other = wait_for(&t->bytes, bytes);
	if (other > wait)
		wait = other;
	if (wait == 0) {
		pay(&t->ops, ops);
		pay(&t->bytes, bytes);
	}
	return wait;
}

void
throttle_save(const struct throttle *t, struct state_levels *s)
{
	*s = (struct state_levels) {
		.ops_level = t->ops.level,
		.ops_remainder = t->ops.remainder,
		.bytes_level = t->bytes.level,
		.bytes_remainder = t->bytes.remainder,
		.stamp = t->stamp,
	};
}

static void
load(struct throttle_bucket *b, int64_t level, uint64_t remainder)
{
	b->level = level < -DEBT_MAX ? -DEBT_MAX : level;
	b->remainder = remainder < PARTS ? remainder : 0;
	if (b->level >= burst(b))
		fill(b);
}

void
throttle_load(struct throttle *t, const struct state_levels *s, uint64_t now)
{
	if (s->stamp == 0)	/* never stored */
		return;
	load(&t->ops, s->ops_level, s->ops_remainder);
	load(&t->bytes, s->bytes_level, s->bytes_remainder);
	t->stamp = s->stamp < now ? s->stamp : now;
	advance(t, now);
}
