/* SPDX-License-Identifier: ISC */
/*
 * The terminal of the guest.  Runs in the vm process: input and output on
 * threads of their own, the serial line's callbacks on the vCPU threads.
 * Bytes in both directions are passed on, never looked at, but for the
 * escape of a terminal.
 */
#include <sys/eventfd.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/log.h"
#include "vmmd/console.h"
#include "vmmd/serial.h"

#define RING_BYTES	65536		/* a power of two */
#define CHUNK		512		/* of one write(2) */
#define INPUT_CHUNK	64
#define ESCAPE		0x01		/* Ctrl-A */

struct console {
	int		 in;
	int		 out;
	int		 quit;		/* eventfd: readable when it is over */
	struct kvm	*kvm;
	uint32_t	 gsi;
	struct notice	*notice;
	struct gate	*gate;
	struct serial	*serial;
	pthread_t	 reader;
	pthread_t	 writer;
	bool		 reads;		/* the threads run */
	bool		 writes;
	bool		 is_terminal;
	bool		 escaped;	/* the reader's: Ctrl-A was last */

	/* Taken after the serial's lock, never before it. */
	pthread_mutex_t	 lock;
	pthread_cond_t	 changed;
	uint8_t		 ring[RING_BYTES];
	size_t		 head;		/* free-running: bytes sent by the guest */
	size_t		 tail;		/* bytes written out */
	size_t		 lost;
	size_t		 drains;	/* times that the guest read all */
	bool		 dead;		/* the output failed */
	bool		 stopping;
};

static void
on_interrupt(void *ctx, int level)
{
	struct console *c = ctx;

	kvm_set_line(c->kvm, c->gsi, level);
}

static void
on_send(void *ctx, uint8_t byte)
{
	struct console *c = ctx;

	pthread_mutex_lock(&c->lock);
	if (c->dead || c->head - c->tail == RING_BYTES) {
		c->lost++;
	} else {
		c->ring[c->head++ % RING_BYTES] = byte;
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
}

static bool
on_has_room(void *ctx)
{
	struct console *c = ctx;
	bool room;

	pthread_mutex_lock(&c->lock);
	room = c->dead || c->head - c->tail <= RING_BYTES - SERIAL_FIFO;
	pthread_mutex_unlock(&c->lock);
	return room;
}

static void
on_drained(void *ctx)
{
	struct console *c = ctx;

	pthread_mutex_lock(&c->lock);
	c->drains++;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

struct console *
console_new(int in, int out, struct kvm *kvm, uint32_t gsi,
    struct notice *notice)
{
	struct console *c = calloc(1, sizeof(*c));
	pthread_condattr_t attr;
	const struct serial_line line = {
		.interrupt = on_interrupt, .send = on_send,
		.has_room = on_has_room, .drained = on_drained, .ctx = c,
	};

	if (c == NULL) {
		close(in);
		close(out);
		return NULL;
	}
	c->in = in;
	c->out = out;
	c->kvm = kvm;
	c->gsi = gsi;
	c->notice = notice;
	c->is_terminal = isatty(in);
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
	c->quit = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->serial = serial_new(&line);
	if (c->quit == -1 || c->serial == NULL) {
		console_free(c);
		return NULL;
	}
	return c;
}

void
console_free(struct console *c)
{
	int saved = errno;

	if (c == NULL)
		return;
	serial_free(c->serial);
	if (c->quit != -1)
		close(c->quit);
	close(c->in);
	close(c->out);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c);
	errno = saved;
}

int
console_attach(struct console *c, struct iobus *bus)
{
	return serial_attach(c->serial, bus);
}

/* Wait for an event of the descriptor; false: it is over. */
static bool
wait_fd(const struct console *c, int fd, short events)
{
	struct pollfd p[2] = {
		{ .fd = fd, .events = events },
		{ .fd = c->quit, .events = POLLIN },
	};

	while (poll(p, 2, -1) == -1) {
		if (errno != EINTR)
			return false;
	}
	return p[1].revents == 0;
}

/* --- input ------------------------------------------------------------- */

/* Take the escapes out of what a person typed; returns what is left. */
static size_t
filter_escapes(struct console *c, uint8_t *p, size_t n)
{
	size_t i, kept = 0;
	struct end end = { .reason = 0 };

	for (i = 0; i < n; i++) {
		if (!c->escaped && p[i] == ESCAPE) {
			c->escaped = true;
			continue;
		}
		if (c->escaped && p[i] == 'x') {
			end_set(&end, PROTO_EXIT_STOPPED, 0,
			    "ended from the console (Ctrl-A x)");
			notice_end(c->notice, &end);
			return 0;
		}
		c->escaped = false;
		p[kept++] = p[i];
	}
	return kept;
}

/* Hand bytes to the guest as fast as it takes them; false: it is over. */
static bool
feed(struct console *c, const uint8_t *p, size_t n)
{
	bool stopping = false;
	size_t taken, seen;

	while (n > 0 && !stopping) {
		pthread_mutex_lock(&c->lock);
		seen = c->drains;
		stopping = c->stopping;
		pthread_mutex_unlock(&c->lock);
		taken = serial_receive(c->serial, p, n);
		p += taken;
		n -= taken;
		if (n == 0)
			break;
		/* Until the guest has read, which it may have by now. */
		pthread_mutex_lock(&c->lock);
		while (c->drains == seen && !c->stopping)
			pthread_cond_wait(&c->changed, &c->lock);
		pthread_mutex_unlock(&c->lock);
	}
	return !stopping;
}

static void *
read_input(void *arg)
{
	struct console *c = arg;
	uint8_t buf[INPUT_CHUNK];
	size_t n;
	ssize_t got;

	gate_pass(c->gate);
	while (wait_fd(c, c->in, POLLIN)) {
		got = read(c->in, buf, sizeof(buf));
		if (got == -1 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			break;
		n = (size_t)got;
		if (c->is_terminal)
			n = filter_escapes(c, buf, n);
		if (!feed(c, buf, n))
			break;
	}
	return NULL;
}

/* --- output ------------------------------------------------------------ */

/*
 * The next bytes to write, copied; 0: it is over, and nothing is left.
 * `lost` is what was lost since the last time.
 */
static size_t
next_chunk(struct console *c, uint8_t buf[CHUNK], size_t *lost)
{
	size_t n, i;

	pthread_mutex_lock(&c->lock);
	while (c->head == c->tail && !c->stopping)
		pthread_cond_wait(&c->changed, &c->lock);
	n = c->head - c->tail < CHUNK ? c->head - c->tail : CHUNK;
	for (i = 0; i < n; i++)
		buf[i] = c->ring[(c->tail + i) % RING_BYTES];
	*lost = 0;
	if (!c->dead) {
		*lost = c->lost;
		c->lost = 0;
	}
	pthread_mutex_unlock(&c->lock);
	return n;
}

static void
advance(struct console *c, size_t n, bool dead)
{
	pthread_mutex_lock(&c->lock);
	c->tail += n;
	if (dead) {
		c->dead = true;
		c->tail = c->head;
	}
	pthread_mutex_unlock(&c->lock);
	serial_sent(c->serial);
}

static void *
write_output(void *arg)
{
	struct console *c = arg;
	uint8_t buf[CHUNK];
	size_t n, lost;
	ssize_t done;

	gate_pass(c->gate);
	for (;;) {
		n = next_chunk(c, buf, &lost);
		if (lost > 0)
			log_warning("serial line: the output did not take"
			    " %zu bytes: lost", lost);
		if (n == 0 || !wait_fd(c, c->out, POLLOUT))
			break;
		done = write(c->out, buf, n);
		if (done == -1 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (done == -1)
			log_warning("serial line: output: %s: no more of it",
			    strerror(errno));
		advance(c, done == -1 ? 0 : (size_t)done, done == -1);
	}
	return NULL;
}

/* --- both -------------------------------------------------------------- */

int
console_start(struct console *c, struct gate *gate)
{
	int error;

	c->gate = gate;
	error = pthread_create(&c->writer, NULL, write_output, c);
	c->writes = error == 0;
	if (error == 0) {
		error = pthread_create(&c->reader, NULL, read_input, c);
		c->reads = error == 0;
	}
	errno = error;
	return error == 0 ? 0 : -1;
}

static int
join(pthread_t thread, bool *runs, const struct timespec *until)
{
	if (!*runs)
		return 0;
	if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, until) != 0)
		return -1;
	*runs = false;
	return 0;
}

int
console_stop(struct console *c, unsigned limit_ms)
{
	struct timespec until, moment;
	uint64_t one = 1;
	ssize_t done;

	clock_gettime(CLOCK_MONOTONIC, &until);
	moment = until;
	moment.tv_sec += 1;
	until.tv_sec += limit_ms / 1000;
	until.tv_nsec += limit_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	/* The writer first: it ends when it has written everything. */
	(void)join(c->writer, &c->writes, &until);
	do {
		done = write(c->quit, &one, sizeof(one));
	} while (done == -1 && errno == EINTR);
	if (join(c->writer, &c->writes, &moment) == -1)
		return -1;
	return join(c->reader, &c->reads, &moment);
}
