/* SPDX-License-Identifier: ISC */
/*
 * The test guest: text on the first serial port, polled.
 */
#ifndef TESTS_GUEST_CONSOLE_H
#define TESTS_GUEST_CONSOLE_H

/* 115200 8n1, no interrupts. Call before the first line. */
void	console_init(void);

/*
 * Knows %c %s %d %u %x and the ll forms of u and x, a width, and a 0 before
 * the width. A newline goes out as carriage return and newline.
 */
void	console_printf(const char *, ...)
	    __attribute__((format(printf, 1, 2)));

#endif
