/* SPDX-License-Identifier: ISC */
/*
 * debugexit STATUS: ends a guest of vmmd with that status, through the
 * debug-exit port.  Runs as root in the guest only; static, so that an
 * initramfs needs nothing else.  Debian's cloud kernel has no /dev/port.
 */
#include <sys/io.h>

#include <err.h>
#include <stdlib.h>
#include <sysexits.h>

#include "vmmd/layout.h"

int
main(int argc, char *argv[])
{
	char *end;
	long status;

	if (argc != 2)
		errx(EX_USAGE, "usage: debugexit STATUS");
	status = strtol(argv[1], &end, 10);
	if (*argv[1] == '\0' || *end != '\0' || status < 0 || status > 255)
		errx(EX_USAGE, "%s: not a status (0 to 255)", argv[1]);
	if (ioperm(LAYOUT_DEBUG_EXIT, 1, 1) == -1)
		err(EX_OSERR, "port %#x: must be root", LAYOUT_DEBUG_EXIT);
	outb((unsigned char)status, LAYOUT_DEBUG_EXIT);
	errx(EX_UNAVAILABLE, "still here: not a guest of vmmd");
}
