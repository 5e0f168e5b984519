/* SPDX-License-Identifier: ISC */
/*
 * vmmctl's end of the control socket.  What comes over it was written by a
 * process that the guest may own: it is bounded, parsed, and shown without
 * control characters.
 */
#ifndef VMMD_VMMCTL_LINK_H
#define VMMD_VMMCTL_LINK_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "proto/proto.h"
#include "vmmd/stats.h"

/* Connect; what is wrong is said.  The descriptor, or -1 and *code. */
int	vmmctl_link_open(const char *path, int *code);

/*
 * Send a request, which is used up, and wait for the reply.  A new
 * reference; or NULL, said, and *code: what the machine refuses is that, too.
 */
json_t	*vmmctl_link_ask(int fd, json_t *request, int *code);

/* A string of a reply, printable, cut to size; "?" where there is none. */
const char *vmmctl_link_text(const json_t *object, const char *name,
	    char *text, size_t size);
/* A number of a reply, 0 where there is none. */
uint64_t vmmctl_link_number(const json_t *object, const char *name);

struct vmmctl_disk {
	char		name[PROTO_NAME_MAX];
	struct stats	stats;
};

/* The statistics of a reply; returns how many disks. */
size_t	vmmctl_link_stats(const json_t *reply,
	    struct vmmctl_disk disk[PROTO_DISKS_MAX]);

#endif /* VMMD_VMMCTL_LINK_H */
