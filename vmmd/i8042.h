/* SPDX-License-Identifier: ISC */
/*
 * The keyboard controller, without a keyboard: what is left of it is the
 * reset line, and enough of an answer for a driver that looks for more.
 */
#ifndef VMMD_I8042_H
#define VMMD_I8042_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmmd/iobus.h"

struct i8042 {
	pthread_mutex_t	lock;
	uint8_t		command;	/* whose data byte is to come; 0: none */
	uint8_t		config;		/* the controller's command byte */
	uint8_t		output;		/* for the guest to read */
	bool		output_full;
};

/* Reset the controller and put it on the bus; 0, or -1 and errno. */
int	i8042_attach(struct i8042 *, struct iobus *);

#endif /* VMMD_I8042_H */
