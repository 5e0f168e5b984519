/* SPDX-License-Identifier: ISC */
/*
 * Landlock, by its system calls: headers lag behind kernels, and the rights
 * of an ABI are numbers that never change.  Runs in the process that shuts
 * itself in; trusts the kernel.
 */
#include "config.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "util/landlock.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset	444
#define SYS_landlock_restrict_self	446
#endif

#define CREATE_VERSION		(1u << 0)

/* struct landlock_ruleset_attr; it grew at its end. */
struct attr {
	uint64_t	fs;
	uint64_t	net;		/* ABI 4 */
	uint64_t	scoped;		/* ABI 6 */
};

/*
 * Rights by the ABI that brought them, bits that are set from the bottom:
 * execute, write, read, readdir, remove x2, make x7 (1); refer (2);
 * truncate (3); bind and connect TCP (4); ioctl on devices (5); abstract
 * sockets and signals (6); connecting to sockets by name (9).
 */
static const struct {
	int		abi;
	unsigned	fs, net, scoped;	/* bits */
	size_t		size;			/* of struct attr */
} abis[] = {
	{ 9, 17, 2, 2, 24 },
	{ 6, 16, 2, 2, 24 },
	{ 5, 16, 2, 0, 16 },
	{ 4, 15, 2, 0, 16 },
	{ 3, 15, 0, 0, 8 },
	{ 2, 14, 0, 0, 8 },
	{ 1, 13, 0, 0, 8 },
};

int
landlock_abi(void)
{
	long abi;

	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
	if (abi == 0) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return (int)abi;
}

int
landlock_close(void)
{
	struct attr attr;
	int abi, error, fd;
	size_t i;
	long rc;

	if ((abi = landlock_abi()) == -1)
		return -1;
	for (i = 0; abis[i].abi > abi; i++)
		;
	memset(&attr, 0, sizeof(attr));
	attr.fs = (1ull << abis[i].fs) - 1;
	attr.net = (1ull << abis[i].net) - 1;
	attr.scoped = (1ull << abis[i].scoped) - 1;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, abis[i].size, 0);
	if (fd == -1)
		return -1;
	rc = syscall(SYS_landlock_restrict_self, fd, 0);
	error = errno;
	close(fd);
	errno = error;
	return rc == 0 ? 0 : -1;
}

/*
 * Any root can be listed by anyone, until Landlock says no; but one that
 * went with its process (sandbox_ns.c) has nothing to refuse any more.
 */
int
landlock_verify(void)
{
	int fd;

	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd != -1) {
		close(fd);
		errno = ENOTRECOVERABLE;
		return -1;
	}
	return errno == EACCES || errno == ESRCH ? 0 : -1;
}
