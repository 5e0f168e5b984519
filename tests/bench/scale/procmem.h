/* SPDX-License-Identifier: ISC */
/* What /proc says of a process: memory, sleep. */
#ifndef SCALE_PROCMEM_H
#define SCALE_PROCMEM_H

#include <sys/types.h>

#include <stdint.h>

struct procmem {
	uint64_t	private_kib;	/* Private_Clean + Private_Dirty */
	uint64_t	pss_kib;
};

/* Returns 0, or -1 and errno. */
int	procmem_read(pid_t, struct procmem *);
/* Context switches of all threads until now; UINT64_MAX: cannot be read. */
uint64_t procmem_switches(pid_t);

#endif /* SCALE_PROCMEM_H */
