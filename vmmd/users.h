/* SPDX-License-Identifier: ISC */
/*
 * Whom the children become in their sandbox, and whether all of the sandbox
 * is asked for.
 */
#ifndef VMMD_USERS_H
#define VMMD_USERS_H

#include <sys/types.h>

#include <stdbool.h>

#include "vmmd/exitcode.h"

struct conf_vm;

#define USERS_VM	"_vmmd"
#define USERS_DISK	"_blkd"

struct users_ids {
	uid_t	uid;	/* 0: the sandbox chooses */
	gid_t	gid;
};

struct users {
	struct users_ids vm;
	struct users_ids disk;
	bool		 strict;
};

/* What is wrong is logged as one sentence, and its reason returned. */
enum exitcode_reason	users_find(struct users *, const struct conf_vm *);

#endif /* VMMD_USERS_H */
