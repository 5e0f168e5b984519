/* SPDX-License-Identifier: ISC */
/*
 * A 16550A: the registers of COM1.  Both ends of the line are callbacks, so
 * that the registers can be tested alone.
 *
 * Sending never waits: where the line has no room, the transmitter stays
 * busy (LSR.THRE is 0) until serial_sent is called; what a guest writes all
 * the same is the line's to drop and to count.
 */
#ifndef VMMD_SERIAL_H
#define VMMD_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmmd/iobus.h"

#define SERIAL_FIFO	16

struct serial;

/* Called with the serial's lock held: do not call back. */
struct serial_line {
	/* The level of the interrupt line has changed. */
	void	(*interrupt)(void *ctx, int level);
	/* The guest sends a byte. */
	void	(*send)(void *ctx, uint8_t);
	/* Is there room for a FIFO full of bytes? */
	bool	(*has_room)(void *ctx);
	/* The guest has read: there is room for input. */
	void	(*drained)(void *ctx);
	void	*ctx;
};

struct serial	*serial_new(const struct serial_line *);	/* NULL, errno */
void		 serial_free(struct serial *);			/* NULL is fine */

/* Put the registers on the bus at LAYOUT_SERIAL; 0, or -1 and errno. */
int		 serial_attach(struct serial *, struct iobus *);

/* Input for the guest: returns how many bytes it has taken.  Any thread. */
size_t		 serial_receive(struct serial *, const uint8_t *, size_t);
/* There is room on the line again.  Any thread. */
void		 serial_sent(struct serial *);

#endif /* VMMD_SERIAL_H */
