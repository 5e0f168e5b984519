/* SPDX-License-Identifier: ISC */
/*
 * The ACPI tables of the machine: RSDP, XSDT, FADT (hardware-reduced), MADT
 * and a DSDT with the serial line and the disks.
 */
#ifndef VMMD_ACPI_H
#define VMMD_ACPI_H

#include <stddef.h>
#include <stdint.h>

/*
 * Write the tables as they lie in the guest from `gpa` on, into a buffer of
 * `size` bytes.  The RSDP is the first.  Returns the bytes used, or 0 and
 * ENOSPC.  A pure function.
 */
size_t	acpi_make(uint8_t *buffer, size_t size, uint64_t gpa, uint32_t vcpus,
	    uint32_t disks);

#endif /* VMMD_ACPI_H */
