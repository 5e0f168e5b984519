/* SPDX-License-Identifier: ISC */
/*
 * What a disk has that outlives each of its blkds: the image, the state, the
 * doorbell, and the eventfds that KVM knows.
 */
#ifndef VMMD_DISKFDS_H
#define VMMD_DISKFDS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/proto.h"
#include "vmmd/exitcode.h"
#include "vmmd/image.h"

struct conf_disk;
struct disk_host;
struct peer;

struct diskfds {
	struct image	image;
	int		state;
	int		state_readonly;	/* the same, for the vm process */
	int		doorbell;
	int		irq;
	int		faults;		/* -1: none on purpose */
	int		kick[PROTO_QUEUES_MAX];
};

void			diskfds_init(struct diskfds *);
/* What is wrong is logged as one sentence, and its reason returned. */
enum exitcode_reason	diskfds_open(struct diskfds *, const struct conf_disk *);
void			diskfds_close(struct diskfds *);

/* What is of one incarnation. */
struct diskfds_attach {
	int			 backing;	/* its description of the image */
	int			 mmio;		/* its end of the channel */
	uint32_t		 incarnation;
	enum proto_engine	 engine;
	unsigned		 threads;
	bool			 paused;
	bool			 standby;	/* TAKE_OVER follows */
	const struct proto_limits *limits;
};

/* ATTACH.  0, or -1 and errno. */
int	diskfds_send_attach(const struct diskfds *, const struct disk_host *,
	    const struct conf_disk *, struct peer *,
	    const struct diskfds_attach *);

#endif /* VMMD_DISKFDS_H */
