/* SPDX-License-Identifier: ISC */
/*
 * The system calls of the vm process, and what else its sandbox leaves it.
 */
#ifndef VMMD_VM_SECCOMP_H
#define VMMD_VM_SECCOMP_H

#include "util/sandbox.h"

extern const struct filter_table vm_seccomp_table;

/* The policy of the vm process, but for strict, uid and gid: 0 until set. */
void	vm_seccomp_policy(struct sandbox_policy *);

#endif /* VMMD_VM_SECCOMP_H */
