/* SPDX-License-Identifier: ISC */
/*
 * What a child says on stderr: lines, each logged under the child's name.
 * The child is hostile: lines are cut, encoded (log.c) and limited in rate;
 * what was dropped is counted and said.
 */
#ifndef VMMD_CHILDLOG_H
#define VMMD_CHILDLOG_H

#include <stddef.h>
#include <stdint.h>

struct childlog;
struct event_base;

#define CHILDLOG_LINE_MAX	512	/* bytes of a line; the rest is cut */
#define CHILDLOG_BURST		100	/* lines at once */
#define CHILDLOG_RATE		20	/* lines a second after that */

/*
 * Read lines from `fd` (nonblocking; becomes the childlog's, also on
 * failure) on the loop.  The name is copied.  NULL and errno on failure.
 */
struct childlog	*childlog_new(struct event_base *, int fd, const char *name);

/* Read what is there now: before a line about the child's end. */
void		 childlog_drain(struct childlog *);
/* Log an unfinished line and what was dropped; close.  NULL is fine. */
void		 childlog_free(struct childlog *);

#endif /* VMMD_CHILDLOG_H */
