/* SPDX-License-Identifier: ISC */
/*
 * Values of the configuration.  Monitor, before anything is started; the
 * text is what a person wrote, so it is checked and never trusted.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vmmd/conf.h"
#include "vmmd/conf_value.h"

#define NAME_CHARACTERS	"abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

/* A path, or anything else that is kept as it is. */
int
conf_value_text(const struct conf_key *key, void *field, const char *value)
{
	size_t length = strlen(value);

	if (length < key->min || length >= key->size)
		return -1;
	memset(field, 0, key->size);
	memcpy(field, value, length);
	return 0;
}

int
conf_value_name(const struct conf_key *key, void *field, const char *value)
{
	if (value[0] == '\0' || value[strspn(value, NAME_CHARACTERS)] != '\0')
		return -1;
	return conf_value_text(key, field, value);
}

/* Digits, then what *end is left at; strtoull(3) alone takes "-1" and " 1". */
static int
parse_number(const char *value, uint64_t *number, char **end)
{
	if (value[0] < '0' || value[0] > '9')
		return -1;
	errno = 0;
	*number = strtoull(value, end, 10);
	return errno != 0 ? -1 : 0;
}

int
conf_value_number(const struct conf_key *key, void *field, const char *value)
{
	uint64_t number;
	char *end;

	if (parse_number(value, &number, &end) == -1 || *end != '\0')
		return -1;
	if (number < key->min || number > key->max)
		return -1;
	memcpy(field, &number, sizeof(number));
	return 0;
}

int
conf_value_power(const struct conf_key *key, void *field, const char *value)
{
	uint64_t number;

	if (conf_value_number(key, &number, value) == -1)
		return -1;
	if ((number & (number - 1)) != 0)
		return -1;
	memcpy(field, &number, sizeof(number));
	return 0;
}

int
conf_value_bytes(const struct conf_key *key, void *field, const char *value)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	uint64_t number;
	unsigned shift;
	char *end;

	if (parse_number(value, &number, &end) == -1)
		return -1;
	if (*end == '\0' || end[1] != '\0')
		return -1;
	if ((suffix = strchr(suffixes, *end)) == NULL)
		return -1;
	shift = 10 * (unsigned)(suffix - suffixes + 1);
	if (number > UINT64_MAX >> shift)
		return -1;
	number <<= shift;
	if (number < key->min || number > key->max || number % key->min != 0)
		return -1;
	memcpy(field, &number, sizeof(number));
	return 0;
}

int
conf_value_octal(const struct conf_key *key, void *field, const char *value)
{
	uint64_t number;
	char *end;

	if (value[0] < '0' || value[0] > '7')
		return -1;
	errno = 0;
	number = strtoull(value, &end, 8);
	if (errno != 0 || *end != '\0' || number < key->min ||
	    number > key->max)
		return -1;
	memcpy(field, &number, sizeof(number));
	return 0;
}

int
conf_value_amount(const struct conf_key *key, void *field, const char *value)
{
	static const struct {
		const char	*suffix;
		uint64_t	 factor;
	} units[] = {
		{ "", 1 }, { "k", 1000 }, { "M", 1000000 },
		{ "G", 1000000000 }, { "Ki", UINT64_C(1) << 10 },
		{ "Mi", UINT64_C(1) << 20 }, { "Gi", UINT64_C(1) << 30 },
	};
	uint64_t number;
	size_t i = 0;
	char *end;

	if (parse_number(value, &number, &end) == -1)
		return -1;
	while (strcmp(units[i].suffix, end) != 0) {
		if (++i == sizeof(units) / sizeof(units[0]))
			return -1;
	}
	if (number > key->max / units[i].factor)
		return -1;
	number *= units[i].factor;
	if (number < key->min)
		return -1;
	memcpy(field, &number, sizeof(number));
	return 0;
}

int
conf_value_cpus(const struct conf_key *key, void *field, const char *value)
{
	struct conf_cpus cpus = { .n = 0 };
	uint64_t number;
	char *end;

	while (value[0] != '\0') {
		if (cpus.n == PROTO_QUEUES_MAX ||
		    parse_number(value, &number, &end) == -1 ||
		    number > key->max ||
		    (*end != '\0' && (*end != ',' || end[1] == '\0')))
			return -1;
		cpus.cpu[cpus.n++] = (uint16_t)number;
		value = *end == ',' ? end + 1 : end;
	}
	memcpy(field, &cpus, sizeof(cpus));
	return 0;
}

static const struct conf_choice *
find_choice(const struct conf_choice *choices, const char *word)
{
	const struct conf_choice *c;

	for (c = choices; c->word != NULL; c++) {
		if (strcmp(c->word, word) == 0)
			return c;
	}
	return NULL;
}

int
conf_value_bool(const struct conf_key *key, void *field, const char *value)
{
	static const struct conf_choice words[] = {
		{ "yes", true }, { "no", false },
		{ "true", true }, { "false", false },
		{ "on", true }, { "off", false },
		{ NULL, 0 }
	};
	const struct conf_choice *c = find_choice(words, value);

	(void)key;
	if (c == NULL)
		return -1;
	*(bool *)field = c->value;
	return 0;
}

int
conf_value_choice(const struct conf_key *key, void *field, const char *value)
{
	const struct conf_choice *c = find_choice(key->choices, value);

	if (c == NULL)
		return -1;
	memcpy(field, &c->value, sizeof(c->value));
	return 0;
}

int
conf_value_serial(const struct conf_key *key, void *field, const char *value)
{
	struct conf_serial *serial = field;
	const struct conf_choice *c;
	size_t length;

	if (strncmp(value, "file:", 5) == 0) {
		value += 5;
		length = strlen(value);
		if (length == 0 || length >= sizeof(serial->path))
			return -1;
		serial->kind = CONF_SERIAL_FILE;
		memcpy(serial->path, value, length + 1);
		return 0;
	}
	if ((c = find_choice(key->choices, value)) == NULL)
		return -1;
	serial->kind = (enum conf_serial_kind)c->value;
	serial->path[0] = '\0';
	return 0;
}
