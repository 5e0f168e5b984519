/* SPDX-License-Identifier: ISC */
/*
 * Writing AML (ACPI 6.4, chapter 20) into a buffer: the few terms that the
 * DSDT of this machine needs.
 *
 * Nothing fails on the way: what does not fit is dropped, and aml_ok tells
 * at the end.  Packages nest: aml_open_* returns a mark for aml_close.
 */
#ifndef VMMD_AML_H
#define VMMD_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t	*bytes;
	size_t	 size;
	size_t	 used;		/* may pass size: then it did not fit */
};

bool	aml_ok(const struct aml *);

/* Single bytes, and integers, little-endian. */
void	aml_byte(struct aml *, uint8_t);
void	aml_raw(struct aml *, uint64_t value, size_t bytes);

/* Name(NAME, value); the name has four characters, or a leading \ too. */
void	aml_name_integer(struct aml *, const char *name, uint64_t value);
void	aml_name_string(struct aml *, const char *name, const char *value);
/* Name(NAME, EisaId("PNP0501")) */
void	aml_name_eisaid(struct aml *, const char *name, const char *id);
/* Name(NAME, Package() { values }) */
void	aml_name_package(struct aml *, const char *name,
	    const uint8_t *values, uint8_t count);

/* Scope(NAME) { ... }, Device(NAME) { ... } */
size_t	aml_open_scope(struct aml *, const char *name);
size_t	aml_open_device(struct aml *, const char *name);
void	aml_close(struct aml *, size_t mark);

/* Name(_CRS, ResourceTemplate() { ... }) */
struct aml_template {
	size_t	package;
	size_t	length;
};
void	aml_open_template(struct aml *, struct aml_template *);
void	aml_close_template(struct aml *, const struct aml_template *);
/* Resources. */
void	aml_io(struct aml *, uint16_t base, uint8_t count);
void	aml_irq(struct aml *, unsigned irq);	/* edge, active high */
void	aml_memory32(struct aml *, uint32_t base, uint32_t bytes);
/* Interrupt(ResourceConsumer, Edge, ActiveHigh, Exclusive) { gsi } */
void	aml_interrupt(struct aml *, uint32_t gsi);

#endif /* VMMD_AML_H */
