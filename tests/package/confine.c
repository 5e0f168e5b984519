/* SPDX-License-Identifier: ISC */
/*
 * confine CALLS COMMAND ...: run a command under the system call filters
 * that systemd makes of a unit: what the file CALLS names, one a line, with
 * RestrictNamespaces=mnt pid net ipc uts, MemoryDenyWriteExecute and
 * RestrictAddressFamilies=AF_UNIX.  All else is EPERM.  Stands in for systemd
 * where that is not the first process.
 */
#include <sys/mman.h>
#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NOT_OURS	(CLONE_NEWUSER | CLONE_NEWCGROUP)
#define CODE		(PROT_WRITE | PROT_EXEC)

static int
allow_if(scmp_filter_ctx ctx, int nr, struct scmp_arg_cmp cmp)
{
	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, 1, &cmp);
}

/* All protections but both at once. */
static int
allow_no_code(scmp_filter_ctx ctx, int nr)
{
	if (allow_if(ctx, nr, SCMP_A2(SCMP_CMP_MASKED_EQ, CODE, 0)) != 0 ||
	    allow_if(ctx, nr, SCMP_A2(SCMP_CMP_MASKED_EQ, CODE,
	    PROT_WRITE)) != 0)
		return -1;
	return allow_if(ctx, nr, SCMP_A2(SCMP_CMP_MASKED_EQ, CODE,
	    PROT_EXEC));
}

static int
allow(scmp_filter_ctx ctx, const char *name)
{
	int nr = seccomp_syscall_resolve_name(name);

	if (nr < 0)
		return 0;	/* another architecture's */
	if (nr == SCMP_SYS(clone3))
		return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), nr, 0);
	if (nr == SCMP_SYS(clone) || nr == SCMP_SYS(unshare))
		return allow_if(ctx, nr, SCMP_A0(SCMP_CMP_MASKED_EQ,
		    NOT_OURS, 0));
	if (nr == SCMP_SYS(setns))
		return 0;
	if (nr == SCMP_SYS(socket))
		return allow_if(ctx, nr, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	if (nr == SCMP_SYS(mmap) || nr == SCMP_SYS(mprotect))
		return allow_no_code(ctx, nr);
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
}

int
main(int argc, char **argv)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	char name[64];
	FILE *f;

	if (argc < 3 || ctx == NULL)
		errx(1, "usage: confine calls command ...");
	if ((f = fopen(argv[1], "re")) == NULL) {
		warn("%s", argv[1]);
		return 1;
	}
	while (fgets(name, sizeof(name), f) != NULL) {
		name[strcspn(name, "\n")] = '\0';
		if (allow(ctx, name) != 0)
			errx(1, "no rule for %s", name);
	}
	fclose(f);
	if (seccomp_load(ctx) != 0)
		errx(1, "the filter is refused");
	seccomp_release(ctx);
	execv(argv[2], argv + 2);
	err(1, "%s", argv[2]);
}
