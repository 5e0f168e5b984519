/* SPDX-License-Identifier: ISC */
/* The guest's terminal.  Monitor; passes no byte itself. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/log.h"
#include "vmmd/conf.h"
#include "vmmd/tty.h"

void
tty_init(struct tty *tty)
{
	*tty = (struct tty) { .in = -1, .out = -1, .slave = -1 };
}

static int
open_stdio(struct tty *tty)
{
	tty->in = fd_dup(STDIN_FILENO);
	tty->out = fd_dup(STDOUT_FILENO);
	return tty->in == -1 || tty->out == -1 ? -1 : 0;
}

static int
open_none(struct tty *tty)
{
	tty->in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	tty->out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	return tty->in == -1 || tty->out == -1 ? -1 : 0;
}

static int
open_file(struct tty *tty, const char *path)
{
	tty->in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	tty->out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY |
	    O_CLOEXEC, 0640);
	return tty->in == -1 || tty->out == -1 ? -1 : 0;
}

static int
open_pty(struct tty *tty)
{
	struct termios raw;
	tty->in = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty->in == -1 || grantpt(tty->in) == -1 ||
	    unlockpt(tty->in) == -1 ||
	    ptsname_r(tty->in, tty->name, sizeof(tty->name)) != 0)
		return -1;
	/* Held open: a master without slave reads EIO. */
	tty->slave = open(tty->name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty->slave == -1 || tcgetattr(tty->slave, &raw) == -1)
		return -1;
	/* Nobody is there yet: an echo would be the guest's input. */
	cfmakeraw(&raw);
	if (tcsetattr(tty->slave, TCSANOW, &raw) == -1)
		return -1;
	if ((tty->out = fd_dup(tty->in)) == -1)
		return -1;
	return 0;
}

enum exitcode_reason
tty_open(struct tty *tty, const struct conf_serial *serial)
{
	const char *what = "/dev/null";
	int ret = -1;

	switch (serial->kind) {
	case CONF_SERIAL_STDIO:
		what = "the standard input and output";
		ret = open_stdio(tty);
		break;
	case CONF_SERIAL_PTY:
		what = "a pty";
		ret = open_pty(tty);
		break;
	case CONF_SERIAL_FILE:
		what = serial->path;
		ret = open_file(tty, serial->path);
		break;
	case CONF_SERIAL_NONE:
		ret = open_none(tty);
		break;
	}
	if (ret == 0)
		return EXITCODE_NONE;
	log_error("vm: cannot open %s for the serial line: %s: choose another"
	    " with serial = ...", what, strerror(errno));
	return EXITCODE_CANTCREATE;
}

const char *
tty_kind(const struct conf_serial *serial)
{
	switch (serial->kind) {
	case CONF_SERIAL_STDIO:
		return "stdio";
	case CONF_SERIAL_PTY:
		return "pty";
	case CONF_SERIAL_FILE:
		return "file";
	case CONF_SERIAL_NONE:
		break;
	}
	return "none";
}

void
tty_begin(struct tty *tty)
{
	struct termios raw;

	if (tty->slave != -1)
		log_info("serial line: %s", tty->name);
	if (tty->slave != -1 || !isatty(tty->in) ||
	    tcgetattr(tty->in, &tty->saved) == -1)
		return;
	raw = tty->saved;
	cfmakeraw(&raw);
	/* The log goes to the same screen. */
	raw.c_oflag |= OPOST | ONLCR;
	if (tcsetattr(tty->in, TCSANOW, &raw) == 0)
		tty->raw = true;
}

void
tty_close(struct tty *tty)
{
	if (tty->raw)
		tcsetattr(tty->in, TCSADRAIN, &tty->saved);
	tty->raw = false;
	fd_close(&tty->in);
	fd_close(&tty->out);
	fd_close(&tty->slave);
}
