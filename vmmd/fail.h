/* SPDX-License-Identifier: ISC */
/*
 * Why the start of the vm cannot go on: what VM_FAIL carries.
 */
#ifndef VMMD_FAIL_H
#define VMMD_FAIL_H

#include "proto/proto.h"

struct fail {
	int	errnum;			/* > 0 */
	char	text[PROTO_TEXT_MAX];	/* a sentence */
};

/* Fill in both; sets errno, too.  Returns -1, for `return fail_set(...)`. */
int	fail_set(struct fail *, int errnum, const char *fmt, ...)
	    __attribute__((__format__(__printf__, 3, 4)));
/* The same with ": " and the words of errno after the sentence. */
int	fail_errno(struct fail *, const char *fmt, ...)
	    __attribute__((__format__(__printf__, 2, 3)));

#endif /* VMMD_FAIL_H */
