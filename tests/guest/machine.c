/* SPDX-License-Identifier: ISC */
/*
 * The test guest: the ways in which a machine ends. Runs in the guest;
 * touches the debug-exit, sleep-control and keyboard-controller ports.
 */
#include "console.h"
#include "cpu.h"
#include "machine.h"
#include "x86.h"

enum {
	DEBUG_EXIT = 0xf4,

	/* ACPI sleep control register: SLP_TYP 5 in bits 2 to 4, SLP_EN. */
	SLEEP_CONTROL = 0x600,
	SLP_S5 = 5 << 2,
	SLP_EN = 1 << 5,

	I8042_COMMAND = 0x64,
	I8042_PULSE_RESET = 0xfe,

	/* How long a machine may take to end after it was asked to. */
	GRACE_MS = 2000
};

void
machine_exit(enum machine_exit status)
{
	x86_outb(DEBUG_EXIT, (uint8_t)status);
	x86_halt();
}

static void __attribute__((noreturn))
still_here(const char *what)
{
	cpu_sleep(GRACE_MS);
	console_printf("guest: %s failed: the machine goes on\n", what);
	machine_exit(MACHINE_FAILED);
}

void
machine_power_off(void)
{
	x86_outb(SLEEP_CONTROL, SLP_S5 | SLP_EN);
	still_here("shutdown");
}

void
machine_reset(void)
{
	x86_outb(I8042_COMMAND, I8042_PULSE_RESET);
	still_here("reboot");
}

/* Without an interrupt table neither the fault nor its double has a handler. */
void
machine_triple_fault(void)
{
	static const struct {
		uint16_t	limit;
		uint32_t	base;
	} __attribute__((packed)) none;

	__asm__ volatile("lidt %0; ud2" : : "m"(none));
	still_here("triplefault");
}
