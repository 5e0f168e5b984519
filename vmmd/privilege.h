/* SPDX-License-Identifier: ISC */
/*
 * What the monitor may still do once everything is open: start, kill and
 * replace children, and open the images again.
 */
#ifndef VMMD_PRIVILEGE_H
#define VMMD_PRIVILEGE_H

#include <stdbool.h>

/*
 * Drop every capability but those, from every set; an ordinary user keeps
 * none.  `works` is asked, with no right to pass over the modes of files in
 * force, whether all that must be opened later can be; only if not is that
 * right kept.  Then no exec gains anything, and root's process is not
 * dumpable.  0; -1 and errno if any of it does not hold: then the process
 * must end.  Monitor, before its first child.
 */
int	privilege_drop(bool (*works)(void *ctx), void *ctx);

#endif /* VMMD_PRIVILEGE_H */
