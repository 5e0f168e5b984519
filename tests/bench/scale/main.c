/* SPDX-License-Identifier: ISC */
/*
 * scale: what one disk more costs, with few of them and with many.
 *
 *	scale [-b blkd] [-s idle-seconds] [count ...]
 *
 * Real blkds in their sandboxes, each with guest memory, state, doorbell and
 * channels of its own; the images are one file.  For each count: the private
 * memory of a spare, of an idle disk and of one that has been worked on; from
 * fork to READY (cold), from ATTACH to READY (from a spare); how often an
 * idle disk wakes up.  Medians over the disks; sums show whether the cost is
 * linear.
 */
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>

#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "proto/proto.h"
#include "tests/bench/scale/procmem.h"
#include "tests/bench/scale/when.h"
#include "tests/driver/blkdproc.h"
#include "tests/driver/driverq.h"

#define COUNT_MAX	4096u
#define MEMORY		(UINT64_C(32) << 20)	/* of a guest, untouched */
#define QUEUE		256u			/* vmmd's default */
#define LOAD_PER_S	10u			/* requests of each disk */
#define LOAD_S		1u
#define SETTLED_MS	300u	/* after which what starts has started */
#define SETTLE_TRIES	10u

struct scale {
	struct blkdproc_disk	 disk;
	double			 idle_s;
	unsigned		 n;
	struct blkdproc		*p;
	struct driverq		*q;
	double			*sample;	/* n of them */
};

struct row {
	double	cold_ms, spare_ms;		/* medians */
	double	cold_99_ms, spare_99_ms;
	double	spare_kib, idle_kib, loaded_kib; /* a disk */
	double	idle_sum_mib;
	double	wakes;				/* a second, of all */
	double	read_us, read_99_us;		/* under light load */
};

static double
percentile(struct scale *s, size_t n, unsigned percent)
{
	return when_percentile(s->sample, n, percent);
}

/* --- starts -------------------------------------------------------------- */

static void
make_all(struct scale *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (blkdproc_make(&s->p[i], &s->disk) == -1)
			err(1, "disk %u", i);
}

static void
free_all(struct scale *s)
{
	unsigned i;

	/* All channels first: they end beside each other. */
	for (i = 0; i < s->n; i++)
		shutdown(s->p[i].control, SHUT_RDWR);
	for (i = 0; i < s->n; i++)
		blkdproc_free(&s->p[i]);
}

/* Spares for all disks, settled. */
static void
spawn_all(struct scale *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (blkdproc_spawn(&s->p[i], &s->disk) == -1)
			err(1, "blkd %u", i);
	when_rest_until(when_ms() + SETTLED_MS + s->n * 10);
}

static void
attach_all(struct scale *s, bool cold)
{
	double begin;
	unsigned i;

	for (i = 0; i < s->n; i++) {
		begin = when_ms();
		if ((cold && blkdproc_spawn(&s->p[i], &s->disk) == -1) ||
		    blkdproc_attach(&s->p[i], &s->disk) == -1)
			err(1, "disk %u: no READY", i);
		s->sample[i] = when_ms() - begin;
	}
}

static void
go_live_all(struct scale *s)
{
	uint64_t features = UINT64_C(1) << VIRTIO_F_VERSION_1;
	unsigned i;

	for (i = 0; i < s->n; i++) {
		driverq_init(&s->q[i], s->p[i].gmem, QUEUE, false,
		    s->p[i].kickfd);
		if (blkdproc_go_live(&s->p[i], QUEUE, features) == -1)
			err(1, "disk %u does not start", i);
	}
}

/* --- what they cost ------------------------------------------------------ */

static double
private_kib(struct scale *s, double *sum_mib)
{
	struct procmem m;
	double sum = 0;
	unsigned i;

	for (i = 0; i < s->n; i++) {
		if (procmem_read(s->p[i].pid, &m) == -1)
			err(1, "memory of blkd %u", i);
		s->sample[i] = (double)m.private_kib;
		sum += s->sample[i];
	}
	if (sum_mib != NULL)
		*sum_mib = sum / 1024;
	return percentile(s, s->n, 50);
}

static double
switches(struct scale *s)
{
	double sum = 0;
	unsigned i;

	for (i = 0; i < s->n; i++)
		sum += (double)procmem_switches(s->p[i].pid);
	return sum;
}

/* Until what has just started is asleep, or a few seconds have passed. */
static void
settle(struct scale *s)
{
	double before;
	unsigned i;

	for (i = 0; i < SETTLE_TRIES; i++) {
		before = switches(s);
		when_rest_until(when_ms() + SETTLED_MS);
		if (switches(s) == before)
			return;
	}
}

/* One 4 KiB read, awaited; microseconds. */
static double
read_once(struct scale *s, unsigned i)
{
	const struct driverq_request r = { .type = VIRTIO_BLK_T_IN,
		.gpa = DRIVERQ_DATA_GPA, .bytes = 4096 };
	struct pollfd irq = { .fd = s->p[i].irqfd, .events = POLLIN };
	struct driverq *q = &s->q[i];
	double begin = when_ms();
	eventfd_t v;

	driverq_put(q, 0, 0, &r);
	if (driverq_show(q) == -1)
		err(1, "kick");
	while (driverq_ready(q) == 0)
		if (poll(&irq, 1, 5000) != 1 ||
		    eventfd_read(irq.fd, &v) == -1)
			errx(1, "disk %u does not answer", i);
	if (driverq_take(q) != 0 || driverq_status(q, 0) != VIRTIO_BLK_S_OK)
		errx(1, "disk %u: a read failed", i);
	return (when_ms() - begin) * 1e3;
}

static void
load_all(struct scale *s, struct row *r)
{
	size_t n = 0, max = (size_t)s->n * LOAD_PER_S * LOAD_S;
	double begin = when_ms();

	while (n < max && when_ms() < begin + 10e3) {
		when_rest_until(begin + (double)n * 1e3 / (LOAD_PER_S * s->n));
		s->sample[n] = read_once(s, (unsigned)(n % s->n));
		n++;
	}
	r->read_us = percentile(s, n, 50);
	r->read_99_us = percentile(s, n, 99);
}

static void
run(struct scale *s, struct row *r)
{
	double before;

	make_all(s);
	attach_all(s, true);
	r->cold_ms = percentile(s, s->n, 50);
	r->cold_99_ms = percentile(s, s->n, 99);
	free_all(s);

	make_all(s);
	spawn_all(s);
	r->spare_kib = private_kib(s, NULL);
	attach_all(s, false);
	r->spare_ms = percentile(s, s->n, 50);
	r->spare_99_ms = percentile(s, s->n, 99);
	go_live_all(s);
	settle(s);
	r->idle_kib = private_kib(s, &r->idle_sum_mib);
	before = switches(s);
	when_rest_until(when_ms() + s->idle_s * 1e3);
	r->wakes = (switches(s) - before) / s->idle_s;
	load_all(s, r);
	r->loaded_kib = private_kib(s, NULL);
	free_all(s);
}

static void
print_row(unsigned n, const struct row *r)
{
	printf("| %u | %.2f | %.2f | %.3f | %.3f | %.0f | %.0f | %.0f | %.1f |"
	    " %.2f | %.0f | %.0f |\n", n, r->cold_ms, r->cold_99_ms,
	    r->spare_ms, r->spare_99_ms, r->spare_kib, r->idle_kib,
	    r->loaded_kib, r->idle_sum_mib, r->wakes, r->read_us,
	    r->read_99_us);
	fflush(stdout);
}

static void
scale(struct scale *s, unsigned n)
{
	struct row r;

	s->n = n;
	s->p = calloc(n, sizeof(*s->p));
	s->q = calloc(n, sizeof(*s->q));
	s->sample = calloc((size_t)n * LOAD_PER_S * LOAD_S,
	    sizeof(*s->sample));
	if (s->p == NULL || s->q == NULL || s->sample == NULL)
		err(1, NULL);
	run(s, &r);
	print_row(n, &r);
	free(s->p);
	free(s->q);
	free(s->sample);
}

static void
allow_descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

static void
make_image(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd == -1 || ftruncate(fd, 1 << 20) == -1)
		err(1, "%s", path);
	close(fd);
}

int
main(int argc, char **argv)
{
	static const unsigned counts[] = { 1, 10, 100, 500 };
	char image[] = "/tmp/scale.XXXXXX";
	struct scale s = {
		.disk = { .blkd = "blkd/blkd", .path = image,
		    .memory = MEMORY, .queue_size = QUEUE, .core = -1,
		    .poll_us = 50, .threads = PROTO_THREADS_MAX,
		    .slow_us = 20 },
		.idle_s = 2,
	};
	size_t i;
	int c, fd;

	while ((c = getopt(argc, argv, "b:s:t:")) != -1) {
		if (c == 'b')
			s.disk.blkd = optarg;
		else if (c == 't')
			s.disk.threads = (uint16_t)(atoi(optarg) %
			    (PROTO_THREADS_MAX + 1));
		else if (c != 's' || (s.idle_s = strtod(optarg, NULL)) <= 0)
			errx(EX_USAGE, "usage: scale [-b blkd] [-s seconds]"
			    " [-t threads] [count ...]");
	}
	if ((fd = mkstemp(image)) == -1)
		err(1, "%s", image);
	close(fd);
	make_image(image);
	allow_descriptors();
	puts("| disks | cold ms | p99 | from a spare ms | p99 | spare KiB |"
	    " idle KiB | loaded KiB | idle, sum MiB | wake-ups a second, all |"
	    " read us | p99 |\n"
	    "|---|---|---|---|---|---|---|---|---|---|---|---|");
	for (i = 0; optind == argc && i < sizeof(counts) / sizeof(counts[0]);
	    i++)
		scale(&s, counts[i]);
	for (; optind < argc; optind++) {
		c = atoi(argv[optind]);
		if (c < 1 || c > (int)COUNT_MAX)
			errx(EX_USAGE, "%s disks", argv[optind]);
		scale(&s, (unsigned)c);
	}
	unlink(image);
	return 0;
}
