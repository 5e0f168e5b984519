/* SPDX-License-Identifier: ISC */
/*
 * The red team in the place of a blkd that has a ring of io_uring: the ways
 * out by that.  The others are in blkd_test.c.
 */
#include "config.h"

#include <atf-c.h>
#include <errno.h>

#include "blkd/seccomp_table.h"
#include "blkd/uring.h"
#include "tests/redteam/room.h"

static struct uring_set *set;

static int
make_ring(struct outside *out)
{
	set = uring_make(1, 4);
	out->ring = uring_ring(set, 0, 4);
	return out->ring != NULL ? 0 : -1;
}

static int
enable_ring(struct outside *out)
{
	return uring_enable(out->ring);
}

ATF_TC_WITHOUT_HEAD(ring__none_here);
ATF_TC_BODY(ring__none_here, tc)
{
	(void)tc;
	atf_tc_skip("no io_uring here: there is no way out by it");
}

ATF_TP_ADD_TCS(tp)
{
	static const struct room_ring ring = {
		make_ring, enable_ring, tries_uring
	};
	static struct sandbox_policy policy;
	struct uring_set *try = uring_make(1, 4);
	int error = uring_error(try);

	uring_free(try);
	seccomp_table_policy(&policy);
	if (error == ENOSYS || error == EPERM) {
		ATF_TP_ADD_TC(tp, ring__none_here);
		return atf_no_error();
	}
	policy.sections = FILTER_URING;
	policy.threads += URING_TASKS;
	room_give_ring(&ring);
	room_add_tries(tp, &policy, false);
	return atf_no_error();
}
