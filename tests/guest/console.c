/* SPDX-License-Identifier: ISC */
/*
 * The test guest: text on the first serial port, polled. Runs in the guest;
 * touches the ports 0x3f8 to 0x3ff.
 */
#include <stdarg.h>
#include <stdbool.h>

#include "console.h"
#include "lib.h"
#include "x86.h"

enum {
	UART = 0x3f8,
	UART_IER = UART + 1,
	UART_FCR = UART + 2,
	UART_LCR = UART + 3,
	UART_MCR = UART + 4,
	UART_LSR = UART + 5,

	LCR_8N1 = 0x03,
	LCR_DLAB = 0x80,
	LSR_THRE = 0x20,

	/* A port that never gets ready must not stop the test. */
	READY_TRIES = 10000
};

struct spec {
	bool		zero;
	uint32_t	width;
	bool		wide;		/* ll */
};

void
console_init(void)
{
	x86_outb(UART_IER, 0);
	x86_outb(UART_LCR, LCR_DLAB);
	x86_outb(UART, 1);
	x86_outb(UART_IER, 0);
	x86_outb(UART_LCR, LCR_8N1);
	x86_outb(UART_FCR, 0x07);
	x86_outb(UART_MCR, 0x03);
}

static void
put(char c)
{
	uint32_t i;

	if (c == '\n')
		put('\r');
	for (i = 0; i < READY_TRIES; i++) {
		if (x86_inb(UART_LSR) & LSR_THRE)
			break;
	}
	x86_outb(UART, (uint8_t)c);
}

static void
put_string(const char *s)
{
	for (; *s != '\0'; s++)
		put(*s);
}

/* Divides *value by base and returns the remainder, without libgcc. */
static uint32_t
divide(uint64_t *value, uint32_t base)
{
	uint32_t high = (uint32_t)(*value >> 32), low = (uint32_t)*value, rem;

	rem = high % base;
	high /= base;
	__asm__("divl %2" : "+a"(low), "+d"(rem) : "r"(base) : "cc");
	*value = (uint64_t)high << 32 | low;
	return rem;
}

static void
put_number(uint64_t value, uint32_t base, const struct spec *spec)
{
	char text[24];
	uint32_t i = sizeof(text), length;

	text[--i] = '\0';
	do
		text[--i] = "0123456789abcdef"[divide(&value, base)];
	while (value != 0);
	for (length = sizeof(text) - 1 - i; length < spec->width; length++)
		put(spec->zero ? '0' : ' ');
	put_string(text + i);
}

static const char *
parse_spec(const char *s, struct spec *spec)
{
	spec->zero = *s == '0';
	spec->width = 0;
	for (; *s >= '0' && *s <= '9'; s++)
		spec->width = spec->width * 10 + (uint32_t)(*s - '0');
	spec->wide = s[0] == 'l' && s[1] == 'l';
	return spec->wide ? s + 2 : s;
}

static void
put_signed(int value, const struct spec *spec)
{
	if (value < 0) {
		put('-');
		put_number(-(uint64_t)value, 10, spec);
	} else
		put_number((uint64_t)value, 10, spec);
}

void
console_printf(const char *format, ...)
{
	struct spec spec;
	const char *s;
	uint64_t value;
	va_list ap;

	va_start(ap, format);
	for (s = format; *s != '\0'; s++) {
		if (*s != '%') {
			put(*s);
			continue;
		}
		s = parse_spec(s + 1, &spec);
		if (*s == '\0')
			break;
		if (*s == 's')
			put_string(va_arg(ap, const char *));
		else if (*s == 'c')
			put((char)va_arg(ap, int));
		else if (*s == 'd')
			put_signed(va_arg(ap, int), &spec);
		else if (*s == 'u' || *s == 'x') {
			value = spec.wide ? va_arg(ap, uint64_t) :
			    va_arg(ap, uint32_t);
			put_number(value, *s == 'u' ? 10 : 16, &spec);
		} else
			put(*s);
	}
	va_end(ap);
}
