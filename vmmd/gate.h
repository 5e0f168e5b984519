/* SPDX-License-Identifier: ISC */
/*
 * A gate that threads wait at: all are made, and have made their last
 * system call of a start, before the filter narrows; they go on when the
 * machine runs.
 */
#ifndef VMMD_GATE_H
#define VMMD_GATE_H

#include <stddef.h>

struct gate;

struct gate	*gate_new(void);		/* NULL and errno */
void		 gate_free(struct gate *);	/* NULL is fine */

/* A thread: be counted, and wait until the gate is open. */
void		 gate_pass(struct gate *);
/* The main thread: wait until n threads have come to the gate. */
void		 gate_wait(struct gate *, size_t n);
/* Let them through, now and for good. */
void		 gate_open(struct gate *);

#endif /* VMMD_GATE_H */
