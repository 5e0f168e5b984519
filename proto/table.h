/* SPDX-License-Identifier: ISC */
/*
 * The facts of each message type, once: name, exact size, descriptors, and
 * what its values must be.  chan.c checks a received packet against them,
 * so a handler sees only messages that are well formed.
 */
#ifndef PROTO_TABLE_H
#define PROTO_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What can be wrong with a packet.  Each is one sentence in proto_error. */
enum proto_error {
	PROTO_OK,
	PROTO_E_SYSTEM,		/* the system call failed: errno */
	PROTO_E_AGAIN,		/* nothing there, or no answer in time */
	PROTO_E_EOF,		/* the peer is gone */
	PROTO_E_TRUNCATED,	/* longer than any message */
	PROTO_E_CTRUNCATED,	/* more descriptors than any message */
	PROTO_E_SHORT,		/* shorter than a header */
	PROTO_E_MAGIC,
	PROTO_E_VERSION,
	PROTO_E_TYPE,		/* no such message */
	PROTO_E_LENGTH,		/* not the length of its type */
	PROTO_E_FDS,		/* not the descriptors of its type */
	PROTO_E_VALUE,		/* a field is out of range */
	PROTO_E_ROLE,		/* not a message for this role */
	PROTO_E_STATE,		/* not in this state */
	PROTO_E_SEQUENCE,	/* an answer to another question */
	PROTO_E_COUNT,
};

/* The sentence; never NULL, for any value. */
const char	*proto_error(enum proto_error);

struct proto_fact {
	uint16_t	 type;
	const char	*name;
	uint16_t	 size;		/* bytes of the packet */
	uint8_t		 fds_min;
	uint8_t		 fds_max;
	/*
	 * Are the values of a packet of the right size, with nfds
	 * descriptors, in range?  NULL: it has no values.
	 */
	bool		(*valid)(const void *packet, size_t nfds);
};

/* The facts of a type, or NULL: there is no such type. */
const struct proto_fact	*proto_fact(uint16_t type);
/* All of them, for tests and the manual: NULL past the last. */
const struct proto_fact	*proto_fact_at(size_t index);
/* Its name for the log, or "unknown". */
const char		*proto_name(uint16_t type);

/*
 * Check a packet of `length` bytes (at an address aligned for a header) with
 * nfds descriptors: header, size, descriptors, values.  Total: any bytes may
 * be given.
 */
enum proto_error	 proto_check(const void *packet, size_t length,
			    size_t nfds);

struct proto_limits;

/* Are these limits that a throttle takes?  See struct proto_limits. */
bool			 proto_limits_valid(const struct proto_limits *);

struct proto_fault;

/* Is this a rule, or what one can ask for in its place? */
bool			 proto_fault_valid(const struct proto_fault *);

/* The operations (enum proto_fault_op) that an action can befall; 0: none. */
uint32_t		 proto_fault_ops(uint32_t action);

/* The name of an enum proto_engine, as in vmmd.conf(5); or "unknown". */
const char		*proto_engine_name(uint32_t engine);

#endif /* PROTO_TABLE_H */
