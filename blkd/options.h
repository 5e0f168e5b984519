/* SPDX-License-Identifier: ISC */
/*
 * The command line of blkd: which door it serves, and, for vhost-user, what
 * a disk of vmmd has in its configuration.
 */
#ifndef BLKD_OPTIONS_H
#define BLKD_OPTIONS_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "blkd/throttle.h"
#include "proto/proto.h"

enum options_sandbox {
	OPTIONS_SANDBOX_DEFAULT,	/* strict as root */
	OPTIONS_SANDBOX_STRICT,
	OPTIONS_SANDBOX_BEST_EFFORT,
};

struct options {
	uid_t			 uid;		/* 0: any of its own */
	gid_t			 gid;
	enum options_sandbox	 sandbox;

	/* From vmmd(8): rings of io_uring, and the size of a queue. */
	unsigned		 rings;
	unsigned		 depth;
	unsigned		 threads;	/* a queue, for slow I/O */

	/* vhost-user alone; file NULL: blkd was started by vmmd(8). */
	const char		*file;
	const char		*socket;	/* NULL: none to make */
	int			 fd;		/* listening already, or -1 */
	bool			 inner;		/* see vhost_parent.h */
	mode_t			 mode;		/* of the socket */
	bool			 readonly;
	bool			 direct;
	enum proto_engine	 engine;
	uint32_t		 block_size;
	uint32_t		 queues;
	uint32_t		 queue_size;
	uint32_t		 poll_us;
	uint32_t		 slow_us;
	uint16_t		 cpu[PROTO_QUEUES_MAX];	/* + 1; 0: any */
	char			 name[PROTO_NAME_MAX];
	uint8_t			 serial[PROTO_SERIAL_SIZE];
	struct throttle_limits	 limits;
	bool			 limited;	/* by -l */
	const char		*limits_file;	/* -L, or NULL */
};

/* What it says about itself ends the program; so does a mistake. */
void	options_parse(int argc, char **argv, struct options *);

#endif /* BLKD_OPTIONS_H */
