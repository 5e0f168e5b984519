/* SPDX-License-Identifier: ISC */
/* vmmctl: replies as tables for people. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

#include "shm/counters.h"
#include "vmmd/request.h"
#include "vmmd/vmmctl_print.h"

#define COLUMN	14

/* --- numbers ----------------------------------------------------------- */

const char *
vmmctl_print_time(uint64_t ns, char text[VMMCTL_TIME_MAX])
{
	static const struct {
		double		 ns;
		const char	*unit;
	} units[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "us" }, { 1, "ns" } };
	size_t i = 0;
	double v;

	if (ns == UINT64_MAX) {
		snprintf(text, VMMCTL_TIME_MAX, "-");
		return text;
	}
	while (units[i].ns > 1 && (double)ns < units[i].ns)
		i++;
	v = (double)ns / units[i].ns;
	snprintf(text, VMMCTL_TIME_MAX, v < 10 && i < 3 ? "%.1f%s" : "%.0f%s",
	    v, units[i].unit);
	return text;
}

uint64_t
vmmctl_print_quantile(const uint64_t buckets[COUNTER_BUCKETS],
    unsigned per_mille)
{
	uint64_t total = 0, sum = 0;
	unsigned i;

	for (i = 0; i < COUNTER_BUCKETS; i++)
		total += buckets[i];
	if (total == 0)
		return UINT64_MAX;
	for (i = 0; i < COUNTER_BUCKETS - 1; i++) {
		sum += buckets[i];
		if ((double)sum * 1000 >= (double)total * per_mille)
			return stats_bucket_end(i);
	}
	return UINT64_MAX;
}

static void
print_bytes(FILE *f, uint64_t bytes)
{
	static const char *const units[] = {
		"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"
	};
	double v = (double)bytes;
	size_t i = 0;

	while (v >= 1024 && i < sizeof(units) / sizeof(units[0]) - 1) {
		v /= 1024;
		i++;
	}
	fprintf(f, i == 0 ? "%.0f %s" : "%.1f %s", v, units[i]);
}

/* --- status ------------------------------------------------------------ */

/* Names have commas within: one a line. */
static void
print_names(FILE *f, const json_t *list, const char *title)
{
	char text[64];
	json_t *one;
	size_t i;

	for (i = 0; i < json_array_size(list) && i < 32; i++) {
		one = json_pack("{s:O}", "n", json_array_get(list, i));
		fprintf(f, "  %-10s%s\n", i == 0 ? title : "",
		    vmmctl_link_text(one, "n", text, sizeof(text)));
		json_decref(one);
	}
}

/* What holds; and, where it is not all, what does not. */
static void
print_layers(FILE *f, const json_t *object)
{
	const json_t *layers = json_object_get(object, "layers");

	if (json_array_size(layers) == 0)
		fprintf(f, "  %-10s%s\n", "sandbox", "none");
	print_names(f, layers, "sandbox");
	print_names(f, json_object_get(object, "missing"), "MISSING");
}

/* `name` of the group, or NULL: the disk's own. */
static void
print_limits(FILE *f, const json_t *limits, const char *name)
{
	const struct request_limit *limit;
	bool any = false;
	uint64_t value;
	size_t i;

	fprintf(f, "  %-10s%s%s", name != NULL ? "group" : "limits",
	    name != NULL ? name : "", name != NULL ? ": " : "");
	for (i = 0; (limit = request_limit(i)) != NULL; i++) {
		value = vmmctl_link_number(limits, limit->name);
		if (value == 0)
			continue;
		fprintf(f, "%s%s=%" PRIu64, any ? " " : "", limit->name,
		    value);
		any = true;
	}
	fprintf(f, "%s\n", any ? "" : "none");
}

static void
print_capacity(FILE *f, const json_t *disk)
{
	uint64_t sectors = vmmctl_link_number(disk, "capacity");

	fprintf(f, "  %-10s%" PRIu64 " sectors, ", "capacity", sectors);
	print_bytes(f, sectors * 512);
	fprintf(f, "\n");
}

/* What a command may have changed. */
static void
print_disk(FILE *f, const json_t *disk)
{
	const json_t *group = json_object_get(disk, "group");
	char text[64];

	fprintf(f, "disk %s\n", vmmctl_link_text(disk, "name", text,
	    sizeof(text)));
	fprintf(f, "  %-10s%s%s\n", "state", vmmctl_link_text(disk, "state",
	    text, sizeof(text)), json_is_true(json_object_get(disk,
	    "paused")) ? ", paused" : "");
	print_capacity(f, disk);
	print_limits(f, json_object_get(disk, "limits"), NULL);
	if (group != NULL)
		print_limits(f, json_object_get(group, "limits"),
		    vmmctl_link_text(group, "name", text, sizeof(text)));
}

static void
print_process(FILE *f, const json_t *disk)
{
	uint64_t pid = vmmctl_link_number(disk, "pid");
	char text[64];

	if (pid != 0)
		fprintf(f, "  %-10s%" PRIu64 "\n", "blkd", pid);
	fprintf(f, "  %-10s%s\n", "engine", vmmctl_link_text(disk, "engine",
	    text, sizeof(text)));
	fprintf(f, "  %-10s%" PRIu64 "\n", "respawns",
	    vmmctl_link_number(disk, "respawns"));
	fprintf(f, "  %-10s%" PRIu64 "\n", "hangs",
	    vmmctl_link_number(disk, "hangs"));
	print_layers(f, disk);
}

void
vmmctl_print_disks(FILE *f, const json_t *reply)
{
	const json_t *list = json_object_get(reply, "disks");
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		print_disk(f, json_array_get(list, i));
}

void
vmmctl_print_status(FILE *f, const json_t *reply)
{
	const json_t *m = json_object_get(reply, "machine");
	const json_t *list = json_object_get(reply, "disks");
	char text[PROTO_TTY_MAX];
	size_t i;

	fprintf(f, "machine %s\n", vmmctl_link_text(m, "name", text,
	    sizeof(text)));
	fprintf(f, "  %-10s%" PRIu64 "\n", "monitor",
	    vmmctl_link_number(m, "monitor"));
	fprintf(f, "  %-10s%" PRIu64 "\n", "vm", vmmctl_link_number(m, "vm"));
	fprintf(f, "  %-10s%" PRIu64 "\n", "vCPUs",
	    vmmctl_link_number(m, "vcpus"));
	fprintf(f, "  %-10s", "memory");
	print_bytes(f, vmmctl_link_number(m, "memory"));
	fprintf(f, "\n  %-10s%s", "serial", vmmctl_link_text(m, "serial",
	    text, sizeof(text)));
	if (json_object_get(m, "terminal") != NULL)
		fprintf(f, " %s", vmmctl_link_text(m, "terminal", text,
		    sizeof(text)));
	fprintf(f, "\n");
	print_layers(f, m);
	for (i = 0; i < json_array_size(list); i++) {
		print_disk(f, json_array_get(list, i));
		print_process(f, json_array_get(list, i));
	}
}

/* --- statistics -------------------------------------------------------- */

static void
print_latency(FILE *f, const struct vmmctl_disk *disk, size_t n,
    enum counter_latency which, unsigned per_mille)
{
	char name[32], text[VMMCTL_TIME_MAX];
	size_t i;

	snprintf(name, sizeof(name), "%s_p%u", stats_latency_name(which),
	    per_mille / 10);
	fprintf(f, "%-18s", name);
	for (i = 0; i < n; i++)
		fprintf(f, " %*s", COLUMN, vmmctl_print_time(
		    vmmctl_print_quantile(disk[i].stats.latency[which],
		    per_mille), text));
	fprintf(f, "\n");
}

void
vmmctl_print_stats(FILE *f, const struct vmmctl_disk *disk, size_t n)
{
	unsigned c;
	size_t i;

	fprintf(f, "%-18s", "disk");
	for (i = 0; i < n; i++)
		fprintf(f, " %*s", COLUMN, disk[i].name);
	fprintf(f, "\n");
	for (c = 0; c < COUNTER_COUNT; c++) {
		fprintf(f, "%-18s", counter_row((enum counter)c)->name);
		for (i = 0; i < n; i++)
			fprintf(f, " %*" PRIu64, COLUMN,
			    disk[i].stats.value[c]);
		fprintf(f, "\n");
	}
	for (c = 0; c < COUNTER_LATENCY_COUNT; c++) {
		print_latency(f, disk, n, (enum counter_latency)c, 500);
		print_latency(f, disk, n, (enum counter_latency)c, 990);
	}
}
