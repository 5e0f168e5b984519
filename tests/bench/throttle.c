/* SPDX-License-Identifier: ISC */
/*
 * How exact the throttle is, on a real blkd in its sandbox: a driver that
 * always has more requests than the limit lets through.
 *
 *	throttle [-s seconds]
 *
 * The burst is used up first.  Exits with 1 where a rate is off by more than
 * 1 % (and more than one request), or where no answer came for longer than
 * two requests should take.
 */
#include <sys/eventfd.h>

#include <linux/virtio_blk.h>

#include <err.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "blkd/process_harness.h"
#include "shm/shared.h"

#define SLOTS	(PROCESS_QUEUE_SIZE / RING_SLOT_DESCS)
#define POLL_MS	20

static const struct work {
	const char		*what;
	uint32_t		 bytes;		/* a request */
	struct proto_limits	 limits;
	double			 expected;	/* requests a second */
} works[] = {
	{ "1 iops", 4096, { .m_ops_rate = 1 }, 1 },
	{ "3 iops", 4096, { .m_ops_rate = 3 }, 3 },
	{ "999 iops", 4096, { .m_ops_rate = 999 }, 999 },
	{ "20000 iops", 512, { .m_ops_rate = 20000 }, 20000 },
	{ "1 MB/s", 4096, { .m_bytes_rate = 1000000 }, 1e6 / 4096 },
	{ "100 MB/s", 65536, { .m_bytes_rate = 100000000 }, 1e8 / 65536 },
	{ "1000 iops, iops-size 4096, of 16384", 16384,
	    { .m_ops_rate = 1000, .m_iops_size = 4096 }, 250 },
	{ "500 iops and 1 MB/s", 4096,
	    { .m_ops_rate = 500, .m_bytes_rate = 1000000 }, 1e6 / 4096 },
};

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Take what is answered and offer it again; returns how many. */
static unsigned
turn_over(struct ring_harness *h)
{
	struct virtq_used_elem e;
	unsigned n = 0;

	while (shared_load_acquire(&h->used->g_idx) != h->used_idx) {
		e = ring_harness_take_used(h);
		if (ring_harness_status(h, e.g_id / RING_SLOT_DESCS) !=
		    VIRTIO_BLK_S_OK)
			errx(1, "a request failed");
		ring_harness_offer(h, (uint16_t)e.g_id);
		n++;
	}
	if (n > 0)
		ring_harness_kick(h);
	return n;
}

/* Until `end`; returns the requests answered, and the longest silence. */
static unsigned long
drive(struct ring_harness *h, double end, double *silence)
{
	struct pollfd irq = { .fd = h->disk.irqfd, .events = POLLIN };
	double last = now(), t;
	unsigned long total = 0;
	eventfd_t v;
	unsigned n;

	*silence = 0;
	while ((t = now()) < end) {
		if (poll(&irq, 1, POLL_MS) == 1)
			(void)eventfd_read(h->disk.irqfd, &v);
		if ((n = turn_over(h)) > 0)
			last = t;
		if (t - last > *silence)
			*silence = t - last;
		total += n;
	}
	return total;
}

static bool
measure(const struct work *w, double seconds)
{
	struct proto_blk_ready ready;
	double begin, silence, rate, off;
	unsigned long requests;
	struct process p;
	unsigned i;
	bool good;

	process_make(&p);
	p.attach.m_limits = w->limits;
	process_attach(&p, &ready);
	process_go_live(&p);
	for (i = 0; i < SLOTS; i++) {
		ring_harness_request(&p.ring, i, VIRTIO_BLK_T_IN,
		    i * (RING_DATA_BYTES / 512), w->bytes);
		ring_harness_offer(&p.ring, ring_harness_head(i));
	}
	ring_harness_kick(&p.ring);
	/* The burst is one second's, and is gone after this. */
	drive(&p.ring, now() + 2, &silence);
	begin = now();
	requests = drive(&p.ring, begin + seconds, &silence);
	rate = (double)requests / (now() - begin);
	off = (rate / w->expected - 1) * 100;
	good = (off < 1 && off > -1) || (rate - w->expected) * seconds *
	    (rate - w->expected) * seconds <= 1.01;
	good = good && silence < 2 / w->expected + 0.1;
	printf("%-38s %10.2f %10.2f %+7.2f %% %8.3f s  %s\n", w->what,
	    w->expected, rate, off, silence, good ? "" : "BAD");
	fflush(stdout);
	process_free(&p);
	return good;
}

int
main(int argc, char **argv)
{
	double seconds = 10;
	bool good = true;
	size_t i;
	int c;

	while ((c = getopt(argc, argv, "s:")) != -1) {
		if (c != 's' || (seconds = strtod(optarg, NULL)) <= 0)
			errx(64, "usage: throttle [-s seconds]");
	}
	printf("%-38s %10s %10s %9s %10s\n", "limit", "expected/s", "measured/s",
	    "off", "silence");
	for (i = 0; i < sizeof(works) / sizeof(works[0]); i++)
		good &= measure(&works[i], seconds);
	return good ? 0 : 1;
}
