/* SPDX-License-Identifier: ISC */
/*
 * Into the background, once the machine runs: until then the caller waits,
 * sees what is wrong on its stderr, and gets the exit code.
 */
#ifndef VMMD_DAEMON_H
#define VMMD_DAEMON_H

#include <stdbool.h>

#include "vmmd/exitcode.h"

struct daemon_state;

/*
 * Make the pid file (by the machine's name, unless one is given; in the
 * foreground only if one is given), and fork, unless in the foreground: the
 * parent waits and never returns.  What is wrong is logged, and its reason
 * returned.
 */
enum exitcode_reason	daemon_begin(struct daemon_state **, const char *name,
			    const char *pid_file, bool foreground);
/* Its pid file, as an absolute path; empty: none. */
const char		*daemon_pid_file(const struct daemon_state *);
/* Let the caller go with 0, leave its terminal, log to syslog. */
void			daemon_detach(void *daemon);
/* Remove the pid file; a caller that still waits gets the code. */
void			daemon_end(struct daemon_state *, int code);

#endif /* VMMD_DAEMON_H */
