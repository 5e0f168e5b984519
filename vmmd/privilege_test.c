/* SPDX-License-Identifier: ISC */
/*
 * The monitor's capabilities, each case in a child: nothing comes back.
 * tests/privilege_test.sh looks at the finished vmmd from outside.
 */
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <linux/capability.h>

#include <atf-c.h>
#include <cap-ng.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/filter.h"
#include "vmmd/privilege.h"

static bool
yes(void *arg)
{
	(void)arg;
	return true;
}

/* Can a file of another user that nobody else may read be opened? */
static bool
opens(void *arg)
{
	int fd = open(arg, O_RDWR | O_CLOEXEC);

	if (fd == -1)
		return false;
	close(fd);
	return true;
}

static bool
has(capng_type_t set, unsigned cap)
{
	return capng_get_caps_process() == 0 &&
	    capng_have_capability(set, cap) == 1;
}

/* The case's exit code, 0 as it should be. */
static void
in_child(int (*body)(void))
{
	int status;
	pid_t pid = fork();

	ATF_REQUIRE(pid != -1);
	if (pid == 0)
		_exit(body());
	ATF_REQUIRE_EQ(pid, waitpid(pid, &status, 0));
	ATF_REQUIRE(WIFEXITED(status));
	ATF_CHECK_EQ(0, WEXITSTATUS(status));
}

static int
root_all(void)
{
	if (privilege_drop(yes, NULL) == -1)
		return 1;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 2;
	/* A sanitizer build stays traceable. */
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) !=
	    (filter_build_sections() != 0))
		return 3;
	if (!has(CAPNG_EFFECTIVE, CAP_SETUID))
		return 4;
	if (has(CAPNG_PERMITTED, CAP_DAC_OVERRIDE) ||
	    has(CAPNG_BOUNDING_SET, CAP_DAC_OVERRIDE) ||
	    has(CAPNG_PERMITTED, CAP_SYS_PTRACE) ||
	    has(CAPNG_BOUNDING_SET, CAP_SYS_MODULE))
		return 5;
	return 0;
}

ATF_TC(drop__root);
ATF_TC_HEAD(drop__root, tc)
{
	atf_tc_set_md_var(tc, "require.user", "root");
}
ATF_TC_BODY(drop__root, tc)
{
	(void)tc;
	in_child(root_all);
}

static int
root_override(void)
{
	static char name[] = "anothers";

	if (privilege_drop(opens, name) == -1)
		return 1;
	if (!has(CAPNG_EFFECTIVE, CAP_DAC_OVERRIDE))
		return 2;
	if (has(CAPNG_PERMITTED, CAP_DAC_READ_SEARCH))
		return 3;
	return opens(name) ? 0 : 4;
}

ATF_TC(drop__root_with_override);
ATF_TC_HEAD(drop__root_with_override, tc)
{
	atf_tc_set_md_var(tc, "require.user", "root");
}
ATF_TC_BODY(drop__root_with_override, tc)
{
	(void)tc;
	atf_utils_create_file("anothers", "x");
	ATF_REQUIRE(chmod("anothers", 0600) == 0);
	ATF_REQUIRE(chown("anothers", 12345, 12345) == 0);
	in_child(root_override);
}

static int
user_all(void)
{
	unsigned i;

	if (privilege_drop(yes, NULL) == -1)
		return 1;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 2;
	for (i = 0; i <= CAP_LAST_CAP; i++) {
		if (has(CAPNG_PERMITTED, i) || has(CAPNG_AMBIENT, i))
			return 3;
	}
	return 0;
}

ATF_TC(drop__user);
ATF_TC_HEAD(drop__user, tc)
{
	atf_tc_set_md_var(tc, "require.user", "unprivileged");
}
ATF_TC_BODY(drop__user, tc)
{
	(void)tc;
	in_child(user_all);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, drop__root);
	ATF_TP_ADD_TC(tp, drop__root_with_override);
	ATF_TP_ADD_TC(tp, drop__user);
	return atf_no_error();
}
