/* SPDX-License-Identifier: ISC */
/*
 * The address map of the machine, the only place where it is written down.
 * RAM itself is in shm/gmem.h: below 3 GiB, and from 4 GiB on.
 *
 *	0x00000500	GDT of the boot CPU
 *	0x00006000	PVH start info, memory map, module list
 *	0x00007000	zero page (boot_params) of a bzImage
 *	0x00009000	page tables of the boot CPU: 4 GiB, identity
 *	0x00020000	command line
 *	0x0009fc00	end of conventional memory
 *	0x000e0000	ACPI tables, the RSDP first
 *	0x00100000	kernel
 *	  ...		initrd, as high as it may lie
 *	0xd0000000	a 4 KiB window a disk
 *	0xfec00000	IOAPIC
 *	0xfee00000	local APICs
 *	0xfffbc000	what KVM needs on Intel for real mode: 4 pages
 */
#ifndef VMMD_LAYOUT_H
#define VMMD_LAYOUT_H

#include <assert.h>
#include <stdint.h>

#include "proto/proto.h"
#include "shm/gmem.h"

/* Low memory, written once before the first instruction. */
#define LAYOUT_GDT		UINT64_C(0x500)
#define LAYOUT_PVH_INFO		UINT64_C(0x6000)
#define LAYOUT_ZERO_PAGE	UINT64_C(0x7000)
#define LAYOUT_BOOT_STACK	UINT64_C(0x8ff0)
#define LAYOUT_PAGE_TABLES	UINT64_C(0x9000)
#define LAYOUT_CMDLINE		UINT64_C(0x20000)
#define LAYOUT_CMDLINE_MAX	UINT64_C(0x10000)
#define LAYOUT_LOW_END		UINT64_C(0x9fc00)
#define LAYOUT_ACPI		UINT64_C(0xe0000)
#define LAYOUT_ACPI_BYTES	UINT64_C(0x10000)
#define LAYOUT_BIOS_END		UINT64_C(0x100000)
#define LAYOUT_KERNEL		LAYOUT_BIOS_END

/* Devices in memory. */
#define LAYOUT_MMIO		UINT64_C(0xd0000000)
#define LAYOUT_MMIO_WINDOW	UINT64_C(0x1000)
#define LAYOUT_IOAPIC		UINT64_C(0xfec00000)
#define LAYOUT_LAPIC		UINT64_C(0xfee00000)
#define LAYOUT_KVM_IDENTITY	UINT64_C(0xfffbc000)
#define LAYOUT_KVM_TSS		UINT64_C(0xfffbd000)

static_assert(LAYOUT_MMIO >= GMEM_LOW_MAX,
    "the windows lie in the hole below 4 GiB");
static_assert(LAYOUT_MMIO + PROTO_DISKS_MAX * LAYOUT_MMIO_WINDOW <=
    LAYOUT_IOAPIC, "the windows end before the IOAPIC");

/* Ports. */
#define LAYOUT_I8042_DATA	0x60
#define LAYOUT_I8042_COMMAND	0x64	/* write 0xfe: reset */
#define LAYOUT_DEBUG_EXIT	0xf4	/* write: end with this status */
#define LAYOUT_SERIAL		0x3f8	/* COM1, 8 ports */
#define LAYOUT_SLEEP_CONTROL	0x600	/* ACPI: write SLP_EN | type 5 */
#define LAYOUT_SLEEP_STATUS	0x601
#define LAYOUT_RESET		0x602	/* ACPI: write LAYOUT_RESET_VALUE */
#define LAYOUT_RESET_VALUE	0x01

#define LAYOUT_SERIAL_GSI	4

/*
 * The interrupt line of disk i.  The IOAPIC has 24; 0 is the PIT's, 2 the
 * cascade's, 4 the serial line's; what ISA hardware is fond of comes last.
 */
static inline uint32_t
layout_disk_gsi(uint32_t i)
{
	static const uint8_t gsi[PROTO_DISKS_MAX] = {
		5, 6, 7, 10, 11, 12, 16, 17, 18, 19, 20, 21, 22, 23, 9, 14,
	};

	return gsi[i];
}

static inline uint64_t
layout_disk_window(uint32_t i)
{
	return LAYOUT_MMIO + i * LAYOUT_MMIO_WINDOW;
}

#endif /* VMMD_LAYOUT_H */
