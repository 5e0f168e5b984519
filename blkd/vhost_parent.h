/* SPDX-License-Identifier: ISC */
/*
 * The process that stays outside: a blkd behind vhost-user has nobody to
 * start it into a pid namespace, to take away its socket when it ends, or to
 * hand signals in.  So it starts itself a second time, as its own child:
 *
 *	parent				child (--inner)
 *	binds the socket		descriptor 3: listens
 *	waits for signals	->	descriptor 4: a pipe, one byte each
 *	exits as the child did	<-	opens the file, shuts itself in, serves
 *
 * The parent reads nothing from anybody.  When it dies, so does the child.
 */
#ifndef BLKD_VHOST_PARENT_H
#define BLKD_VHOST_PARENT_H

struct options;

#define VHOST_PARENT_LISTEN	3
#define VHOST_PARENT_PIPE	4

/* Start the child and wait for its end; returns its exit status. */
int	vhost_parent_run(const struct options *, int argc, char **argv);

#endif /* BLKD_VHOST_PARENT_H */
