/* SPDX-License-Identifier: ISC */
/* vmmctl: statistics as OpenMetrics text.  Names of disks are hostile. */
#include <inttypes.h>
#include <stdbool.h>

#include "shm/counters.h"
#include "vmmd/openmetrics.h"
#include "vmmd/stats.h"

/* Bounds of the histograms: from 2 us to 17 s; the rest is in +Inf. */
#define BUCKET_FIRST	10
#define BUCKET_LAST	33

struct scrape {
	FILE			*f;
	const char		*machine;
	const struct vmmctl_disk *disk;
	size_t			 n;
};

static void
write_escaped(FILE *f, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\n')
			fputs("\\n", f);
		else if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else
			fputc(*s, f);
	}
}

static void
write_labels(const struct scrape *s, const struct vmmctl_disk *disk)
{
	fputs("{machine=\"", s->f);
	write_escaped(s->f, s->machine);
	fputs("\",disk=\"", s->f);
	write_escaped(s->f, disk->name);
	fputs("\"", s->f);
}

/* Nanoseconds as seconds, exactly. */
static void
write_seconds(FILE *f, uint64_t ns)
{
	fprintf(f, "%" PRIu64 ".%09" PRIu64, ns / 1000000000u,
	    ns % 1000000000u);
}

static void
write_counter(const struct scrape *s, enum counter which)
{
	const struct counter_row *row = counter_row(which);
	bool gauge = row->kind == COUNTER_KIND_GAUGE;
	size_t i;

	fprintf(s->f, "# TYPE vmmd_disk_%s %s\n", row->name,
	    gauge ? "gauge" : "counter");
	if (row->kind == COUNTER_KIND_BYTES)
		fprintf(s->f, "# UNIT vmmd_disk_%s bytes\n", row->name);
	fprintf(s->f, "# HELP vmmd_disk_%s %s\n", row->name, row->meaning);
	for (i = 0; i < s->n; i++) {
		fprintf(s->f, "vmmd_disk_%s%s", row->name,
		    gauge ? "" : "_total");
		write_labels(s, &s->disk[i]);
		fprintf(s->f, "} %" PRIu64 "\n", s->disk[i].stats.value[which]);
	}
}

static void
write_sample(const struct scrape *s, const struct vmmctl_disk *disk,
    const char *name, const char *suffix)
{
	fprintf(s->f, "vmmd_disk_%s_latency_seconds_%s", name, suffix);
	write_labels(s, disk);
}

static void
write_buckets(const struct scrape *s, const struct vmmctl_disk *disk,
    enum counter_latency which)
{
	const char *name = stats_latency_name(which);
	uint64_t sum = 0;
	unsigned b;

	for (b = 0; b < COUNTER_BUCKETS; b++) {
		sum += disk->stats.latency[which][b];
		if (b < BUCKET_FIRST || b > BUCKET_LAST)
			continue;
		write_sample(s, disk, name, "bucket");
		fputs(",le=\"", s->f);
		write_seconds(s->f, stats_bucket_end(b));
		fprintf(s->f, "\"} %" PRIu64 "\n", sum);
	}
	write_sample(s, disk, name, "bucket");
	fprintf(s->f, ",le=\"+Inf\"} %" PRIu64 "\n", sum);
	write_sample(s, disk, name, "count");
	fprintf(s->f, "} %" PRIu64 "\n", sum);
	write_sample(s, disk, name, "sum");
	fputs("} ", s->f);
	write_seconds(s->f, disk->stats.value[COUNTER_READ_NS + which]);
	fputs("\n", s->f);
}

static void
write_histogram(const struct scrape *s, enum counter_latency which)
{
	const char *name = stats_latency_name(which);
	size_t i;

	fprintf(s->f, "# TYPE vmmd_disk_%s_latency_seconds histogram\n", name);
	fprintf(s->f, "# UNIT vmmd_disk_%s_latency_seconds seconds\n", name);
	fprintf(s->f, "# HELP vmmd_disk_%s_latency_seconds Time of each %s"
	    " from taken to answered.\n", name, name);
	for (i = 0; i < s->n; i++)
		write_buckets(s, &s->disk[i], which);
}

void
openmetrics_write(FILE *f, const char *machine, const struct vmmctl_disk *disk,
    size_t n)
{
	const struct scrape s = { f, machine, disk, n };
	unsigned i;

	/* The sums of time are in the histograms. */
	for (i = 0; i < COUNTER_COUNT; i++) {
		if (counter_row((enum counter)i)->kind != COUNTER_KIND_TIME)
			write_counter(&s, (enum counter)i);
	}
	for (i = 0; i < COUNTER_LATENCY_COUNT; i++)
		write_histogram(&s, (enum counter_latency)i);
	fputs("# EOF\n", f);
}
