/* SPDX-License-Identifier: ISC */
/*
 * What one step costs, on a real blkd in its sandbox: a register access over
 * the MMIO channel, a kick up to its interrupt, a start up to READY.  Beside
 * each stands its floor: the bare round trip between two processes that do
 * nothing else.
 *
 *	micro [-r rounds] [-n iterations]
 *
 * Subject and floor alternate within one run.  A figure is the median over
 * the rounds; p50 and p99 are over the iterations of the median round.
 */
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blkd/process_harness.h"
#include "proto/chan.h"

#define ROUNDS_MAX	99

struct sample {
	double	p50;		/* us */
	double	p99;
	double	mean;
};

struct series {
	const char	*what;
	struct sample	 round[ROUNDS_MAX];
	unsigned	 n;
};

static double
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int
by_p50(const void *a, const void *b)
{
	return by_value(&((const struct sample *)a)->p50,
	    &((const struct sample *)b)->p50);
}

/*
 * Run `step` n times after a tenth of that as warm-up: one round.  `after`
 * follows each and is not measured.
 */
static void
measure(struct series *s, unsigned n, void (*step)(void *),
    void (*after)(void *), void *arg)
{
	double *us = calloc(n, sizeof(*us)), begin, sum = 0;
	struct sample *r = &s->round[s->n++];
	unsigned i;

	if (us == NULL)
		err(1, NULL);
	for (i = 0; i < n / 10; i++) {
		step(arg);
		after(arg);
	}
	for (i = 0; i < n; i++) {
		begin = now_us();
		step(arg);
		us[i] = now_us() - begin;
		sum += us[i];
		after(arg);
	}
	qsort(us, n, sizeof(*us), by_value);
	*r = (struct sample) { .p50 = us[n / 2], .p99 = us[n * 99 / 100],
		.mean = sum / n };
	free(us);
}

static struct sample
median(struct series *s)
{
	qsort(s->round, s->n, sizeof(s->round[0]), by_p50);
	return s->round[s->n / 2];
}

static void
print(struct series *s, struct series *floor)
{
	struct sample m = median(s);

	printf("%-34s %9.1f %9.1f %9.1f", s->what, m.p50, m.p99, m.mean);
	if (floor != NULL)
		printf("   %.2f x %s", m.p50 / median(floor).p50, floor->what);
	printf("\n");
}

/* --- floors: a process that answers and does nothing else --------------- */

struct echo {
	pid_t	pid;
	int	fd[2];		/* socket: one; eventfds: there and back */
};

static void
echo_packets(int fd)
{
	char packet[64];
	ssize_t n;

	while ((n = recv(fd, packet, sizeof(packet), 0)) > 0) {
		if (send(fd, packet, (size_t)n, MSG_NOSIGNAL) != n)
			break;
	}
	_exit(0);
}

static void
echo_events(const int fd[2])
{
	struct pollfd p = { .fd = fd[0], .events = POLLIN };
	eventfd_t v;

	for (;;) {
		if (ppoll(&p, 1, NULL, NULL) == -1 ||
		    eventfd_read(fd[0], &v) == -1 ||
		    eventfd_write(fd[1], 1) == -1)
			_exit(0);
	}
}

static void
start_packet_echo(struct echo *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, e->fd) == -1)
		err(1, "socketpair");
	if ((e->pid = fork()) == -1)
		err(1, "fork");
	if (e->pid == 0) {
		close(e->fd[0]);
		echo_packets(e->fd[1]);
	}
	close(e->fd[1]);
}

static void
start_event_echo(struct echo *e)
{
	e->fd[0] = eventfd(0, EFD_CLOEXEC);
	e->fd[1] = eventfd(0, EFD_CLOEXEC);
	if (e->fd[0] == -1 || e->fd[1] == -1)
		err(1, "eventfd");
	if ((e->pid = fork()) == -1)
		err(1, "fork");
	if (e->pid == 0)
		echo_events(e->fd);
}

static void
stop_echo(struct echo *e)
{
	kill(e->pid, SIGKILL);
	waitpid(e->pid, NULL, 0);
}

static void
step_packet(void *arg)
{
	struct echo *e = arg;
	char packet[24] = { 0 };

	if (send(e->fd[0], packet, sizeof(packet), MSG_NOSIGNAL) == -1 ||
	    recv(e->fd[0], packet, sizeof(packet), 0) == -1)
		err(1, "packet echo");
}

static void
step_event(void *arg)
{
	struct echo *e = arg;
	eventfd_t v;

	if (eventfd_write(e->fd[0], 1) == -1 ||
	    eventfd_read(e->fd[1], &v) == -1)
		err(1, "event echo");
}

/* --- subjects ------------------------------------------------------------ */

/* What a vCPU does: one packet there, one back, checked. */
static void
access_register(struct process *p, const void *packet, uint16_t answer)
{
	struct msg m;

	if (chan_send(p->mmio, packet, NULL, 0) == -1 ||
	    chan_recv(p->mmio, &m) != PROTO_OK || m.hdr.m_type != answer)
		errx(1, "no answer to a register access");
	msg_clear(&m);
}

static void
step_read(void *arg)
{
	struct proto_mmio_read r = { .m_offset = VIRTIO_MMIO_MAGIC_VALUE,
		.m_size = 4 };

	chan_header(&r.m_hdr, PROTO_MMIO_READ, 1);
	access_register(arg, &r, PROTO_MMIO_DATA);
}

static void
step_write(void *arg)
{
	struct proto_mmio_write w = { .m_offset = VIRTIO_MMIO_QUEUE_SEL,
		.m_size = 4 };

	chan_header(&w.m_hdr, PROTO_MMIO_WRITE, 1);
	access_register(arg, &w, PROTO_MMIO_ACK);
}

/* A 4 KiB read: offered, kicked, and the interrupt awaited asleep. */
static void
step_kick(void *arg)
{
	struct process *p = arg;
	struct ring_harness *h = &p->ring;
	struct pollfd irq = { .fd = h->disk.irqfd, .events = POLLIN };
	eventfd_t v;

	ring_harness_request(h, 0, VIRTIO_BLK_T_IN, 8, 4096);
	ring_harness_offer(h, ring_harness_head(0));
	ring_harness_kick(h);
	if (ppoll(&irq, 1, NULL, NULL) != 1 ||
	    eventfd_read(h->disk.irqfd, &v) == -1)
		err(1, "interrupt");
	ring_harness_take_used(h);
	if (ring_harness_status(h, 0) != VIRTIO_BLK_S_OK)
		errx(1, "a read failed");
}

/* What a disk says as it starts is not what is asked here. */
static void
attach_quietly(struct process *p)
{
	int kept = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);
	struct proto_blk_ready ready;

	if (kept == -1 || null == -1 || dup2(null, STDERR_FILENO) == -1)
		err(1, "/dev/null");
	process_attach(p, &ready);
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(null);
}

static void
step_start(void *arg)
{
	attach_quietly(arg);
}

static void
after_start(void *arg)
{
	process_kill(arg);
}

static void
after_nothing(void *arg)
{
	(void)arg;
}

static void
run(unsigned rounds, unsigned n)
{
	struct series packet = { .what = "bare packet round trip" };
	struct series event = { .what = "bare eventfd round trip" };
	struct series reads = { .what = "register read" };
	struct series writes = { .what = "register write" };
	struct series kicks = { .what = "kick to interrupt, 4 KiB read" };
	struct series starts = { .what = "start to READY, cold" };
	struct process p, fresh;
	struct echo pe, ee;
	unsigned i;

	process_make(&fresh);
	process_make(&p);
	attach_quietly(&p);
	process_go_live(&p);
	start_packet_echo(&pe);
	start_event_echo(&ee);
	for (i = 0; i < rounds; i++) {
		measure(&starts, 20, step_start, after_start, &fresh);
		measure(&packet, n, step_packet, after_nothing, &pe);
		measure(&reads, n, step_read, after_nothing, &p);
		measure(&writes, n, step_write, after_nothing, &p);
		measure(&event, n, step_event, after_nothing, &ee);
		measure(&kicks, n, step_kick, after_nothing, &p);
	}
	printf("%-34s %9s %9s %9s\n", "microseconds", "p50", "p99", "mean");
	print(&packet, NULL);
	print(&reads, &packet);
	print(&writes, &packet);
	print(&event, NULL);
	print(&kicks, &event);
	print(&starts, NULL);
	stop_echo(&pe);
	stop_echo(&ee);
	process_free(&p);
	process_free(&fresh);
}

int
main(int argc, char **argv)
{
	unsigned rounds = 5, n = 5000;
	int c;

	while ((c = getopt(argc, argv, "n:r:")) != -1) {
		if (c == 'n' && atoi(optarg) > 99)
			n = (unsigned)atoi(optarg);
		else if (c == 'r' && atoi(optarg) > 0 &&
		    atoi(optarg) <= ROUNDS_MAX)
			rounds = (unsigned)atoi(optarg);
		else
			errx(64, "usage: micro [-n iterations] [-r rounds]");
	}
	run(rounds, n);
	return 0;
}
