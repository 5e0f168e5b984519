/* SPDX-License-Identifier: ISC */
/* The process that is measured: its start, its processor time, its end. */
#ifndef LOAD_BACKEND_H
#define LOAD_BACKEND_H

#include <sys/types.h>

#include <stdbool.h>

/* Start a command on a core (-1: any).  Returns its pid, or -1 and errno. */
pid_t	backend_start(char **command, int core, bool loud);
/* SIGTERM, SIGKILL if that does not do, and wait. */
void	backend_end(pid_t);

/*
 * Seconds of processor time that a process and those that it has started
 * have had until now, with the kernel's workers that work for them (io_uring).
 */
double	backend_cpu(pid_t);

/*
 * This process, and what it starts, before all that is not in real time:
 * what else the machine has to do does not disturb.  Says where it may not.
 */
void	backend_hurry(void);

/* This thread on one core; -1: any. */
void	backend_pin(int core);

#endif /* LOAD_BACKEND_H */
