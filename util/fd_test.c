/* SPDX-License-Identifier: ISC */
/* Tests of util/fd.c. */
#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "util/fd.h"

static int
open_null(void)
{
	int	fd;

	ATF_REQUIRE((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) != -1);
	return fd;
}

static void
require_closed(int fd)
{
	ATF_REQUIRE_ERRNO(EBADF, fcntl(fd, F_GETFD) == -1);
}

ATF_TC_WITHOUT_HEAD(close__disowns);
ATF_TC_BODY(close__disowns, tc)
{
	int	fd, number;

	number = fd = open_null();
	errno = ENOSPC;
	fd_close(&fd);
	ATF_REQUIRE_EQ(ENOSPC, errno);
	ATF_REQUIRE_EQ(-1, fd);
	require_closed(number);
}

ATF_TC_WITHOUT_HEAD(close__nothing_owned);
ATF_TC_BODY(close__nothing_owned, tc)
{
	int	fd;

	fd = -1;
	errno = ENOSPC;
	fd_close(&fd);
	ATF_REQUIRE_EQ(ENOSPC, errno);
	ATF_REQUIRE_EQ(-1, fd);
}

ATF_TC_WITHOUT_HEAD(close__bad_number_keeps_errno);
ATF_TC_BODY(close__bad_number_keeps_errno, tc)
{
	int	fd, other;

	fd = other = open_null();
	fd_close(&other);
	errno = ENOSPC;
	fd_close(&fd);
	ATF_REQUIRE_EQ(ENOSPC, errno);
	ATF_REQUIRE_EQ(-1, fd);
}

ATF_TC_WITHOUT_HEAD(close_all__each);
ATF_TC_BODY(close_all__each, tc)
{
	int	fds[3], first, last;

	first = fds[0] = open_null();
	fds[1] = -1;
	last = fds[2] = open_null();
	fd_close_all(fds, 3);
	ATF_REQUIRE(fds[0] == -1 && fds[1] == -1 && fds[2] == -1);
	require_closed(first);
	require_closed(last);
	fd_close_all(fds, 0);
}

ATF_TC_WITHOUT_HEAD(move__leaves_nothing);
ATF_TC_BODY(move__leaves_nothing, tc)
{
	int	from, number, to;

	number = from = open_null();
	to = fd_move(&from);
	ATF_REQUIRE_EQ(-1, from);
	ATF_REQUIRE_EQ(number, to);
	ATF_REQUIRE(fcntl(to, F_GETFD) != -1);
	ATF_REQUIRE_EQ(-1, fd_move(&from));
	fd_close(&to);
}

ATF_TC_WITHOUT_HEAD(dup__cloexec_above_stderr);
ATF_TC_BODY(dup__cloexec_above_stderr, tc)
{
	int	copy, fd;

	fd = open_null();
	close(STDIN_FILENO);
	ATF_REQUIRE((copy = fd_dup(fd)) > STDERR_FILENO);
	ATF_REQUIRE_EQ(FD_CLOEXEC, fcntl(copy, F_GETFD) & FD_CLOEXEC);
	fd_close(&fd);
	ATF_REQUIRE(fcntl(copy, F_GETFD) != -1);
	fd_close(&copy);
}

ATF_TC_WITHOUT_HEAD(dup__bad_descriptor);
ATF_TC_BODY(dup__bad_descriptor, tc)
{
	ATF_REQUIRE_ERRNO(EBADF, fd_dup(-1) == -1);
}

ATF_TC_WITHOUT_HEAD(set_nonblock__on_and_off);
ATF_TC_BODY(set_nonblock__on_and_off, tc)
{
	int	fds[2];

	ATF_REQUIRE_EQ(0, pipe2(fds, O_CLOEXEC));
	ATF_REQUIRE_EQ(0, fd_set_nonblock(fds[0], 1));
	ATF_REQUIRE((fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
	ATF_REQUIRE_EQ(0, fd_set_nonblock(fds[0], 0));
	ATF_REQUIRE((fcntl(fds[0], F_GETFL) & O_NONBLOCK) == 0);
	ATF_REQUIRE_ERRNO(EBADF, fd_set_nonblock(-1, 1) == -1);
	fd_close_all(fds, 2);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, close__disowns);
	ATF_TP_ADD_TC(tp, close__nothing_owned);
	ATF_TP_ADD_TC(tp, close__bad_number_keeps_errno);
	ATF_TP_ADD_TC(tp, close_all__each);
	ATF_TP_ADD_TC(tp, move__leaves_nothing);
	ATF_TP_ADD_TC(tp, dup__cloexec_above_stderr);
	ATF_TP_ADD_TC(tp, dup__bad_descriptor);
	ATF_TP_ADD_TC(tp, set_nonblock__on_and_off);

	return atf_no_error();
}
