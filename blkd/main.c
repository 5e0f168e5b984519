/* SPDX-License-Identifier: ISC */
/*
 * blkd: one disk of one machine, in a process of its own.
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

#include "blkd/seccomp_table.h"
#include "blkd/session.h"
#include "blkd/uring.h"
#include "config.h"
#include "proto/proto.h"
#include "util/log.h"
#include "util/sandbox.h"
#include "util/slice.h"

#define CONTROL_FD	3

struct arguments {
	/* The ids to take, as sandbox_policy has them; 0: any of its own. */
	uid_t		uid;
	gid_t		gid;
	/* Rings of io_uring, and the size of a queue. */
	unsigned	rings;
	unsigned	depth;
};

static void
usage(void)
{
	fprintf(stderr, "usage: blkd [-TV] [-g gid] [-r rings,size] [-u uid]\n"
	    "blkd is started by vmmd(8), its control channel on descriptor"
	    " %d\n", CONTROL_FD);
	exit(EX_USAGE);
}

/* -T: what would the sandbox be, here and for this user? */
static int
report_sandbox(void)
{
	struct sandbox_policy policy;

	seccomp_table_policy(&policy);
	return sandbox_report(&policy, stdout) == 0 ? EX_OK : EX_NOPERM;
}

static unsigned
parse_id(const char *s)
{
	const char *why;
	unsigned id = (unsigned)strtonum(s, 0, UINT_MAX - 1, &why);

	if (why != NULL)
		errx(EX_USAGE, "%s: the id is %s", s, why);
	return id;
}

/* -r: how many, and for queues of which size. */
static void
parse_rings(char *s, struct arguments *a)
{
	char *size = strchr(s, ',');
	const char *why;

	if (size == NULL)
		usage();
	*size++ = '\0';
	a->rings = (unsigned)strtonum(s, 1, PROTO_QUEUES_MAX, &why);
	if (why == NULL)
		a->depth = (unsigned)strtonum(size, 1, PROTO_QUEUE_SIZE_MAX,
		    &why);
	if (why != NULL)
		errx(EX_USAGE, "-r %s,%s: a number is %s", s, size, why);
}

static void
parse_arguments(int argc, char **argv, struct arguments *a)
{
	int c;

	*a = (struct arguments) { .uid = 0 };
	while ((c = getopt(argc, argv, "g:r:Tu:V")) != -1) {
		switch (c) {
		case 'g':
			a->gid = parse_id(optarg);
			break;
		case 'r':
			parse_rings(optarg, a);
			break;
		case 'T':
			exit(report_sandbox());
		case 'u':
			a->uid = parse_id(optarg);
			break;
		case 'V':
			printf("blkd %s\n", PACKAGE_VERSION);
			exit(EX_OK);
		default:
			usage();
		}
	}
	if (optind != argc)
		usage();
}

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
make_rings(const struct arguments *a)
{
	return a->rings > 0 ? uring_make(a->rings, a->depth) : NULL;
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
enter_sandbox(const struct arguments *a, const struct uring_set *rings,
    uint32_t *layers)
{
	struct sandbox_policy policy;
	struct sandbox *sandbox;
	char why[SANDBOX_WHY_MAX];

	seccomp_table_policy(&policy);
	policy.uid = a->uid;
	policy.gid = a->gid;
	if (uring_error(rings) == 0) {
		policy.sections = FILTER_URING;
		policy.threads += a->rings * URING_TASKS;
	}
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
	struct arguments arguments;
	struct event_base *base;
	struct uring_set *rings;
	struct sandbox *sandbox;
	struct session *session;
	uint32_t layers;
	int status;

	parse_arguments(argc, argv, &arguments);
	setproctitle_init(argc, argv, environ);
	log_open("blkd", LOG_TO_STDERR, LOG_LEVEL_INFO);
	drop_inheritance();
	slice_shorten();
	if ((base = event_base_new()) == NULL) {
		log_error("cannot make the event loop");
		return EX_OSERR;
	}
	rings = make_rings(&arguments);
	session = open_control(base, rings);
	/* vmmd logs what we say, under the disk's name. */
	log_open("", LOG_TO_STDERR, LOG_LEVEL_INFO);
	sandbox = enter_sandbox(&arguments, rings, &layers);
	status = session_run(session, sandbox, layers);
	session_free(session);
	uring_free(rings);
	sandbox_free(sandbox);
	event_base_free(base);
	return status;
}
