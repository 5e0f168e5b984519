/* SPDX-License-Identifier: ISC */
/* vmmctl fault.  Runs as whoever may write to the control socket. */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vmmd/request_fault.h"
#include "vmmd/vmmctl_fault.h"
#include "vmmd/vmmctl_link.h"
#include "vmmd/vmmctl_print.h"

/* --- arguments ------------------------------------------------------------- */

/* A number up to the end, or up to `stop`. */
static int
parse_number(const char *text, char stop, const char **end, uint64_t *n)
{
	char *last;

	if (text[0] < '0' || text[0] > '9')
		return -1;
	errno = 0;
	*n = strtoull(text, &last, 10);
	if (errno != 0 || *n > INT64_MAX || (*last != '\0' && *last != stop))
		return -1;
	*end = last;
	return 0;
}

static int
set_number(json_t *fault, const char *name, const char *value)
{
	const char *end;
	uint64_t n;

	if (parse_number(value, '\0', &end, &n) == -1)
		return -1;
	return json_object_set_new(fault, name, json_integer((json_int_t)n));
}

/* "100", "100-199" or "100-". */
static int
set_sectors(json_t *fault, const char *name, const char *value)
{
	uint64_t first, last;
	const char *end;

	(void)name;
	if (parse_number(value, '-', &end, &first) == -1)
		return -1;
	last = first;
	if (end[0] == '-' && end[1] == '\0')
		last = UINT64_MAX;
	else if (end[0] == '-' &&
	    parse_number(end + 1, '\0', &end, &last) == -1)
		return -1;
	json_object_set_new(fault, "first", json_integer((json_int_t)first));
	if (last != UINT64_MAX)
		json_object_set_new(fault, "last",
		    json_integer((json_int_t)last));
	return 0;
}

/* "0.01" or "1%": of a million. */
static int
set_probability(json_t *fault, const char *name, const char *value)
{
	char *end;
	double p = strtod(value, &end);

	(void)name;
	if (end == value)
		return -1;
	if (*end == '%') {
		p /= 100;
		end++;
	}
	if (*end != '\0' || !(p >= 0.000001 && p <= 1))
		return -1;
	return json_object_set_new(fault, "ppm",
	    json_integer((json_int_t)(p * PROTO_FAULT_PPM + 0.5)));
}

static int
set_time(json_t *fault, const char *name, const char *value)
{
	static const struct {
		const char	*unit;
		double		 ns;
	} units[] = { { "s", 1e9 }, { "ms", 1e6 }, { "us", 1e3 }, { "ns", 1 } };
	char *end;
	double v = strtod(value, &end);
	size_t i;

	(void)name;
	for (i = 0; end != value && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(units[i].unit, end) != 0)
			continue;
		v *= units[i].ns;
		if (!(v >= 1 && v <= (double)PROTO_FAULT_NS_MAX))
			return -1;
		return json_object_set_new(fault, "delay_ns",
		    json_integer((json_int_t)v));
	}
	return -1;
}

static int
set_when(json_t *fault, const char *name, const char *value)
{
	bool after = strcmp(value, "after") == 0;

	(void)name;
	if (!after && strcmp(value, "before") != 0)
		return -1;
	return json_object_set_new(fault, "after", json_boolean(after));
}

static int
set_operation(json_t *fault, const char *name, const char *value)
{
	(void)name;
	if (request_fault_ops(value) == 0)
		return -1;
	return json_object_set_new(fault, "operation", json_string(value));
}

static const struct argument {
	const char	*name;
	int		(*set)(json_t *, const char *name, const char *value);
	const char	*must;
} arguments[] = {
	{ "op", set_operation, "any, or some of read,write,flush,discard" },
	{ "sectors", set_sectors, "a sector, or a first and a last one, such"
	    " as 2048-4095" },
	{ "p", set_probability, "a probability above 0, such as 0.01 or 1%" },
	{ "skip", set_number, "a number" },
	{ "every", set_number, "a number" },
	{ "count", set_number, "a number" },
	{ "seed", set_number, "a number" },
	{ "time", set_time, "a time up to 60s, such as 10ms" },
	{ "when", set_when, "before or after" },
};

#define NARGUMENTS	(sizeof(arguments) / sizeof(arguments[0]))

static int
add_argument(json_t *fault, const char *text)
{
	const char *value = strchr(text, '=');
	const struct argument *a;
	size_t i;

	for (i = 0; value != NULL && i < NARGUMENTS; i++) {
		a = &arguments[i];
		if (strlen(a->name) != (size_t)(value - text) ||
		    strncmp(a->name, text, (size_t)(value - text)) != 0)
			continue;
		if (a->set(fault, a->name, value + 1) == 0)
			return 0;
		warnx("%s: must be %s", text, a->must);
		return -1;
	}
	warnx("%s: must be op=, sectors=, p=, skip=, every=, count=, seed=,"
	    " time= or when= and a value", text);
	return -1;
}

json_t *
vmmctl_fault_make(const char *action, char *const *argv, int argc)
{
	json_t *fault = json_pack("{s:s}", "action", action);
	int i;

	if (strcmp(action, "clear") == 0 && argc == 1) {
		if (set_number(fault, "id", argv[0]) == 0)
			return fault;
		warnx("%s: must be the number of a fault", argv[0]);
		json_decref(fault);
		return NULL;
	}
	for (i = 0; i < argc; i++) {
		if (add_argument(fault, argv[i]) == -1) {
			json_decref(fault);
			return NULL;
		}
	}
	return fault;
}

/* --- the reply ------------------------------------------------------------- */

static void
print_rule(FILE *f, const json_t *o)
{
	uint64_t first = vmmctl_link_number(o, "first");
	uint64_t last = vmmctl_link_number(o, "last");
	uint64_t delay = vmmctl_link_number(o, "delay_ns");
	uint64_t ppm = vmmctl_link_number(o, "ppm");
	char text[32], time[VMMCTL_TIME_MAX];

	fprintf(f, "%" PRIu64 " %s", vmmctl_link_number(o, "id"),
	    vmmctl_link_text(o, "action", text, sizeof(text)));
	fprintf(f, " op=%s", vmmctl_link_text(o, "operation", text,
	    sizeof(text)));
	if (first != 0 || last != INT64_MAX) {
		fprintf(f, " sectors=%" PRIu64 "-", first);
		if (last != INT64_MAX)
			fprintf(f, "%" PRIu64, last);
	}
	if (ppm != PROTO_FAULT_PPM)
		fprintf(f, " p=%g", (double)ppm / PROTO_FAULT_PPM);
	fprintf(f, " skip=%" PRIu64 " every=%" PRIu64 " count=%" PRIu64
	    " seed=%" PRIu64, vmmctl_link_number(o, "skip"),
	    vmmctl_link_number(o, "every"), vmmctl_link_number(o, "count"),
	    vmmctl_link_number(o, "seed"));
	if (delay != 0)
		fprintf(f, " time=%s", vmmctl_print_time(delay, time));
	if (json_is_true(json_object_get(o, "after")))
		fprintf(f, " when=after");
	fprintf(f, ": matched %" PRIu64 ", struck %" PRIu64 "\n",
	    vmmctl_link_number(o, "seen"), vmmctl_link_number(o, "struck"));
}

void
vmmctl_fault_print(FILE *f, const json_t *reply)
{
	const json_t *disks = json_object_get(reply, "disks");
	const json_t *list = json_object_get(json_array_get(disks, 0),
	    "faults");
	size_t i, n = json_array_size(list);

	for (i = 0; i < n && i < PROTO_FAULTS_MAX; i++)
		print_rule(f, json_array_get(list, i));
	if (n == 0)
		fprintf(f, "no faults\n");
}
