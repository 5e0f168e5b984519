/* SPDX-License-Identifier: ISC */
/*
 * The table of blkd's system calls: its size, and what is never in it.
 * What it does to a process is tried in tests/redteam.
 */
#include "config.h"

#include <atf-c.h>
#include <stdio.h>
#include <string.h>

#include "blkd/seccomp_table.h"

#define STEADY_MAX	25	/* DESIGN.md, section 8; BARS.md */

static const struct filter_table *const table = &seccomp_table_blkd;

ATF_TC_WITHOUT_HEAD(table__steady_state_is_small);
ATF_TC_BODY(table__steady_state_is_small, tc)
{
	unsigned n;

	(void)tc;
	n = filter_count(table, FILTER_SERVE, 0);
	printf("system calls of blkd: %u from the start, %u when serving\n",
	    filter_count(table, FILTER_START, 0), n);
	ATF_CHECK(n > 0);
	ATF_CHECK(n <= STEADY_MAX);
	n = filter_count(table, FILTER_SERVE, FILTER_URING);
	printf("with rings %u when serving\n", n);
	ATF_CHECK(n <= STEADY_MAX);
}

/* The other door: the same bound, with an engine's ring, too. */
ATF_TC_WITHOUT_HEAD(vhost__steady_state_is_small);
ATF_TC_BODY(vhost__steady_state_is_small, tc)
{
	static const int never[] = {
		SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2),
		SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind),
		SCMP_SYS(listen), SCMP_SYS(execve), SCMP_SYS(execveat),
		SCMP_SYS(fork), SCMP_SYS(kill), SCMP_SYS(ptrace),
		SCMP_SYS(io_uring_setup), SCMP_SYS(bpf), SCMP_SYS(unshare),
		SCMP_SYS(userfaultfd), SCMP_SYS(mremap), SCMP_SYS(dup),
		SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd),
	};
	const struct filter_table *t = &seccomp_table_vhost;
	size_t i, j;
	unsigned n;

	(void)tc;
	n = filter_count(t, FILTER_SERVE, FILTER_VECTORED);
	printf("system calls of blkd behind vhost-user: %u from the start,"
	    " %u when serving\n",
	    filter_count(t, FILTER_START, FILTER_VECTORED), n);
	ATF_CHECK(n > 0);
	ATF_CHECK(n <= STEADY_MAX);
	n = filter_count(t, FILTER_SERVE, FILTER_URING);
	printf("with rings %u when serving\n", n);
	ATF_CHECK(n <= STEADY_MAX);
	for (i = 0; i < t->nrows; i++) {
		ATF_CHECK(t->rows[i].nr != __NR_SCMP_ERROR);
		ATF_CHECK(strlen(t->rows[i].reason) > 0);
		for (j = 0; j < sizeof(never) / sizeof(never[0]); j++)
			ATF_CHECK_MSG(t->rows[i].nr != never[j] ||
			    t->rows[i].section == FILTER_SANITIZER, "%s",
			    t->rows[i].name);
	}
}

ATF_TC_WITHOUT_HEAD(table__rows_are_complete);
ATF_TC_BODY(table__rows_are_complete, tc)
{
	const struct filter_row *row;
	size_t i, j;

	(void)tc;
	for (i = 0; i < table->nrows; i++) {
		row = &table->rows[i];
		ATF_CHECK_MSG(row->nr != __NR_SCMP_ERROR, "%s", row->name);
		ATF_CHECK_MSG(strlen(row->reason) > 0, "%s", row->name);
		ATF_CHECK_MSG((row->stages & ~(unsigned)FILTER_BOTH) == 0 &&
		    row->stages != 0, "%s", row->name);
		ATF_CHECK_MSG(row->nr != FILTER_CANARY, "%s", row->name);
		ATF_CHECK_MSG((row->ways == NULL) == (row->nways == 0), "%s",
		    row->name);
		for (j = 0; j < i; j++)
			ATF_CHECK_MSG(row->nr != table->rows[j].nr ||
			    row->section != table->rows[j].section,
			    "two rows for %s", row->name);
	}
}

/* In no stage of a normal build, whatever their arguments. */
ATF_TC_WITHOUT_HEAD(table__never_has_these);
ATF_TC_BODY(table__never_has_these, tc)
{
	static const int never[] = {
		SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2),
		SCMP_SYS(open_by_handle_at), SCMP_SYS(creat),
		SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect),
		SCMP_SYS(bind), SCMP_SYS(accept4), SCMP_SYS(execve),
		SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork),
		SCMP_SYS(ptrace), SCMP_SYS(kill), SCMP_SYS(tkill),
		SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_getfd),
		SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
		SCMP_SYS(bpf), SCMP_SYS(io_uring_setup),
		SCMP_SYS(io_uring_register), SCMP_SYS(memfd_create),
		SCMP_SYS(userfaultfd), SCMP_SYS(perf_event_open),
		SCMP_SYS(setuid), SCMP_SYS(setns), SCMP_SYS(unshare),
		SCMP_SYS(mount), SCMP_SYS(personality), SCMP_SYS(keyctl),
		SCMP_SYS(sendmmsg), SCMP_SYS(mremap), SCMP_SYS(dup),
	};
	size_t i, j;

	(void)tc;
	for (i = 0; i < table->nrows; i++)
		for (j = 0; j < sizeof(never) / sizeof(never[0]); j++)
			ATF_CHECK_MSG(table->rows[i].nr != never[j] ||
			    table->rows[i].section != 0 ||
			    table->rows[i].refuse != 0, "%s",
			    table->rows[i].name);
}

/* DESIGN.md, section 8: arguments are checked where it matters. */
ATF_TC_WITHOUT_HEAD(table__arguments_are_checked);
ATF_TC_BODY(table__arguments_are_checked, tc)
{
	static const int checked[] = {
		SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(fcntl),
		SCMP_SYS(ioctl), SCMP_SYS(clone), SCMP_SYS(prctl),
		SCMP_SYS(sendmsg), SCMP_SYS(prlimit64), SCMP_SYS(madvise),
		SCMP_SYS(futex),
	};
	size_t i, j;

	(void)tc;
	for (i = 0; i < table->nrows; i++)
		for (j = 0; j < sizeof(checked) / sizeof(checked[0]); j++)
			ATF_CHECK_MSG(table->rows[i].nr != checked[j] ||
			    table->rows[i].section != 0 ||
			    table->rows[i].nways > 0, "%s",
			    table->rows[i].name);
}

ATF_TC_WITHOUT_HEAD(table__serving_only_narrows);
ATF_TC_BODY(table__serving_only_narrows, tc)
{
	size_t i;

	(void)tc;
	for (i = 0; i < table->nrows; i++)
		ATF_CHECK_MSG((table->rows[i].stages & FILTER_START) != 0,
		    "%s would be dead before it was needed",
		    table->rows[i].name);
	ATF_CHECK(filter_count(table, FILTER_SERVE, 0) <
	    filter_count(table, FILTER_START, 0));
}

ATF_TC_WITHOUT_HEAD(compile__every_stage_and_section);
ATF_TC_BODY(compile__every_stage_and_section, tc)
{
	static const unsigned stages[] = { FILTER_START, FILTER_SERVE };
	static const unsigned sections[] = { 0, FILTER_SANITIZER,
	    FILTER_VECTORED, FILTER_URING,
	    FILTER_SANITIZER | FILTER_VECTORED,
	    FILTER_SANITIZER | FILTER_URING };
	struct filter *filter;
	size_t i, j;

	(void)tc;
	for (i = 0; i < 2; i++) {
		for (j = 0; j < sizeof(sections) / sizeof(sections[0]); j++) {
			filter = filter_compile(table, stages[i],
			    sections[j]);
			ATF_CHECK(filter != NULL);
			filter_free(filter);
		}
	}
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, table__steady_state_is_small);
	ATF_TP_ADD_TC(tp, vhost__steady_state_is_small);
	ATF_TP_ADD_TC(tp, table__rows_are_complete);
	ATF_TP_ADD_TC(tp, table__never_has_these);
	ATF_TP_ADD_TC(tp, table__arguments_are_checked);
	ATF_TP_ADD_TC(tp, table__serving_only_narrows);
	ATF_TP_ADD_TC(tp, compile__every_stage_and_section);
	return atf_no_error();
}
