/* SPDX-License-Identifier: ISC */
/* What a run was found to be.  Runs in the load generator; writes stdout. */
#include <jansson.h>
#include <stdio.h>

#include "tests/bench/load/result.h"

static double
each(double sum, const struct result *r)
{
	return r->requests == 0 ? 0 : sum / (double)r->requests;
}

static double
microseconds(const struct result *r, double percent)
{
	return (double)hist_percentile(&r->latency, percent) / 1e3;
}

static double
iops(const struct result *r)
{
	return r->seconds > 0 ? (double)r->requests / r->seconds : 0;
}

static void
print_json(const struct result *r, const struct options *o)
{
	json_t *j = json_pack("{ss ss sb sb sb sI sI sf sI sf sf sf sf sf sf"
	    " sf sf sf sI sI sI}",
	    "door", options_what_name(o->what),
	    "pattern", options_pattern_name(o->pattern),
	    "sequential", o->sequential, "wait", o->wait, "direct", o->direct,
	    "depth", (json_int_t)o->depth, "bytes", (json_int_t)o->bytes,
	    "seconds", r->seconds, "requests", (json_int_t)r->requests,
	    "iops", iops(r), "p50_us", microseconds(r, 50),
	    "p99_us", microseconds(r, 99), "p999_us", microseconds(r, 99.9),
	    "max_us", (double)r->latency.max / 1e3,
	    "our_cpu_us", each(r->our_cpu * 1e6, r),
	    "their_cpu_us", each(r->their_cpu * 1e6, r),
	    "kicks_per_request", each((double)r->kicks, r),
	    "irqs_per_request", each((double)r->irqs, r),
	    "failed", (json_int_t)r->failed,
	    "corrupt", (json_int_t)r->corrupt,
	    "checked", (json_int_t)r->checked);

	if (j == NULL) {
		fputs("load: no memory for the result\n", stderr);
		return;
	}
	json_dumpf(j, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(j);
}

static void
print_text(const struct result *r, const struct options *o)
{
	printf("%s %s %u bytes, depth %u, %s: %.1f kIOPS, %.1f MB/s\n"
	    "latency us: p50 %.1f p99 %.1f p99.9 %.1f max %.1f\n"
	    "CPU seconds a million requests: ours %.2f, theirs %.2f\n"
	    "a request: %.3f kicks, %.3f interrupts\n",
	    options_what_name(o->what), options_pattern_name(o->pattern),
	    o->bytes, o->depth, o->wait ? "waiting" : "polling",
	    iops(r) / 1e3, iops(r) * o->bytes / 1e6, microseconds(r, 50),
	    microseconds(r, 99), microseconds(r, 99.9),
	    (double)r->latency.max / 1e3, each(r->our_cpu * 1e6, r),
	    each(r->their_cpu * 1e6, r), each((double)r->kicks, r),
	    each((double)r->irqs, r));
	if (o->verify || r->failed + r->corrupt > 0)
		printf("failed %llu, corrupt sectors %llu, right sectors"
		    " %llu\n", (unsigned long long)r->failed,
		    (unsigned long long)r->corrupt,
		    (unsigned long long)r->checked);
}

void
result_print(const struct result *r, const struct options *o)
{
	if (o->json)
		print_json(r, o);
	else
		print_text(r, o);
}
