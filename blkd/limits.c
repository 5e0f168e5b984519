/* SPDX-License-Identifier: ISC */
/*
 * Limits as people write them.  Runs in blkd behind vhost-user, outside the
 * sandbox: in the parent, and in the child before it shuts itself in.  The
 * words are the administrator's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/libutil.h>

#include "blkd/limits.h"
#include "blkd/throttle.h"
#include "util/fd.h"

#define SPACE	", \t\r\n"

static int
parse_word(char *word, struct throttle_limits *l)
{
	const struct {
		const char	*name;
		uint64_t	*field;
	} row[] = {
		{ "iops", &l->ops.rate }, { "iops-burst", &l->ops.burst },
		{ "bps", &l->bytes.rate }, { "bps-burst", &l->bytes.burst },
		{ "iops-size", &l->iops_size },
	};
	char *value = strchr(word, '=');
	size_t i, n;

	if (value == NULL)
		return -1;
	n = (size_t)(value++ - word);
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (strlen(row[i].name) == n &&
		    strncmp(row[i].name, word, n) == 0)
			return expand_number(value, row[i].field);
	return -1;
}

int
limits_parse(char *text, struct throttle_limits *l, char why[LIMITS_WHY])
{
	struct throttle_limits new = *l;
	char *word, *rest = NULL;
	const char *wrong;

	for (word = strtok_r(text, SPACE, &rest); word != NULL;
	    word = strtok_r(NULL, SPACE, &rest)) {
		if (parse_word(word, &new) == 0)
			continue;
		snprintf(why, LIMITS_WHY, "%.64s: must be iops, iops-burst,"
		    " bps, bps-burst or iops-size, = and a number", word);
		return -1;
	}
	if ((wrong = throttle_check(&new)) != NULL) {
		snprintf(why, LIMITS_WHY, "%s", wrong);
		return -1;
	}
	*l = new;
	return 0;
}

/* All of a small file, as a string; -1 and errno. */
static int
read_file(const char *path, char text[LIMITS_FILE_MAX + 1])
{
	/* What nobody writes into must not hold us. */
	int saved, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t got = 0;
	ssize_t n;

	if (fd == -1)
		return -1;
	do {
		n = read(fd, text + got, LIMITS_FILE_MAX + 1 - got);
		got += n > 0 ? (size_t)n : 0;
	} while (n > 0 && got <= LIMITS_FILE_MAX);
	saved = errno;
	fd_close(&fd);
	errno = n == -1 ? saved : EFBIG;
	if (n == -1 || got > LIMITS_FILE_MAX)
		return -1;
	text[got] = '\0';
	return 0;
}

int
limits_read(const char *path, struct throttle_limits *l, char why[LIMITS_WHY])
{
	struct throttle_limits new = { .iops_size = 0 };
	char text[LIMITS_FILE_MAX + 1], *at;

	if (read_file(path, text) == -1) {
		snprintf(why, LIMITS_WHY, "cannot read: %s", strerror(errno));
		return -1;
	}
	for (at = text; (at = strchr(at, '#')) != NULL;)
		while (*at != '\0' && *at != '\n')
			*at++ = ' ';
	if (limits_parse(text, &new, why) == -1)
		return -1;
	*l = new;
	return 0;
}
