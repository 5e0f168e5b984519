/* SPDX-License-Identifier: ISC */
/*
 * Values of the configuration: text -> checked field.  Pure.  Each setter
 * returns 0, or -1 with the field untouched; the reason is the key's `must`.
 */
#ifndef VMMD_CONF_VALUE_H
#define VMMD_CONF_VALUE_H

#include <stddef.h>
#include <stdint.h>

/* A word and what it means; ends with a NULL word. */
struct conf_choice {
	const char	*word;
	int		 value;
};

/* One key: the table of conf.c has them all. */
struct conf_key {
	const char	*section;
	const char	*name;
	const char	*fallback;	/* NULL: must be given */
	int		(*set)(const struct conf_key *, void *field,
			    const char *value);
	size_t		 offset;	/* of the field in its struct */
	size_t		 size;		/* of the field */
	uint64_t	 min, max;
	const struct conf_choice *choices;
	const char	*must;		/* "KEY must be ..." */
};

int	conf_value_text(const struct conf_key *, void *, const char *);
/* Not empty, and what ps(1), logs and file names can take. */
int	conf_value_name(const struct conf_key *, void *, const char *);
/* A number from min to max. */
int	conf_value_number(const struct conf_key *, void *, const char *);
/* The same, and a power of two. */
int	conf_value_power(const struct conf_key *, void *, const char *);
/* Bytes with a suffix K, M, G or T; a multiple of min. */
int	conf_value_bytes(const struct conf_key *, void *, const char *);
/* A number from min to max, in octal digits. */
int	conf_value_octal(const struct conf_key *, void *, const char *);
/* The same in decimal, with a suffix k, M, G (1000) or Ki, Mi, Gi (1024). */
int	conf_value_amount(const struct conf_key *, void *, const char *);
/* A list of numbers up to max, with commas: struct conf_cpus. */
int	conf_value_cpus(const struct conf_key *, void *, const char *);
int	conf_value_bool(const struct conf_key *, void *, const char *);
int	conf_value_choice(const struct conf_key *, void *, const char *);
/* "file:PATH", or a choice. */
int	conf_value_serial(const struct conf_key *, void *, const char *);

#endif /* VMMD_CONF_VALUE_H */
