/* SPDX-License-Identifier: ISC */
/*
 * System call filters as tables: one row a system call, with the arguments
 * that are allowed, and the reason.  blkd/seccomp_table.c,
 * blkd/seccomp_vhost.c, vmmd/vm_seccomp.c and vmmd/sweeper_seccomp.c are such
 * tables, written with filter_rows.h; this compiles them to BPF (libseccomp)
 * and puts them in force.
 *
 * What is not in the table kills the process.  To find out what it was:
 *
 *	- the parent sees WTERMSIG == SIGSYS;
 *	- dmesg (or the audit log) has a line "type=1326 ... comm=... sig=31
 *	  syscall=NNN": `scmp_sys_resolver NNN` gives the name;
 *	- a build with --enable-seccomp-trap prints the name on stderr and
 *	  ends with exit code 159 (128 + SIGSYS); it is for developers:
 *	  a trap runs code in the process that broke the rule;
 *	- strace -f shows the call with its arguments.
 *
 * A filter has stages, entered one after the other; each is a table column.
 * The kernel keeps the older one in force, so a stage can only narrow.
 */
#ifndef UTIL_FILTER_H
#define UTIL_FILTER_H

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum filter_stage {
	FILTER_START	= 1u << 0,	/* from sandbox_enter on */
	FILTER_SERVE	= 1u << 1,	/* from sandbox_narrow on */
};
#define FILTER_BOTH	(FILTER_START | FILTER_SERVE)
#define FILTER_STAGES	2

/* Rows that are not in every filter. */
enum filter_section {
	FILTER_ALWAYS	 = 0,
	FILTER_SANITIZER = 1u << 0,	/* a build with --enable-sanitizers */
	FILTER_URING	 = 1u << 1,	/* an io_uring made before the filter */
	FILTER_VECTORED	 = 1u << 2,	/* several buffers in one call */
};

#define FILTER_CHECKS_MAX	3

/* One way to make the call: all checks must hold. */
struct filter_way {
	unsigned		stages;	/* 0: the row's */
	unsigned		nchecks;
	struct scmp_arg_cmp	check[FILTER_CHECKS_MAX];
};

struct filter_row {
	int			 nr;		/* SCMP_SYS(name) */
	const char		*name;
	unsigned		 stages;	/* enum filter_stage */
	unsigned		 section;	/* enum filter_section */
	int			 refuse;	/* errno to answer with; 0: allow */
	const struct filter_way	*ways;		/* NULL: any arguments */
	size_t			 nways;
	const char		*reason;
};

/* Arguments are compared as the kernel reads them: these in 32 bits. */
#define FILTER_INT(arg, value) \
	{ (arg), SCMP_CMP_MASKED_EQ, 0xffffffffu, (uint32_t)(value) }
#define FILTER_CLEAR(arg, bits) \
	{ (arg), SCMP_CMP_MASKED_EQ, (bits), 0 }
#define FILTER_ONLY(arg, bits) \
	{ (arg), SCMP_CMP_MASKED_EQ, (uint32_t)~(bits), 0 }
#define FILTER_BITS(arg, mask, value) \
	{ (arg), SCMP_CMP_MASKED_EQ, (mask), (value) }
#define FILTER_LONG(arg, value) \
	{ (arg), SCMP_CMP_EQ, (value), 0 }
/* The number of the process that compiles the filter: itself. */
#define FILTER_OWN_PID	UINT64_MAX
#define FILTER_SELF(arg) \
	{ (arg), SCMP_CMP_MASKED_EQ, 0xffffffffu, FILTER_OWN_PID }
#define FILTER_WAY(...)		{ 0, 1, { __VA_ARGS__ } }
#define FILTER_WAY2(a, b)	{ 0, 2, { a, b } }

struct filter_table {
	const char		*name;		/* "blkd", "vm" */
	const struct filter_row	*rows;
	size_t			 nrows;
};

/*
 * The rows of a build with --enable-sanitizers: beside those of every table.
 * Its filter is looser, which tests/run says.
 */
extern const struct filter_table filter_sanitizers;

/*
 * System calls that a stage of a normal build allows: rows of refusal do not
 * count.
 */
unsigned	filter_count(const struct filter_table *, unsigned stage,
		    unsigned sections);

/* The sections that this build needs whatever the caller asks for. */
unsigned	filter_build_sections(void);

/*
 * A stage, compiled; it can be put in force when libseccomp itself could no
 * longer run.  NULL and errno on failure.
 */
struct filter;
struct filter	*filter_compile(const struct filter_table *, unsigned stage,
		    unsigned sections);
void		 filter_free(struct filter *);

/*
 * Put it in force for every thread of the process (they need
 * no_new_privs).  0, or -1 and errno.
 */
int		 filter_install(const struct filter *);

/*
 * Is a filter of ours in force?  Every filter refuses FILTER_CANARY with
 * FILTER_CANARY_ERRNO, which neither the kernel nor another filter does.
 */
#define FILTER_CANARY		SCMP_SYS(getppid)
#define FILTER_CANARY_ERRNO	ENOTUNIQ
bool		 filter_in_force(void);

#endif /* UTIL_FILTER_H */
