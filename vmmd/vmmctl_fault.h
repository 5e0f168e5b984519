/* SPDX-License-Identifier: ISC */
/* vmmctl fault: its arguments as a request, its reply as a table. */
#ifndef VMMD_VMMCTL_FAULT_H
#define VMMD_VMMCTL_FAULT_H

#include <stdio.h>

#include <jansson.h>

/*
 * The value of "fault" for an action and its arguments.  A new reference; or
 * NULL, said: they are wrong.
 */
json_t	*vmmctl_fault_make(const char *action, char *const *argv, int argc);

void	 vmmctl_fault_print(FILE *, const json_t *reply);

#endif /* VMMD_VMMCTL_FAULT_H */
