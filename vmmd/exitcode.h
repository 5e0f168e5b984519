/* SPDX-License-Identifier: ISC */
/*
 * How vmmd ends: reason -> exit code -> sentence, once.  vmmd.8 is compared
 * with this table by a test.
 *
 * 0 to 63 belong to the guest (its debug-exit port; 0 is a power-off, too).
 * From 64 on they are sysexits(3) where one fits, then vmmd's own.
 */
#ifndef VMMD_EXITCODE_H
#define VMMD_EXITCODE_H

#include <stddef.h>
#include <stdint.h>

enum exitcode_reason {
	EXITCODE_NONE,		/* has not ended */
	EXITCODE_POWEROFF,
	EXITCODE_GUEST,		/* debug-exit port; the detail is the byte */
	EXITCODE_USAGE,
	EXITCODE_DATA,
	EXITCODE_NOINPUT,
	EXITCODE_NOKVM,
	EXITCODE_INTERNAL,
	EXITCODE_OS,
	EXITCODE_CANTCREATE,
	EXITCODE_LOCKED,
	EXITCODE_SANDBOX,
	EXITCODE_CONFIG,
	EXITCODE_RESET,
	EXITCODE_CRASH,
	EXITCODE_KVM,
	EXITCODE_DISK,
	EXITCODE_STOPPED,
	EXITCODE_VM,
	EXITCODE_REASONS
};

#define EXITCODE_GUEST_MAX	63


struct exitcode {
	int		 code;
	const char	*name;		/* short, for the log */
	const char	*sentence;	/* as in vmmd.8 */
};

/*
 * The row of a reason; NULL for EXITCODE_NONE and past the last.  The code of
 * EXITCODE_GUEST is the highest that a guest can choose.
 */
const struct exitcode	*exitcode_row(enum exitcode_reason);

/* The exit code; `detail` is the guest's byte with EXITCODE_GUEST. */
int			 exitcode_of(enum exitcode_reason, uint32_t detail);

#endif /* VMMD_EXITCODE_H */
