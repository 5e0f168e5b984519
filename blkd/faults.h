/* SPDX-License-Identifier: ISC */
/*
 * Faults on purpose: the rules of a disk, and what they say of an operation.
 * There is one only where the configuration has `faults = yes`.
 *
 * Rules and their counts are in memory that outlives a blkd: whether a rule
 * strikes its n-th match depends on the rule, its seed and n alone.  Other
 * threads than the register thread call what is of an operation; the rest is
 * the register thread's.
 */
#ifndef BLKD_FAULTS_H
#define BLKD_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/proto.h"

struct fault_clock;
struct fault_memory;
struct faults;

/*
 * Take the memory that a peer sent (the descriptor stays the caller's).
 * NULL and errno: it is not what it should be.
 */
struct faults	*faults_open(int fd);
void		 faults_close(struct faults *);	/* NULL is fine */

/*
 * Before the sandbox narrows: the clock of delays starts.  `eventfd` is
 * signalled when faults_hang_if_stopped has to be called.  0, or -1 and errno.
 */
int		 faults_start(struct faults *, int eventfd);
struct fault_clock *faults_clock(const struct faults *);

/*
 * Add a rule, forget rules, or nothing (LIST): the message was checked.
 * Returns 0, or ENOSPC: there are PROTO_FAULTS_MAX that can still strike, or
 * ENOENT: there is no such rule.
 */
int		 faults_command(struct faults *, const struct proto_fault *);
void		 faults_list(struct faults *,
		    struct proto_fault_row [PROTO_FAULTS_MAX]);

/* --- of an operation ---------------------------------------------------- */

struct fault_operation {
	enum proto_fault_op	op;
	uint64_t		sector;
	uint64_t		sectors;	/* 0: it has none (FLUSH) */
};

struct fault_verdict {
	/* KILL, STOP, EIO, ENOSPC, TORN, SHORT; 0: none of them */
	uint32_t		action;
	uint32_t		id;		/* of its rule */
	bool			after;		/* KILL and STOP */
	uint64_t		cut;		/* TORN, SHORT: sectors kept */
	uint64_t		delay_ns;	/* first of all */
	bool			hold;		/* LOST_FLUSH */
};

/*
 * Ask the rules in the order of the list: DELAY (they add up) and LOST_FLUSH
 * let the next be asked, any other one that strikes is the last.  Returns
 * how many have struck.
 */
unsigned	 faults_judge(struct faults *, const struct fault_operation *,
		    struct fault_verdict *);

/* Is there a rule that holds writes back? */
bool		 faults_hold(struct faults *);

/* Die as by SIGKILL, or hang as by SIGSTOP, all of the process. */
void		 faults_kill(void) __attribute__((noreturn));
void		 faults_stop(struct faults *) __attribute__((noreturn));
/* Another thread has stopped: so does this. */
void		 faults_hang_if_stopped(const struct faults *);

/* What is held, for overlay.h, under a lock of its own. */
struct fault_memory *faults_lock(struct faults *);
void		 faults_unlock(struct faults *);

#endif /* BLKD_FAULTS_H */
