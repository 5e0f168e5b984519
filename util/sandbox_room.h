/* SPDX-License-Identifier: ISC */
/*
 * Between the parts of the sandbox: sandbox.c (the order, the verdict),
 * sandbox_ns.c (namespaces, the empty root), sandbox_self.c (what a process
 * gives up by itself).  Nobody else includes this.
 */
#ifndef UTIL_SANDBOX_ROOM_H
#define UTIL_SANDBOX_ROOM_H

#include "util/sandbox.h"

/* A sandbox being entered. */
struct room {
	const struct sandbox_policy *policy;
	bool		 root;		/* started with the power to change ids */
	bool		 own_id;	/* uid and gid are nobody else's */
	bool		 own_mounts;	/* a mount namespace was made */
	uid_t		 uid;		/* to take as root */
	gid_t		 gid;
	uint32_t	 layers;	/* that hold */
	int		 error;		/* of the first that does not; 0 */
	char		*why;
	size_t		 size;
	unsigned	 sections;	/* the caller's and the build's */
	struct filter	*start;
};

/* Add "what: strerror(errno)" to why. */
void	sandbox_room_note(struct room *, const char *what);

/* Look up what cannot be looked up from inside. */
void	sandbox_self_prepare(struct room *);

/*
 * Each enters its layer or layers, tests them and sets their bits, or
 * notes why it could not.
 */
void	sandbox_ns_enter(struct room *);	/* USERNS NAMESPACES */
void	sandbox_ns_root(struct room *);		/* ROOT or CHROOT */
void	sandbox_self_ids(struct room *);
void	sandbox_self_caps(struct room *);
void	sandbox_self_nnp(struct room *);
void	sandbox_self_nodump(struct room *);
void	sandbox_self_landlock(struct room *);
void	sandbox_self_rlimits(struct room *);
void	sandbox_self_mdwe(struct room *);
void	sandbox_self_seccomp(struct room *);

/* A user namespace that maps a single id: nobody else is in it. */
bool	sandbox_ns_is_single(void);

/* Does the calling process have this capability in effect? */
bool	sandbox_self_can(unsigned cap);

#endif /* UTIL_SANDBOX_ROOM_H */
