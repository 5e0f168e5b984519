/* SPDX-License-Identifier: ISC */
/*
 * A host that lacks a layer of the sandbox: a filter that answers the calls
 * of that layer with errors, and then the program.
 *
 *	lack LAYER COMMAND ...	for COMMAND and all that it starts
 *	DIR/lack.LAYER ...	in the place of one program alone: executes
 *				DIR/real with the same arguments
 *
 * Trusts the test that starts it.
 */
#include "config.h"

#include <sys/auxv.h>
#include <sys/prctl.h>

#include <err.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE	65
#endif

#define NITEMS(a)	(sizeof(a) / sizeof((a)[0]))

/* A call; `only`: where its first argument has all of these bits. */
static const struct row {
	const char	*layer;
	int		 nr;
	int		 error;
	uint64_t	 mask;
	uint64_t	 only;
} rows[] = {
	{ "namespaces", SCMP_SYS(unshare), EPERM, 0, 0 },
	{ "namespaces", SCMP_SYS(clone), EPERM, CLONE_NEWPID, CLONE_NEWPID },
	{ "namespaces", SCMP_SYS(clone3), ENOSYS, 0, 0 },
	{ "namespaces", SCMP_SYS(mount), EPERM, 0, 0 },
	{ "root", SCMP_SYS(mount), EPERM, 0, 0 },
	{ "root", SCMP_SYS(chroot), EPERM, 0, 0 },
	{ "ids", SCMP_SYS(setresuid), EPERM, 0, 0 },
	{ "caps", SCMP_SYS(capset), EPERM, 0, 0 },
	{ "nnp", SCMP_SYS(prctl), EINVAL, UINT32_MAX, PR_SET_NO_NEW_PRIVS },
	{ "nodump", SCMP_SYS(prctl), EINVAL, UINT32_MAX, PR_SET_DUMPABLE },
	{ "landlock", SCMP_SYS(landlock_create_ruleset), ENOSYS, 0, 0 },
	{ "rlimits", SCMP_SYS(prlimit64), EPERM, 0, 0 },
	{ "rlimits", SCMP_SYS(setrlimit), EPERM, 0, 0 },
	{ "mdwe", SCMP_SYS(prctl), EINVAL, UINT32_MAX, PR_SET_MDWE },
	{ "seccomp", SCMP_SYS(seccomp), EINVAL, UINT32_MAX,
	    SECCOMP_SET_MODE_FILTER },
};

static void
lack(const char *layer)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	size_t i, found = 0;

	if (ctx == NULL)
		errx(2, "no filter");
	/* Keep no_new_privs off where root can do without. */
	if (geteuid() == 0)
		seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
	for (i = 0; i < NITEMS(rows); i++) {
		const struct row *row = &rows[i];
		const struct scmp_arg_cmp when = SCMP_A0(SCMP_CMP_MASKED_EQ,
		    row->mask, row->only);

		if (strcmp(row->layer, layer) != 0)
			continue;
		found++;
		if (seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(row->error),
		    row->nr, row->mask != 0, &when) != 0)
			errx(2, "no rule for %s", layer);
	}
	if (found == 0 && strcmp(layer, "nothing") != 0)
		errx(2, "%s: no such layer", layer);
	if (seccomp_load(ctx) != 0)
		errx(2, "the filter is refused");
	seccomp_release(ctx);
}

/* DIR/lack.LAYER: the layer; DIR/real: into `real`. */
static const char *
in_place_of(char *real, size_t size)
{
	const char *self = (const char *)getauxval(AT_EXECFN);
	const char *name = self != NULL ? strrchr(self, '/') : NULL;
	const char *dot = name != NULL ? strrchr(name, '.') : NULL;

	if (dot == NULL)
		return NULL;
	snprintf(real, size, "%.*s/real", (int)(name - self), self);
	return dot + 1;
}

int
main(int argc, char **argv)
{
	char real[4096];
	const char *layer = in_place_of(real, sizeof(real));

	if (layer != NULL) {
		lack(layer);
		execv(real, argv);
		err(2, "%s", real);
	}
	if (argc < 3)
		errx(2, "usage: lack layer command ...");
	lack(argv[1]);
	execvp(argv[2], argv + 2);
	err(2, "%s", argv[2]);
}
