/* SPDX-License-Identifier: ISC */
/*
 * The directories above a default place.  Monitor, at its start, with the
 * caller's rights; trusts no path but that of the build or the caller.
 */
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "vmmd/rundir.h"

int
rundir_make_parents(const char *path)
{
	char copy[PATH_MAX], *slash = copy;
	mode_t mask;
	int rc = 0;

	if ((size_t)snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	/* Whom the mode of the socket lets in has to get there. */
	mask = umask(022);
	while (rc == 0 && *slash != '\0' &&
	    (slash = strchr(slash + 1, '/')) != NULL) {
		*slash = '\0';
		if (mkdir(copy, 0755) == -1 && errno != EEXIST)
			rc = -1;
		*slash = '/';
	}
	umask(mask);
	return rc;
}
