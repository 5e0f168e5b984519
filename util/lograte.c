/* SPDX-License-Identifier: ISC */
/* How often something is said.  Arithmetic; touches nothing. */
#include "util/lograte.h"

/* What has come back by now. */
static void
refill(struct lograte *r, uint64_t now_ns)
{
	uint64_t n;

	if (r->used == 0) {
		r->since_ns = now_ns;
		return;
	}
	n = (now_ns - r->since_ns) / LOGRATE_NS;
	if (n > r->used)
		n = r->used;
	r->used -= (uint32_t)n;
	r->since_ns += n * LOGRATE_NS;
}

bool
lograte_may_say(struct lograte *r, uint64_t now_ns)
{
	refill(r, now_ns);
	if (r->used == LOGRATE_LINES) {
		r->unsaid++;
		return false;
	}
	/* From the first on: none comes back before. */
	if (r->used++ == 0)
		r->since_ns = now_ns;
	return true;
}

uint64_t
lograte_take_unsaid(struct lograte *r)
{
	uint64_t n = r->unsaid;

	r->unsaid = 0;
	return n;
}
