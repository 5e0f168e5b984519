/* SPDX-License-Identifier: ISC */
/*
 * The ways out of the machine.  Runs in the vm process, on the vCPU threads;
 * has no state.
 */
#include "vmmd/layout.h"
#include "vmmd/power.h"

/* ACPI 6.4, 4.8.4.1: SLEEP_CONTROL_REG */
#define SLEEP_ENABLE		(1u << 5)
#define SLEEP_TYPE(v)		((v) >> 2 & 7)

enum power_port {
	POWER_CONTROL	= LAYOUT_SLEEP_CONTROL - LAYOUT_SLEEP_CONTROL,
	POWER_STATUS	= LAYOUT_SLEEP_STATUS - LAYOUT_SLEEP_CONTROL,
	POWER_RESET	= LAYOUT_RESET - LAYOUT_SLEEP_CONTROL,
	POWER_PORTS,
};

static uint8_t
read_zero(void *ctx, uint16_t offset)
{
	(void)ctx;
	(void)offset;
	return 0;
}

static void
write_power(void *ctx, uint16_t offset, uint8_t value, struct end *end)
{
	(void)ctx;
	if (offset == POWER_CONTROL && (value & SLEEP_ENABLE) &&
	    SLEEP_TYPE(value) == POWER_S5_TYPE)
		end_set(end, PROTO_EXIT_POWEROFF, 0,
		    "the guest powered off");
	else if (offset == POWER_RESET && value == LAYOUT_RESET_VALUE)
		end_set(end, PROTO_EXIT_RESET, 0,
		    "the guest reset itself (ACPI reset register)");
}

static void
write_debug(void *ctx, uint16_t offset, uint8_t value, struct end *end)
{
	(void)ctx;
	(void)offset;
	end_set(end, PROTO_EXIT_DEBUG, value,
	    "the guest ended itself with status %u", value);
}

int
power_attach(struct iobus *bus)
{
	const struct iobus_port power = {
		.base = LAYOUT_SLEEP_CONTROL, .count = POWER_PORTS,
		.read = read_zero, .write = write_power,
	};
	const struct iobus_port debug = {
		.base = LAYOUT_DEBUG_EXIT, .count = 1,
		.read = read_zero, .write = write_debug,
	};

	if (iobus_add(bus, &power) == -1)
		return -1;
	return iobus_add(bus, &debug);
}
