/* SPDX-License-Identifier: ISC */
/*
 * Start a child that has nothing but what it needs:
 *
 *	0, 1	/dev/null
 *	2	the write end of its log pipe, nonblocking: a child that
 *		writes too much loses lines, and never waits for the monitor
 *	3	its channel
 *
 * an empty environment, default signals, a process group of its own and no
 * controlling terminal, a pid namespace where it can be had (sandbox_fork),
 * and SIGKILL when the monitor dies.  Descriptors beyond these come by message.
 */
#ifndef VMMD_SPAWN_H
#define VMMD_SPAWN_H

#include <sys/types.h>

#define SPAWN_CHANNEL_FD	3

struct spawn_child {
	pid_t	pid;
	int	channel;	/* the monitor's end; CLOEXEC */
	int	log;		/* read end, nonblocking; CLOEXEC */
};

/*
 * Run `path` with argv (ends with NULL; argv[0] is the title).  Returns 0
 * and the descriptors, which are the caller's, or -1 and errno.  A program
 * that cannot be executed shows as a child that says so in its log and
 * exits with SPAWN_EXEC_FAILED.
 */
#define SPAWN_EXEC_FAILED	127
int	spawn_run(const char *path, const char *const argv[], struct spawn_child *);

#endif /* VMMD_SPAWN_H */
