/* SPDX-License-Identifier: ISC */
/*
 * What a monitor leaves in the file system when it is killed: its control
 * socket and its pid file.  A child of it, with no other task, no rights and
 * a filter of its own, waits for its end and removes them.  Where all goes well the monitor has
 * done so itself.
 */
#ifndef VMMD_SWEEPER_H
#define VMMD_SWEEPER_H

#include <sys/types.h>

/*
 * Start one, for these paths (absolute; NULL or empty: none).  Returns its
 * process id; 0: there is none, and a killed monitor leaves them: said in the
 * log.  Monitor, after its privileges are dropped, before other children.
 */
pid_t	sweeper_start(const char *socket, const char *pid_file);
/* The orderly end: nothing is left to sweep.  0 is accepted. */
void	sweeper_end(pid_t);

#endif /* VMMD_SWEEPER_H */
