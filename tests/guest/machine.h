/* SPDX-License-Identifier: ISC */
/*
 * The test guest: the ways in which a machine ends. None returns; where the
 * machine goes on after a power-off or a reset, the guest says so and leaves
 * through the debug-exit port with MACHINE_FAILED.
 */
#ifndef TESTS_GUEST_MACHINE_H
#define TESTS_GUEST_MACHINE_H

#include <stdint.h>

/* What the guest writes to the debug-exit port. */
enum machine_exit {
	MACHINE_PASSED = 0,
	MACHINE_FAILED = 1,
	MACHINE_USAGE = 2,		/* bad command line */
	MACHINE_UNSUPPORTED = 3		/* this machine cannot do the test */
};

void	machine_exit(enum machine_exit) __attribute__((noreturn));
void	machine_power_off(void) __attribute__((noreturn));
void	machine_reset(void) __attribute__((noreturn));
void	machine_triple_fault(void) __attribute__((noreturn));

#endif
