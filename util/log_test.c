/* SPDX-License-Identifier: ISC */
/* Tests of util/log.c: what arrives at stderr, byte for byte. */
#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/log.h"

/* Lines are shorter than a pipe's buffer: nothing here can block. */
static int	capture_fd = -1;

static void
capture_start(void)
{
	int	fds[2];

	ATF_REQUIRE_EQ(0, pipe2(fds, O_CLOEXEC | O_NONBLOCK));
	ATF_REQUIRE_EQ(STDERR_FILENO, dup2(fds[1], STDERR_FILENO));
	fd_close(&fds[1]);
	capture_fd = fds[0];
}

/* What has been written since the last call, NUL-terminated. */
static const char *
capture_read(void)
{
	static char	buf[65536];
	ssize_t		n;

	n = read(capture_fd, buf, sizeof(buf) - 1);
	if (n == -1) {
		ATF_REQUIRE_EQ(EAGAIN, errno);
		n = 0;
	}
	buf[n] = '\0';
	return buf;
}

ATF_TC_WITHOUT_HEAD(line__each_level);
ATF_TC_BODY(line__each_level, tc)
{
	capture_start();
	log_open("vmmd", LOG_TO_STDERR, LOG_LEVEL_DEBUG);
	log_error("disk %s: %d", "root", 5);
	ATF_REQUIRE_STREQ("vmmd: error: disk root: 5\n", capture_read());
	log_warning("w");
	ATF_REQUIRE_STREQ("vmmd: warning: w\n", capture_read());
	log_info("i");
	ATF_REQUIRE_STREQ("vmmd: i\n", capture_read());
	log_debug("d");
	ATF_REQUIRE_STREQ("vmmd: debug: d\n", capture_read());
}

ATF_TC_WITHOUT_HEAD(level__above_is_silent);
ATF_TC_BODY(level__above_is_silent, tc)
{
	capture_start();
	log_open("vmmd", LOG_TO_STDERR, LOG_LEVEL_WARNING);
	log_info("i");
	log_debug("d");
	ATF_REQUIRE_STREQ("", capture_read());
	log_warning("w");
	ATF_REQUIRE_STREQ("vmmd: warning: w\n", capture_read());
}

ATF_TC_WITHOUT_HEAD(text__hostile_stays_one_line);
ATF_TC_BODY(text__hostile_stays_one_line, tc)
{
	static const char *const hostile[] = {
		"x\nvmmd: error: forged",
		"x\r\nforged",
		"\033[2J\033]0;title\007",
		"tab\tbell\a",
		"\x80\xff\xc2\x9b" "31m",
		"%s%n%d",
	};
	const char	*line;
	size_t		 i, k, len;

	capture_start();
	log_open("vmmd", LOG_TO_STDERR, LOG_LEVEL_INFO);
	for (i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		log_info("serial: %s", hostile[i]);
		line = capture_read();
		len = strlen(line);
		ATF_REQUIRE(len > 1 && line[len - 1] == '\n');
		for (k = 0; k < len - 1; k++)
			ATF_CHECK_MSG(line[k] >= 0x20 && line[k] < 0x7f,
			    "case %zu byte %zu is %#x", i, k,
			    (unsigned char)line[k]);
	}
}

ATF_TC_WITHOUT_HEAD(text__encoding_is_unambiguous);
ATF_TC_BODY(text__encoding_is_unambiguous, tc)
{
	capture_start();
	log_open("vmmd", LOG_TO_STDERR, LOG_LEVEL_INFO);
	log_info("%s", "a\nb");
	ATF_REQUIRE_STREQ("vmmd: a\\nb\n", capture_read());
	log_info("%s", "a\\nb");
	ATF_REQUIRE_STREQ("vmmd: a\\\\nb\n", capture_read());
}

ATF_TC_WITHOUT_HEAD(text__long_is_cut);
ATF_TC_BODY(text__long_is_cut, tc)
{
	char		 big[3 * LOG_MESSAGE_MAX];
	const char	*line;

	capture_start();
	log_open("vmmd", LOG_TO_STDERR, LOG_LEVEL_INFO);
	memset(big, 'a', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	log_info("%s", big);
	line = capture_read();
	ATF_REQUIRE_EQ(strlen("vmmd: ") + LOG_MESSAGE_MAX + 1, strlen(line));
	ATF_REQUIRE_STREQ("a...\n", line + strlen(line) - 5);

	/* The longest encoding: each byte four. */
	memset(big, '\001', sizeof(big) - 1);
	log_info("%s", big);
	line = capture_read();
	ATF_REQUIRE_STREQ("...\n", line + strlen(line) - 4);
}

ATF_TC_WITHOUT_HEAD(title__hostile_and_long);
ATF_TC_BODY(title__hostile_and_long, tc)
{
	const char	*line;
	char		 title[200];

	capture_start();
	log_open("blkd: a\nb", LOG_TO_STDERR, LOG_LEVEL_INFO);
	log_info("x");
	ATF_REQUIRE_STREQ("blkd: a\\nb: x\n", capture_read());

	memset(title, 't', sizeof(title));
	title[sizeof(title) - 1] = '\0';
	log_open(title, LOG_TO_STDERR, LOG_LEVEL_INFO);
	log_info("x");
	line = capture_read();
	ATF_REQUIRE_EQ(63 + strlen(": x\n"), strlen(line));
}

ATF_TC_WITHOUT_HEAD(title__not_opened);
ATF_TC_BODY(title__not_opened, tc)
{
	capture_start();
	log_info("x");
	ATF_REQUIRE_STREQ("x\n", capture_read());
}

ATF_TC_WITHOUT_HEAD(errno__is_kept);
ATF_TC_BODY(errno__is_kept, tc)
{
	capture_start();
	log_open("vmmd", LOG_TO_STDERR, LOG_LEVEL_INFO);
	close(STDERR_FILENO);
	errno = ENOSPC;
	log_error("nobody reads this");
	ATF_REQUIRE_EQ(ENOSPC, errno);
}

ATF_TC_WITHOUT_HEAD(syslog__leaves_stderr_alone);
ATF_TC_BODY(syslog__leaves_stderr_alone, tc)
{
	capture_start();
	log_open("vmmd", LOG_TO_SYSLOG, LOG_LEVEL_DEBUG);
	log_debug("from the test suite of vmmd");
	ATF_REQUIRE_STREQ("", capture_read());
	log_open("vmmd", LOG_TO_STDERR, LOG_LEVEL_DEBUG);
	log_debug("back");
	ATF_REQUIRE_STREQ("vmmd: debug: back\n", capture_read());
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, line__each_level);
	ATF_TP_ADD_TC(tp, level__above_is_silent);
	ATF_TP_ADD_TC(tp, text__hostile_stays_one_line);
	ATF_TP_ADD_TC(tp, text__encoding_is_unambiguous);
	ATF_TP_ADD_TC(tp, text__long_is_cut);
	ATF_TP_ADD_TC(tp, title__hostile_and_long);
	ATF_TP_ADD_TC(tp, title__not_opened);
	ATF_TP_ADD_TC(tp, errno__is_kept);
	ATF_TP_ADD_TC(tp, syslog__leaves_stderr_alone);

	return atf_no_error();
}
