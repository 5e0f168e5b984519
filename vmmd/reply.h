/* SPDX-License-Identifier: ISC */
/*
 * What an operator reads from the control socket: one JSON object a line.
 *
 *	{"ok": true, "machine": {...}, "disks": [{...}, ...]}
 *	{"ok": false, "errno": 16, "error": "disk vda: ..."}
 */
#ifndef VMMD_REPLY_H
#define VMMD_REPLY_H

#include <jansson.h>

#include "proto/proto.h"
#include "vmmd/stats.h"

/* New references, or NULL: no memory. */
json_t	*reply_machine(const struct proto_machine_status *);
json_t	*reply_disk(const char *name, const struct proto_disk_status *);
json_t	*reply_stats(const char *name, const struct stats *);
json_t	*reply_error(int error, const char *text);

#endif /* VMMD_REPLY_H */
