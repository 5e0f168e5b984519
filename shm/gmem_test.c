/* SPDX-License-Identifier: ISC */
/* shm/gmem: the gate refuses overflow, holes and ends. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <atf-c.h>

#include "shm/gmem.h"
#include "shm/memfd.h"

#define MIB	(UINT64_C(1) << 20)
#define GIB	(UINT64_C(1) << 30)

static struct gmem *
make(uint64_t bytes)
{
	struct gmem *g;
	int fd = memfd_make("test", bytes);

	ATF_REQUIRE(fd != -1);
	ATF_REQUIRE((g = gmem_open(fd, bytes)) != NULL);
	close(fd);
	return g;
}

ATF_TC_WITHOUT_HEAD(gmem__layout_has_a_hole_below_4_gib);
ATF_TC_BODY(gmem__layout_has_a_hole_below_4_gib, tc)
{
	struct gmem_region r[2];

	ATF_CHECK_EQ(1, gmem_layout(3 * GIB, r));
	ATF_CHECK_EQ(2, gmem_layout(3 * GIB + 4096, r));
	ATF_CHECK_EQ(3 * GIB, r[0].bytes);
	ATF_CHECK_EQ(4 * GIB, r[1].gpa);
	ATF_CHECK_EQ(4096, r[1].bytes);
	ATF_CHECK_EQ(3 * GIB, r[1].offset);
	ATF_CHECK_ERRNO(EINVAL, gmem_layout(0, r) == -1);
	ATF_CHECK_ERRNO(EINVAL, gmem_layout(4097, r) == -1);
	ATF_CHECK_ERRNO(EINVAL, gmem_layout(GMEM_BYTES_MAX + 4096, r) == -1);
	ATF_CHECK_ERRNO(EINVAL, gmem_layout(UINT64_MAX - 4095, r) == -1);
}

ATF_TC_WITHOUT_HEAD(gmem__gate);
ATF_TC_BODY(gmem__gate, tc)
{
	static const struct {
		uint64_t	gpa;
		uint64_t	len;
		int		ok;
	} cases[] = {
		{ 0, 1, 1 },
		{ 0, 0, 0 },
		{ 0, 3 * GIB, 1 },
		{ 0, 3 * GIB + 1, 0 },
		{ 3 * GIB - 1, 1, 1 },
		{ 3 * GIB - 1, 2, 0 },
		{ 3 * GIB, 1, 0 },
		{ 4 * GIB - 1, 1, 0 },
		{ 4 * GIB - 1, 2, 0 },
		{ 4 * GIB, MIB, 1 },
		{ 4 * GIB, MIB + 1, 0 },
		{ 4 * GIB + MIB - 1, 1, 1 },
		{ 4 * GIB + MIB, 1, 0 },
		{ UINT64_MAX, 1, 0 },
		{ UINT64_MAX, UINT64_MAX, 0 },
		{ 1, UINT64_MAX, 0 },
		{ 0, UINT64_MAX, 0 },
	};
	struct gmem *g = make(3 * GIB + MIB);
	struct iovec iov;
	size_t i, n;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ATF_CHECK_EQ_MSG(cases[i].ok,
		    gmem_at(g, cases[i].gpa, cases[i].len) != NULL, "%zu", i);
		n = 0;
		ATF_CHECK_EQ_MSG(cases[i].ok, gmem_iov(g, cases[i].gpa,
		    cases[i].len, &iov, 1, &n) == 0, "%zu", i);
		ATF_CHECK_EQ((size_t)cases[i].ok, n);
	}
	/* Adjacent in the memfd, not in the guest. */
	ATF_CHECK_EQ((char *)gmem_at(g, 3 * GIB - 1, 1) + 1,
	    (char *)gmem_at(g, 4 * GIB, 1));
	gmem_close(g);
}

ATF_TC_WITHOUT_HEAD(gmem__a_full_iov_is_left_as_it_was);
ATF_TC_BODY(gmem__a_full_iov_is_left_as_it_was, tc)
{
	struct gmem *g = make(MIB);
	struct iovec iov[2];
	size_t n = 0;

	ATF_CHECK_EQ(0, gmem_iov(g, 0, 512, iov, 2, &n));
	ATF_CHECK_EQ(0, gmem_iov(g, 512, 512, iov, 2, &n));
	ATF_CHECK_ERRNO(E2BIG, gmem_iov(g, 0, 1, iov, 2, &n) == -1);
	ATF_CHECK_ERRNO(EFAULT, gmem_iov(g, MIB, 1, iov, 2, &n) == -1);
	ATF_CHECK_EQ(2, n);
	ATF_CHECK_EQ(512, iov[1].iov_len);
	gmem_close(g);
}

ATF_TC_WITHOUT_HEAD(gmem__unsealed_memory_is_refused);
ATF_TC_BODY(gmem__unsealed_memory_is_refused, tc)
{
	int sealed = memfd_make("test", MIB);

	ATF_REQUIRE(sealed != -1);
	ATF_CHECK_ERRNO(EINVAL, gmem_open(sealed, 2 * MIB) == NULL);
	ATF_CHECK_ERRNO(EINVAL, gmem_open(0, MIB) == NULL);
	ATF_CHECK_ERRNO(EINVAL, gmem_open(-1, MIB) == NULL);
	close(sealed);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, gmem__layout_has_a_hole_below_4_gib);
	ATF_TP_ADD_TC(tp, gmem__gate);
	ATF_TP_ADD_TC(tp, gmem__a_full_iov_is_left_as_it_was);
	ATF_TP_ADD_TC(tp, gmem__unsealed_memory_is_refused);
	return atf_no_error();
}
