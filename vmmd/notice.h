/* SPDX-License-Identifier: ISC */
/*
 * What the vCPU threads and the console tell the main thread: the guest has
 * ended, a disk is stuck.  The descriptor becomes readable; the main thread
 * takes what is there and sends the messages.
 */
#ifndef VMMD_NOTICE_H
#define VMMD_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmmd/end.h"

struct notice;

struct notice	*notice_new(void);	/* NULL and errno */
void		 notice_free(struct notice *);	/* NULL is fine */
int		 notice_fd(const struct notice *);

/* Any thread.  The first end counts. */
void		 notice_end(struct notice *, const struct end *);
void		 notice_stuck(struct notice *, uint32_t disk);

/*
 * The main thread, when the descriptor is readable: the disks (bit i) that
 * have become stuck since the last call, and whether the guest has ended.
 */
bool		 notice_take(struct notice *, uint32_t *stuck, struct end *);

#endif /* VMMD_NOTICE_H */
