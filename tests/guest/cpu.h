/* SPDX-License-Identifier: ISC */
/*
 * The test guest: processor tables, the two 8259s, interrupts and time.
 * Interrupts are off everywhere but inside cpu_wait_irq, cpu_poll and
 * cpu_sleep, so nothing here races with a handler.
 */
#ifndef TESTS_GUEST_CPU_H
#define TESTS_GUEST_CPU_H

#include <stdbool.h>
#include <stdint.h>

enum {
	CPU_IRQS = 16,
	CPU_TICK_MS = 10
};

#define CPU_LAPIC	0xfee00000u

/* Loads the interrupt table, initialises the PICs, starts the timer. */
void	cpu_init(void);

void	cpu_write_lapic(uint32_t offset, uint32_t value);

/* Opens or closes one line at the PIC. */
void	cpu_unmask_irq(uint32_t irq);
void	cpu_mask_irq(uint32_t irq);

/* Interrupts taken on this line so far. */
uint32_t cpu_count_irq(uint32_t irq);

/*
 * Sleeps until the line's count is no longer `seen`. False where that took
 * longer than `ms`.
 */
bool	cpu_wait_irq(uint32_t irq, uint32_t seen, uint32_t ms);

/* Lets the timer in once; the milliseconds since the start, in ticks. */
uint32_t cpu_poll(void);

void	cpu_sleep(uint32_t ms);

/* No more ticks: the processor sleeps until a device wakes it. */
void	cpu_stop_timer(void);

/* For start.S: the C halves of the handlers. */
void	cpu_handle_irq(uint32_t irq);
void	cpu_handle_fault(uint32_t vector, const uint32_t *stack)
	    __attribute__((noreturn));

#endif
