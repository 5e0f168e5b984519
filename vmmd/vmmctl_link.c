/* SPDX-License-Identifier: ISC */
/* vmmctl: over the control socket.  Trusts no byte that comes from it. */
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/counters.h"
#include "vmmd/vmmctl_link.h"

#define REPLY_MAX	(1u << 20)	/* bytes */
#define WAIT_S		120		/* 16 disks, 5 s each, and some */

int
vmmctl_link_open(const char *path, int *code)
{
	const struct timeval wait = { WAIT_S, 0 };
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		warnx("%s: the name is too long for a socket", path);
		*code = EX_USAGE;
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd != -1 && connect(fd, (struct sockaddr *)&sun,
	    sizeof(sun)) == 0) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
		return fd;
	}
	*code = errno == EACCES || errno == EPERM ? EX_NOPERM :
	    EX_UNAVAILABLE;
	if (errno == ENOENT || errno == ECONNREFUSED)
		warnx("%s: no machine listens there: name another with -n or"
		    " -s", path);
	else
		warn("%s", path);
	if (fd != -1)
		close(fd);
	return -1;
}

/* A line into `text`; its length, or 0 and *code: there is none. */
static size_t
read_line(int fd, char *text, int *code)
{
	size_t used = 0;
	ssize_t n;
	char *end = NULL;

	do {
		n = read(fd, text + used, REPLY_MAX - used);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			*code = EX_UNAVAILABLE;
			warnx("the machine %s", n == 0 ?
			    "has closed the connection: has it ended?" :
			    "does not answer");
			return 0;
		}
		end = memchr(text + used, '\n', (size_t)n);
		used += (size_t)n;
	} while (end == NULL && used < REPLY_MAX);
	if (end == NULL)
		warnx("the reply has no end");
	return end == NULL ? 0 : (size_t)(end - text);
}

static int
send_line(int fd, json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t length, done = 0;
	ssize_t n;

	if (text == NULL)
		return -1;
	length = strlen(text);
	text[length++] = '\n';
	while (done < length) {
		n = send(fd, text + done, length - done, MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			break;
		done += (size_t)n;
	}
	free(text);
	if (done == length)
		return 0;
	warn("the machine does not listen");
	return -1;
}

static int
code_of(uint64_t error)
{
	switch (error) {
	case EINVAL:
		return EX_DATAERR;
	case ENOENT:
		return EX_NOINPUT;
	case EBUSY:
	case ETIMEDOUT:
		return EX_TEMPFAIL;
	case ESHUTDOWN:
		return EX_UNAVAILABLE;
	default:
		return EX_SOFTWARE;
	}
}

json_t *
vmmctl_link_ask(int fd, json_t *request, int *code)
{
	char *line = malloc(REPLY_MAX), text[PROTO_TEXT_MAX];
	json_t *reply = NULL;
	size_t length;

	*code = EX_PROTOCOL;
	if (line != NULL && send_line(fd, request) == 0 &&
	    (length = read_line(fd, line, code)) > 0) {
		reply = json_loadb(line, length, 0, NULL);
		if (!json_is_object(reply))
			warnx("the machine answers what is no JSON object");
	}
	if (json_is_object(reply) && !json_is_true(json_object_get(reply,
	    "ok"))) {
		warnx("%s", vmmctl_link_text(reply, "error", text,
		    sizeof(text)));
		*code = code_of(vmmctl_link_number(reply, "errno"));
	} else if (json_is_object(reply))
		*code = EX_OK;
	if (*code != EX_OK) {
		json_decref(reply);
		reply = NULL;
	}
	free(line);
	json_decref(request);
	return reply;
}

/* --- what is in it ----------------------------------------------------- */

const char *
vmmctl_link_text(const json_t *object, const char *name, char *text,
    size_t size)
{
	const char *s = json_string_value(json_object_get(object, name));
	size_t i;

	snprintf(text, size, "%s", s != NULL ? s : "?");
	for (i = 0; text[i] != '\0'; i++) {
		if (!isascii((unsigned char)text[i]) ||
		    !isprint((unsigned char)text[i]))
			text[i] = '?';
	}
	return text;
}

uint64_t
vmmctl_link_number(const json_t *object, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(object, name));

	return n > 0 ? (uint64_t)n : 0;
}

static void
read_disk(const json_t *from, struct vmmctl_disk *disk)
{
	const json_t *counters = json_object_get(from, "counters");
	const json_t *all = json_object_get(from, "latency_buckets"), *one;
	json_int_t n;
	unsigned i, j;

	vmmctl_link_text(from, "name", disk->name, sizeof(disk->name));
	for (i = 0; i < COUNTER_COUNT; i++)
		disk->stats.value[i] = vmmctl_link_number(counters,
		    counter_row((enum counter)i)->name);
	for (i = 0; i < COUNTER_LATENCY_COUNT; i++) {
		one = json_object_get(all,
		    stats_latency_name((enum counter_latency)i));
		for (j = 0; j < COUNTER_BUCKETS; j++) {
			n = json_integer_value(json_array_get(one, j));
			disk->stats.latency[i][j] = n > 0 ? (uint64_t)n : 0;
		}
	}
}

size_t
vmmctl_link_stats(const json_t *reply, struct vmmctl_disk disk[PROTO_DISKS_MAX])
{
	const json_t *list = json_object_get(reply, "disks");
	size_t i, n = json_array_size(list);

	if (n > PROTO_DISKS_MAX)
		n = PROTO_DISKS_MAX;
	for (i = 0; i < n; i++)
		read_disk(json_array_get(list, i), &disk[i]);
	return n;
}
