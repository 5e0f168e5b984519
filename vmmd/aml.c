/* SPDX-License-Identifier: ISC */
/*
 * Writing AML.  Runs in the vm process; pure functions over a buffer.
 */
#include <string.h>

#include "vmmd/aml.h"

enum aml_op {
	AML_ZERO	= 0x00,
	AML_ONE		= 0x01,
	AML_NAME	= 0x08,
	AML_BYTE	= 0x0a,
	AML_WORD	= 0x0b,
	AML_DWORD	= 0x0c,
	AML_STRING	= 0x0d,
	AML_QWORD	= 0x0e,
	AML_SCOPE	= 0x10,
	AML_BUFFER	= 0x11,
	AML_PACKAGE	= 0x12,
	AML_EXT		= 0x5b,
	AML_EXT_DEVICE	= 0x82,
};

/* ACPI 6.4, 6.4.2 and 6.4.3: resource descriptors */
enum aml_resource {
	AML_RES_IRQ		= 0x22,	/* two bytes: edge, active high */
	AML_RES_IO		= 0x47,
	AML_RES_END		= 0x79,
	AML_RES_MEMORY32	= 0x86,
	AML_RES_INTERRUPT	= 0x89,
};

/*
 * PkgLength (20.2.4) always takes three bytes here, so that it can be
 * filled in afterwards: 4 bits in the first, 8 in each of the others.
 */
#define PKG_BYTES	3
#define PKG_MAX		((size_t)1 << 20)

bool
aml_ok(const struct aml *a)
{
	return a->used <= a->size;
}

void
aml_byte(struct aml *a, uint8_t v)
{
	if (a->used < a->size)
		a->bytes[a->used] = v;
	a->used++;
}

void
aml_raw(struct aml *a, uint64_t v, size_t bytes)
{
	for (; bytes > 0; bytes--, v >>= 8)
		aml_byte(a, (uint8_t)v);
}

static void
text(struct aml *a, const char *s)
{
	for (; *s != '\0'; s++)
		aml_byte(a, (uint8_t)*s);
}

static void
integer(struct aml *a, uint64_t v)
{
	if (v <= 1) {
		aml_byte(a, v == 0 ? AML_ZERO : AML_ONE);
	} else if (v <= UINT8_MAX) {
		aml_byte(a, AML_BYTE);
		aml_raw(a, v, 1);
	} else if (v <= UINT16_MAX) {
		aml_byte(a, AML_WORD);
		aml_raw(a, v, 2);
	} else if (v <= UINT32_MAX) {
		aml_byte(a, AML_DWORD);
		aml_raw(a, v, 4);
	} else {
		aml_byte(a, AML_QWORD);
		aml_raw(a, v, 8);
	}
}

/* Room for a PkgLength; the mark is where it starts. */
static size_t
open_package(struct aml *a)
{
	size_t mark = a->used;

	aml_raw(a, 0, PKG_BYTES);
	return mark;
}

void
aml_close(struct aml *a, size_t mark)
{
	size_t len = a->used - mark;

	if (!aml_ok(a) || len >= PKG_MAX) {
		a->used = a->size + 1;
		return;
	}
	a->bytes[mark] = (uint8_t)((PKG_BYTES - 1) << 6 | (len & 0xf));
	a->bytes[mark + 1] = (uint8_t)(len >> 4);
	a->bytes[mark + 2] = (uint8_t)(len >> 12);
}

void
aml_name_integer(struct aml *a, const char *name, uint64_t value)
{
	aml_byte(a, AML_NAME);
	text(a, name);
	integer(a, value);
}

void
aml_name_string(struct aml *a, const char *name, const char *value)
{
	aml_byte(a, AML_NAME);
	text(a, name);
	aml_byte(a, AML_STRING);
	text(a, value);
	aml_byte(a, 0);
}

static uint32_t
hex_digit(char c)
{
	return (uint32_t)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* ACPI 6.4, 19.3.4: three letters of 5 bits, four digits of 4; big-endian. */
void
aml_name_eisaid(struct aml *a, const char *name, const char *id)
{
	uint32_t v = 0;
	size_t i;

	for (i = 0; i < 3; i++)
		v = v << 5 | (uint32_t)(id[i] - '@');
	for (; i < 7; i++)
		v = v << 4 | hex_digit(id[i]);
	aml_byte(a, AML_NAME);
	text(a, name);
	aml_byte(a, AML_DWORD);
	aml_raw(a, __builtin_bswap32(v), 4);
}

void
aml_name_package(struct aml *a, const char *name, const uint8_t *values,
    uint8_t count)
{
	size_t mark;
	uint8_t i;

	aml_byte(a, AML_NAME);
	text(a, name);
	aml_byte(a, AML_PACKAGE);
	mark = open_package(a);
	aml_byte(a, count);
	for (i = 0; i < count; i++)
		integer(a, values[i]);
	aml_close(a, mark);
}

size_t
aml_open_scope(struct aml *a, const char *name)
{
	size_t mark;

	aml_byte(a, AML_SCOPE);
	mark = open_package(a);
	text(a, name);
	return mark;
}

size_t
aml_open_device(struct aml *a, const char *name)
{
	size_t mark;

	aml_byte(a, AML_EXT);
	aml_byte(a, AML_EXT_DEVICE);
	mark = open_package(a);
	text(a, name);
	return mark;
}

void
aml_open_template(struct aml *a, struct aml_template *t)
{
	aml_byte(a, AML_NAME);
	text(a, "_CRS");
	aml_byte(a, AML_BUFFER);
	t->package = open_package(a);
	/* The size of the buffer: a word, filled in afterwards. */
	aml_byte(a, AML_WORD);
	t->length = a->used;
	aml_raw(a, 0, 2);
}

void
aml_close_template(struct aml *a, const struct aml_template *t)
{
	size_t len;

	aml_byte(a, AML_RES_END);
	aml_byte(a, 0);			/* the checksum counts as right */
	len = a->used - (t->length + 2);
	if (aml_ok(a) && len <= UINT16_MAX) {
		a->bytes[t->length] = (uint8_t)len;
		a->bytes[t->length + 1] = (uint8_t)(len >> 8);
	}
	aml_close(a, t->package);
}

void
aml_io(struct aml *a, uint16_t base, uint8_t count)
{
	aml_byte(a, AML_RES_IO);
	aml_byte(a, 1);			/* decodes 16 bits */
	aml_raw(a, base, 2);
	aml_raw(a, base, 2);
	aml_byte(a, 1);			/* alignment */
	aml_byte(a, count);
}

void
aml_irq(struct aml *a, unsigned irq)
{
	aml_byte(a, AML_RES_IRQ);
	aml_raw(a, UINT64_C(1) << irq, 2);
}

void
aml_memory32(struct aml *a, uint32_t base, uint32_t bytes)
{
	aml_byte(a, AML_RES_MEMORY32);
	aml_raw(a, 9, 2);
	aml_byte(a, 1);			/* read and write */
	aml_raw(a, base, 4);
	aml_raw(a, bytes, 4);
}

void
aml_interrupt(struct aml *a, uint32_t gsi)
{
	aml_byte(a, AML_RES_INTERRUPT);
	aml_raw(a, 6, 2);
	aml_byte(a, 0x03);		/* consumer, edge, high, exclusive */
	aml_byte(a, 1);
	aml_raw(a, gsi, 4);
}
