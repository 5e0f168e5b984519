/* SPDX-License-Identifier: ISC */
/*
 * A disk as the vm process sees it: a register window, answered by a blkd
 * over the MMIO channel, and the doorbell page.
 *
 * A vCPU that accesses a register waits for the answer.  Where the channel
 * ends before it came, the vCPU waits for the channel of a successor and
 * sends the access again: accesses are idempotent (DESIGN 2).  Where nothing
 * comes within the time limit, or nonsense, the monitor is told once that
 * the disk is stuck, and a successor is waited for as well.
 */
#ifndef VMMD_BLKCHAN_H
#define VMMD_BLKCHAN_H

#include <stdbool.h>
#include <stdint.h>

#include "vmmd/notice.h"

#define BLKCHAN_TIMEOUT_MS	5000	/* DESIGN 2 */

struct blkchan;

struct blkchan_setup {
	uint32_t	index;		/* of the disk */
	uint32_t	queues;
	int		channel;	/* becomes blkchan's, also on failure */
	int		doorbell;	/* memfd; stays the caller's */
	bool		message;	/* kicks by NOTIFY */
	unsigned	timeout_ms;
	struct notice	*notice;
};

/* NULL and errno: of the doorbell (memfd_check), or of memory. */
struct blkchan	*blkchan_new(const struct blkchan_setup *);
/* No vCPU may be inside any more.  NULL is fine. */
void		 blkchan_free(struct blkchan *);

/* The channel of a successor; it becomes blkchan's.  The main thread. */
void		 blkchan_attach(struct blkchan *, int channel);
/* Accesses that wait return at once, and all later ones.  Any thread. */
void		 blkchan_stop(struct blkchan *);

/*
 * An access of `size` bytes at `offset` of the window, by a vCPU thread.
 * What the window does not answer reads as all ones.
 */
uint64_t	 blkchan_read(struct blkchan *, uint32_t offset,
		    uint32_t size);
void		 blkchan_write(struct blkchan *, uint32_t offset,
		    uint32_t size, uint64_t value);

#endif /* VMMD_BLKCHAN_H */
