/* SPDX-License-Identifier: ISC */
/*
 * The far side of the guest's serial line: the terminal (raw while the guest
 * runs), a pty, a file, or nothing.  The monitor opens it, the vm process
 * gets both ends.
 */
#ifndef VMMD_TTY_H
#define VMMD_TTY_H

#include <stdbool.h>
#include <termios.h>

#include "proto/proto.h"
#include "vmmd/exitcode.h"

struct conf_serial;

struct tty {
	int		in;	/* the guest's keyboard */
	int		out;	/* the guest's screen */
	int		slave;	/* of a pty: held, so that it stays up */
	char		name[PROTO_TTY_MAX];	/* of that; empty: none */
	bool		raw;	/* `saved` is to be restored */
	struct termios	saved;
};

void	tty_init(struct tty *);
/*
 * Open both ends.  What is wrong is logged as one sentence, and its reason
 * returned; EXITCODE_NONE: fine.
 */
enum exitcode_reason	tty_open(struct tty *, const struct conf_serial *);
/* The guest runs: raw mode, if it has a terminal; a pty's name is logged. */
void	tty_begin(struct tty *);
/* The kind of it, in one word. */
const char	*tty_kind(const struct conf_serial *);
/* Restore the terminal, close; may be called again. */
void	tty_close(struct tty *);

#endif /* VMMD_TTY_H */
