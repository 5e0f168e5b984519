/* SPDX-License-Identifier: ISC */
/* shm/memfd: what is sealed stays, and what is not is found out. */
#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <atf-c.h>

#include "shm/memfd.h"

ATF_TC_WITHOUT_HEAD(memfd__made_one_cannot_change_size);
ATF_TC_BODY(memfd__made_one_cannot_change_size, tc)
{
	int fd = memfd_make("test", 8192);

	ATF_REQUIRE(fd != -1);
	ATF_CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ATF_CHECK_EQ(0, memfd_check(fd, 8192));
	ATF_CHECK_ERRNO(EPERM, ftruncate(fd, 4096) == -1);
	ATF_CHECK_ERRNO(EPERM, ftruncate(fd, 16384) == -1);
	ATF_CHECK_ERRNO(EPERM,
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == -1);
}

ATF_TC_WITHOUT_HEAD(memfd__sizes_out_of_range_are_refused);
ATF_TC_BODY(memfd__sizes_out_of_range_are_refused, tc)
{
	ATF_CHECK_ERRNO(EINVAL, memfd_make("test", 0) == -1);
	ATF_CHECK_ERRNO(EINVAL, memfd_make("test", UINT64_MAX) == -1);
}

/* A memfd with the given seals; the size is right. */
static int
sealed(int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ATF_REQUIRE(fd != -1);
	ATF_REQUIRE_EQ(0, ftruncate(fd, 4096));
	if (seals != 0)
		ATF_REQUIRE_EQ(0, fcntl(fd, F_ADD_SEALS, seals));
	return fd;
}

ATF_TC_WITHOUT_HEAD(memfd__check_wants_every_seal);
ATF_TC_BODY(memfd__check_wants_every_seal, tc)
{
	static const int wrong[] = {
		0, F_SEAL_SHRINK, F_SEAL_SHRINK | F_SEAL_GROW,
		F_SEAL_GROW | F_SEAL_SEAL, F_SEAL_SHRINK | F_SEAL_SEAL,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL,
	};
	size_t i;
	int fd;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		fd = sealed(wrong[i]);
		ATF_CHECK_ERRNO(EPERM, memfd_check(fd, 4096) == -1);
		close(fd);
	}
	fd = sealed(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	ATF_CHECK_EQ(0, memfd_check(fd, 4096));
	ATF_CHECK_ERRNO(EINVAL, memfd_check(fd, 4095) == -1);
}

ATF_TC_WITHOUT_HEAD(memfd__check_wants_a_memfd);
ATF_TC_BODY(memfd__check_wants_a_memfd, tc)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int file = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	ATF_REQUIRE(null != -1 && file != -1);
	ATF_REQUIRE_EQ(0, ftruncate(file, 4096));
	ATF_CHECK_ERRNO(EINVAL, memfd_check(null, 0) == -1);
	ATF_CHECK_ERRNO(EINVAL, memfd_check(file, 4096) == -1);
	ATF_CHECK_ERRNO(EINVAL, memfd_check(-1, 4096) == -1);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, memfd__made_one_cannot_change_size);
	ATF_TP_ADD_TC(tp, memfd__sizes_out_of_range_are_refused);
	ATF_TP_ADD_TC(tp, memfd__check_wants_every_seal);
	ATF_TP_ADD_TC(tp, memfd__check_wants_a_memfd);
	return atf_no_error();
}
