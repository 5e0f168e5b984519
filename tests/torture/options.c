/* SPDX-License-Identifier: ISC */
/* What the torture is asked for.  Tests only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/proto.h"
#include "proto/table.h"
#include "tests/driver/block.h"
#include "tests/torture/options.h"
#include "tests/torture/score.h"

static void
usage(void)
{
	fprintf(stderr, "usage: torture [-dePrtUuvw] [-a again] [-b bytes]"
	    " [-E engine]\n\t[-i image_mib] [-k kills] [-m memory_mib]"
	    " [-n queues] [-O p50_us,p99_us]\n\t[-q depth] [-S seed] [-s seconds] [-T threads]"
	    " blkd image\n");
	exit(64);
}

static int
parse_engine(const char *name)
{
	uint32_t e = 0;

	while (e <= PROTO_ENGINE_LAST && strcmp(proto_engine_name(e), name))
		e++;
	if (e > PROTO_ENGINE_LAST)
		usage();
	return (int)e;
}

/* Those without an argument; NULL: no such one. */
static bool *
find_flag(struct options *o, int c)
{
	const struct {
		int	 c;
		bool	*flag;
	} row[] = {
		{ 'd', &o->direct }, { 'e', &o->existing },
		{ 'P', &o->poisoned }, { 'r', &o->hurry },
		{ 't', &o->touch }, { 'U', &o->upgrade },
		{ 'u', &o->unordered }, { 'v', &o->verbose },
		{ 'w', &o->spare },
	};
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (row[i].c == c)
			return row[i].flag;
	return NULL;
}

/* A small number; NULL: it is none of those. */
static unsigned *
find_number(struct options *o, int c)
{
	const struct {
		int		 c;
		unsigned	*number;
	} row[] = {
		{ 'a', &o->again }, { 'k', &o->kills }, { 'n', &o->queues },
		{ 'q', &o->depth }, { 's', &o->seconds },
		{ 'T', &o->threads },
	};
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (row[i].c == c)
			return row[i].number;
	return NULL;
}

static void
take(struct options *o, int c, const char *arg)
{
	unsigned *number = find_number(o, c);
	bool *flag = find_flag(o, c);

	if (flag != NULL) {
		*flag = true;
		return;
	}
	if (number != NULL) {
		*number = (unsigned)strtoul(arg, NULL, 10);
		return;
	}
	switch (c) {
	case 'b':
		o->block = strtoull(arg, NULL, 10);
		break;
	case 'E':
		o->engine = parse_engine(arg);
		break;
	case 'i':
		o->image = strtoull(arg, NULL, 10) << 20;
		break;
	case 'm':
		o->memory = strtoull(arg, NULL, 10) << 20;
		break;
	case 'O':
		if (!outage_parse(&o->aim, arg))
			usage();
		break;
	case 'S':
		o->seed = strtoull(arg, NULL, 10) | 1;
		break;
	default:
		usage();
	}
}

static bool
is_sound(const struct options *o)
{
	return o->memory >= UINT64_C(32) << 20 &&
	    o->threads <= PROTO_THREADS_MAX &&
	    o->image >= UINT64_C(1) << 20 &&
	    o->depth > 0 && o->depth <= SCORE_DEPTH &&
	    o->queues > 0 && o->queues <= PROTO_QUEUES_MAX &&
	    o->block % BLOCK_BYTES == 0 &&
	    o->block <= SCORE_SECTORS * BLOCK_BYTES;
}

void
options_parse(struct options *o, int argc, char **argv)
{
	int c;

	*o = (struct options) {
		.kills = 500, .again = 1, .memory = UINT64_C(64) << 20,
		.image = UINT64_C(4) << 20, .seed = score_clock() | 1,
		.depth = SCORE_DEPTH, .queues = 1,
	};
	while ((c = getopt(argc, argv,
	    "a:b:deE:i:k:m:n:O:Pq:rS:s:T:tUuvw")) != -1)
		take(o, c, optarg);
	if (argc - optind != 2 || !is_sound(o))
		usage();
	/* Only sync and mmap have one order, in one thread, of one queue. */
	o->unordered |= (o->engine != PROTO_ENGINE_SYNC &&
	    o->engine != PROTO_ENGINE_MMAP) || o->threads > 0 || o->queues > 1;
	o->blkd = argv[optind];
	o->path = argv[optind + 1];
}
