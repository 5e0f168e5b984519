/* SPDX-License-Identifier: ISC */
/* vmmctl console: the guest's serial line on this terminal. */
#ifndef VMMD_VMMCTL_CONSOLE_H
#define VMMD_VMMCTL_CONSOLE_H

#include <jansson.h>

/* Attach as the reply to "status" says.  Returns the exit code. */
int	vmmctl_console_run(const json_t *reply);

#endif /* VMMD_VMMCTL_CONSOLE_H */
