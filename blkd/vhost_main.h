/* SPDX-License-Identifier: ISC */
/*
 * A blkd behind vhost-user, from its options to its end.
 */
#ifndef BLKD_VHOST_MAIN_H
#define BLKD_VHOST_MAIN_H

struct options;

/* Returns an exit status of sysexits.h. */
int	vhost_main_run(const struct options *);

#endif /* BLKD_VHOST_MAIN_H */
