/* SPDX-License-Identifier: ISC */
/*
 * The test guest: the table of its tests and what they have in common. Runs
 * in the guest.
 */
#include <stddef.h>

#include "console.h"
#include "lib.h"
#include "machine.h"
#include "tests.h"

const char tests_unsupported[] = "this machine cannot do it";

static const struct {
	const char	*name;
	const char	*(*run)(struct tests *);
	bool		 needs_disk;
} table[] = {
	{ "identify", test_identify, true },
	{ "readonly", test_readonly, true },
	{ "resize", test_resize, true },
	{ "regs", test_regs, true },
	{ "rw", test_rw, true },
	{ "verify", test_verify, true },
	{ "irq", test_irq, true },
	{ "poll", test_poll, true },
	{ "many", test_many, true },
	{ "reset", test_reset, true },
	{ "badreq", test_badreq, true },
	{ "loop", test_loop, true },
	{ "smp", test_smp, false },
	{ "idle", test_idle, false },
	{ "shutdown", test_shutdown, false },
	{ "reboot", test_reboot, false },
	{ "triplefault", test_triplefault, false }
};

static void __attribute__((noreturn))
usage(const char *why)
{
	console_printf("guest: usage: %s\n", why);
	machine_exit(MACHINE_USAGE);
}

static void
take_options(struct tests *t, const struct args *args)
{
	const char *mode = args_get(args, "mode", "irq");

	if (strcmp(mode, "irq") != 0 && strcmp(mode, "poll") != 0)
		usage("mode is irq or poll");
	t->options.interrupts = strcmp(mode, "irq") == 0;
	t->options.queue_size = args_get_u32(args, "qsize", 0);
	t->options.queues = args_get_u32(args, "queues", 1);
	t->options.event_idx = args_get_u32(args, "eventidx", 0) != 0;
	t->options.timeout_ms = args_get_u32(args, "timeout", 10000);
	t->first = args_get_u32(args, "first", 0);
	t->sectors = args_get_u32(args, "sectors", 64);
	t->strict = args_get_u32(args, "strict", 1) != 0;
	t->seed = args_get_u32(args, "seed", 1);
	if (t->seed == 0)
		usage("seed is not 0");
	if (t->sectors < TESTS_SLOT_SECTORS ||
	    ((t->first | t->sectors) & (TESTS_SLOT_SECTORS - 1)) != 0)
		usage("first and sectors are multiples of 8, sectors not 0");
}

static const struct args_device *
choose_device(const struct args *args)
{
	uint32_t disk = args_get_u32(args, "disk", 0);

	if (disk >= args->device_count)
		usage("no such disk: virtio_mmio.device=SIZE@BASE:IRQ");
	return &args->devices[disk];
}

static void __attribute__((noreturn))
finish(const char *name, const char *why)
{
	if (why == NULL) {
		console_printf("guest: %s passed\n", name);
		machine_exit(MACHINE_PASSED);
	}
	if (why == tests_unsupported) {
		console_printf("guest: %s unsupported: %s\n", name, why);
		machine_exit(MACHINE_UNSUPPORTED);
	}
	console_printf("guest: %s failed: %s\n", name, why);
	machine_exit(MACHINE_FAILED);
}

void
tests_run(struct tests *t, const struct args *args)
{
	const char *name = args_get(args, "test", NULL);
	uint32_t i;

	if (name == NULL)
		usage("test=NAME is missing");
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].name, name) == 0)
			break;
	}
	if (i == sizeof(table) / sizeof(table[0]))
		usage("no such test");
	take_options(t, args);
	t->args = args;
	if (table[i].needs_disk)
		t->device = choose_device(args);
	finish(name, table[i].run(t));
}

const char *
tests_open(struct tests *t)
{
	const char *why;

	why = blk_open(&t->blk, t->device, &t->options);
	if (why != NULL)
		return why;
	if (t->first > t->blk.capacity ||
	    t->sectors > t->blk.capacity - t->first)
		return "the disk is too small for the sectors to use";
	console_printf("guest: disk at %x, irq %u: %llu sectors, "
	    "%u queues of %u%s\n", t->blk.base, t->blk.irq, t->blk.capacity,
	    t->blk.queues, t->blk.queue_size,
	    blk_has(&t->blk, BLK_F_EVENT_IDX) ? ", EVENT_IDX" : "");
	return NULL;
}
