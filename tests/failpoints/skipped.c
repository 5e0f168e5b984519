/* SPDX-License-Identifier: ISC */
/* In the place of tests that need libfiu, where it is not there. */
#include <atf-c.h>

ATF_TC_WITHOUT_HEAD(all__need_libfiu);
ATF_TC_BODY(all__need_libfiu, tc)
{
	atf_tc_skip("built without libfiu: install libfiu-dev");
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, all__need_libfiu);
	return atf_no_error();
}
