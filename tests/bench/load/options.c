/* SPDX-License-Identifier: ISC */
/* The command line of the load generator. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "proto/proto.h"
#include "tests/bench/load/options.h"

static const char *const what_names[] = {
	[OPTIONS_MMIO] = "mmio",
	[OPTIONS_VHOST] = "vhost",
	[OPTIONS_LOOP] = "loop",
	[OPTIONS_MMAP] = "mmap",
	[OPTIONS_EVENT] = "event",
};

static const char *const pattern_names[] = {
	[OPTIONS_READ] = "read",
	[OPTIONS_WRITE] = "write",
	[OPTIONS_MIXED] = "mixed",
	[OPTIONS_FLUSH] = "flush",
};

static const char *const engine_names[] = {
	[PROTO_ENGINE_SYNC] = "sync",
	[PROTO_ENGINE_URING] = "uring",
	[PROTO_ENGINE_AUTO] = "auto",
	[PROTO_ENGINE_MMAP] = "mmap",
};

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

const char *
options_what_name(enum options_what what)
{
	return what_names[what];
}

const char *
options_pattern_name(enum options_pattern pattern)
{
	return pattern_names[pattern];
}

static void __attribute__((noreturn))
usage(void)
{
	fputs("usage: load -d mmio -b BLKD -f FILE [-E sync|uring|auto|mmap]\n"
	    "            [option ...]\n"
	    "       load -d vhost -s SOCKET [option ...] [-- COMMAND ...]\n"
	    "       load -d loop|mmap -f FILE [option ...]\n"
	    "       load -d event [option ...]\n"
	    "  -T THREADS[,US]  of blkd for I/O that takes so long [8,20]\n"
	    "  -P US  blkd looks at the ring so long before it sleeps [50]\n"
	    "  -p read|write|mixed|flush   [read]\n"
	    "  -q DEPTH    1 to 256        [1]\n"
	    "  -B BYTES    512 to 1M       [4k]\n"
	    "  -t SECONDS  [1]    -u SECONDS before that, not measured [0.2]\n"
	    "  -n REQUESTS at most         -S SEED\n"
	    "  -c OURS,THEIRS  cores, -1: any\n"
	    "  -I without vhost-user's table of requests in flight\n"
	    "  -D O_DIRECT   -l back-end's log   -j JSON   -o in order\n"
	    "  -R real-time scheduling of both sides\n"
	    "  -v verify the data (writes over all of it)\n"
	    "  -w wait for interrupts, else poll\n", stderr);
	exit(EX_USAGE);
}

static unsigned
name_index(const char *name, const char *const *names, size_t n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	errx(EX_USAGE, "there is no '%s'", name);
}

static uint32_t
number(const char *s, uint32_t min, uint32_t max)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (*end == 'k')
		n <<= 10;
	else if (*end == 'M')
		n <<= 20;
	if (*end != '\0' && end[1] != '\0')
		usage();
	if (n < min || n > max)
		errx(EX_USAGE, "%s is not from %u to %u", s, min, max);
	return (uint32_t)n;
}

static double
time_of(const char *s)
{
	char *end;
	double t = strtod(s, &end);

	if (*end != '\0' || t < 0 || t > 3600)
		errx(EX_USAGE, "%s is no time in seconds", s);
	return t;
}

static void
defaults(struct options *o)
{
	*o = (struct options) {
		.depth = 1, .bytes = 4096, .seconds = 1, .warm_up = 0.2,
		.core = { -1, -1 }, .seed = 1, .poll_us = 50,
		.threads = PROTO_THREADS_MAX, .slow_us = 20,
	};
}

static void
parse_one(struct options *o, int c)
{
	switch (c) {
	case 'B':
		o->bytes = number(optarg, OPTIONS_BYTES_MIN,
		    OPTIONS_BYTES_MAX);
		break;
	case 'c':
		if (sscanf(optarg, "%d,%d", &o->core[0], &o->core[1]) != 2)
			usage();
		break;
	case 'd':
		o->what = (enum options_what)name_index(optarg, what_names,
		    COUNT(what_names));
		break;
	case 'E':
		o->engine = name_index(optarg, engine_names,
		    COUNT(engine_names));
		break;
	case 'n':
		o->requests = strtoull(optarg, NULL, 10);
		break;
	case 'p':
		o->pattern = (enum options_pattern)name_index(optarg,
		    pattern_names, COUNT(pattern_names));
		break;
	case 'P':
		o->poll_us = number(optarg, 0, PROTO_POLL_US_MAX);
		break;
	case 'q':
		o->depth = number(optarg, 1, OPTIONS_DEPTH_MAX);
		break;
	case 'S':
		o->seed = strtoull(optarg, NULL, 10) | 1;
		break;
	case 'T':
		if (sscanf(optarg, "%hu,%hu", &o->threads, &o->slow_us) < 1 ||
		    o->threads > PROTO_THREADS_MAX ||
		    o->slow_us > PROTO_SLOW_US_MAX)
			usage();
		break;
	case 't':
		o->seconds = time_of(optarg);
		break;
	case 'u':
		o->warm_up = time_of(optarg);
		break;
	default:
		usage();
	}
}

static void
check(const struct options *o)
{
	if (o->what == OPTIONS_MMIO && (o->blkd == NULL || o->file == NULL))
		errx(EX_USAGE, "blkd and its file: -b and -f");
	if (o->what == OPTIONS_VHOST && o->socket == NULL)
		errx(EX_USAGE, "the back-end's socket: -s");
	if ((o->what == OPTIONS_LOOP || o->what == OPTIONS_MMAP) &&
	    o->file == NULL)
		errx(EX_USAGE, "a file: -f");
	if (o->bytes % 512 != 0)
		errx(EX_USAGE, "%u bytes are no sectors", o->bytes);
	if (o->seconds <= 0 && o->requests == 0)
		errx(EX_USAGE, "without an end: -t or -n");
}

void
options_parse(struct options *o, int argc, char **argv)
{
	const struct {
		int		 c;
		bool		*flag;
		const char	**string;
	} simple[] = {
		{ 'b', NULL, &o->blkd }, { 'f', NULL, &o->file },
		{ 's', NULL, &o->socket }, { 'D', &o->direct, NULL },
		{ 'I', &o->no_inflight, NULL }, { 'j', &o->json, NULL },
		{ 'l', &o->loud, NULL }, { 'R', &o->real_time, NULL },
		{ 'o', &o->sequential, NULL },
		{ 'v', &o->verify, NULL }, { 'w', &o->wait, NULL },
	};
	size_t i;
	int c;

	defaults(o);
	while ((c = getopt(argc, argv,
	    "+b:B:c:d:DE:f:Ijln:op:P:q:Rs:S:t:T:u:vw")) != -1) {
		for (i = 0; i < COUNT(simple) && simple[i].c != c; i++)
			;
		if (i == COUNT(simple))
			parse_one(o, c);
		else if (simple[i].flag != NULL)
			*simple[i].flag = true;
		else
			*simple[i].string = optarg;
	}
	if (optind < argc)
		o->command = argv + optind;
	check(o);
}
