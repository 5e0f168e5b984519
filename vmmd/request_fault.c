/* SPDX-License-Identifier: ISC */
/*
 * Faults on purpose in requests and replies.  Runs in the vm process; the
 * bytes are whoever's may connect, the rows a blkd's, checked by proto/.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "proto/table.h"
#include "vmmd/request_fault.h"

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))

static const char *const actions[PROTO_FAULT_LAST + 1] = {
	[PROTO_FAULT_LIST] = "list",
	[PROTO_FAULT_CLEAR] = "clear",
	[PROTO_FAULT_KILL] = "kill",
	[PROTO_FAULT_STOP] = "stop",
	[PROTO_FAULT_EIO] = "eio",
	[PROTO_FAULT_ENOSPC] = "enospc",
	[PROTO_FAULT_DELAY] = "delay",
	[PROTO_FAULT_TORN] = "torn",
	[PROTO_FAULT_SHORT] = "short",
	[PROTO_FAULT_LOST_FLUSH] = "lost-flush",
};

static const struct {
	const char	*name;
	uint32_t	 bits;
} ops[] = {
	{ "any", PROTO_FAULT_OPS },
	{ "read", PROTO_FAULT_READ },
	{ "write", PROTO_FAULT_WRITE },
	{ "flush", PROTO_FAULT_FLUSH },
	{ "discard", PROTO_FAULT_DISCARD },
};

#define NUMBER(n, f)	{ n, offsetof(struct proto_fault, f), \
	sizeof(((struct proto_fault *)0)->f) }

static const struct request_fault_number numbers[] = {
	NUMBER("id", m_id),
	NUMBER("first", m_first),
	NUMBER("last", m_last),
	NUMBER("skip", m_skip),
	NUMBER("every", m_every),
	NUMBER("count", m_count),
	NUMBER("seed", m_seed),
	NUMBER("delay_ns", m_delay_ns),
	NUMBER("ppm", m_ppm),
};

const char *
request_fault_action(uint32_t action)
{
	return action <= PROTO_FAULT_LAST ? actions[action] : NULL;
}

const struct request_fault_number *
request_fault_number(size_t index)
{
	return index < NITEMS(numbers) ? &numbers[index] : NULL;
}

uint32_t
request_fault_ops(const char *words)
{
	uint32_t bits = 0;
	size_t i, n;

	for (;;) {
		n = strcspn(words, ",");
		for (i = 0; i < NITEMS(ops); i++) {
			if (strlen(ops[i].name) == n &&
			    strncmp(ops[i].name, words, n) == 0)
				break;
		}
		if (i == NITEMS(ops))
			return 0;
		bits |= ops[i].bits;
		if (words[n] == '\0')
			return bits;
		words += n + 1;
	}
}

/* --- reading --------------------------------------------------------------- */

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

static int
read_action(const json_t *value, struct proto_fault *f, char *why)
{
	const char *word = json_string_value(value);
	uint32_t i;

	for (i = 0; word != NULL && i <= PROTO_FAULT_LAST; i++) {
		if (actions[i] == NULL || strcmp(actions[i], word) != 0)
			continue;
		f->m_action = i;
		f->m_ops = proto_fault_ops(i);
		/* For ever, no request would get through. */
		f->m_count = i == PROTO_FAULT_KILL || i == PROTO_FAULT_STOP;
		return 0;
	}
	return refuse(why, "action must be one of kill, stop, eio, enospc,"
	    " delay, torn, short, lost-flush, list, clear");
}

static int
read_number(const json_t *value, const struct request_fault_number *number,
    struct proto_fault *f, char *why)
{
	json_int_t n = json_integer_value(value);
	char *to = (char *)f + number->offset;
	uint64_t wide = (uint64_t)n;
	uint32_t narrow = (uint32_t)n;

	if (!json_is_integer(value) || n < 0 ||
	    (number->size == sizeof(narrow) && wide > UINT32_MAX))
		return refuse(why, "%s must be a number, 0 or more",
		    number->name);
	if (number->size == sizeof(narrow))
		memcpy(to, &narrow, sizeof(narrow));
	else
		memcpy(to, &wide, sizeof(wide));
	return 0;
}

static int
read_member(const char *name, const json_t *value, struct proto_fault *f,
    char *why)
{
	const char *words = json_string_value(value);
	size_t i;

	if (strcmp(name, "action") == 0)
		return 0;
	if (strcmp(name, "operation") == 0) {
		f->m_ops = words == NULL ? 0 : request_fault_ops(words);
		return f->m_ops != 0 ? 0 : refuse(why, "operation must be"
		    " any, or some of read, write, flush, discard");
	}
	if (strcmp(name, "after") == 0) {
		f->m_after = json_is_true(value);
		return json_is_boolean(value) ? 0 :
		    refuse(why, "after must be true or false");
	}
	for (i = 0; i < NITEMS(numbers); i++) {
		if (strcmp(numbers[i].name, name) == 0)
			return read_number(value, &numbers[i], f, why);
	}
	return refuse(why, "a fault has action, operation, first, last, skip,"
	    " every, count, ppm, seed, delay_ns and after, and nothing else");
}

/* Together: what a rule of such an action can have. */
static int
check(struct proto_fault *f, char *why)
{
	const char *action = actions[f->m_action];
	struct proto_fault whole = *f;

	if (f->m_action < PROTO_FAULT_FIRST)
		return 0;
	if (f->m_id != 0)
		return refuse(why, "id is of clear alone");
	if (f->m_action == PROTO_FAULT_DELAY && (f->m_delay_ns == 0 ||
	    f->m_delay_ns > PROTO_FAULT_NS_MAX))
		return refuse(why, "delay needs a time of at most 60 s");
	if ((f->m_ops & ~proto_fault_ops(f->m_action)) != 0)
		return refuse(why, "%s is not of such an operation", action);
	if (f->m_first > f->m_last)
		return refuse(why, "the last sector is before the first");
	/* The monitor gives it its number. */
	whole.m_id = 1;
	if (!proto_fault_valid(&whole))
		return refuse(why, "%s does not go with these values: every"
		    " is 1 or more, the probability more than 0 and at most"
		    " 1, a time of delay alone, when of kill and stop",
		    action);
	return 0;
}

int
request_fault_read(json_t *value, struct proto_fault *f,
    char why[PROTO_TEXT_MAX])
{
	const char *name;
	json_t *member;

	*f = (struct proto_fault) {
		.m_last = UINT64_MAX, .m_every = 1, .m_ppm = PROTO_FAULT_PPM,
	};
	if (!json_is_object(value))
		return refuse(why, "fault must be an object");
	if (read_action(json_object_get(value, "action"), f, why) == -1)
		return -1;
	json_object_foreach(value, name, member) {
		if (read_member(name, member, f, why) == -1)
			return -1;
	}
	return check(f, why);
}

/* --- writing --------------------------------------------------------------- */

static json_t *
number(uint64_t n)
{
	return json_integer((json_int_t)(n & INT64_MAX));
}

static json_t *
words_of(uint32_t bits)
{
	char words[64];
	size_t i, used = 0;

	words[0] = '\0';
	for (i = 1; i < NITEMS(ops) && bits != PROTO_FAULT_OPS; i++) {
		if ((bits & ops[i].bits) != 0)
			used += (size_t)snprintf(words + used,
			    sizeof(words) - used, "%s%s",
			    used > 0 ? "," : "", ops[i].name);
	}
	return json_string(used > 0 ? words : ops[0].name);
}

static json_t *
row_of(const struct proto_fault_row *row)
{
	const struct proto_fault *f = &row->m_fault;
	json_t *o = json_pack("{s:s, s:o, s:b, s:o, s:o}",
	    "action", actions[f->m_action], "operation", words_of(f->m_ops),
	    "after", (int)f->m_after, "seen", number(row->m_seen),
	    "struck", number(row->m_struck));
	uint32_t narrow;
	uint64_t wide;
	size_t i;

	for (i = 0; i < NITEMS(numbers); i++) {
		const char *from = (const char *)f + numbers[i].offset;

		if (numbers[i].size == sizeof(narrow)) {
			memcpy(&narrow, from, sizeof(narrow));
			wide = narrow;
		} else
			memcpy(&wide, from, sizeof(wide));
		json_object_set_new(o, numbers[i].name, number(wide));
	}
	return o;
}

json_t *
request_fault_rows(const struct proto_fault_row row[PROTO_FAULTS_MAX])
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < PROTO_FAULTS_MAX; i++) {
		if (row[i].m_fault.m_id != 0)
			json_array_append_new(list, row_of(&row[i]));
	}
	return list;
}
