/* SPDX-License-Identifier: ISC */
/* The table of exit codes.  Monitor; pure. */
#include <sysexits.h>

#include "vmmd/exitcode.h"

static const struct exitcode rows[EXITCODE_REASONS] = {
	[EXITCODE_POWEROFF] = { EX_OK, "power-off",
	    "The guest powered the machine off." },
	[EXITCODE_GUEST] = { EXITCODE_GUEST_MAX, "debug-exit",
	    "The guest wrote this status to the debug-exit port." },
	[EXITCODE_USAGE] = { EX_USAGE, "usage",
	    "The command line is wrong." },
	[EXITCODE_DATA] = { EX_DATAERR, "bad input",
	    "An image, the kernel or the initrd is not what it should be." },
	[EXITCODE_NOINPUT] = { EX_NOINPUT, "no input",
	    "An image, the kernel or the initrd is missing or unreadable." },
	[EXITCODE_NOKVM] = { EX_UNAVAILABLE, "no KVM",
	    "/dev/kvm is missing or refused." },
	[EXITCODE_INTERNAL] = { EX_SOFTWARE, "internal error",
	    "A child could not be started or broke the protocol." },
	[EXITCODE_OS] = { EX_OSERR, "no resources",
	    "The host has not enough memory, processes or descriptors." },
	[EXITCODE_CANTCREATE] = { EX_CANTCREAT, "cannot create",
	    "The serial file, the pty or the pid file cannot be created." },
	[EXITCODE_LOCKED] = { EX_TEMPFAIL, "locked",
	    "An image is in use by another process." },
	[EXITCODE_SANDBOX] = { EX_NOPERM, "no sandbox",
	    "The sandbox that the configuration asks for cannot be had." },
	[EXITCODE_CONFIG] = { EX_CONFIG, "bad configuration",
	    "The configuration is missing or wrong." },
	[EXITCODE_RESET] = { 80, "reset",
	    "The guest reset the machine." },
	[EXITCODE_CRASH] = { 81, "guest crash",
	    "The guest crashed (triple fault)." },
	[EXITCODE_KVM] = { 82, "KVM error",
	    "KVM gave up; the log has rip and the reason." },
	[EXITCODE_DISK] = { 83, "disk failure",
	    "A disk could not be started." },
	[EXITCODE_STOPPED] = { 84, "stopped",
	    "A signal or the operator stopped the machine." },
	[EXITCODE_VM] = { 85, "vm failure",
	    "The vm process failed or died." },
};

const struct exitcode *
exitcode_row(enum exitcode_reason reason)
{
	if (reason <= EXITCODE_NONE || reason >= EXITCODE_REASONS)
		return NULL;
	return &rows[reason];
}

int
exitcode_of(enum exitcode_reason reason, uint32_t detail)
{
	const struct exitcode *row = exitcode_row(reason);

	if (row == NULL)
		return EX_SOFTWARE;
	if (reason == EXITCODE_GUEST && detail < EXITCODE_GUEST_MAX)
		return (int)detail;
	return row->code;
}
