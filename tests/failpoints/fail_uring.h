/* SPDX-License-Identifier: ISC */
/*
 * Included before engine_uring.c, when it is compiled for tests: a hundredth
 * of its transfers is asked for in part, and a hundredth of its completions
 * says that it has failed.
 */
#ifndef FAILPOINTS_FAIL_URING_H
#define FAILPOINTS_FAIL_URING_H

#include <liburing.h>

#include "tests/failpoints/fail_call.h"

#define io_uring_prep_read(sqe, fd, p, n, at) \
	(io_uring_prep_read)((sqe), (fd), (p), fail_call_length(n), (at))
#define io_uring_prep_write(sqe, fd, p, n, at) \
	(io_uring_prep_write)((sqe), (fd), (p), fail_call_length(n), (at))
#define io_uring_cqe_get_data(cqe) \
	((cqe)->res = fail_call_result((cqe)->res), \
	    (io_uring_cqe_get_data)(cqe))

#endif /* FAILPOINTS_FAIL_URING_H */
