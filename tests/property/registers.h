/* SPDX-License-Identifier: ISC */
/*
 * The registers as a reader of DESIGN section 4 keeps them in his head: a
 * second opinion, which shares no line with blkd.  For tests and fuzzers, on
 * the fixture of blkd/regs_fixture.h, whose disk was never resized.
 */
#ifndef PROPERTY_REGISTERS_H
#define PROPERTY_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "blkd/regs_fixture.h"

/* The features of that disk. */
#define REGISTERS_OFFERED	(FEATURE(32) | FEATURE(29) | FEATURE(28) | \
	FEATURE(1) | FEATURE(2) | FEATURE(6) | FEATURE(9) | FEATURE(10) | \
	FEATURE(11) | FEATURE(12) | FEATURE(13) | FEATURE(14))

#define REGISTERS_CONFIG	0x100u
#define REGISTERS_WCE		(REGISTERS_CONFIG + 32)

struct registers_queue {
	uint32_t	num;
	uint32_t	address[6];	/* desc, driver, device; low, high */
	bool		ready;
};

struct registers {
	uint32_t		status;
	uint32_t		device_sel, driver_sel, queue_sel;
	uint32_t		features[2];
	uint32_t		generation;
	uint32_t		isr;
	uint8_t			wce;
	struct registers_queue	queue[FIXTURE_QUEUES];
};

/* As the device comes: .wce = 1, all else 0. */
void	registers_reset(struct registers *);	/* bumps the generation */
void	registers_write(struct registers *, uint32_t offset, uint32_t size,
	    uint64_t value);

/* Compare one access, all registers, what the queues were told. */
void	registers_check_read(struct fixture *, const struct registers *,
	    uint32_t offset, uint32_t size);
void	registers_check_all(struct fixture *, const struct registers *);
void	registers_check_queues(const struct registers *);

#endif /* PROPERTY_REGISTERS_H */
