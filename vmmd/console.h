/* SPDX-License-Identifier: ISC */
/*
 * The terminal at the other end of the serial line: two descriptors that
 * the monitor opened, and a thread for each.
 *
 * The descriptors may be shared with other processes, so their flags are
 * left alone; each thread waits with poll(2) before it reads or writes.
 *
 * Output that the terminal does not take is kept, 64 KiB of it; then the
 * transmitter is busy, as on a line with a slow terminal.  A guest that
 * writes on all the same loses the bytes, and a line in the log says how
 * many.  So the guest is never held up, and nothing is lost in silence.
 *
 * Where the input is a terminal, Ctrl-A is an escape: Ctrl-A x ends the
 * machine, Ctrl-A Ctrl-A is a Ctrl-A.
 */
#ifndef VMMD_CONSOLE_H
#define VMMD_CONSOLE_H

#include "vmmd/gate.h"
#include "vmmd/iobus.h"
#include "vmmd/kvm.h"
#include "vmmd/notice.h"

struct console;

/* A serial line on `gsi`; the descriptors become the console's. */
struct console	*console_new(int in, int out, struct kvm *, uint32_t gsi,
		    struct notice *);		/* NULL and errno */
/* After console_stop, or before console_start. */
void		 console_free(struct console *);	/* NULL is fine */

int		 console_attach(struct console *, struct iobus *);
/* Make the CONSOLE_THREADS threads, behind the gate; 0, or -1 and errno. */
#define CONSOLE_THREADS	2
int		 console_start(struct console *, struct gate *);
/*
 * End the threads, the output's after it has written what is there, or
 * within limit_ms.  0, or -1: a thread hangs in a terminal, so that nothing
 * of the console may be freed.
 */
int		 console_stop(struct console *, unsigned limit_ms);

#endif /* VMMD_CONSOLE_H */
