/* SPDX-License-Identifier: ISC */
/*
 * Into the background.  Monitor.  The fork comes before any child is
 * started: PR_SET_PDEATHSIG and waitpid(2) are the parent's.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <bsd/libutil.h>

#include "util/fd.h"
#include "util/log.h"
#include "vmmd/daemon.h"
#include "vmmd/rundir.h"

#define LOOKS		10
#define LOOK_NS		20000000

struct daemon_state {
	struct pidfh	*pid_file;	/* NULL: none */
	char		 path[PATH_MAX]; /* its, absolute; empty: none */
	int		 caller;	/* write end to it; -1: foreground */
};

static enum exitcode_reason
open_pid_file(struct daemon_state *d, const char *path)
{
	const struct timespec nap = { 0, LOOK_NS };
	pid_t other = 0;
	int i;

	/* Who only looks whether it runs has the lock for a moment. */
	for (i = 0; i < LOOKS; i++) {
		d->pid_file = pidfile_open(path, 0644, &other);
		if (d->pid_file != NULL || errno != EEXIST)
			break;
		nanosleep(&nap, NULL);
	}
	if (d->pid_file != NULL) {
		if (realpath(path, d->path) == NULL)
			d->path[0] = '\0';
		return EXITCODE_NONE;
	}
	if (errno == EEXIST) {
		log_error("%s: vmmd runs already, as process %ld: stop it, or"
		    " give the machine another name", path, (long)other);
		return EXITCODE_LOCKED;
	}
	log_error("cannot make the pid file %s: %s: name another with -p",
	    path, strerror(errno));
	return EXITCODE_CANTCREATE;
}

/* The caller: waits for the exit code, or for "it runs" (0). */
static void __attribute__((noreturn))
wait_for_code(int fd)
{
	unsigned char code;
	ssize_t n;

	do {
		n = read(fd, &code, sizeof(code));
	} while (n == -1 && errno == EINTR);
	_exit(n == 1 ? code : EX_SOFTWARE);
}

static enum exitcode_reason
fork_off(struct daemon_state *d)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) == -1 || (pid = fork()) == -1) {
		log_error("cannot go into the background: %s",
		    strerror(errno));
		return EXITCODE_OS;
	}
	if (pid != 0) {
		close(ends[1]);
		wait_for_code(ends[0]);
	}
	close(ends[0]);
	d->caller = ends[1];
	return EXITCODE_NONE;
}

enum exitcode_reason
daemon_begin(struct daemon_state **out, const char *name,
    const char *pid_file, bool foreground)
{
	enum exitcode_reason reason = EXITCODE_NONE;
	struct daemon_state *d = calloc(1, sizeof(*d));
	char path[256];

	if (d == NULL)
		return EXITCODE_OS;
	d->caller = -1;
	snprintf(path, sizeof(path), VMMD_RUNSTATEDIR "/vmmd-%s.pid", name);
	if (pid_file == NULL && !foreground && rundir_make_parents(path) == -1)
		log_warning("cannot make the directory of %s: %s", path,
		    strerror(errno));
	if (pid_file != NULL || !foreground)
		reason = open_pid_file(d, pid_file != NULL ? pid_file : path);
	if (reason == EXITCODE_NONE && !foreground)
		reason = fork_off(d);
	if (reason == EXITCODE_NONE && d->pid_file != NULL)
		pidfile_write(d->pid_file);
	if (reason != EXITCODE_NONE) {
		if (d->pid_file != NULL)
			pidfile_remove(d->pid_file);
		free(d);
		return reason;
	}
	*out = d;
	return EXITCODE_NONE;
}

const char *
daemon_pid_file(const struct daemon_state *d)
{
	return d->path;
}

static void
tell_caller(struct daemon_state *d, int code)
{
	unsigned char byte = (unsigned char)code;

	if (d->caller == -1)
		return;
	/* A caller that is gone needs no answer. */
	if (write(d->caller, &byte, sizeof(byte)) == -1)
		log_debug("nobody waits for the exit code");
	fd_close(&d->caller);
}

void
daemon_detach(void *ctx)
{
	struct daemon_state *d = ctx;
	int null;

	if (d->caller == -1)
		return;
	setsid();
	if (chdir("/") == -1)
		log_warning("cannot change to /: %s", strerror(errno));
	log_open("vmmd", LOG_TO_SYSLOG, LOG_LEVEL_INFO);
	if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) != -1) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		close(null);
	}
	tell_caller(d, EX_OK);
}

void
daemon_end(struct daemon_state *d, int code)
{
	if (d->pid_file != NULL)
		pidfile_remove(d->pid_file);
	tell_caller(d, code);
	free(d);
}
