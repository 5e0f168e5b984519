/* SPDX-License-Identifier: ISC */
/*
 * The red team in the place of the vm process, against its finished sandbox.
 * The layers behind the filter are the same code: blkd_test tries them.
 */
#include "config.h"

#include <atf-c.h>

#include "tests/redteam/room.h"
#include "vmmd/vm_seccomp.h"

ATF_TP_ADD_TCS(tp)
{
	static struct sandbox_policy policy;

	vm_seccomp_policy(&policy);
	room_add_tries(tp, &policy, true);
	return atf_no_error();
}
