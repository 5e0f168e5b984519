/* SPDX-License-Identifier: ISC */
/*
 * vmmctl console.  The name of the terminal comes from a process that the
 * guest may own: nothing but a pty is opened.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "util/fd.h"
#include "vmmd/vmmctl_console.h"
#include "vmmd/vmmctl_link.h"

#define PTS	"/dev/pts/"
#define DETACH	0x1d		/* control-] */

static int
open_terminal(const char *name)
{
	const char *number = name + strlen(PTS);
	int fd;

	if (strncmp(name, PTS, strlen(PTS)) != 0 || number[0] == '\0' ||
	    number[strspn(number, "0123456789")] != '\0') {
		warnx("%s is no pty", name);
		return -1;
	}
	fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd == -1 || !isatty(fd)) {
		warn("%s", name);
		fd_close(&fd);
	}
	return fd;
}

static int
write_all(int fd, const char *buf, size_t n)
{
	ssize_t done;

	for (; n > 0; buf += done, n -= (size_t)done) {
		done = write(fd, buf, n);
		if (done == -1 && errno == EINTR)
			done = 0;
		else if (done == -1)
			return -1;
	}
	return 0;
}

/* Pass on what there is; 0, or -1: one side has ended, or wants to. */
static int
pass(int from, int to, int detach)
{
	char buf[4096], *end = NULL;
	ssize_t n = read(from, buf, sizeof(buf));

	if (n <= 0)
		return n == -1 && errno == EINTR ? 0 : -1;
	if (detach)
		end = memchr(buf, DETACH, (size_t)n);
	if (write_all(to, buf, end != NULL ? (size_t)(end - buf) :
	    (size_t)n) == -1)
		return -1;
	return end != NULL ? -1 : 0;
}

static void
relay(int terminal)
{
	struct pollfd fds[2] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = terminal, .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, 2, -1) == -1 && errno != EINTR)
			return;
		if (fds[0].revents != 0 &&
		    pass(STDIN_FILENO, terminal, 1) == -1)
			return;
		if (fds[1].revents != 0 &&
		    pass(terminal, STDOUT_FILENO, 0) == -1)
			return;
	}
}

static int
attach(const char *name)
{
	struct termios saved, raw;
	int fd = open_terminal(name), tty = 0;

	if (fd == -1)
		return EX_UNAVAILABLE;
	if (isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &saved) == 0) {
		tty = 1;
		raw = saved;
		cfmakeraw(&raw);
		fprintf(stderr, "%s: control-] leaves it\r\n", name);
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	}
	relay(fd);
	if (tty)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
	fd_close(&fd);
	return EX_OK;
}

int
vmmctl_console_run(const json_t *reply)
{
	const json_t *m = json_object_get(reply, "machine");
	char kind[PROTO_WORD_MAX], name[PROTO_TTY_MAX];

	vmmctl_link_text(m, "serial", kind, sizeof(kind));
	if (strcmp(kind, "pty") == 0)
		return attach(vmmctl_link_text(m, "terminal", name,
		    sizeof(name)));
	if (strcmp(kind, "stdio") == 0)
		warnx("the serial line is on the terminal of vmmd: use"
		    " serial = pty to attach from elsewhere");
	else if (strcmp(kind, "file") == 0)
		warnx("the serial line goes to a file: read that, or use"
		    " serial = pty");
	else
		warnx("the serial line goes nowhere: use serial = pty");
	return EX_UNAVAILABLE;
}
