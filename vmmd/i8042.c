/* SPDX-License-Identifier: ISC */
/*
 * The keyboard controller.  Runs in the vm process, on the vCPU threads.
 */
#include "vmmd/i8042.h"
#include "vmmd/layout.h"

enum i8042_command {
	I8042_READ_CONFIG	= 0x20,
	I8042_WRITE_CONFIG	= 0x60,
	I8042_TEST		= 0xaa,
	I8042_TEST_KEYBOARD	= 0xab,
	I8042_RESET		= 0xfe,
};

#define I8042_STATUS_OUTPUT	0x01	/* a byte waits for the guest */
#define I8042_STATUS_SYSTEM	0x04	/* self test passed */
#define I8042_TEST_PASSED	0x55
#define I8042_KEYBOARD_PASSED	0x00

static void
answer(struct i8042 *kbc, uint8_t value)
{
	kbc->output = value;
	kbc->output_full = true;
}

static uint8_t
read_data(void *ctx, uint16_t offset)
{
	struct i8042 *kbc = ctx;
	uint8_t value;

	(void)offset;
	pthread_mutex_lock(&kbc->lock);
	value = kbc->output;
	kbc->output_full = false;
	pthread_mutex_unlock(&kbc->lock);
	return value;
}

static uint8_t
read_status(void *ctx, uint16_t offset)
{
	struct i8042 *kbc = ctx;
	uint8_t value;

	(void)offset;
	pthread_mutex_lock(&kbc->lock);
	value = I8042_STATUS_SYSTEM |
	    (kbc->output_full ? I8042_STATUS_OUTPUT : 0);
	pthread_mutex_unlock(&kbc->lock);
	return value;
}

static void
command(struct i8042 *kbc, uint8_t value, struct end *end)
{
	kbc->command = 0;
	switch (value) {
	case I8042_READ_CONFIG:
		answer(kbc, kbc->config);
		break;
	case I8042_WRITE_CONFIG:
		kbc->command = value;
		break;
	case I8042_TEST:
		answer(kbc, I8042_TEST_PASSED);
		break;
	case I8042_TEST_KEYBOARD:
		answer(kbc, I8042_KEYBOARD_PASSED);
		break;
	case I8042_RESET:
		end_set(end, PROTO_EXIT_RESET, 0,
		    "the guest reset itself (keyboard controller)");
		break;
	}
}

static void
write_data(void *ctx, uint16_t offset, uint8_t value, struct end *end)
{
	struct i8042 *kbc = ctx;

	(void)offset;
	(void)end;
	pthread_mutex_lock(&kbc->lock);
	if (kbc->command == I8042_WRITE_CONFIG)
		kbc->config = value;
	kbc->command = 0;
	pthread_mutex_unlock(&kbc->lock);
}

static void
write_command(void *ctx, uint16_t offset, uint8_t value, struct end *end)
{
	struct i8042 *kbc = ctx;

	(void)offset;
	pthread_mutex_lock(&kbc->lock);
	command(kbc, value, end);
	pthread_mutex_unlock(&kbc->lock);
}

int
i8042_attach(struct i8042 *kbc, struct iobus *bus)
{
	/* Two ports; what lies between them is somebody else's. */
	const struct iobus_port data = {
		.base = LAYOUT_I8042_DATA, .count = 1,
		.read = read_data, .write = write_data, .ctx = kbc,
	};
	const struct iobus_port cmd = {
		.base = LAYOUT_I8042_COMMAND, .count = 1,
		.read = read_status, .write = write_command, .ctx = kbc,
	};

	*kbc = (struct i8042) { .command = 0 };
	pthread_mutex_init(&kbc->lock, NULL);
	if (iobus_add(bus, &data) == -1)
		return -1;
	return iobus_add(bus, &cmd);
}
