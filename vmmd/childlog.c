/* SPDX-License-Identifier: ISC */
/* The stderr of children.  Monitor; the text is hostile. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "proto/proto.h"
#include "util/fd.h"
#include "util/log.h"
#include "vmmd/childlog.h"

#define NS_PER_SECOND	UINT64_C(1000000000)
#define NS_PER_LINE	(NS_PER_SECOND / CHILDLOG_RATE)

/* Reads at one go: a child that floods must not keep the monitor busy. */
#define READS_MAX	16

struct childlog {
	struct event	*event;
	int		 fd;
	char		 name[PROTO_NAME_MAX + 16];
	char		 line[CHILDLOG_LINE_MAX + 1];
	size_t		 length;
	uint64_t	 paid;		/* ns: lines are paid for until then */
	uint64_t	 dropped;
};

/* A child's own levels, as util/log.c writes them. */
static const struct {
	const char	*prefix;
	void		(*log)(const char *, ...)
			    __attribute__((__format__(__printf__, 1, 2)));
} levels[] = {
	{ "error: ", log_error },
	{ "warning: ", log_warning },
	{ "debug: ", log_debug },
	{ "", log_info },
};

static uint64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SECOND + (uint64_t)ts.tv_nsec;
}

/* May one more line be logged? */
static int
take_token(struct childlog *cl)
{
	uint64_t t = now();

	if (cl->paid < t)
		cl->paid = t;
	if (cl->paid - t > (CHILDLOG_BURST - 1) * NS_PER_LINE)
		return 0;
	cl->paid += NS_PER_LINE;
	return 1;
}

static void
say_dropped(struct childlog *cl)
{
	if (cl->dropped == 0)
		return;
	log_warning("%s: %llu lines dropped: it says too much", cl->name,
	    (unsigned long long)cl->dropped);
	cl->dropped = 0;
}

static void
finish_line(struct childlog *cl)
{
	size_t i, n;

	cl->line[cl->length] = '\0';
	cl->length = 0;
	if (!take_token(cl)) {
		cl->dropped++;
		return;
	}
	say_dropped(cl);
	for (i = 0; ; i++) {
		n = strlen(levels[i].prefix);
		if (strncmp(cl->line, levels[i].prefix, n) == 0)
			break;
	}
	levels[i].log("%s: %s", cl->name, cl->line + n);
}

static void
add(struct childlog *cl, const char *bytes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (bytes[i] == '\n')
			finish_line(cl);
		else if (cl->length < CHILDLOG_LINE_MAX)
			/* A NUL would hide the rest of the line. */
			cl->line[cl->length++] =
			    bytes[i] != '\0' ? bytes[i] : '?';
	}
}

void
childlog_drain(struct childlog *cl)
{
	char bytes[4096];
	ssize_t n;
	int i;

	for (i = 0; i < READS_MAX && cl->event != NULL; i++) {
		n = read(cl->fd, bytes, sizeof(bytes));
		if (n > 0) {
			add(cl, bytes, (size_t)n);
			continue;
		}
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		/* The end: the loop has nothing more to watch. */
		event_free(cl->event);
		cl->event = NULL;
	}
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	childlog_drain(arg);
}

struct childlog *
childlog_new(struct event_base *base, int fd, const char *name)
{
	struct childlog *cl = calloc(1, sizeof(*cl));

	if (cl == NULL) {
		close(fd);
		return NULL;
	}
	cl->fd = fd;
	snprintf(cl->name, sizeof(cl->name), "%s", name);
	cl->event = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, cl);
	if (cl->event == NULL || event_add(cl->event, NULL) == -1) {
		childlog_free(cl);
		errno = ENOMEM;
		return NULL;
	}
	return cl;
}

void
childlog_free(struct childlog *cl)
{
	if (cl == NULL)
		return;
	if (cl->length > 0)
		finish_line(cl);
	say_dropped(cl);
	if (cl->event != NULL)
		event_free(cl->event);
	fd_close(&cl->fd);
	free(cl);
}
