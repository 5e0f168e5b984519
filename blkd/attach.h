/* SPDX-License-Identifier: ISC */
/*
 * ATTACH: from a message and its descriptors to a disk.  Each descriptor is
 * checked for what it must be (type, size, seals, access mode) before it is
 * mapped or kept; one table, in attach.c, says how.
 */
#ifndef BLKD_ATTACH_H
#define BLKD_ATTACH_H

#include "blkd/disk.h"
#include "proto/msg.h"
#include "proto/proto.h"

struct throttle_limits;

/* Why not: for FAIL and the log. */
struct attach_failure {
	int	errnum;			/* > 0 */
	char	text[PROTO_TEXT_MAX];	/* a sentence */
};

/* A disk with nothing in it: attach_release accepts it. */
void	attach_init(struct disk *);

/*
 * Make the disk that a checked ATTACH asks for, and take its MMIO channel,
 * which becomes the caller's.  0, or -1 and the failure filled in; then the
 * disk is empty and what was taken is closed.  One thread, once.
 */
int	attach_disk(struct msg *, struct disk *, int *mmio,
	    struct attach_failure *);

/* The limits of a message (its values checked by proto/) as the throttle's. */
void	attach_limits(const struct proto_limits *, struct throttle_limits *);

/* Say that something failed, with errno. */
void	attach_fail(struct attach_failure *, const char *fmt, ...)
	    __attribute__((__format__(__printf__, 2, 3)));

/* Unmap and close all of it; nobody may use the disk any more. */
void	attach_release(struct disk *);

#endif /* BLKD_ATTACH_H */
