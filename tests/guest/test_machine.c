/* SPDX-License-Identifier: ISC */
/*
 * The test guest: the machine around the disks: its processors and its ends.
 */
#include <stddef.h>

#include "console.h"
#include "cpu.h"
#include "machine.h"
#include "smp.h"
#include "tests.h"
#include "x86.h"

const char *
test_smp(struct tests *t)
{
	uint32_t cpus = args_get_u32(t->args, "cpus", 2), up;

	if (cpus == 0 || cpus > SMP_CPUS_MAX)
		return "cpus is 1 to 64";
	up = 1 + smp_start(cpus - 1, t->options.timeout_ms);
	console_printf("guest: %u of %u processors\n", up, cpus);
	if (up == 1 && cpus > 1)
		return tests_unsupported;
	if (up != cpus)
		return "not the expected number of processors";
	return smp_check(cpus - 1, t->options.timeout_ms);
}

/* Sleeps until the machine is ended from outside. */
const char *
test_idle(struct tests *t)
{
	(void)t;
	cpu_stop_timer();
	console_printf("guest: idle\n");
	for (;;)
		x86_wait_for_interrupt();
}

/* Where there is a disk, its data are flushed first, as a system does. */
static const char *
leave_disk(struct tests *t)
{
	const char *why;

	if (t->args->device_count == 0)
		return NULL;
	t->device = &t->args->devices[0];
	if ((why = test_rw(t)) != NULL)
		return why;
	return blk_reset(&t->blk);
}

const char *
test_shutdown(struct tests *t)
{
	const char *why = leave_disk(t);

	if (why != NULL)
		return why;
	console_printf("guest: shutdown passed\n");
	machine_power_off();
}

const char *
test_reboot(struct tests *t)
{
	const char *why = leave_disk(t);

	if (why != NULL)
		return why;
	console_printf("guest: reboot passed\n");
	machine_reset();
}

const char *
test_triplefault(struct tests *t)
{
	(void)t;
	console_printf("guest: triplefault passed\n");
	machine_triple_fault();
}
