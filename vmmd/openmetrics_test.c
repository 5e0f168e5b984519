/* SPDX-License-Identifier: ISC */
/*
 * Tests of vmmd/openmetrics.c, by a small strict reader of OpenMetrics 1.0:
 * families in one piece, metadata first, suffixes by type, buckets that grow
 * and end with +Inf, EOF last.
 */
#include <atf-c.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmmd/openmetrics.h"
#include "vmmd/vmmctl_print.h"

#define FAMILIES_MAX	64

struct reader {
	char		 family[FAMILIES_MAX][64];
	size_t		 nfamilies;
	char		 type[16];	/* of the last family */
	bool		 eof;
	size_t		 samples;
	/* of the histogram that is being read */
	double		 bound;
	double		 count;
	bool		 infinite;
};

static bool
is_name(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!islower((unsigned char)s[i]) && s[i] != '_' &&
		    (i == 0 || !isdigit((unsigned char)s[i])))
			return false;
	}
	return n > 0;
}

static const char *
current(const struct reader *r)
{
	return r->nfamilies == 0 ? "" : r->family[r->nfamilies - 1];
}

static void
read_metadata(struct reader *r, const char *line)
{
	char what[8], name[64];
	const char *rest;
	size_t i;
	int n;

	if (strcmp(line, "# EOF") == 0) {
		r->eof = true;
		return;
	}
	ATF_REQUIRE_MSG(sscanf(line, "# %7s %63s %n", what, name, &n) == 2,
	    "%s", line);
	rest = line + n;
	if (strcmp(what, "TYPE") == 0) {
		for (i = 0; i < r->nfamilies; i++)
			ATF_REQUIRE_MSG(strcmp(r->family[i], name) != 0,
			    "%s comes twice", name);
		ATF_REQUIRE(r->nfamilies < FAMILIES_MAX);
		ATF_REQUIRE(is_name(name, strlen(name)));
		strcpy(r->family[r->nfamilies++], name);
		snprintf(r->type, sizeof(r->type), "%s", rest);
		ATF_REQUIRE_MSG(strcmp(rest, "counter") == 0 ||
		    strcmp(rest, "gauge") == 0 ||
		    strcmp(rest, "histogram") == 0, "%s", line);
		return;
	}
	ATF_REQUIRE_MSG(strcmp(name, current(r)) == 0, "%s", line);
	ATF_REQUIRE(strcmp(what, "HELP") == 0 || strcmp(what, "UNIT") == 0);
	if (strcmp(what, "UNIT") == 0)
		ATF_REQUIRE_MSG(strlen(name) > strlen(rest) + 1 &&
		    strcmp(name + strlen(name) - strlen(rest), rest) == 0 &&
		    name[strlen(name) - strlen(rest) - 1] == '_', "%s", line);
}

/* Past the labels; the bound of a bucket is *le. */
static const char *
read_labels(const char *s, double *le)
{
	const char *name;
	char value[128];
	size_t n;

	ATF_REQUIRE_EQ('{', *s);
	do {
		name = ++s;
		s += strcspn(s, "=");
		ATF_REQUIRE(is_name(name, (size_t)(s - name)));
		ATF_REQUIRE(s[0] == '=' && s[1] == '"');
		for (s += 2, n = 0; *s != '"'; s++) {
			ATF_REQUIRE(*s != '\0' && n < sizeof(value) - 1);
			if (*s == '\\') {
				s++;
				ATF_REQUIRE(strchr("\\\"n", *s) != NULL);
			}
			value[n++] = *s;
		}
		value[n] = '\0';
		s++;
		if (strncmp(name, "le=", 3) == 0)
			*le = strtod(value, NULL);
	} while (*s == ',');
	ATF_REQUIRE_EQ('}', *s);
	return s + 1;
}

static void
read_histogram(struct reader *r, const char *suffix, double le, double value)
{
	if (strcmp(suffix, "_bucket") == 0) {
		if (r->infinite) {
			r->infinite = false;
			r->bound = r->count = -1;
		}
		ATF_CHECK_MSG(le > r->bound, "%g after %g", le, r->bound);
		ATF_CHECK(value >= r->count);
		r->bound = le;
		r->count = value;
		r->infinite = le > 1e300;
		return;
	}
	ATF_CHECK_MSG(r->infinite, "no +Inf before %s", suffix);
	if (strcmp(suffix, "_count") == 0)
		ATF_CHECK_EQ(r->count, value);
	else
		ATF_CHECK_STREQ("_sum", suffix);
}

static void
read_sample(struct reader *r, const char *line)
{
	const char *family = current(r), *end = line + strcspn(line, "{ ");
	double value, le = -1;
	char suffix[32];
	char *rest;

	ATF_REQUIRE_MSG(strncmp(line, family, strlen(family)) == 0, "%s",
	    line);
	snprintf(suffix, sizeof(suffix), "%.*s",
	    (int)(end - line - (long)strlen(family)), line + strlen(family));
	end = read_labels(end, &le);
	ATF_REQUIRE_EQ(' ', *end);
	value = strtod(end + 1, &rest);
	ATF_REQUIRE_MSG(*rest == '\0' && rest != end + 1 && value >= 0, "%s",
	    line);
	if (strcmp(r->type, "counter") == 0)
		ATF_CHECK_STREQ("_total", suffix);
	else if (strcmp(r->type, "gauge") == 0)
		ATF_CHECK_STREQ("", suffix);
	else
		read_histogram(r, suffix, le, value);
	r->samples++;
}

static void
read_all(struct reader *r, char *text)
{
	char *line, *end;

	*r = (struct reader) { .bound = -1, .count = -1 };
	for (line = text; *line != '\0'; line = end + 1) {
		ATF_REQUIRE_MSG(!r->eof, "after EOF: %s", line);
		ATF_REQUIRE((end = strchr(line, '\n')) != NULL);
		*end = '\0';
		if (line[0] == '#')
			read_metadata(r, line);
		else
			read_sample(r, line);
	}
	ATF_CHECK(r->eof);
}

static char *
write_all(const char *machine, const struct vmmctl_disk *disk, size_t n)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	ATF_REQUIRE(f != NULL);
	openmetrics_write(f, machine, disk, n);
	fclose(f);
	return text;
}

static void
fill(struct vmmctl_disk *disk, const char *name)
{
	unsigned i, j;

	memset(disk, 0, sizeof(*disk));
	snprintf(disk->name, sizeof(disk->name), "%s", name);
	for (i = 0; i < COUNTER_COUNT; i++)
		disk->stats.value[i] = 1000 + i;
	for (i = 0; i < COUNTER_LATENCY_COUNT; i++) {
		for (j = 0; j < COUNTER_BUCKETS; j++)
			disk->stats.latency[i][j] = j;
	}
	disk->stats.value[COUNTER_READ_NS] = UINT64_C(12345678901);
}

ATF_TC_WITHOUT_HEAD(openmetrics__is_what_the_specification_says);
ATF_TC_BODY(openmetrics__is_what_the_specification_says, tc)
{
	struct vmmctl_disk disk[2];
	struct reader r;
	char *text;

	fill(&disk[0], "vda");
	fill(&disk[1], "vdb");
	text = write_all("web", disk, 2);
	read_all(&r, text);
	/* Sums of time are in the histograms. */
	ATF_CHECK_EQ(COUNTER_COUNT, r.nfamilies);
	ATF_CHECK(r.samples > 2 * COUNTER_COUNT);
	free(text);
}

ATF_TC_WITHOUT_HEAD(openmetrics__golden_lines);
ATF_TC_BODY(openmetrics__golden_lines, tc)
{
	static const char *const lines[] = {
		"# TYPE vmmd_disk_reads counter\n"
		"# HELP vmmd_disk_reads Read requests answered OK.\n"
		"vmmd_disk_reads_total{machine=\"web\",disk=\"vda\"} 1000\n",
		"# UNIT vmmd_disk_read_bytes bytes\n",
		"# TYPE vmmd_disk_in_flight gauge\n",
		"vmmd_disk_in_flight{machine=\"web\",disk=\"vda\"} 1026\n",
		"# UNIT vmmd_disk_read_latency_seconds seconds\n",
		"vmmd_disk_read_latency_seconds_bucket{machine=\"web\","
		"disk=\"vda\",le=\"0.000002047\"} 55\n",
		"vmmd_disk_read_latency_seconds_bucket{machine=\"web\","
		"disk=\"vda\",le=\"+Inf\"} 780\n"
		"vmmd_disk_read_latency_seconds_count{machine=\"web\","
		"disk=\"vda\"} 780\n"
		"vmmd_disk_read_latency_seconds_sum{machine=\"web\","
		"disk=\"vda\"} 12.345678901\n",
	};
	struct vmmctl_disk disk;
	char *text;
	size_t i;

	fill(&disk, "vda");
	text = write_all("web", &disk, 1);
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ATF_CHECK_MSG(strstr(text, lines[i]) != NULL, "no:\n%s",
		    lines[i]);
	free(text);
}

ATF_TC_WITHOUT_HEAD(openmetrics__hostile_names_are_escaped);
ATF_TC_BODY(openmetrics__hostile_names_are_escaped, tc)
{
	struct vmmctl_disk disk;
	struct reader r;
	char *text;

	fill(&disk, "a\"} 1\n# EOF\n\\");
	text = write_all("\"\n\\", &disk, 1);
	read_all(&r, text);
	ATF_CHECK_EQ(COUNTER_COUNT, r.nfamilies);
	free(text);
}

ATF_TC_WITHOUT_HEAD(quantile__is_an_upper_bound);
ATF_TC_BODY(quantile__is_an_upper_bound, tc)
{
	uint64_t b[COUNTER_BUCKETS] = { 0 };
	char text[VMMCTL_TIME_MAX];

	ATF_CHECK_EQ(UINT64_MAX, vmmctl_print_quantile(b, 500));
	b[9] = 99;
	b[20] = 1;
	ATF_CHECK_EQ(1023, vmmctl_print_quantile(b, 500));
	ATF_CHECK_EQ(1023, vmmctl_print_quantile(b, 990));
	ATF_CHECK_EQ((1 << 21) - 1, vmmctl_print_quantile(b, 991));
	b[COUNTER_BUCKETS - 1] = UINT64_C(1) << 62;
	ATF_CHECK_EQ(UINT64_MAX, vmmctl_print_quantile(b, 500));
	ATF_CHECK_STREQ("-", vmmctl_print_time(UINT64_MAX, text));
	ATF_CHECK_STREQ("1.0us", vmmctl_print_time(1023, text));
	ATF_CHECK_STREQ("2.1ms", vmmctl_print_time((1 << 21) - 1, text));
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, openmetrics__is_what_the_specification_says);
	ATF_TP_ADD_TC(tp, openmetrics__golden_lines);
	ATF_TP_ADD_TC(tp, openmetrics__hostile_names_are_escaped);
	ATF_TP_ADD_TC(tp, quantile__is_an_upper_bound);
	return atf_no_error();
}
