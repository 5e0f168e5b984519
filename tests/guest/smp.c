/* SPDX-License-Identifier: ISC */
/*
 * The test guest: the other processors. Runs in the guest; touches the local
 * APIC and one page below 1 MiB. The counters are shared by all processors
 * and changed with locked instructions only.
 */
#include <stddef.h>

#include "cpu.h"
#include "lib.h"
#include "smp.h"
#include "x86.h"

enum {
	LAPIC_ICR = 0x300,
	ICR_ALL_OTHERS_INIT = 0xc4500,
	ICR_ALL_OTHERS_SIPI = 0xc4600,

	AP_PAGE = 8,			/* where the others start: 0x8000 */
	ADDITIONS = 1000
};

extern const uint8_t start_ap[], start_ap_end[];

static volatile uint32_t running, go, sum, finished;

static void
add(volatile uint32_t *to, uint32_t n)
{
	__asm__ volatile("lock; addl %1, %0" : "+m"(*to) : "r"(n) :
	    "memory", "cc");
}

static uint32_t
wait_for(volatile uint32_t *counter, uint32_t value, uint32_t timeout_ms)
{
	uint32_t start = cpu_poll();

	while (*counter < value &&
	    (timeout_ms == 0 || cpu_poll() - start < timeout_ms))
		x86_pause();
	return *counter;
}

uint32_t
smp_start(uint32_t others, uint32_t timeout_ms)
{
	uint32_t up;

	memcpy((void *)(AP_PAGE << 12), start_ap,
	    (size_t)(start_ap_end - start_ap));
	cpu_write_lapic(LAPIC_ICR, ICR_ALL_OTHERS_INIT);
	cpu_sleep(CPU_TICK_MS);
	cpu_write_lapic(LAPIC_ICR, ICR_ALL_OTHERS_SIPI | AP_PAGE);
	up = wait_for(&running, others, timeout_ms);
	/* More than expected would come now. */
	cpu_sleep(CPU_TICK_MS);
	return up > running ? up : running;
}

const char *
smp_check(uint32_t others, uint32_t timeout_ms)
{
	uint32_t i;

	go = 1;
	for (i = 0; i < ADDITIONS; i++)
		add(&sum, 1);
	if (wait_for(&finished, others, timeout_ms) != others)
		return "a processor does not finish";
	if (sum != (others + 1) * ADDITIONS)
		return "the processors' sum is wrong";
	return NULL;
}

void
smp_run_ap(uint32_t index)
{
	uint32_t i;

	(void)index;
	add(&running, 1);
	while (go == 0)
		x86_pause();
	for (i = 0; i < ADDITIONS; i++)
		add(&sum, 1);
	add(&finished, 1);
	x86_halt();
}
