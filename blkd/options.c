/* SPDX-License-Identifier: ISC */
/*
 * The command line.  Runs in blkd before everything else; its words are the
 * administrator's, and wrong ones are told before anything is opened.
 */
#include "config.h"

#include <err.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "blkd/limits.h"
#include "blkd/options.h"
#include "blkd/seccomp_table.h"
#include "util/sandbox.h"

#define QUEUE_SIZE	256
#define POLL_US		50	/* as in vmmd.conf(5) */
#define THREADS		8
#define SLOW_US		20
#define THREADS_UNSAID	(PROTO_THREADS_MAX + 1)
#define SOCKET_MODE	0600
#define CPUS_MAX	1023

enum { OPT_FD = 256, OPT_CAPABILITIES, OPT_INNER };

static void __attribute__((__noreturn__))
usage(void)
{
	fprintf(stderr,
	    "usage: blkd -f file [-DRTV] [-b block-size] [-c cpu,...]"
	    " [-e engine]\n"
	    "            [-g gid] [-i serial] [-L file | -l limit=n,...]\n"
	    "            [-m mode] [-n name] [-p poll-us] [-Q queues] [-q queue-size] [-s socket]\n"
	    "            [-t threads[,slow-us]] [-u uid] [-x strict|best-effort]"
	    "\n"
	    "       blkd [-TV] [-g gid] [-r rings,size] [-t threads] [-u uid]\n"
	    "Without -f blkd is started by vmmd(8).\n");
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

static long long
number_of(const char *option, const char *s, long long min, long long max)
{
	const char *why;
	long long n = strtonum(s, min, max, &why);

	if (why != NULL)
		errx(EX_USAGE, "%s %s: %s (%lld to %lld)", option, s, why,
		    min, max);
	return n;
}

static long long
number(char option, const char *s, long long min, long long max)
{
	return number_of((const char[]){ '-', option, '\0' }, s, min, max);
}

static uint32_t
power(char option, const char *s, long long min, long long max)
{
	long long n = number(option, s, min, max);

	if ((n & (n - 1)) != 0)
		errx(EX_USAGE, "-%c %s: must be a power of two", option, s);
	return (uint32_t)n;
}

static mode_t
mode(const char *s)
{
	char *end;
	unsigned long n = strtoul(s, &end, 8);

	if (*s == '\0' || *end != '\0' || n > 0777)
		errx(EX_USAGE, "-m %s: must be a mode in octal digits", s);
	return (mode_t)n;
}

/* -c 2,3: queue 0 on CPU 2, queue 1 on CPU 3. */
static void
parse_cpus(struct options *o, char *s)
{
	size_t n = 0;
	char *word;

	memset(o->cpu, 0, sizeof(o->cpu));
	while ((word = strsep(&s, ",")) != NULL) {
		if (n == PROTO_QUEUES_MAX)
			errx(EX_USAGE, "-c: more than %d CPUs",
			    PROTO_QUEUES_MAX);
		o->cpu[n++] = (uint16_t)(number('c', word, 0,
		    CPUS_MAX) + 1);
	}
}

static void
parse_limits(struct options *o, char *s)
{
	char why[LIMITS_WHY];

	if (limits_parse(s, &o->limits, why) == -1)
		errx(EX_USAGE, "-l: %s", why);
	o->limited = true;
}

static void
read_limits(struct options *o)
{
	char why[LIMITS_WHY];

	if (o->limited)
		errx(EX_USAGE, "-l and -L exclude each other");
	if (limits_read(o->limits_file, &o->limits, why) == -1)
		errx(EX_USAGE, "-L %s: %s", o->limits_file, why);
}

static void
parse_name(struct options *o, const char *s)
{
	if (*s == '\0' || strlen(s) >= sizeof(o->name))
		errx(EX_USAGE, "-n %s: must have 1 to %zu characters", s,
		    sizeof(o->name) - 1);
	memset(o->name, 0, sizeof(o->name));
	memcpy(o->name, s, strlen(s));
}

static void
parse_serial(struct options *o, const char *s)
{
	if (strlen(s) > sizeof(o->serial))
		errx(EX_USAGE, "-i %s: must have at most %zu characters", s,
		    sizeof(o->serial));
	memset(o->serial, 0, sizeof(o->serial));
	memcpy(o->serial, s, strlen(s));
}

static enum options_sandbox
parse_sandbox(const char *s)
{
	if (strcmp(s, "strict") == 0)
		return OPTIONS_SANDBOX_STRICT;
	if (strcmp(s, "best-effort") == 0)
		return OPTIONS_SANDBOX_BEST_EFFORT;
	errx(EX_USAGE, "-x %s: must be strict or best-effort", s);
}

static enum proto_engine
parse_engine(const char *s)
{
	if (strcmp(s, "auto") == 0)
		return PROTO_ENGINE_AUTO;
	if (strcmp(s, "sync") == 0)
		return PROTO_ENGINE_SYNC;
	if (strcmp(s, "uring") == 0)
		return PROTO_ENGINE_URING;
	if (strcmp(s, "mmap") == 0)
		return PROTO_ENGINE_MMAP;
	errx(EX_USAGE, "-e %s: must be auto, sync, uring or mmap", s);
}

/* -r: how many, and for queues of which size: vmmd(8) says so. */
static void
parse_rings(struct options *o, char *s)
{
	char *size = strchr(s, ',');

	if (size == NULL)
		usage();
	*size++ = '\0';
	o->rings = (unsigned)number('r', s, 1, PROTO_QUEUES_MAX);
	o->depth = (unsigned)number('r', size, 1, PROTO_QUEUE_SIZE_MAX);
}

/* -t: how many a queue; for what takes longer than so many microseconds. */
static void
parse_threads(struct options *o, char *s)
{
	char *slow = strchr(s, ',');

	if (slow != NULL) {
		*slow++ = '\0';
		o->slow_us = (uint32_t)number('t', slow, 0,
		    PROTO_SLOW_US_MAX);
	}
	o->threads = (unsigned)number('t', s, 0, PROTO_THREADS_MAX);
}

/* What goes with the process, not with the disk. */
static void
set_process(struct options *o, int c, char *arg)
{
	switch (c) {
	case 'g':
		o->gid = (gid_t)number('g', arg, 0, UINT_MAX - 1);
		break;
	case 'm':
		o->mode = mode(arg);
		break;
	case 'n':
		parse_name(o, arg);
		break;
	case 'r':
		parse_rings(o, arg);
		break;
	case 's':
		o->socket = arg;
		break;
	case 't':
		parse_threads(o, arg);
		break;
	case 'u':
		o->uid = (uid_t)number('u', arg, 0, UINT_MAX - 1);
		break;
	case 'x':
		o->sandbox = parse_sandbox(arg);
		break;
	case OPT_FD:
		o->fd = (int)number_of("--fd", arg, 3, 1023);
		break;
	case OPT_INNER:
		o->inner = true;
		break;
	default:
		usage();
	}
}

static void
set(struct options *o, int c, char *arg)
{
	switch (c) {
	case 'b':
		o->block_size = power('b', arg, 512, 4096);
		if (o->block_size != 512 && o->block_size != 4096)
			errx(EX_USAGE, "-b %s: must be 512 or 4096", arg);
		break;
	case 'c':
		parse_cpus(o, arg);
		break;
	case 'D':
		o->direct = true;
		break;
	case 'e':
		o->engine = parse_engine(arg);
		break;
	case 'f':
		o->file = arg;
		break;
	case 'i':
		parse_serial(o, arg);
		break;
	case 'l':
		parse_limits(o, arg);
		break;
	case 'L':
		o->limits_file = arg;
		break;
	case 'p':
		o->poll_us = (uint32_t)number('p', arg, 0, PROTO_POLL_US_MAX);
		break;
	case 'Q':
		o->queues = (uint32_t)number('Q', arg, 1, PROTO_QUEUES_MAX);
		break;
	case 'q':
		o->queue_size = power('q', arg, 2, PROTO_QUEUE_SIZE_MAX);
		break;
	case 'R':
		o->readonly = true;
		break;
	default:
		set_process(o, c, arg);
	}
}

/* The words that front-ends' tools expect stand beside ours. */
static const struct option longs[] = {
	{ "blk-file",		required_argument, NULL, 'f' },
	{ "block-size",		required_argument, NULL, 'b' },
	{ "direct",		no_argument, NULL, 'D' },
	{ "fd",			required_argument, NULL, OPT_FD },
	{ "inner",		no_argument, NULL, OPT_INNER },
	{ "print-capabilities",	no_argument, NULL, OPT_CAPABILITIES },
	{ "queue-size",		required_argument, NULL, 'q' },
	{ "queues",		required_argument, NULL, 'Q' },
	{ "read-only",		no_argument, NULL, 'R' },
	{ "serial",		required_argument, NULL, 'i' },
	{ "socket-path",	required_argument, NULL, 's' },
	{ NULL, 0, NULL, 0 }
};

/* Not said: what goes with the file. */
static void
complete(struct options *o)
{
	const char *base;

	if (o->threads == THREADS_UNSAID)
		o->threads = o->file != NULL ? THREADS : 0;
	if (o->file == NULL)
		return;
	if (o->socket != NULL && o->fd != -1)
		errx(EX_USAGE, "-s and --fd exclude each other");
	if (o->limits_file != NULL)
		read_limits(o);
	if (o->name[0] != '\0')
		return;
	base = strrchr(o->file, '/');
	base = base != NULL && base[1] != '\0' ? base + 1 : o->file;
	snprintf(o->name, sizeof(o->name), "%s", base);
}

static const char options[] = "b:c:De:f:g:i:L:l:m:n:p:Q:q:Rr:s:Tt:u:Vx:";

void
options_parse(int argc, char **argv, struct options *o)
{
	int c;

	*o = (struct options) {
		.fd = -1, .mode = SOCKET_MODE, .block_size = 512,
		.engine = PROTO_ENGINE_AUTO,
		.queues = 1, .queue_size = QUEUE_SIZE, .poll_us = POLL_US,
		.threads = THREADS_UNSAID, .slow_us = SLOW_US,
	};
	while ((c = getopt_long(argc, argv, options,
	    longs, NULL)) != -1) {
		if (c == 'T')
			exit(report_sandbox());
		if (c == 'V') {
			printf("blkd %s\n", PACKAGE_VERSION);
			exit(EX_OK);
		}
		if (c == OPT_CAPABILITIES) {
			puts("{\n  \"type\": \"block\",\n  \"features\": [\n"
			    "    \"read-only\",\n    \"blk-file\"\n  ]\n}");
			exit(EX_OK);
		}
		set(o, c, optarg);
	}
	if (optind != argc)
		usage();
	complete(o);
}
