/* SPDX-License-Identifier: ISC */
/*
 * How a guest ends.  Runs in the vm process, on any thread.
 */
#include <stdarg.h>
#include <stdio.h>

#include "vmmd/end.h"

void
end_set(struct end *e, enum proto_exit_reason reason, uint32_t detail,
    const char *fmt, ...)
{
	va_list ap;

	e->reason = reason;
	e->detail = detail;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
}
