/* SPDX-License-Identifier: ISC */
/*
 * A fault on purpose as an operator writes and reads it: the member "fault"
 * of a request, the members "faults" of a reply.
 *
 *	{"action": "eio", "operation": "write", "first": 0, "last": 99,
 *	 "skip": 10, "every": 2, "count": 1, "ppm": 500000, "seed": 7}
 *
 * Pure; the vm process reads and writes by it, vmmctl its command line.
 */
#ifndef VMMD_REQUEST_FAULT_H
#define VMMD_REQUEST_FAULT_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "proto/proto.h"

/* The word of an action; NULL: there is none. */
const char	*request_fault_action(uint32_t action);

/* The bits of "read,write" or "any"; 0: they are none. */
uint32_t	 request_fault_ops(const char *words);

/* The members that are numbers: names and places; NULL past the last. */
struct request_fault_number {
	const char	*name;
	size_t		 offset;	/* in struct proto_fault */
	size_t		 size;		/* of it there */
};
const struct request_fault_number *request_fault_number(size_t index);

/*
 * From the value of "fault", with defaults for what is not in it; the id is
 * 0 but of "clear".  0, or -1 and `why`: a sentence.
 */
int		 request_fault_read(json_t *value, struct proto_fault *,
		    char why[PROTO_TEXT_MAX]);

/* The rules of a list; a new reference, or NULL: no memory. */
json_t		*request_fault_rows(
		    const struct proto_fault_row [PROTO_FAULTS_MAX]);

#endif /* VMMD_REQUEST_FAULT_H */
