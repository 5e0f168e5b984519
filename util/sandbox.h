/* SPDX-License-Identifier: ISC */
/*
 * The empty room: blkd and the vm process shut themselves in before they
 * read their first message.
 *
 * The parent's part (monitor, one thread):
 *
 *	pid = sandbox_fork(&policy);	a fork(2) that also makes the pid
 *					namespace (only a parent can)
 *	0:  fexecve(...) at once	libc does not know of this fork: exec
 *					before threads or locks are used
 *	>0: kill(pid), waitpid(pid) as ever: pid is the parent's number of
 *	    it, SIGCHLD comes, kill -9 kills exactly that process
 *
 * In its own eyes the child is pid 1 then, with these consequences: signals
 * whose action is the default do nothing to it but SIGKILL and SIGSTOP from
 * outside and faults of its own (so SIGTERM needs a handler, or use
 * SIGKILL); getppid() is 0; PR_SET_PDEATHSIG works, and sandbox_enter sets
 * it after the ids have changed, which would clear it.
 *
 * The child's part (one thread, before the first message):
 *
 *	event_base_new(), openlog(LOG_NDELAY), tzset(), ...
 *					whatever opens or makes things
 *	sandbox_enter(&policy, &box, &layers, why, sizeof(why))
 *	...read ATTACH, check, map, make the threads...
 *	sandbox_limit_file(bytes of the backing)
 *	sandbox_narrow(box)		the steady state's filter, all threads
 *	sandbox_free(box)
 *
 * Afterwards nothing can be opened, made or executed; the process is not
 * dumpable, so /proc/PID belongs to root: no core, no gdb, no
 * /proc/self/fd, also for its own user.
 */
#ifndef UTIL_SANDBOX_H
#define UTIL_SANDBOX_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "util/filter.h"

#define SANDBOX_WHY_MAX	224	/* a sentence, as PROTO_TEXT_MAX */

struct sandbox;

/*
 * As root the process takes uid and gid.  0 means that nobody has set up a
 * user for it: it takes a number that no user has and that is its own
 * (0x70000000 + the host's pid of it: beyond the ranges that distributions,
 * containers and systemd hand out), else 65534 where that is not mapped.
 */
struct sandbox_policy {
	bool		strict;		/* a missing layer is fatal */
	uid_t		uid;
	gid_t		gid;
	unsigned	nofile;		/* highest descriptor + 1 */
	unsigned	threads;	/* the first one included */
	uint64_t	data;		/* bytes of private memory, 0: any */
	bool		orphan;		/* lives on when its parent ends */
	unsigned	sections;	/* enum filter_section, beside the build's */
	const struct filter_table *table;
};

/*
 * fork(2) for a process that will be shut in: with a pid namespace of its
 * own, and a user namespace where the caller is no root.  Where the kernel
 * refuses namespaces it is a plain fork: sandbox_enter tells.  Returns as
 * fork does.
 */
pid_t		 sandbox_fork(void);

/*
 * Shut this process in.  Stores the layers that hold (enum proto_layer),
 * each tested from inside.  A layer that does not hold: with `strict`, or
 * if it is seccomp, no_new_privs or the capabilities, -1 and errno; else
 * the start goes on.  Either way `why` names what is missing and why, ""
 * if nothing is.  After -1 the process must end: it may be half shut in.
 */
int		 sandbox_enter(const struct sandbox_policy *, struct sandbox **,
		    uint32_t *layers, char *why, size_t);

/*
 * The layers that `strict` wants and that do not hold: for PROTO_DISK_STRICT,
 * which comes after the sandbox was entered.  0: strict is met.
 */
uint32_t	 sandbox_missing(uint32_t layers);

/* The name of one layer, for people; NULL if it is none. */
const char	*sandbox_layer_name(uint32_t layer);

/* The names of these layers, "none" if there are none; cut to `size`. */
void		 sandbox_layer_names(uint32_t layers, char *text, size_t size);

/*
 * No file may grow past this: the image has its size already.  A write
 * beyond is EFBIG.  After sandbox_narrow the process cannot lift it.
 */
int		 sandbox_limit_file(uint64_t bytes);

/*
 * The monitor's part of growing an image, before RESIZE.  0, or -1 and
 * errno: EPERM, as root without CAP_SYS_RESOURCE (then a successor, which
 * measures anew, is the way).
 */
int		 sandbox_raise_file(pid_t, uint64_t bytes);

/* The second stage of the filter, for all threads. */
int		 sandbox_narrow(struct sandbox *);
void		 sandbox_free(struct sandbox *);

/*
 * blkd -T: try it in a child and print a line a layer.  0 if strict could
 * be met on this host, for this user; -1 if not.
 */
int		 sandbox_report(const struct sandbox_policy *, FILE *);

#endif /* UTIL_SANDBOX_H */
