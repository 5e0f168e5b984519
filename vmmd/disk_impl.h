/* SPDX-License-Identifier: ISC */
/*
 * The private side of a disk: for disk.c and disk_*.c alone.
 */
#ifndef VMMD_DISK_IMPL_H
#define VMMD_DISK_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/msg.h"
#include "proto/proto.h"
#include "shm/state.h"
#include "vmmd/disk.h"
#include "vmmd/diskfds.h"

struct child;
struct event;
struct fencewatch;
struct state;

enum disk_state {
	DISK_OFF,
	DISK_BACKOFF,
	DISK_LOCKING,
	DISK_ATTACHING,
	DISK_RUNNING,
	DISK_DETACHING,
	DISK_DYING,
	DISK_GONE,
	DISK_STATES
};

/* What happens to it; see the table in disk_life.c. */
enum disk_event {
	ON_NOTHING,
	ON_START,	/* the monitor: begin */
	ON_STOP,	/* the monitor: end */
	ON_TIMER,	/* the time of the state is over */
	ON_LOCKED,	/* the fence is ours */
	ON_READY,	/* blkd serves */
	ON_RENEW,	/* another blkd is wanted, without a hurry */
	ON_BROKEN,	/* this blkd is of no use any more */
	ON_CLOSED,	/* its channel is closed */
	ON_FENCED,	/* nothing of it can reach the image or the guest */
	ON_DEATH,	/* it is gone, and a successor is wanted */
	ON_END,		/* it is gone, and none is */
	EVENTS
};

/* One question of an operator that is not answered yet. */
struct disk_command {
	enum proto_verb		 verb;		/* 0: none */
	struct disk_asker	 asker;
	uint32_t		 sequence;	/* to the blkd; 0: not sent */
	bool			 begun;		/* an upgrade */
	struct event		*timer;
	struct proto_fault	 fault;		/* of PROTO_VERB_FAULT */
};

/* More deaths at once than this wait for the reaping of one. */
#define DISK_CORPSES_MAX	4

/* What a blkd is given that no other has. */
struct disk_parts {
	int			 backing_fd;	/* its description of the image */
	int			 channel_fd;	/* the vm's end */
	uint64_t		 file_bytes;	/* that it may write up to */
};

struct disk {
	const struct disk_host	*host;
	const struct conf_disk	*conf;
	unsigned		 index;
	enum disk_state		 state;
	struct event		*timer;
	struct child		*child;		/* NULL: none */

	/* Beside it: disk_spare.c. */
	struct child		*spare;		/* waits; NULL: none */
	struct event		*spare_timer;
	bool			 spare_waits;	/* it can take over */
	bool			 spare_stands;	/* it was told to stand by */
	struct disk_parts	 spare_parts;	/* then */
	bool			 spare_stale;	/* of an old program: killed */
	bool			 upgrading;	/* the next spare takes over */
	struct disk_corpse {
		struct child	*child;	/* fenced, not yet reaped; or NULL */
		bool		 renewed;	/* it was asked to go */
	}			 corpse[DISK_CORPSES_MAX];
	int			 corpse_fd;	/* for the lock one still has */
	struct event		*corpse_timer;	/* the next try for that */
	struct fencewatch	*fence;

	/* Does it answer: disk_watch.c. */
	const struct state	*shared;	/* read-only */
	struct event		*watch_timer;
	uint32_t		 ping;		/* unanswered; 0: none */
	uint64_t		 hangs;
	/* Each queue's thread, and its pool's. */
	struct disk_pulse {
		uint64_t	 beat;	/* last look */
		unsigned	 still;	/* looks */
	}			 pulse[PROTO_QUEUES_MAX]
				    [1 + STATE_THREADS_MAX];

	struct diskfds		 fds;		/* what outlives a blkd */
	enum proto_engine	 engine;
	bool			 rings;		/* each blkd has them */
	unsigned		 threads;	/* a queue, beside its own */

	/* Of the newest incarnation. */
	bool			 stands;	/* by: TAKE_OVER, not ATTACH */
	int			 next_fd;	/* then: the vm's end */
	int			 backing_fd;	/* until it is attached */
	int			 channel_fd;	/* the vm's end, until taken */
	uint32_t		 incarnation;
	unsigned		 fence_ms;	/* until the next try */
	uint64_t		 fence_tries;

	unsigned		 backoff_ms;	/* before the next one */
	uint64_t		 deaths;
	bool			 was_ready;	/* once at least */
	bool			 hurry;		/* a guest waits for READY */
	bool			 stopping;
	bool			 said;	/* why this blkd has to end */

	/* What an operator wants of it: disk_command.c. */
	struct disk_command	 command;
	struct proto_limits	 limits;
	bool			 paused;	/* wanted */
	uint32_t		 fault_id;	/* the last one given */
	bool			 cut;	/* the end is a power cut */
	bool			 told_paused;	/* what this blkd knows */

	/* What the newest blkd has reported. */
	uint64_t		 file_bytes;	/* that it may write up to */
	uint32_t		 layers;
	enum proto_engine	 engine_now;
	uint64_t		 capacity;	/* 512-byte sectors */
	struct proto_fault_row	 row[PROTO_FAULTS_MAX];
};

/* --- disk.c --------------------------------------------------------------- */

/* Drain and detach this blkd, attach a new one: no request is in flight. */
void	disk_renew(struct disk *);

/* --- disk_life.c ---------------------------------------------------------- */

/* The one setter of the state.  What is not in the table changes nothing. */
void	disk_life_handle(struct disk *, enum disk_event);
/* The time of the state is over after so many milliseconds. */
void	disk_life_arm(struct disk *, unsigned ms);
/* A process of it is gone: was it the last one of its last state? */
void	disk_life_tell_gone(struct disk *);

/* --- disk_attach.c -------------------------------------------------------- */

int	disk_attach_init(struct disk *);
void	disk_attach_free(struct disk *);
/* Actions of disk_life.c: a blkd that waits, the image's lock, ATTACH. */
enum disk_event disk_attach_spawn(struct disk *);
enum disk_event disk_attach_lock(struct disk *);
enum disk_event disk_attach_send(struct disk *);
/*
 * A blkd beside the one that serves: all that can be done before it takes
 * over.  -1: it is left as it was.
 */
int	disk_attach_stand_by(struct disk *, struct child *,
	    struct disk_parts *);
void	disk_attach_close(struct disk_parts *);
/* The corpse is reaped: the lock that it had is its successor's. */
void	disk_attach_relock(struct disk *);
/* The successor serves: the corpse need not give way to it any more. */
void	disk_attach_hasten(struct disk *);

/* --- disk_child.c --------------------------------------------------------- */

/* Start a blkd that waits for ATTACH.  NULL and errno. */
struct child *disk_child_start(struct disk *, bool spare);
/* The place of one, or of none (NULL); NULL: there is none. */
struct disk_corpse *disk_child_corpse(struct disk *, const struct child *);
/* Is none left? */
bool	disk_child_all_reaped(const struct disk *);
/* Nothing of the blkd can reach the image or the guest: fencewatch.h. */
void	disk_child_fence_down(void *disk);

/* --- disk_spare.c --------------------------------------------------------- */

int	disk_spare_init(struct disk *);
void	disk_spare_free(struct disk *);
/* The blkd serves: one is started in a while, if there is none. */
void	disk_spare_want(struct disk *);
/* The one that waits: the caller's; NULL: none. */
struct child *disk_spare_take(struct disk *);
/* The one that was taken is of no use: it is killed. */
void	disk_spare_refuse(struct disk *, struct child *);
/* It is gone, or it is of no use. */
void	disk_spare_lost(struct disk *);
/* It has answered: its sandbox is closed. */
void	disk_spare_on_pong(struct disk *);
/* It stands by. */
void	disk_spare_on_standing(void *child, struct msg *);
/* None is wanted any more. */
void	disk_spare_end(struct disk *);

/* --- disk_watch.c --------------------------------------------------------- */

int	disk_watch_init(struct disk *);
void	disk_watch_free(struct disk *);
/* The blkd serves: it has to answer from now on. */
void	disk_watch_start(struct disk *);
void	disk_watch_on_pong(void *child, struct msg *);

/* --- disk_command.c ------------------------------------------------------- */

int	disk_command_init(struct disk *);
void	disk_command_free(struct disk *);
/* The limits of its throttle group, if it is in one. */
void	disk_command_say_group(struct disk *);
/* The blkd serves: what is not answered yet is said, again or at last. */
void	disk_command_go(struct disk *);
/* The new program is of no use. */
void	disk_command_no_upgrade(struct disk *);
/* The disk ends. */
void	disk_command_end(struct disk *);

/* Handlers of what a blkd answers. */
void	disk_command_on_done(void *child, struct msg *);
void	disk_command_on_resized(void *child, struct msg *);
void	disk_command_on_faulted(void *child, struct msg *);

#endif /* VMMD_DISK_IMPL_H */
