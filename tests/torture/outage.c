/* SPDX-License-Identifier: ISC */
/* The pauses that kills have cost, and what they may cost.  Tests only. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/torture/outage.h"

static bool
parse_us(const char *text, char end, uint64_t *us, const char **rest)
{
	char *e;

	errno = 0;
	*us = strtoull(text, &e, 10);
	*rest = e + 1;
	return errno == 0 && *text >= '0' && *text <= '9' && *us > 0 &&
	    *e == end;
}

bool
outage_parse(struct outage_aim *aim, const char *text)
{
	const char *rest;

	aim->stated = parse_us(text, ',', &aim->p50_us, &rest) &&
	    parse_us(rest, '\0', &aim->p99_us, &rest);
	return aim->stated;
}

static int
by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* ns */
static uint64_t
percentile(const uint64_t *sorted, unsigned n, unsigned percent)
{
	return n == 0 ? 0 : sorted[(n - 1) * percent / 100];
}

void
outage_print(const char *name, uint64_t *sample, unsigned n)
{
	qsort(sample, n, sizeof(*sample), by_size);
	printf(", %s ms: p50 %.3f p99 %.3f max %.3f", name,
	    (double)percentile(sample, n, 50) / 1e6,
	    (double)percentile(sample, n, 99) / 1e6,
	    (double)percentile(sample, n, 100) / 1e6);
}

static bool
meets(const uint64_t *sample, unsigned n, unsigned percent, uint64_t us)
{
	uint64_t ns = percentile(sample, n, percent);

	if (ns / 1000 < us || ns == us * 1000)
		return true;
	printf("the outage is too long: p%u is %.3f ms, the aim %.3f ms\n",
	    percent, (double)ns / 1e6, (double)us / 1e3);
	return false;
}

bool
outage_meets(const uint64_t *sample, unsigned n, const struct outage_aim *aim)
{
	bool p50, p99;

	if (n == 0) {
		puts("no outage was measured");
		return false;
	}
	p50 = meets(sample, n, 50, aim->p50_us);
	p99 = meets(sample, n, 99, aim->p99_us);
	return p50 && p99;
}
