/* SPDX-License-Identifier: ISC */
/*
 * Sentences for VM_FAIL.  Runs in the vm process.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmmd/fail.h"

int
fail_set(struct fail *f, int errnum, const char *fmt, ...)
{
	va_list ap;

	f->errnum = errnum;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	errno = errnum;
	return -1;
}

int
fail_errno(struct fail *f, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	f->errnum = errno != 0 ? errno : EIO;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	n = strlen(f->text);
	snprintf(f->text + n, sizeof(f->text) - n, ": %s",
	    strerror(f->errnum));
	errno = f->errnum;
	return -1;
}
