/* SPDX-License-Identifier: ISC */
/* The system calls of the sweeper. */
#ifndef VMMD_SWEEPER_SECCOMP_H
#define VMMD_SWEEPER_SECCOMP_H

#include "util/filter.h"

/* One stage, FILTER_START: from its first wait to its end. */
extern const struct filter_table sweeper_seccomp_table;

#endif /* VMMD_SWEEPER_SECCOMP_H */
