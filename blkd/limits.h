/* SPDX-License-Identifier: ISC */
/*
 * Limits as people write them, for vhost-user: on the command line, or in a
 * file that is read again when they change.
 */
#ifndef BLKD_LIMITS_H
#define BLKD_LIMITS_H

#include <stddef.h>

struct throttle_limits;

#define LIMITS_WHY	160	/* bytes of a sentence, at most */
#define LIMITS_FILE_MAX	4095	/* bytes of a file */

/*
 * name=n, separated by commas or white space, on top of what is there; the
 * text is changed.  Returns 0, or -1 and what is wrong.
 */
int	limits_parse(char *text, struct throttle_limits *,
	    char why[LIMITS_WHY]);

/*
 * The same of a file, where # begins a comment and what is not said is not
 * limited.  Returns 0, or -1 and what is wrong; then the limits are as
 * before.
 */
int	limits_read(const char *path, struct throttle_limits *,
	    char why[LIMITS_WHY]);

#endif /* BLKD_LIMITS_H */
