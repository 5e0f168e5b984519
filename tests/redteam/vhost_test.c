/* SPDX-License-Identifier: ISC */
/*
 * The red team in the place of a blkd behind vhost-user: the ways of
 * blkd_test against this door's filter, which lets more in.
 */
#include "config.h"

#include <atf-c.h>

#include "blkd/seccomp_table.h"
#include "tests/redteam/room.h"

ATF_TP_ADD_TCS(tp)
{
	static struct sandbox_policy policy;

	seccomp_table_policy_vhost(&policy);
	policy.sections = FILTER_VECTORED;
	/* How the memory of a front-end comes. */
	room_leave_out("map_gmem_again");
	room_add_tries(tp, &policy, false);
	return atf_no_error();
}
