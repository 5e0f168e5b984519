/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <atf-c.h>

#include "vmmd/rundir.h"

static mode_t
mode_of(const char *path)
{
	struct stat st;

	ATF_REQUIRE_EQ(0, lstat(path, &st));
	return st.st_mode;
}

ATF_TC_WITHOUT_HEAD(make_parents__all_that_are_missing);
ATF_TC_BODY(make_parents__all_that_are_missing, tc)
{
	ATF_REQUIRE_EQ(0, mkdir("there", 0700));
	umask(0077);
	ATF_REQUIRE_EQ(0, rundir_make_parents("there/run/vmmd/a.sock"));
	ATF_CHECK_EQ(S_IFDIR | 0700, mode_of("there"));
	ATF_CHECK_EQ(S_IFDIR | 0755, mode_of("there/run"));
	ATF_CHECK_EQ(S_IFDIR | 0755, mode_of("there/run/vmmd"));
	ATF_CHECK_EQ(-1, access("there/run/vmmd/a.sock", F_OK));
	ATF_CHECK_EQ(0077, umask(0));
	ATF_CHECK_EQ(0, rundir_make_parents("there/run/vmmd/a.sock"));
}

ATF_TC_WITHOUT_HEAD(make_parents__a_file_is_in_the_way);
ATF_TC_BODY(make_parents__a_file_is_in_the_way, tc)
{
	int fd = open("file", O_WRONLY | O_CREAT | O_EXCL, 0600);

	ATF_REQUIRE(fd != -1);
	close(fd);
	ATF_CHECK_ERRNO(ENOTDIR,
	    rundir_make_parents("file/vmmd/a.sock") == -1);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, make_parents__all_that_are_missing);
	ATF_TP_ADD_TC(tp, make_parents__a_file_is_in_the_way);
	return atf_no_error();
}
