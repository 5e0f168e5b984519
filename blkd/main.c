/* SPDX-License-Identifier: ISC */
/*
 * blkd: one disk of one machine, in a process of its own, behind one of two
 * doors: vhost-user (vhost_main.h), or the channels of vmmd, which are here.
 *
 * vmmd(8) starts it with the control channel on descriptor 3 and nothing else
 * that is worth having.  It shuts itself in before it reads a byte, and then
 * becomes the disk that ATTACH describes.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "blkd/options.h"
#include "blkd/seccomp_table.h"
#include "blkd/session.h"
#include "blkd/sigbus.h"
#include "blkd/uring.h"
#include "blkd/vhost_main.h"
#include "blkd/vhost_parent.h"
#include "util/log.h"
#include "util/sandbox.h"
#include "util/slice.h"

#define CONTROL_FD	3

/*
 * Keep what vmmd gave on purpose: stdin, stdout, stderr, the control channel.
 * A terminal's signals and a system's shutdown are for vmmd to hear: a disk
 * ends when its channel does.
 */
static void
drop_inheritance(void)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE };
	size_t i;

	close_range(CONTROL_FD + 1, ~0u, 0);
	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
}

/* Whether rings are what ATTACH asks for is seen then: blkd/session.c. */
static struct uring_set *
make_rings(const struct options *options)
{
	return options->rings > 0 ?
	    uring_make(options->rings, options->depth) : NULL;
}

static struct session *
open_control(struct event_base *base, struct uring_set *rings)
{
	struct session *s = NULL;

	if (fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC) == 0)
		s = session_make(base, CONTROL_FD, rings);
	if (s == NULL) {
		log_error("descriptor %d is no control channel: %s: blkd is"
		    " started by vmmd(8)", CONTROL_FD, strerror(errno));
		exit(EX_USAGE);
	}
	return s;
}

/* Whether strict is asked for comes with ATTACH, which checks the layers. */
static struct sandbox *
enter_sandbox(const struct options *options, const struct uring_set *rings,
    uint32_t *layers)
{
	struct sandbox_policy policy;
	struct sandbox *sandbox;
	char why[SANDBOX_WHY_MAX];

	seccomp_table_policy(&policy);
	policy.uid = options->uid;
	policy.gid = options->gid;
	if (uring_error(rings) == 0) {
		policy.sections = FILTER_URING;
		policy.threads += options->rings * URING_TASKS;
	}
	policy.threads += PROTO_QUEUES_MAX * options->threads;
	if (sandbox_enter(&policy, &sandbox, layers, why, sizeof(why)) == -1) {
		log_error("cannot enter the sandbox: %s", why);
		exit(EX_NOPERM);
	}
	if (sandbox_missing(*layers) != 0)
		log_warning("the sandbox is not whole: %s", why);
	else if (why[0] != '\0')
		log_debug("sandbox: another layer stands in: %s", why);
	return sandbox;
}

int
main(int argc, char **argv)
{
	struct event_base *base;
	struct uring_set *rings;
	struct sandbox *sandbox;
	struct session *session;
	struct options options;
	uint32_t layers;
	int status;

	options_parse(argc, argv, &options);
	if (options.file != NULL && !options.inner) {
		log_open("blkd", LOG_TO_STDERR, LOG_LEVEL_INFO);
		return vhost_parent_run(&options, argc, argv);
	}
	setproctitle_init(argc, argv, environ);
	if (options.file != NULL)
		return vhost_main_run(&options);
	log_open("blkd", LOG_TO_STDERR, LOG_LEVEL_INFO);
	drop_inheritance();
	slice_shorten();
	if (sigbus_install(NULL) == -1) {
		log_error("cannot take SIGBUS: %s", strerror(errno));
		return EX_OSERR;
	}
	if ((base = event_base_new()) == NULL) {
		log_error("cannot make the event loop");
		return EX_OSERR;
	}
	rings = make_rings(&options);
	session = open_control(base, rings);
	/* vmmd logs what we say, under the disk's name. */
	log_open("", LOG_TO_STDERR, LOG_LEVEL_INFO);
	sandbox = enter_sandbox(&options, rings, &layers);
	status = session_run(session, sandbox, layers);
	/*
	 * Its threads end with it, and what it holds goes back to the kernel:
	 * what libc does at the end of a thread has no place in the filter.
	 */
	exit(status);
}
