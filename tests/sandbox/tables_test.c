/* SPDX-License-Identifier: ISC */
/*
 * The tables of system calls: their sizes, and what is never in them.  What
 * they do to a process is tried in tests/redteam and vmmd/sweeper_test.
 */
#include "config.h"

#include <atf-c.h>
#include <stdio.h>
#include <string.h>

#include "blkd/seccomp_table.h"
#include "vmmd/sweeper_seccomp.h"
#include "vmmd/vm_seccomp.h"

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))
#define STEADY_MAX	25	/* DESIGN.md, section 8; BARS.md */
#define VM_MAX		35
#define SWEEPER_MAX	15
#define ALSO_MAX	4

/* What a table may have of `never`, since its process does just that. */
static const struct table {
	const struct filter_table *table;
	unsigned	 steady;	/* the stage that lasts */
	unsigned	 most;
	int		 also[ALSO_MAX];
} tables[] = {
	{ &seccomp_table_blkd, FILTER_SERVE, STEADY_MAX, { 0 } },
	{ &seccomp_table_vhost, FILTER_SERVE, STEADY_MAX,
	    { SCMP_SYS(accept4), SCMP_SYS(memfd_create) } },
	{ &vm_seccomp_table, FILTER_SERVE, VM_MAX, { 0 } },
	{ &sweeper_seccomp_table, FILTER_START, SWEEPER_MAX,
	    { SCMP_SYS(openat), SCMP_SYS(socket), SCMP_SYS(connect),
	    SCMP_SYS(unlink) } },
};

#define EACH_ROW(t, row) \
	for ((t) = tables; (t) < tables + NITEMS(tables); (t)++) \
		for ((row) = (t)->table->rows; \
		    (row) < (t)->table->rows + (t)->table->nrows; (row)++)

ATF_TC_WITHOUT_HEAD(tables__steady_state_is_small);
ATF_TC_BODY(tables__steady_state_is_small, tc)
{
	const struct table *t;
	unsigned n, rings;

	(void)tc;
	/* Without rings there may be vectors: never both. */
	for (t = tables; t < tables + NITEMS(tables); t++) {
		n = filter_count(t->table, t->steady, FILTER_VECTORED);
		rings = filter_count(t->table, t->steady, FILTER_URING);
		printf("system calls of %s: %u from the start, %u when"
		    " serving, %u with rings\n", t->table->name,
		    filter_count(t->table, FILTER_START, FILTER_VECTORED),
		    n, rings);
		ATF_CHECK(n > 0);
		ATF_CHECK(n <= t->most);
		ATF_CHECK(rings <= t->most);
	}
}

ATF_TC_WITHOUT_HEAD(tables__rows_are_complete);
ATF_TC_BODY(tables__rows_are_complete, tc)
{
	const struct filter_row *row, *other;
	const struct table *t;

	(void)tc;
	EACH_ROW(t, row) {
		ATF_CHECK_MSG(row->nr != __NR_SCMP_ERROR, "%s", row->name);
		ATF_CHECK_MSG(strlen(row->reason) > 0, "%s", row->name);
		ATF_CHECK_MSG((row->stages & ~(unsigned)FILTER_BOTH) == 0 &&
		    row->stages != 0, "%s", row->name);
		ATF_CHECK_MSG(row->nr != FILTER_CANARY, "%s", row->name);
		ATF_CHECK_MSG((row->ways == NULL) == (row->nways == 0), "%s",
		    row->name);
		/* The sanitizers' are in filter_sanitizers alone. */
		ATF_CHECK_MSG((row->section & FILTER_SANITIZER) == 0, "%s",
		    row->name);
		/* A refusal may take over from a permission. */
		for (other = t->table->rows; other < row; other++)
			ATF_CHECK_MSG(row->nr != other->nr ||
			    row->section != other->section ||
			    (row->refuse != 0 && row->stages == FILTER_SERVE &&
			    other->stages == FILTER_START),
			    "%s: two rows for %s", t->table->name, row->name);
	}
}

/* In no stage of a normal build, whatever their arguments. */
static const int never[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2),
	SCMP_SYS(open_by_handle_at), SCMP_SYS(creat), SCMP_SYS(socket),
	SCMP_SYS(socketpair), SCMP_SYS(connect), SCMP_SYS(bind),
	SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4),
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork),
	SCMP_SYS(vfork), SCMP_SYS(ptrace), SCMP_SYS(kill), SCMP_SYS(tkill),
	SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_getfd),
	SCMP_SYS(pidfd_send_signal), SCMP_SYS(rt_sigqueueinfo),
	SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(bpf), SCMP_SYS(io_uring_setup), SCMP_SYS(memfd_create),
	SCMP_SYS(userfaultfd), SCMP_SYS(perf_event_open), SCMP_SYS(setuid),
	SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(mount),
	SCMP_SYS(personality), SCMP_SYS(keyctl), SCMP_SYS(sendmmsg),
	SCMP_SYS(mremap), SCMP_SYS(dup), SCMP_SYS(unlink),
	SCMP_SYS(rename), SCMP_SYS(chmod), SCMP_SYS(chroot),
};

static bool
may_also(const struct table *t, int nr)
{
	size_t i;

	for (i = 0; i < ALSO_MAX; i++)
		if (t->also[i] == nr && nr != 0)
			return true;
	return false;
}

ATF_TC_WITHOUT_HEAD(tables__never_have_these);
ATF_TC_BODY(tables__never_have_these, tc)
{
	const struct filter_row *row;
	const struct table *t;
	size_t i;

	(void)tc;
	EACH_ROW(t, row)
		for (i = 0; i < NITEMS(never); i++)
			ATF_CHECK_MSG(row->nr != never[i] ||
			    row->refuse != 0 || may_also(t, row->nr),
			    "%s: %s", t->table->name, row->name);
}

/* DESIGN.md, section 8: arguments are checked where it matters. */
ATF_TC_WITHOUT_HEAD(tables__arguments_are_checked);
ATF_TC_BODY(tables__arguments_are_checked, tc)
{
	static const int checked[] = {
		SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(fcntl),
		SCMP_SYS(ioctl), SCMP_SYS(clone), SCMP_SYS(clone3),
		SCMP_SYS(prctl), SCMP_SYS(sendmsg), SCMP_SYS(prlimit64),
		SCMP_SYS(madvise),
		SCMP_SYS(futex), SCMP_SYS(tgkill), SCMP_SYS(openat),
		SCMP_SYS(socket), SCMP_SYS(io_uring_register),
		SCMP_SYS(io_uring_enter), SCMP_SYS(memfd_create),
	};
	const struct filter_row *row;
	const struct table *t;
	size_t i;

	(void)tc;
	EACH_ROW(t, row)
		for (i = 0; i < NITEMS(checked); i++)
			ATF_CHECK_MSG(row->nr != checked[i] ||
			    row->refuse != 0 || row->nways > 0, "%s: %s",
			    t->table->name, row->name);
}

ATF_TC_WITHOUT_HEAD(tables__serving_only_narrows);
ATF_TC_BODY(tables__serving_only_narrows, tc)
{
	const struct filter_row *row;
	const struct table *t;

	(void)tc;
	EACH_ROW(t, row)
		ATF_CHECK_MSG((row->stages & FILTER_START) != 0 ||
		    row->refuse != 0, "%s: %s would be dead before it was"
		    " needed", t->table->name, row->name);
	for (t = tables; t < tables + NITEMS(tables); t++)
		ATF_CHECK(filter_count(t->table, FILTER_SERVE, 0) <
		    filter_count(t->table, FILTER_START, 0));
}

ATF_TC_WITHOUT_HEAD(compile__every_stage_and_section);
ATF_TC_BODY(compile__every_stage_and_section, tc)
{
	static const unsigned stages[] = { FILTER_START, FILTER_SERVE };
	static const unsigned sections[] = { 0, FILTER_SANITIZER,
	    FILTER_VECTORED, FILTER_URING,
	    FILTER_SANITIZER | FILTER_VECTORED,
	    FILTER_SANITIZER | FILTER_URING };
	const struct table *t;
	struct filter *filter;
	size_t i, j;

	(void)tc;
	for (t = tables; t < tables + NITEMS(tables); t++) {
		for (i = 0; i < NITEMS(stages); i++) {
			for (j = 0; j < NITEMS(sections); j++) {
				filter = filter_compile(t->table, stages[i],
				    sections[j]);
				ATF_CHECK_MSG(filter != NULL, "%s",
				    t->table->name);
				filter_free(filter);
			}
		}
	}
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, tables__steady_state_is_small);
	ATF_TP_ADD_TC(tp, tables__rows_are_complete);
	ATF_TP_ADD_TC(tp, tables__never_have_these);
	ATF_TP_ADD_TC(tp, tables__arguments_are_checked);
	ATF_TP_ADD_TC(tp, tables__serving_only_narrows);
	ATF_TP_ADD_TC(tp, compile__every_stage_and_section);
	return atf_no_error();
}
