/* SPDX-License-Identifier: ISC */
/*
 * The test guest: the few instructions that C has no words for.
 * Only instructions that an emulating KVM knows are used: no SSE fences, no
 * iret.
 */
#ifndef TESTS_GUEST_X86_H
#define TESTS_GUEST_X86_H

#include <stdint.h>

static inline void
x86_outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t
x86_inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

/* Full barrier; mfence is SSE2 and therefore out. */
static inline void
x86_mb(void)
{
	__asm__ volatile("lock; addl $0, (%%esp)" : : : "memory", "cc");
}

/* x86 keeps stores in order and loads in order: these bind the compiler. */
static inline void
x86_wmb(void)
{
	__asm__ volatile("" : : : "memory");
}

static inline void
x86_rmb(void)
{
	__asm__ volatile("" : : : "memory");
}

static inline void
x86_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

/*
 * Opens the window for interrupts and sleeps in it. sti takes effect after
 * the next instruction, so an interrupt that is already pending ends the hlt.
 */
static inline void
x86_wait_for_interrupt(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory", "cc");
}

/* Lets a pending interrupt in, without sleeping. */
static inline void
x86_take_interrupts(void)
{
	__asm__ volatile("sti; nop; nop; cli" : : : "memory", "cc");
}

static inline void __attribute__((noreturn))
x86_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" : : : "memory");
}

#endif
