/* SPDX-License-Identifier: ISC */
/*
 * The ACPI tables (ACPI 6.4, chapter 5).  Runs in the vm process before the
 * guest does; a pure function over a buffer.
 *
 * Every table is built with the writer of aml.h: integers and bytes into a
 * buffer that knows when it is full.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmmd/acpi.h"
#include "vmmd/aml.h"
#include "vmmd/layout.h"
#include "vmmd/power.h"

#define OEM_ID			"VMMD  "
#define OEM_TABLE		"VMMD    "
#define CREATOR			"VMMD"

#define HEADER_LENGTH		4	/* offset of a table's length */
#define HEADER_CHECKSUM		9
#define RSDP_BYTES		36
#define RSDP_V1_BYTES		20
#define RSDP_CHECKSUM		8
#define RSDP_XCHECKSUM		32

/* FADT: fixed feature flags (table 5.10), boot flags (table 5.11) */
#define FADT_REVISION		6
#define FADT_WBINVD		(1u << 0)
#define FADT_PWR_BUTTON		(1u << 4)	/* there is none */
#define FADT_SLP_BUTTON		(1u << 5)	/* there is none */
#define FADT_RESET_REG_SUP	(1u << 10)
#define FADT_HW_REDUCED		(1u << 20)
#define FADT_NO_VGA		(1u << 2)
#define FADT_NO_RTC		(1u << 5)

#define GAS_IO			1
#define GAS_BYTE		1

/* MADT: interrupt controller structures (5.2.12) */
#define MADT_LAPIC		0
#define MADT_IOAPIC		1
#define MADT_OVERRIDE		2
#define MADT_ENABLED		1
#define MADT_EDGE_HIGH		0x5

static void
text(struct aml *t, const char *s)
{
	for (; *s != '\0'; s++)
		aml_byte(t, (uint8_t)*s);
}

static void
zeros(struct aml *t, size_t n)
{
	aml_raw(t, 0, n);
}

static uint8_t
checksum(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n-- > 0)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}

/* Tables start at multiples of 16; returns where this one does. */
static size_t
open_table(struct aml *t, const char *signature, uint8_t revision)
{
	size_t start;

	while (t->used % 16 != 0)
		aml_byte(t, 0);
	start = t->used;
	text(t, signature);
	zeros(t, 4);
	aml_byte(t, revision);
	aml_byte(t, 0);
	text(t, OEM_ID);
	text(t, OEM_TABLE);
	aml_raw(t, 1, 4);
	text(t, CREATOR);
	aml_raw(t, 1, 4);
	return start;
}

static void
close_table(struct aml *t, size_t start)
{
	size_t len = t->used - start;
	uint8_t *p = t->bytes + start;

	if (!aml_ok(t))
		return;
	p[HEADER_LENGTH] = (uint8_t)len;
	p[HEADER_LENGTH + 1] = (uint8_t)(len >> 8);
	p[HEADER_LENGTH + 2] = (uint8_t)(len >> 16);
	p[HEADER_CHECKSUM] = checksum(p, len);
}

static void
serial_device(struct aml *t)
{
	struct aml_template crs;
	size_t mark = aml_open_device(t, "COM1");

	aml_name_eisaid(t, "_HID", "PNP0501");
	aml_name_integer(t, "_UID", 0);
	aml_open_template(t, &crs);
	aml_io(t, LAYOUT_SERIAL, 8);
	aml_irq(t, LAYOUT_SERIAL_GSI);
	aml_close_template(t, &crs);
	aml_close(t, mark);
}

static void
disk_device(struct aml *t, uint32_t i)
{
	struct aml_template crs;
	char name[5];
	size_t mark;

	snprintf(name, sizeof(name), "BK%02X", i & 0xff);
	mark = aml_open_device(t, name);
	aml_name_string(t, "_HID", "LNRO0005");
	aml_name_integer(t, "_UID", i);
	aml_name_integer(t, "_CCA", 1);
	aml_open_template(t, &crs);
	aml_memory32(t, (uint32_t)layout_disk_window(i),
	    (uint32_t)LAYOUT_MMIO_WINDOW);
	aml_interrupt(t, layout_disk_gsi(i));
	aml_close_template(t, &crs);
	aml_close(t, mark);
}

static size_t
put_dsdt(struct aml *t, uint32_t disks)
{
	static const uint8_t s5[] = { POWER_S5_TYPE, 0, 0, 0 };
	size_t start = open_table(t, "DSDT", 2), scope;
	uint32_t i;

	aml_name_package(t, "_S5_", s5, sizeof(s5));
	scope = aml_open_scope(t, "_SB_");
	serial_device(t);
	for (i = 0; i < disks; i++)
		disk_device(t, i);
	aml_close(t, scope);
	close_table(t, start);
	return start;
}

/* Generic address structure: a port of a byte. */
static void
port(struct aml *t, uint16_t number)
{
	aml_byte(t, GAS_IO);
	aml_byte(t, 8);
	aml_byte(t, 0);
	aml_byte(t, GAS_BYTE);
	aml_raw(t, number, 8);
}

static size_t
put_fadt(struct aml *t, uint64_t dsdt)
{
	size_t start = open_table(t, "FACP", FADT_REVISION);

	zeros(t, 4);				/* FACS: none */
	aml_raw(t, dsdt, 4);
	zeros(t, 109 - 44);			/* hardware that is not there */
	aml_raw(t, FADT_NO_VGA | FADT_NO_RTC, 2);
	zeros(t, 1);
	aml_raw(t, FADT_WBINVD | FADT_PWR_BUTTON | FADT_SLP_BUTTON |
	    FADT_RESET_REG_SUP | FADT_HW_REDUCED, 4);
	port(t, LAYOUT_RESET);
	aml_byte(t, LAYOUT_RESET_VALUE);
	zeros(t, 2);				/* ARM boot flags */
	aml_byte(t, 4);				/* minor version: 6.4 */
	zeros(t, 8);				/* FACS: none */
	aml_raw(t, dsdt, 8);
	zeros(t, 244 - 148);			/* hardware that is not there */
	port(t, LAYOUT_SLEEP_CONTROL);
	port(t, LAYOUT_SLEEP_STATUS);
	text(t, "VMMD    ");			/* hypervisor vendor */
	close_table(t, start);
	return start;
}

static void
put_override(struct aml *t, uint32_t irq)
{
	aml_byte(t, MADT_OVERRIDE);
	aml_byte(t, 10);
	aml_byte(t, 0);				/* ISA */
	aml_byte(t, (uint8_t)irq);
	aml_raw(t, irq, 4);
	aml_raw(t, MADT_EDGE_HIGH, 2);
}

static size_t
put_madt(struct aml *t, uint32_t vcpus, uint32_t disks)
{
	size_t start = open_table(t, "APIC", 5);
	uint32_t i;

	aml_raw(t, LAYOUT_LAPIC, 4);
	aml_raw(t, 1, 4);			/* PCAT_COMPAT: an 8259, too */
	for (i = 0; i < vcpus; i++) {
		aml_byte(t, MADT_LAPIC);
		aml_byte(t, 8);
		aml_byte(t, (uint8_t)i);
		aml_byte(t, (uint8_t)i);
		aml_raw(t, MADT_ENABLED, 4);
	}
	aml_byte(t, MADT_IOAPIC);
	aml_byte(t, 12);
	aml_byte(t, 0);
	aml_byte(t, 0);
	aml_raw(t, LAYOUT_IOAPIC, 4);
	aml_raw(t, 0, 4);
	/* The ISA lines in use: edges, whatever a driver thinks of ISA. */
	put_override(t, LAYOUT_SERIAL_GSI);
	for (i = 0; i < disks; i++) {
		if (layout_disk_gsi(i) < 16)
			put_override(t, layout_disk_gsi(i));
	}
	close_table(t, start);
	return start;
}

static size_t
put_xsdt(struct aml *t, uint64_t fadt, uint64_t madt)
{
	size_t start = open_table(t, "XSDT", 1);

	aml_raw(t, fadt, 8);
	aml_raw(t, madt, 8);
	close_table(t, start);
	return start;
}

static void
put_rsdp(struct aml *t, uint64_t xsdt)
{
	struct aml r = { t->bytes, RSDP_BYTES, 0 };

	text(&r, "RSD PTR ");
	zeros(&r, 1);
	text(&r, OEM_ID);
	aml_byte(&r, 2);
	zeros(&r, 4);				/* RSDT: none */
	aml_raw(&r, RSDP_BYTES, 4);
	aml_raw(&r, xsdt, 8);
	zeros(&r, 4);
	t->bytes[RSDP_CHECKSUM] = checksum(t->bytes, RSDP_V1_BYTES);
	t->bytes[RSDP_XCHECKSUM] = checksum(t->bytes, RSDP_BYTES);
}

size_t
acpi_make(uint8_t *buffer, size_t size, uint64_t gpa, uint32_t vcpus,
    uint32_t disks)
{
	struct aml t = { buffer, size, 0 };
	uint64_t dsdt, fadt, madt, xsdt;

	zeros(&t, RSDP_BYTES);
	dsdt = gpa + put_dsdt(&t, disks);
	fadt = gpa + put_fadt(&t, dsdt);
	madt = gpa + put_madt(&t, vcpus, disks);
	xsdt = gpa + put_xsdt(&t, fadt, madt);
	if (!aml_ok(&t)) {
		errno = ENOSPC;
		return 0;
	}
	put_rsdp(&t, xsdt);
	return t.used;
}
