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
	    " [-q depth] [-S seed]\n\t[-s seconds] [-T threads] blkd image\n");
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

void
options_parse(struct options *o, int argc, char **argv)
{
	int c;

	*o = (struct options) {
		.kills = 500, .again = 1, .memory = UINT64_C(64) << 20,
		.image = UINT64_C(4) << 20, .seed = score_clock() | 1,
		.depth = SCORE_DEPTH,
	};
	while ((c = getopt(argc, argv, "a:b:deE:i:k:m:Pq:rS:s:T:tUuvw")) != -1) {
		switch (c) {
		case 'a':
			o->again = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'b':
			o->block = strtoull(optarg, NULL, 10);
			break;
		case 'd':
			o->direct = true;
			break;
		case 'e':
			o->existing = true;
			break;
		case 'E':
			o->engine = parse_engine(optarg);
			/* Only sync has one order. */
			o->unordered |= o->engine != PROTO_ENGINE_SYNC;
			break;
		case 'i':
			o->image = strtoull(optarg, NULL, 10) << 20;
			break;
		case 'k':
			o->kills = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'm':
			o->memory = strtoull(optarg, NULL, 10) << 20;
			break;
		case 'P':
			o->poisoned = true;
			break;
		case 'q':
			o->depth = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			o->hurry = true;
			break;
		case 'S':
			o->seed = strtoull(optarg, NULL, 10) | 1;
			break;
		case 's':
			o->seconds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'T':
			o->threads = (unsigned)strtoul(optarg, NULL, 10);
			o->unordered |= o->threads > 0;
			break;
		case 't':
			o->touch = true;
			break;
		case 'U':
			o->upgrade = true;
			break;
		case 'u':
			o->unordered = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'w':
			o->spare = true;
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 2 || o->memory < UINT64_C(32) << 20 ||
	    o->threads > PROTO_THREADS_MAX ||
	    o->image < UINT64_C(1) << 20 || o->depth == 0 ||
	    o->depth > SCORE_DEPTH || o->block % BLOCK_BYTES != 0 ||
	    o->block > SCORE_SECTORS * BLOCK_BYTES)
		usage();
	o->blkd = argv[optind];
	o->path = argv[optind + 1];
}
