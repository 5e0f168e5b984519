/* SPDX-License-Identifier: ISC */
/*
 * vmmctl top.  Counters only grow while the machine runs, so two replies and
 * the time between them are rates; what was subtracted wraps to no harm.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "vmmd/vmmctl_link.h"
#include "vmmd/vmmctl_print.h"
#include "vmmd/vmmctl_top.h"

#define CLEAR	"\033[H\033[J"	/* ECMA-48: home, erase to the end */

struct sample {
	struct vmmctl_disk	disk[PROTO_DISKS_MAX];
	size_t			n;
	struct timespec		when;
};

static int
take_sample(int fd, const char *disk, struct sample *s)
{
	json_t *reply, *request = json_pack("{s:s}", "command", "stats");
	int code;

	if (disk != NULL)
		json_object_set_new(request, "disk", json_string(disk));
	if ((reply = vmmctl_link_ask(fd, request, &code)) == NULL)
		return code;
	memset(s, 0, sizeof(*s));
	clock_gettime(CLOCK_MONOTONIC, &s->when);
	s->n = vmmctl_link_stats(reply, s->disk);
	json_decref(reply);
	return EX_OK;
}

/* What a process that the guest may own says can go backwards. */
static uint64_t
grown(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

static void
print_latencies(const struct stats *a, const struct stats *b,
    enum counter_latency which)
{
	char median[VMMCTL_TIME_MAX], most[VMMCTL_TIME_MAX];
	uint64_t delta[COUNTER_BUCKETS];
	unsigned i;

	for (i = 0; i < COUNTER_BUCKETS; i++)
		delta[i] = grown(a->latency[which][i], b->latency[which][i]);
	printf(" %7s %7s",
	    vmmctl_print_time(vmmctl_print_quantile(delta, 500), median),
	    vmmctl_print_time(vmmctl_print_quantile(delta, 990), most));
}

static void
print_row(const struct vmmctl_disk *a, const struct vmmctl_disk *b, double s)
{
#define RATE(c)	((double)grown(a->stats.value[COUNTER_##c], \
	b->stats.value[COUNTER_##c]) / s)
	printf("%-12.12s %8.0f %8.0f %8.1f %8.1f", b->name, RATE(READS),
	    RATE(WRITES), RATE(READ_BYTES) / 1e6, RATE(WRITE_BYTES) / 1e6);
	print_latencies(&a->stats, &b->stats, COUNTER_LATENCY_READ);
	print_latencies(&a->stats, &b->stats, COUNTER_LATENCY_WRITE);
	printf(" %6" PRIu64 " %8.0f%s\n", b->stats.value[COUNTER_IN_FLIGHT],
	    RATE(THROTTLED),
	    b->stats.value[COUNTER_THROTTLED_NOW] > 0 ? "*" : "");
#undef RATE
}

static void
print_table(const struct sample *a, const struct sample *b)
{
	double s = (double)(b->when.tv_sec - a->when.tv_sec) +
	    (double)(b->when.tv_nsec - a->when.tv_nsec) / 1e9;
	size_t i;

	if (isatty(STDOUT_FILENO))
		fputs(CLEAR, stdout);
	printf("%-12s %8s %8s %8s %8s %7s %7s %7s %7s %6s %8s\n", "DISK",
	    "READ/S", "WRITE/S", "RMB/S", "WMB/S", "R-P50", "R-P99", "W-P50",
	    "W-P99", "FLIGHT", "STALLS/S");
	for (i = 0; i < b->n && i < a->n; i++)
		print_row(&a->disk[i], &b->disk[i], s > 0 ? s : 1);
	fflush(stdout);
}

int
vmmctl_top_run(int fd, const char *disk, unsigned count, unsigned interval_ms)
{
	const struct timespec interval = {
		interval_ms / 1000, (long)(interval_ms % 1000) * 1000000
	};
	static struct sample before, now;
	unsigned i;
	int code = take_sample(fd, disk, &before);

	for (i = 0; code == EX_OK && (count == 0 || i < count); i++) {
		nanosleep(&interval, NULL);
		if ((code = take_sample(fd, disk, &now)) != EX_OK)
			break;
		print_table(&before, &now);
		before = now;
	}
	return code;
}
