/* SPDX-License-Identifier: ISC */
/* Time, and what is in the middle.  For the scale benchmarks. */
#ifndef SCALE_WHEN_H
#define SCALE_WHEN_H

#include <stdlib.h>
#include <time.h>

static inline double
when_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static inline void
when_rest_until(double ms)
{
	double left = ms - when_ms();
	struct timespec ts = { .tv_sec = (time_t)(left / 1e3),
		.tv_nsec = (long)(left * 1e6) % 1000000000 };

	if (left > 0)
		nanosleep(&ts, NULL);
}

static inline int
when_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Sorts the samples; 0 of none. */
static inline double
when_percentile(double *sample, size_t n, unsigned percent)
{
	qsort(sample, n, sizeof(*sample), when_by_value);
	return n == 0 ? 0 : sample[(n - 1) * percent / 100];
}

#endif /* SCALE_WHEN_H */
