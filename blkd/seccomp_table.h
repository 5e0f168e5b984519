/* SPDX-License-Identifier: ISC */
/*
 * The system calls of blkd, and what else its sandbox leaves it.
 */
#ifndef BLKD_SECCOMP_TABLE_H
#define BLKD_SECCOMP_TABLE_H

#include "util/sandbox.h"

extern const struct filter_table seccomp_table_blkd;
/* Of the other door (vhost-user): a table of its own. */
extern const struct filter_table seccomp_table_vhost;

/* The policy of blkd, but for strict, uid and gid: 0 until set. */
void	seccomp_table_policy(struct sandbox_policy *);
void	seccomp_table_policy_vhost(struct sandbox_policy *);

#endif /* BLKD_SECCOMP_TABLE_H */
