/* SPDX-License-Identifier: ISC */
/*
 * The test guest: its tests. Each is a function that returns NULL where the
 * test passed, TESTS_UNSUPPORTED where this machine cannot do it, or the
 * reason of its failure; the details are on the lines printed before.
 * A new test is a function here and a row of the table in tests.c.
 */
#ifndef TESTS_GUEST_TESTS_H
#define TESTS_GUEST_TESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "args.h"
#include "blk.h"

enum {
	TESTS_SLOTS = 128,		/* most requests in flight */
	TESTS_SLOT_SECTORS = 8,
	TESTS_SLOT_SIZE = TESTS_SLOT_SECTORS * BLK_SECTOR
};

/* A request with a buffer of its own. */
struct tests_slot {
	struct blk_req	req;		/* first: blk_reap gives this back */
	uint32_t	sector;
	uint32_t	sectors;
	uint32_t	generation;
	bool		is_write;
};

struct tests {
	const struct args *args;
	const struct args_device *device;
	struct blk_options options;
	uint32_t	first;		/* the sectors to use */
	uint32_t	sectors;
	uint32_t	seed;
	bool		strict;
	struct blk	blk;
	struct tests_slot slots[TESTS_SLOTS];
	uint8_t		data[TESTS_SLOTS][TESTS_SLOT_SIZE]
			    __attribute__((aligned(4096)));
};

extern const char tests_unsupported[];

/* Does what the arguments say and leaves through the debug-exit port. */
void	tests_run(struct tests *, const struct args *)
	    __attribute__((noreturn));

/* Opens the disk and checks that the sectors to use exist. */
const char *tests_open(struct tests *);

/* test_ident.c: what the device says about itself. */
const char *test_identify(struct tests *);
const char *test_readonly(struct tests *);
const char *test_resize(struct tests *);
/* test_regs.c: the rules of the registers. */
const char *test_regs(struct tests *);
/* test_rw.c: one request after the other. */
const char *test_rw(struct tests *);
const char *test_verify(struct tests *);
const char *test_irq(struct tests *);
const char *test_poll(struct tests *);
/* test_many.c: as many as fit. */
const char *test_many(struct tests *);
const char *test_reset(struct tests *);
/* test_bad.c: malformed requests. */
const char *test_badreq(struct tests *);
/* test_loop.c: overlapping rewrites, verified, for tests that kill. */
const char *test_loop(struct tests *);
/* test_machine.c: the machine around the disks. */
const char *test_smp(struct tests *);
const char *test_idle(struct tests *);
const char *test_shutdown(struct tests *);
const char *test_reboot(struct tests *);
const char *test_triplefault(struct tests *);

#endif
