/* SPDX-License-Identifier: ISC */
/*
 * Filters from tables: see filter.h.  Runs in blkd and in the vm process
 * before they are shut in (compile) and while they shut themselves in
 * (install).  Trusts its tables; tests check them.
 */
#include "config.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/filter.h"

#ifdef SECCOMP_TRAP
#define FILTER_DEFAULT	SCMP_ACT_TRAP
#else
#define FILTER_DEFAULT	SCMP_ACT_KILL_PROCESS
#endif

struct filter {
	size_t			 len;	/* instructions */
	struct sock_filter	*insns;
};

static bool
row_counts(const struct filter_row *row, unsigned stage, unsigned sections)
{
	return (row->stages & stage) != 0 &&
	    (row->section & ~sections) == 0;
}

unsigned
filter_count(const struct filter_table *table, unsigned stage,
    unsigned sections)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < table->nrows; i++)
		if (row_counts(&table->rows[i], stage, sections) &&
		    table->rows[i].refuse == 0)
			n++;
	return n;
}

unsigned
filter_build_sections(void)
{
#if defined(__SANITIZE_ADDRESS__)
	return FILTER_SANITIZER;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	return FILTER_SANITIZER;
#else
	return 0;
#endif
#else
	return 0;
#endif
}

/* The checks of a way, with what only this process knows. */
static void
fill_in(const struct filter_way *way, struct scmp_arg_cmp *check)
{
	unsigned i;

	for (i = 0; i < way->nchecks; i++) {
		check[i] = way->check[i];
		if (check[i].op == SCMP_CMP_MASKED_EQ &&
		    check[i].datum_b == FILTER_OWN_PID)
			check[i].datum_b = (uint32_t)getpid();
	}
}

/* Returns 0 or a negative errno, as libseccomp does. */
static int
add_row(scmp_filter_ctx ctx, const struct filter_row *row, unsigned stage)
{
	struct scmp_arg_cmp check[FILTER_CHECKS_MAX];
	uint32_t action = SCMP_ACT_ALLOW;
	size_t i;
	int rc;

	if (row->refuse != 0)
		action = SCMP_ACT_ERRNO(row->refuse);
	if (row->ways == NULL)
		return seccomp_rule_add_exact_array(ctx, action, row->nr, 0,
		    NULL);
	for (i = 0; i < row->nways; i++) {
		if (row->ways[i].stages != 0 &&
		    (row->ways[i].stages & stage) == 0)
			continue;
		fill_in(&row->ways[i], check);
		rc = seccomp_rule_add_exact_array(ctx, action, row->nr,
		    row->ways[i].nchecks, check);
		if (rc != 0 && rc != -EEXIST)
			return rc;
	}
	return 0;
}

static int
add_rows(scmp_filter_ctx ctx, const struct filter_table *table, unsigned stage,
    unsigned sections)
{
	size_t i;
	int rc;

	for (i = 0; i < table->nrows; i++) {
		if (!row_counts(&table->rows[i], stage, sections))
			continue;
		rc = add_row(ctx, &table->rows[i], stage);
		if (rc != 0 && rc != -EEXIST)
			return rc;
	}
	return 0;
}

/* libseccomp gives the program to a descriptor alone. */
static int
read_program(int fd, struct filter *filter)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) == -1)
		return -1;
	if (st.st_size <= 0 ||
	    (size_t)st.st_size > BPF_MAXINSNS * sizeof(*filter->insns)) {
		errno = E2BIG;
		return -1;
	}
	if ((filter->insns = malloc((size_t)st.st_size)) == NULL)
		return -1;
	n = pread(fd, filter->insns, (size_t)st.st_size, 0);
	if (n != st.st_size) {
		if (n != -1)
			errno = EIO;
		return -1;
	}
	filter->len = (size_t)st.st_size / sizeof(*filter->insns);
	return 0;
}

struct filter *
filter_compile(const struct filter_table *table, unsigned stage,
    unsigned sections)
{
	struct filter *filter = NULL, *done = NULL;
	scmp_filter_ctx ctx = NULL;
	int fd = -1, rc;

	if ((filter = calloc(1, sizeof(*filter))) == NULL ||
	    (fd = memfd_create("filter", MFD_CLOEXEC)) == -1)
		goto out;
	if ((ctx = seccomp_init(FILTER_DEFAULT)) == NULL) {
		errno = ENOMEM;
		goto out;
	}
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
	    SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = add_rows(ctx, table, stage, sections);
	if (rc == 0)
		rc = add_rows(ctx, &filter_sanitizers, stage, sections);
	if (rc == 0)
		rc = seccomp_rule_add_exact_array(ctx,
		    SCMP_ACT_ERRNO(FILTER_CANARY_ERRNO), FILTER_CANARY, 0,
		    NULL);
	if (rc == 0)
		rc = seccomp_export_bpf(ctx, fd);
	if (rc != 0) {
		errno = -rc;
		goto out;
	}
	if (read_program(fd, filter) == -1)
		goto out;
	done = filter;
	filter = NULL;
out:
	seccomp_release(ctx);
	if (fd != -1)
		close(fd);
	filter_free(filter);
	return done;
}

void
filter_free(struct filter *filter)
{
	if (filter == NULL)
		return;
	free(filter->insns);
	free(filter);
}

#ifdef SECCOMP_TRAP
static void
trapped(int sig, siginfo_t *info, void *context)
{
	char *name;

	(void)context;
	name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE,
	    info->si_syscall);
	if (name != NULL) {
		(void)!write(STDERR_FILENO, "seccomp: ", 9);
		(void)!write(STDERR_FILENO, name, strlen(name));
		(void)!write(STDERR_FILENO, "\n", 1);
	}
	syscall(SYS_exit_group, 128 + sig);
}

static int
install_trap(void)
{
	struct sigaction sa = { .sa_sigaction = trapped,
	    .sa_flags = SA_SIGINFO };

	return sigaction(SIGSYS, &sa, NULL);
}
#endif

int
filter_install(const struct filter *filter)
{
	struct sock_fprog prog = { .len = (unsigned short)filter->len,
	    .filter = filter->insns };
	long rc;

#ifdef SECCOMP_TRAP
	if (!filter_in_force() && install_trap() == -1)
		return -1;
#endif
	rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_TSYNC, &prog);
	if (rc > 0)		/* the thread that could not follow */
		errno = EBUSY;
	return rc == 0 ? 0 : -1;
}

bool
filter_in_force(void)
{
	return syscall(FILTER_CANARY) == -1 && errno == FILTER_CANARY_ERRNO;
}

#if defined(__SANITIZE_ADDRESS__)
/* The leak checker traces its own process: not from inside the room. */
int	__lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
}
#endif
