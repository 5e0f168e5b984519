/* SPDX-License-Identifier: ISC */
/*
 * Prints how many thousand times a second the processor's time stamp counter
 * counts.  Runs on the host, trusts its clock.  QEMU without KVM hands this
 * counter to its guest, whose kernel measures it badly where the host is
 * busy, and then lives in a time of its own.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <x86intrin.h>

static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* Both at one time: the closest of many tries. */
static void
sample(int64_t *ns, uint64_t *tsc)
{
	int64_t before, after, best = INT64_MAX;
	uint64_t count;
	int i;

	for (i = 0; i < 1000; i++) {
		before = now_ns();
		count = __rdtsc();
		after = now_ns();
		if (after - before < best) {
			best = after - before;
			*ns = before + best / 2;
			*tsc = count;
		}
	}
}

int
main(void)
{
	const struct timespec wait = { .tv_nsec = 200000000 };
	int64_t ns[2] = { 0 };
	uint64_t tsc[2] = { 0 };

	sample(&ns[0], &tsc[0]);
	nanosleep(&wait, NULL);
	sample(&ns[1], &tsc[1]);
	printf("%.0f\n", (double)(tsc[1] - tsc[0]) * 1e6 /
	    (double)(ns[1] - ns[0]));
	return 0;
}
