/* SPDX-License-Identifier: ISC */
/*
 * The ways out: the ACPI sleep and reset registers, and the debug-exit port.
 */
#ifndef VMMD_POWER_H
#define VMMD_POWER_H

#include "vmmd/iobus.h"

#define POWER_S5_TYPE	5	/* SLP_TYP of power-off: the DSDT's _S5 */

/* Put the registers on the bus; 0, or -1 and errno. */
int	power_attach(struct iobus *);

#endif /* VMMD_POWER_H */
