/* SPDX-License-Identifier: ISC */
/*
 * How a guest ends, as told by a device or by KVM: what VM_EXIT carries.
 */
#ifndef VMMD_END_H
#define VMMD_END_H

#include <stdint.h>

#include "proto/proto.h"

struct end {
	uint32_t	reason;		/* enum proto_exit_reason; 0: it goes on */
	uint32_t	detail;
	uint64_t	rip;
	char		text[PROTO_TEXT_MAX];
};

/* Fill in all but rip, which the vCPU knows. */
void	end_set(struct end *, enum proto_exit_reason, uint32_t detail,
	    const char *fmt, ...) __attribute__((__format__(__printf__, 4, 5)));

#endif /* VMMD_END_H */
