/* SPDX-License-Identifier: ISC */
/*
 * The loop of a blkd behind vhost-user: front-ends come and go, one at a
 * time, until a signal ends it.
 */
#ifndef BLKD_VHOST_DOOR_H
#define BLKD_VHOST_DOOR_H

struct disk;
struct vhost;

/* How long the end waits for I/O in flight. */
#define VHOST_DOOR_END_MS	10000

/* What the parent writes into its pipe. */
#define VHOST_DOOR_END		'e'	/* as its end does */
#define VHOST_DOOR_STATS	's'
#define VHOST_DOOR_RESIZE	'r'	/* it may write so much now */
#define VHOST_DOOR_LIMITS	'l'	/* struct throttle_limits follows */

struct vhost_door {
	struct disk	*disk;
	struct vhost	*vhost;
	int		 listenfd;	/* a listening stream socket */
	int		 parentfd;	/* a pipe from the parent */
	int		 signalfd;	/* SIGTERM, SIGINT, SIGUSR1 */
};

/*
 * Main thread, inside the sandbox.  Returns an exit status of sysexits.h: 0
 * when all is answered and flushed.  The descriptors stay the caller's.
 */
int	vhost_door_run(const struct vhost_door *);

#endif /* BLKD_VHOST_DOOR_H */
