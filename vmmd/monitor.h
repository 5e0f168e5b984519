/* SPDX-License-Identifier: ISC */
/*
 * The monitor: one machine from its configuration to its exit code.
 */
#ifndef VMMD_MONITOR_H
#define VMMD_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "vmmd/exitcode.h"

struct conf;

struct monitor_options {
	const struct conf *conf;
	const char	*vmmd;		/* absolute path of this program */
	const char	*blkd;		/* and of its disk process */
	const char	*pid_file;	/* absolute; NULL or empty: none */
	void		*ctx;
	/* The guest is about to run its first instruction. */
	void		(*running)(void *ctx);
};

struct monitor_result {
	enum exitcode_reason reason;
	uint32_t	     detail;
	bool		     ran;	/* the guest did, for however long */
};

/*
 * Run the machine; returns when nothing of it is left.  What is wrong was
 * logged.
 */
void	monitor_run(const struct monitor_options *, struct monitor_result *);

#endif /* VMMD_MONITOR_H */
