/* SPDX-License-Identifier: ISC */
/* The default place of sockets and pid files.  Monitor, at its start. */
#ifndef VMMD_RUNDIR_H
#define VMMD_RUNDIR_H

/*
 * Make each directory above `path` that is missing, with mode 0755 whatever
 * the umask.  Returns 0, or -1 and errno.
 */
int	rundir_make_parents(const char *path);

#endif /* VMMD_RUNDIR_H */
