/* SPDX-License-Identifier: ISC */
/*
 * load: the driver's side of a virtio disk, and nothing else: how fast is
 * what is behind it?
 *
 *	load -d mmio -b blkd/blkd -f FILE -q 32
 *	load -d vhost -s SOCKET -q 32 -w -- qemu-storage-daemon ...
 *	load -d loop -f FILE
 *
 * Exits with 1 where a request failed, data was wrong, or nothing came.
 */
#include <err.h>
#include <stdlib.h>

#include "tests/bench/load/backend.h"
#include "tests/bench/load/door.h"
#include "tests/bench/load/gen.h"
#include "tests/bench/load/limits.h"
#include "tests/bench/load/options.h"
#include "tests/bench/load/result.h"

static int
run_door(const struct options *o, struct result *r)
{
	struct door door;
	int status = -1;

	if (door_open(&door, o) == 0) {
		backend_pin(o->core[0]);
		status = gen_run(&door, o, r);
	}
	door_close(&door);
	return status;
}

int
main(int argc, char **argv)
{
	struct options o;
	struct result *r = calloc(1, sizeof(*r));
	int status;

	if (r == NULL)
		err(1, NULL);
	options_parse(&o, argc, argv);
	if (o.real_time)
		backend_hurry();
	if (o.what == OPTIONS_MMIO || o.what == OPTIONS_VHOST)
		status = run_door(&o, r);
	else
		status = limits_run(&o, r);
	if (status == 0)
		result_print(r, &o);
	if (r->failed + r->corrupt > 0)
		status = -1;
	free(r);
	return status == 0 ? 0 : 1;
}
