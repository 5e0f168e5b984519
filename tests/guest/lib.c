/* SPDX-License-Identifier: ISC */
/*
 * The test guest: the pieces of a C library that it needs. Runs in the guest,
 * trusts its callers.
 */
#include "lib.h"

/* Words first: an emulating KVM takes as long for a byte as for a word. */
void *
memset(void *to, int c, size_t n)
{
	uint32_t words = (uint8_t)c * 0x01010101u;
	size_t count = n / 4;
	void *at = to;

	__asm__ volatile("rep stosl" : "+D"(at), "+c"(count) : "a"(words) :
	    "memory");
	count = n % 4;
	__asm__ volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(words) :
	    "memory");
	return to;
}

void *
memcpy(void *to, const void *from, size_t n)
{
	size_t count = n / 4;
	void *at = to;

	__asm__ volatile("rep movsl" : "+D"(at), "+S"(from), "+c"(count) : :
	    "memory");
	count = n % 4;
	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(count) : :
	    "memory");
	return to;
}

int
memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;
	size_t i;

	for (i = 0; i < n; i++) {
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	}
	return 0;
}

size_t
strlen(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

int
strcmp(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return (uint8_t)*a - (uint8_t)*b;
}

int
strncmp(const char *a, const char *b, size_t n)
{
	while (n > 0 && *a != '\0' && *a == *b) {
		a++;
		b++;
		n--;
	}
	return n == 0 ? 0 : (uint8_t)*a - (uint8_t)*b;
}

/* Marsaglia's xorshift, 32 bits. */
uint32_t
lib_random(uint32_t *state)
{
	uint32_t x = *state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	*state = x;
	return x;
}

uint32_t
lib_random_below(uint32_t *state, uint32_t limit)
{
	return (uint32_t)(((uint64_t)lib_random(state) * limit) >> 32);
}

static int
digit(char c, uint32_t base, uint32_t *value)
{
	if (c >= '0' && c <= '9')
		*value = (uint32_t)(c - '0');
	else if (base == 16 && c >= 'a' && c <= 'f')
		*value = (uint32_t)(c - 'a') + 10;
	else if (base == 16 && c >= 'A' && c <= 'F')
		*value = (uint32_t)(c - 'A') + 10;
	else
		return -1;
	return 0;
}

static uint32_t
suffix_shift(char c)
{
	switch (c) {
	case 'K':
	case 'k':
		return 10;
	case 'M':
	case 'm':
		return 20;
	case 'G':
	case 'g':
		return 30;
	default:
		return 0;
	}
}

int
lib_parse_u32(const char **text, uint32_t *value)
{
	const char *s = *text;
	uint32_t base = 10, d, shift;
	uint64_t v = 0;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	if (digit(*s, base, &d) == -1)
		return -1;
	for (; digit(*s, base, &d) == 0; s++) {
		v = v * base + d;
		if (v > UINT32_MAX)
			return -1;
	}
	shift = suffix_shift(*s);
	if (shift != 0) {
		v <<= shift;
		s++;
	}
	if (v > UINT32_MAX)
		return -1;
	*text = s;
	*value = (uint32_t)v;
	return 0;
}
