/* SPDX-License-Identifier: ISC */
/*
 * A disk's life, seen by the monitor: what outlives each blkd, and the state
 * table that starts, attaches, replaces and ends them (DESIGN 1 and 7).
 */
#ifndef VMMD_DISK_H
#define VMMD_DISK_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "proto/proto.h"
#include "vmmd/exitcode.h"

struct children;
struct conf_disk;
struct disk;
struct event_base;

/* Who has asked: given back with the answer. */
struct disk_asker {
	uint32_t	client;
	uint32_t	sequence;
};

/* A throttle group, as its limits are now. */
struct disk_group {
	const char	*name;
	struct proto_limits limits;
	uint64_t	 epoch;		/* of them: CLOCK_MONOTONIC, ns */
	uint32_t	 slot;		/* in the page that they are spent in */
	int		 fd;		/* of the page */
};

/* What a disk has of its machine; outlives the disk. */
struct disk_host {
	struct event_base *base;
	struct children	*children;
	const char	*blkd;		/* path of the program */
	uid_t		 uid;		/* for its sandbox; 0: any of its own */
	gid_t		 gid;
	bool		 strict;
	int		 gmem_fd;
	uint64_t	 memory;	/* bytes */
	/* Throttle groups, by conf_disk.group_index. */
	const struct disk_group *group;
	unsigned	 attach_ms;	/* ATTACH to READY; 0: 5 s */
	unsigned	 healthy_ms;	/* deaths are forgotten; 0: 10 s */
	unsigned	 spare_ms;	/* READY to the next spare; 0: none */
	unsigned	 hang_ms;	/* without an answer; 0: never */

	void		*ctx;
	/* It serves, for the first time or again: see disk_take_channel. */
	void		(*ready)(void *ctx, struct disk *);
	/* The first start has failed; the reason was logged. */
	void		(*failed)(void *ctx, struct disk *,
			    enum exitcode_reason);
	/* No process is left and none will come. */
	void		(*gone)(void *ctx, struct disk *);
	/* Other limits of a group: all its disks are told (disk_tell_limits). */
	void		(*regroup)(void *ctx, unsigned group,
			    const struct proto_limits *);
	/* What disk_ask has come to: 0, or an errno and a sentence. */
	void		(*answered)(void *ctx, struct disk *,
			    const struct disk_asker *, int error,
			    const char *text);
};

/*
 * Open the image, make the descriptors.  What is wrong is logged as one
 * sentence and its reason returned; EXITCODE_NONE and *out: fine.
 */
enum exitcode_reason	disk_new(const struct disk_host *,
			    const struct conf_disk *, unsigned index,
			    struct disk **out);
void			disk_free(struct disk *);	/* NULL is fine */

void		disk_start(struct disk *);
/* Detach, flush, end; at once where there is nothing to detach. */
void		disk_stop(struct disk *);
/*
 * The vm process was killed: where faults are allowed that is a power cut,
 * and what a disk holds back is lost.  Else the same as disk_stop.
 */
void		disk_cut_power(struct disk *);
/* A register access was not answered: replace its blkd. */
void		disk_replace(struct disk *, const char *why);

/*
 * The program may be another now: start it, and once it waits in its
 * sandbox, put it in the place of the one that serves, which finishes what
 * it has in flight.  A program that does not start changes nothing.
 */
void		disk_upgrade(struct disk *);

/* A line for the log, once it is ready. */
void		disk_log_sandbox(const struct disk *);

unsigned	disk_index(const struct disk *);
bool		disk_is_ready(const struct disk *);
bool		disk_is_gone(const struct disk *);

/*
 * The vm's end of the newest MMIO channel: the caller's, once; -1: taken.
 */
int		disk_take_channel(struct disk *);

/* The rest of what the vm process gets of a disk; stays the disk's. */
struct disk_vm_part {
	uint32_t	flags;		/* enum proto_vm_disk_flag */
	unsigned	queues;
	unsigned	queue_size;
	const char	*name;		/* PROTO_NAME_MAX bytes */
	int		doorbell_fd;
	int		irq_fd;
	int		state_fd;	/* read-only */
	const int	*kick_fd;
};
void		disk_describe(const struct disk *, struct disk_vm_part *);

/*
 * An operator wants THROTTLE, RESIZE, PAUSE, RESUME or FAULT.  `answered` is called
 * once, from in here or later: within DISK_COMMAND_MS.  One at a time: what
 * comes while another waits is refused.  A disk without a blkd keeps it for
 * the successor.
 */
#define DISK_COMMAND_MS	5000
void		disk_ask(struct disk *, const struct proto_vm_ask *,
		    const struct disk_asker *);
/* The limits of this group have changed: say so, if it is in it. */
void		disk_tell_limits(struct disk *, unsigned group);
void		disk_status(const struct disk *, struct proto_disk_status *);
/* Its faults, as its blkd has told them last. */
void		disk_faults(const struct disk *,
		    struct proto_fault_row [PROTO_FAULTS_MAX]);
const char	*disk_name(const struct disk *);
/* Can the image be opened once more, with the rights that are in force? */
bool		 disk_can_reopen(const struct disk *);

/* A successor waits in its sandbox, for tests. */
bool		disk_has_spare(const struct disk *);

/* The table, for tests: each state and event has a name. */
const char	*disk_state_name(const struct disk *);

#endif /* VMMD_DISK_H */
