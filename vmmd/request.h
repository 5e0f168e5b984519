/* SPDX-License-Identifier: ISC */
/*
 * What an operator writes to the control socket: one JSON object a line.
 *
 *	{"command": "status"}
 *	{"command": "throttle", "disk": "vda", "limits": {"iops": 100}}
 *
 * Pure; the vm process reads lines by it, vmmctl its command line.
 */
#ifndef VMMD_REQUEST_H
#define VMMD_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "proto/proto.h"

#define REQUEST_LINE_MAX	4096	/* bytes, newline included */

enum request_command {
	REQUEST_STATUS,
	REQUEST_STATS,
	REQUEST_THROTTLE,
	REQUEST_RESIZE,
	REQUEST_PAUSE,
	REQUEST_RESUME,
	REQUEST_UPGRADE,
	REQUEST_STOP,
	REQUEST_FAULT,
	REQUEST_COMMANDS
};

enum request_disk {
	REQUEST_NO_DISK,
	REQUEST_DISK_OR_ALL,
	REQUEST_ONE_DISK,
};

struct request_row {
	const char		*name;
	enum request_disk	 disk;
	enum proto_verb		 verb;	/* asked for each disk; 0: none */
	const char		*does;	/* for people */
};

/* The row of a command; NULL: there is none. */
const struct request_row *request_row(enum request_command);

struct request {
	enum request_command	command;
	char			disk[PROTO_NAME_MAX];	/* empty: all */
	uint32_t		set;	/* enum proto_limit_bit */
	struct proto_limits	limits;
	struct proto_fault	fault;	/* m_action 0: there is none */
};

/*
 * Read a line without its newline.  0, or -1 and `why`: a sentence of at
 * most PROTO_TEXT_MAX bytes.
 */
int	request_parse(const char *line, size_t length, struct request *,
	    char why[PROTO_TEXT_MAX]);

/* The limits: names, bits, places. */
struct request_limit {
	const char		*name;
	enum proto_limit_bit	 bit;
	size_t			 offset;	/* in struct proto_limits */
};
/* NULL past the last. */
const struct request_limit	*request_limit(size_t index);
uint64_t	request_get_limit(const struct proto_limits *,
		    const struct request_limit *);

#endif /* VMMD_REQUEST_H */
