/* SPDX-License-Identifier: ISC */
/*
 * What no disk process can beat.  Runs in the load generator; touches the
 * file as the options say, on the places and with the buffers that a disk
 * process would use.
 */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shm/shared.h"
#include "tests/bench/load/backend.h"
#include "tests/bench/load/limits.h"
#include "tests/driver/block.h"

#define NS		1000000000u
#define BATCH_NS	20000u	/* steps between two looks at the clock */

struct bare {
	const struct options *o;
	int		 fd;
	uint64_t	 blocks;
	uint64_t	 next;
	uint64_t	 seed;
	uint8_t		*buffer;	/* one for each in flight */
	unsigned	 turn;
	uint8_t		*map;		/* of the file */
	size_t		 mapped;
	int		 event[2];	/* there and back */
	uint64_t	*word;		/* there; 64 bytes on, back */
	pid_t		 echo;
};

static uint64_t
clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}

/* --- steps: one request each; -1: it failed ------------------------------ */

static uint64_t
choose(struct bare *b, bool *write)
{
	uint64_t random = block_random(&b->seed);
	uint64_t block = b->o->sequential ? b->next++ % b->blocks :
	    (random >> 32) * b->blocks >> 32;

	*write = b->o->pattern == OPTIONS_WRITE ||
	    (b->o->pattern == OPTIONS_MIXED && random % 10 >= 7);
	b->turn = (b->turn + 1) % b->o->depth;
	return block * b->o->bytes;
}

static int
step_loop(struct bare *b)
{
	bool write;
	off_t offset = (off_t)choose(b, &write);
	struct iovec iov = { b->buffer + (size_t)b->turn * b->o->bytes,
		b->o->bytes };
	ssize_t n;

	if (b->o->pattern == OPTIONS_FLUSH)
		return fdatasync(b->fd);
	n = write ? pwritev(b->fd, &iov, 1, offset) :
	    preadv(b->fd, &iov, 1, offset);
	return n == (ssize_t)iov.iov_len ? 0 : -1;
}

static int
step_mmap(struct bare *b)
{
	bool write;
	uint8_t *at = b->map + choose(b, &write);
	uint8_t *buffer = b->buffer + (size_t)b->turn * b->o->bytes;

	if (write)
		memcpy(at, buffer, b->o->bytes);
	else
		memcpy(buffer, at, b->o->bytes);
	__asm__ volatile ("" : : : "memory");
	return 0;
}

static int
step_event(struct bare *b)
{
	eventfd_t v;

	if (eventfd_write(b->event[0], 1) == -1)
		return -1;
	return eventfd_read(b->event[1], &v);
}

static int
step_word(struct bare *b)
{
	uint64_t n = ++b->next;

	shared_store_release(&b->word[0], n);
	while (shared_load_acquire(&b->word[8]) != n)
		;
	return 0;
}

/* --- the other side of the two last -------------------------------------- */

static void __attribute__((noreturn))
echo(struct bare *b)
{
	uint64_t n;
	eventfd_t v;

	backend_pin(b->o->core[1]);
	for (;;) {
		if (b->o->wait) {
			if (eventfd_read(b->event[0], &v) == -1 ||
			    eventfd_write(b->event[1], 1) == -1)
				_exit(0);
			continue;
		}
		n = shared_load_acquire(&b->word[0]);
		shared_store_release(&b->word[8], n);
	}
}

static int
open_event(struct bare *b)
{
	b->event[0] = eventfd(0, EFD_CLOEXEC);
	b->event[1] = eventfd(0, EFD_CLOEXEC);
	b->word = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b->event[0] == -1 || b->event[1] == -1 || b->word == MAP_FAILED ||
	    (b->echo = fork()) == -1) {
		warn("the other process");
		return -1;
	}
	if (b->echo == 0)
		echo(b);
	backend_pin(b->o->core[0]);
	return 0;
}

static int
open_file(struct bare *b)
{
	const struct options *o = b->o;
	size_t bytes = (size_t)o->depth * o->bytes;
	struct stat st;

	b->fd = open(o->file, O_RDWR | O_CLOEXEC | (o->direct ? O_DIRECT : 0));
	if (b->fd == -1 || fstat(b->fd, &st) == -1) {
		warn("%s", o->file);
		return -1;
	}
	b->blocks = (uint64_t)st.st_size / o->bytes;
	b->buffer = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (b->blocks == 0 || b->buffer == MAP_FAILED) {
		warnx("%s is too small, or memory is", o->file);
		return -1;
	}
	backend_pin(o->core[1]);
	if (o->what != OPTIONS_MMAP)
		return 0;
	b->mapped = (size_t)st.st_size;
	b->map = mmap(NULL, b->mapped, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_POPULATE, b->fd, 0);
	if (b->map != MAP_FAILED)
		return 0;
	warn("%s", o->file);
	return -1;
}

/* --- either -------------------------------------------------------------- */

/* As many steps between two looks at the clock as make it cost nothing. */
static int
run(struct bare *b, int (*step)(struct bare *), struct result *r,
    double seconds)
{
	uint64_t began = clock_ns(), last = began, now, i, n = 1;
	uint64_t end = began + (uint64_t)(seconds * NS);

	do {
		for (i = 0; i < n; i++)
			if (step(b) == -1) {
				warn("the bare loop");
				return -1;
			}
		now = clock_ns();
		for (i = 0; i < n; i++)
			hist_add(&r->latency, (now - last) / n);
		r->requests += n;
		if (now - last < BATCH_NS && n < 256)
			n *= 2;
		last = now;
	} while (now < end);
	r->seconds = (double)(now - began) / NS;
	return 0;
}

int
limits_run(const struct options *o, struct result *r)
{
	struct bare b = { .o = o, .fd = -1, .seed = o->seed,
		.event = { -1, -1 } };
	int (*step)(struct bare *) = o->what == OPTIONS_LOOP ? step_loop :
	    o->what == OPTIONS_MMAP ? step_mmap :
	    o->wait ? step_event : step_word;
	struct timespec before, after;
	int status;

	status = o->what == OPTIONS_EVENT ? open_event(&b) : open_file(&b);
	if (status == 0 && (status = run(&b, step, r, o->warm_up)) == 0) {
		*r = (struct result) { .seconds = 0 };
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
		status = run(&b, step, r, o->seconds);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
		r->their_cpu = (double)(after.tv_sec - before.tv_sec) +
		    (double)(after.tv_nsec - before.tv_nsec) / 1e9;
	}
	if (b.echo > 0) {
		kill(b.echo, SIGKILL);
		waitpid(b.echo, NULL, 0);
	}
	return status;
}
