/* SPDX-License-Identifier: ISC */
/* Words of limits, right and wrong, and the file that has them. */
#include <sys/stat.h>

#include <atf-c.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "blkd/limits.h"
#include "blkd/throttle.h"

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))
#define FILENAME	"limits"

static void
put(const char *text, size_t n)
{
	int fd = open(FILENAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0600);

	ATF_REQUIRE(fd != -1);
	ATF_REQUIRE_EQ((ssize_t)n, write(fd, text, n));
	close(fd);
}

static int
parse(const char *text, struct throttle_limits *l, char *why)
{
	char copy[256];

	snprintf(copy, sizeof(copy), "%s", text);
	return limits_parse(copy, l, why);
}

CASE(parse__each_word)
{
	struct throttle_limits l = { .iops_size = 0 };
	char why[LIMITS_WHY];

	(void)tc;
	ATF_CHECK_EQ(0, parse("iops=10,iops-burst=20,bps=1M,bps-burst=2M,"
	    "iops-size=4k", &l, why));
	ATF_CHECK_EQ(10, l.ops.rate);
	ATF_CHECK_EQ(20, l.ops.burst);
	ATF_CHECK_EQ(1 << 20, l.bytes.rate);
	ATF_CHECK_EQ(2 << 20, l.bytes.burst);
	ATF_CHECK_EQ(4096, l.iops_size);
	/* On top of what is there. */
	ATF_CHECK_EQ(0, parse("iops=15", &l, why));
	ATF_CHECK_EQ(15, l.ops.rate);
	ATF_CHECK_EQ(20, l.ops.burst);
}

CASE(parse__what_is_wrong_changes_nothing)
{
	static const char *const bad[] = {
		"iops", "iops=", "iops=x", "iops=-1", "iop=5", "iopss=5",
		"=5", "iops=5,what=1", "iops=5 iops-burst=4",
		"iops-burst=100", "iops=99999999999999999999",
	};
	struct throttle_limits l;
	char why[LIMITS_WHY];
	size_t i;

	(void)tc;
	for (i = 0; i < NITEMS(bad); i++) {
		l = (struct throttle_limits) { .iops_size = 7 };
		why[0] = '\0';
		ATF_CHECK_EQ_MSG(-1, parse(bad[i], &l, why), "%s", bad[i]);
		ATF_CHECK_MSG(why[0] != '\0', "%s", bad[i]);
		ATF_CHECK_EQ(0, l.ops.rate);
		ATF_CHECK_EQ(7, l.iops_size);
	}
}

CASE(read__comments_lines_and_nothing)
{
	static const char text[] = "# night\niops=5 # few\n\n\tbps=1k,\n"
	    "#iops=9\nbps-burst=2k";
	struct throttle_limits l = { .iops_size = 7 };
	char why[LIMITS_WHY];

	(void)tc;
	put(text, strlen(text));
	ATF_REQUIRE_EQ_MSG(0, limits_read(FILENAME, &l, why), "%s", why);
	ATF_CHECK_EQ(5, l.ops.rate);
	ATF_CHECK_EQ(1024, l.bytes.rate);
	ATF_CHECK_EQ(2048, l.bytes.burst);
	ATF_CHECK_EQ(0, l.iops_size);
	put("", 0);
	ATF_REQUIRE_EQ(0, limits_read(FILENAME, &l, why));
	ATF_CHECK_EQ(0, l.ops.rate);
	ATF_CHECK_EQ(0, l.bytes.rate);
}

CASE(read__what_cannot_be)
{
	static char large[LIMITS_FILE_MAX + 1];
	struct throttle_limits l = { .iops_size = 7 };
	char why[LIMITS_WHY];

	(void)tc;
	memset(large, ' ', sizeof(large));
	ATF_CHECK_EQ(-1, limits_read(FILENAME, &l, why));
	put(large, sizeof(large));
	ATF_CHECK_EQ(-1, limits_read(FILENAME, &l, why));
	put(large, sizeof(large) - 1);
	ATF_CHECK_EQ(0, limits_read(FILENAME, &l, why));
	put("iops=x", 6);
	l.iops_size = 7;
	ATF_CHECK_EQ(-1, limits_read(FILENAME, &l, why));
	ATF_CHECK_EQ(-1, limits_read(".", &l, why));
	ATF_CHECK_EQ(7, l.iops_size);
	/* A pipe that nobody writes into holds nobody. */
	ATF_REQUIRE(mkfifo("fifo", 0600) == 0);
	(void)limits_read("fifo", &l, why);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, parse__each_word);
	ATF_TP_ADD_TC(tp, parse__what_is_wrong_changes_nothing);
	ATF_TP_ADD_TC(tp, read__comments_lines_and_nothing);
	ATF_TP_ADD_TC(tp, read__what_cannot_be);
	return atf_no_error();
}
