/* SPDX-License-Identifier: ISC */
/*
 * Requests of operators.  Runs in the vm process; the bytes are whoever's may
 * connect, and every one of them is checked.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "vmmd/request.h"
#include "vmmd/request_fault.h"

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))

static const struct request_row rows[REQUEST_COMMANDS] = {
	[REQUEST_STATUS] = { "status", REQUEST_DISK_OR_ALL, PROTO_VERB_DISK,
	    "Show the machine, its processes and disks." },
	[REQUEST_STATS] = { "stats", REQUEST_DISK_OR_ALL, 0,
	    "Show the counters of the disks." },
	[REQUEST_THROTTLE] = { "throttle", REQUEST_ONE_DISK,
	    PROTO_VERB_THROTTLE, "Change the limits of a disk." },
	[REQUEST_RESIZE] = { "resize", REQUEST_ONE_DISK, PROTO_VERB_RESIZE,
	    "Tell the guest the size that the image has now." },
	[REQUEST_PAUSE] = { "pause", REQUEST_DISK_OR_ALL, PROTO_VERB_PAUSE,
	    "Take no requests; done when none is in flight." },
	[REQUEST_RESUME] = { "resume", REQUEST_DISK_OR_ALL,
	    PROTO_VERB_RESUME, "Take requests again." },
	[REQUEST_UPGRADE] = { "upgrade", REQUEST_DISK_OR_ALL,
	    PROTO_VERB_UPGRADE, "Start blkd anew, from its program." },
	[REQUEST_STOP] = { "stop", REQUEST_NO_DISK, PROTO_VERB_STOP,
	    "Stop the machine." },
	[REQUEST_FAULT] = { "fault", REQUEST_ONE_DISK, PROTO_VERB_FAULT,
	    "Let the disk fail on purpose, where that is allowed." },
};

static const struct request_limit limits[] = {
	{ "iops", PROTO_LIMIT_OPS_RATE,
	    offsetof(struct proto_limits, m_ops_rate) },
	{ "iops-burst", PROTO_LIMIT_OPS_BURST,
	    offsetof(struct proto_limits, m_ops_burst) },
	{ "bps", PROTO_LIMIT_BYTES_RATE,
	    offsetof(struct proto_limits, m_bytes_rate) },
	{ "bps-burst", PROTO_LIMIT_BYTES_BURST,
	    offsetof(struct proto_limits, m_bytes_burst) },
	{ "iops-size", PROTO_LIMIT_IOPS_SIZE,
	    offsetof(struct proto_limits, m_iops_size) },
};

const struct request_row *
request_row(enum request_command command)
{
	return (unsigned)command < REQUEST_COMMANDS ? &rows[command] : NULL;
}

const struct request_limit *
request_limit(size_t index)
{
	return index < NITEMS(limits) ? &limits[index] : NULL;
}

uint64_t
request_get_limit(const struct proto_limits *l,
    const struct request_limit *limit)
{
	uint64_t value;

	memcpy(&value, (const char *)l + limit->offset, sizeof(value));
	return value;
}

static int __attribute__((__format__(__printf__, 2, 3)))
refuse(char why[PROTO_TEXT_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, PROTO_TEXT_MAX, fmt, ap);
	va_end(ap);
	errno = EINVAL;
	return -1;
}

/* --- members ------------------------------------------------------------- */

static int
read_command(const json_t *value, struct request *r, char *why)
{
	const char *name = json_string_value(value);
	unsigned i;

	for (i = 0; name != NULL && i < REQUEST_COMMANDS; i++) {
		if (strcmp(rows[i].name, name) == 0) {
			r->command = (enum request_command)i;
			return 0;
		}
	}
	return refuse(why, "command must be one of status, stats, throttle,"
	    " resize, pause, resume, stop, fault");
}

static int
read_disk(const json_t *value, struct request *r, char *why)
{
	const char *name = json_string_value(value);
	size_t length = json_string_length(value);

	/* No name has a NUL within: strlen is the whole. */
	if (name == NULL || length == 0 || length >= sizeof(r->disk) ||
	    strlen(name) != length)
		return refuse(why, "disk must be the name of a disk");
	memcpy(r->disk, name, length + 1);
	return 0;
}

static int
read_limit(const char *name, const json_t *value, struct request *r, char *why)
{
	json_int_t n = json_integer_value(value);
	uint64_t number;
	size_t i;

	for (i = 0; i < NITEMS(limits); i++) {
		if (strcmp(limits[i].name, name) == 0)
			break;
	}
	if (i == NITEMS(limits))
		return refuse(why, "limits must be some of iops, iops-burst,"
		    " bps, bps-burst, iops-size");
	if (!json_is_integer(value) || n < 0 ||
	    (uint64_t)n > PROTO_LIMIT_MAX)
		return refuse(why, "%s must be a number, 0 to %ju",
		    limits[i].name, (uintmax_t)PROTO_LIMIT_MAX);
	number = (uint64_t)n;
	memcpy((char *)&r->limits + limits[i].offset, &number, sizeof(number));
	r->set |= limits[i].bit;
	return 0;
}

static int
read_limits(json_t *value, struct request *r, char *why)
{
	const char *name;
	json_t *limit;

	if (!json_is_object(value))
		return refuse(why, "limits must be an object");
	json_object_foreach(value, name, limit) {
		if (read_limit(name, limit, r, why) == -1)
			return -1;
	}
	return 0;
}

/* The limits are those of the disk's group. */
static int
read_group(const json_t *value, struct request *r, char *why)
{
	if (!json_is_boolean(value))
		return refuse(why, "group must be true or false");
	if (json_is_true(value))
		r->set |= PROTO_LIMIT_OF_GROUP;
	return 0;
}

/* --- the whole ------------------------------------------------------------ */

/* What a command needs is there, and nothing else. */
static int
check(const json_t *root, const struct request *r, char *why)
{
	const struct request_row *row;

	if (json_object_get(root, "command") == NULL)
		return refuse(why, "command is missing");
	row = &rows[r->command];
	if (row->disk == REQUEST_ONE_DISK && r->disk[0] == '\0')
		return refuse(why, "%s needs a disk", row->name);
	if (row->disk == REQUEST_NO_DISK && r->disk[0] != '\0')
		return refuse(why, "%s takes no disk", row->name);
	if (r->command == REQUEST_THROTTLE &&
	    (r->set & ~(uint32_t)PROTO_LIMIT_OF_GROUP) == 0)
		return refuse(why, "throttle needs limits");
	if (r->command != REQUEST_THROTTLE && r->set != 0)
		return refuse(why, "%s takes no limits", row->name);
	if (r->command == REQUEST_FAULT && r->fault.m_action == 0)
		return refuse(why, "fault needs a fault");
	if (r->command != REQUEST_FAULT && r->fault.m_action != 0)
		return refuse(why, "%s takes no fault", row->name);
	return 0;
}

static int
read_object(json_t *root, struct request *r, char *why)
{
	const char *name;
	json_t *value;
	int rc = 0;

	if (!json_is_object(root))
		return refuse(why, "a request is a JSON object");
	json_object_foreach(root, name, value) {
		if (strcmp(name, "command") == 0)
			rc = read_command(value, r, why);
		else if (strcmp(name, "disk") == 0)
			rc = read_disk(value, r, why);
		else if (strcmp(name, "limits") == 0)
			rc = read_limits(value, r, why);
		else if (strcmp(name, "group") == 0)
			rc = read_group(value, r, why);
		else if (strcmp(name, "fault") == 0)
			rc = request_fault_read(value, &r->fault, why);
		else
			rc = refuse(why, "a request has command, disk,"
			    " limits, group and fault, and nothing else");
		if (rc == -1)
			return -1;
	}
	return check(root, r, why);
}

int
request_parse(const char *line, size_t length, struct request *r,
    char why[PROTO_TEXT_MAX])
{
	json_error_t error;
	json_t *root;
	int rc;

	memset(r, 0, sizeof(*r));
	root = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
	/* The error quotes the line: only where it is, is told. */
	if (root == NULL)
		return refuse(why, "the request is no JSON: see byte %d",
		    error.position);
	rc = read_object(root, r, why);
	json_decref(root);
	return rc;
}
