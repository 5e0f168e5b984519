/* SPDX-License-Identifier: ISC */
/* Stands in until vm.c is there: the linker takes that one first. */
#include <sysexits.h>
#include <unistd.h>

#include "util/log.h"
#include "vmmd/vm.h"

int
vm_main(int channel)
{
	close(channel);
	log_error("this build has no vm process");
	return EX_UNAVAILABLE;
}
