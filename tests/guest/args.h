/* SPDX-License-Identifier: ISC */
/*
 * The test guest: its command line, words of the form key=value.
 *
 *	test=NAME			what to do (tests.c)
 *	virtio_mmio.device=SIZE@BASE:IRQ[:ID]	one disk's window and line;
 *					repeated, in the order of the disks
 *	and the keys in args.c, which name their meaning there.
 *
 * A key that the guest does not know is an error: a test with a misspelt
 * argument must not pass.
 */
#ifndef TESTS_GUEST_ARGS_H
#define TESTS_GUEST_ARGS_H

#include <stdint.h>

enum {
	ARGS_TEXT_MAX = 4096,
	ARGS_WORDS_MAX = 64,
	ARGS_DEVICES_MAX = 16
};

struct args_device {
	uint32_t	size;
	uint32_t	base;
	uint32_t	irq;
};

struct args {
	char		 text[ARGS_TEXT_MAX];
	char		*words[ARGS_WORDS_MAX];
	uint32_t	 word_count;
	struct args_device devices[ARGS_DEVICES_MAX];
	uint32_t	 device_count;
};

/* Takes a copy of the line. NULL, or what is wrong with it (and says where). */
const char	*args_parse(struct args *, const char *line);

/* The value of a key, or fallback where the line does not have it. */
const char	*args_get(const struct args *, const char *key,
		    const char *fallback);

/* The same for numbers; args_parse has checked that they are some. */
uint32_t	 args_get_u32(const struct args *, const char *key,
		    uint32_t fallback);

#endif
