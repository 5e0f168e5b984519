/* SPDX-License-Identifier: ISC */
/*
 * The test guest: its command line. Runs in the guest. The line comes from
 * whoever started the machine: mistakes in it are reported, not guessed at.
 */
#include <stdbool.h>

#include "args.h"
#include "console.h"
#include "cpu.h"
#include "lib.h"

static const char device_key[] = "virtio_mmio.device";

enum kind {
	TEXT,
	NUMBER,
	DEVICE,
	IGNORED			/* said to Linux, or by a loader */
};

static const struct {
	const char	*key;
	enum kind	 kind;
} keys[] = {
	{ "test", TEXT },
	{ device_key, DEVICE },
	{ "disk", NUMBER },	/* which disk, from 0 */
	{ "mode", TEXT },	/* irq or poll: how completions are awaited */
	{ "qsize", NUMBER },	/* queue size; 0: what the device offers */
	{ "queues", NUMBER },	/* how many queues to use */
	{ "eventidx", NUMBER },	/* 1: negotiate EVENT_IDX */
	{ "timeout", NUMBER },	/* milliseconds without a completion; */
				/* 0: wait for ever */
	{ "strict", NUMBER },	/* 0: only what any device must do */
	{ "first", NUMBER },	/* first sector to use */
	{ "sectors", NUMBER },	/* how many sectors to use */
	{ "gen", NUMBER },	/* generation to write, or to expect */
	{ "rounds", NUMBER },	/* repetitions */
	{ "count", NUMBER },	/* requests; 0: for ever */
	{ "depth", NUMBER },	/* requests in flight; 0: all that fit */
	{ "order", NUMBER },	/* 1: overlapping writes keep their order */
	{ "progress", NUMBER },	/* a line every so many requests */
	{ "seed", NUMBER },	/* of the random numbers */
	{ "cpus", NUMBER },	/* processors to expect, ours included */
	{ "serial", TEXT },	/* the disk's serial to expect */
	{ "capacity", NUMBER },	/* the disk's sectors to expect */
	{ "console", IGNORED },
	{ "earlyprintk", IGNORED },
	{ "panic", IGNORED },
	{ "quiet", IGNORED },
	{ "reboot", IGNORED },
	{ "tsc", IGNORED }
};

/* The text after "key=" where the word has that key; "" for a bare key. */
static const char *
value_of(const char *word, const char *key)
{
	size_t n = strlen(key);

	if (strncmp(word, key, n) != 0)
		return NULL;
	if (word[n] == '\0')
		return word + n;
	return word[n] == '=' ? word + n + 1 : NULL;
}

static const char *
parse_device(struct args *args, const char *s)
{
	struct args_device *device = &args->devices[args->device_count];
	uint32_t id;

	if (args->device_count == ARGS_DEVICES_MAX)
		return "too many devices";
	if (lib_parse_u32(&s, &device->size) == -1 || *s++ != '@' ||
	    lib_parse_u32(&s, &device->base) == -1 || *s++ != ':' ||
	    lib_parse_u32(&s, &device->irq) == -1)
		return "a device is SIZE@BASE:IRQ";
	if (*s == ':') {
		s++;
		if (lib_parse_u32(&s, &id) == -1)
			return "a device's id is a number";
	}
	if (*s != '\0' || device->size < 0x200 || (device->base & 3) != 0)
		return "a device is SIZE@BASE:IRQ";
	if (device->irq >= CPU_IRQS)
		return "an interrupt line is 0 to 15";
	args->device_count++;
	return NULL;
}

static const char *
parse_word(struct args *args, const char *word)
{
	const char *value = NULL;
	uint32_t i, number;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		value = value_of(word, keys[i].key);
		if (value != NULL)
			break;
	}
	if (value == NULL)
		return "unknown argument";
	if (keys[i].kind == DEVICE)
		return parse_device(args, value);
	if (keys[i].kind == NUMBER &&
	    (lib_parse_u32(&value, &number) == -1 || *value != '\0'))
		return "not a number";
	return NULL;
}

/* The next word of the copy, ended with a NUL; NULL after the last. */
static char *
next_word(char **text)
{
	char *word, *s = *text;

	while (*s == ' ')
		s++;
	if (*s == '\0')
		return NULL;
	for (word = s; *s != '\0' && *s != ' '; s++)
		;
	if (*s != '\0')
		*s++ = '\0';
	*text = s;
	return word;
}

const char *
args_parse(struct args *args, const char *line)
{
	const char *why;
	char *word, *text = args->text;

	args->word_count = 0;
	args->device_count = 0;
	if (strlen(line) >= sizeof(args->text))
		return "the command line is too long";
	memcpy(args->text, line, strlen(line) + 1);
	while ((word = next_word(&text)) != NULL) {
		if (args->word_count == ARGS_WORDS_MAX)
			return "too many arguments";
		why = parse_word(args, word);
		if (why != NULL) {
			console_printf("guest: argument '%s'\n", word);
			return why;
		}
		args->words[args->word_count++] = word;
	}
	return NULL;
}

const char *
args_get(const struct args *args, const char *key, const char *fallback)
{
	const char *value;
	uint32_t i;

	for (i = 0; i < args->word_count; i++) {
		value = value_of(args->words[i], key);
		if (value != NULL)
			return value;
	}
	return fallback;
}

uint32_t
args_get_u32(const struct args *args, const char *key, uint32_t fallback)
{
	const char *value = args_get(args, key, NULL);
	uint32_t number;

	if (value == NULL || lib_parse_u32(&value, &number) == -1)
		return fallback;
	return number;
}
