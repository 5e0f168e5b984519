/* SPDX-License-Identifier: ISC */
/*
 * The red team in blkd's place: each way out against the finished sandbox
 * (NAME__filter; as an ordinary user NAME__filter_user, and where that one gets
 * no namespaces NAME__filter_container; in a thread that was made before,
 * NAME__filter_thread), and against its other layers alone (NAME__layers as
 * root, NAME__layers_user as an ordinary user): what the filter must not be
 * the only one to stop has an expected errno there.
 */
#include "config.h"

#include <atf-c.h>

#include "blkd/seccomp_table.h"
#include "tests/redteam/room.h"

ATF_TP_ADD_TCS(tp)
{
	static struct sandbox_policy policy;

	seccomp_table_policy(&policy);
	room_add_tries(tp, &policy, false);
	return atf_no_error();
}
