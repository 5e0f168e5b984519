/* SPDX-License-Identifier: ISC */
/*
 * The test guest: the other processors.
 */
#ifndef TESTS_GUEST_SMP_H
#define TESTS_GUEST_SMP_H

#include <stdint.h>

enum { SMP_CPUS_MAX = 64 };

/*
 * Wakes all other processors (INIT, SIPI) and waits until `others` of them
 * run, or the time is over. Returns how many do.
 */
uint32_t smp_start(uint32_t others, uint32_t timeout_ms);

/* Has them add up a shared number. NULL, or what went wrong. */
const char *smp_check(uint32_t others, uint32_t timeout_ms);

/* For start.S: what another processor does. */
void	smp_run_ap(uint32_t index) __attribute__((noreturn));

#endif
