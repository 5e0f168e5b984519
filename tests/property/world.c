/* SPDX-License-Identifier: ISC */
/* A disk, a guest and their doubles: making them.  Runs in tests only. */
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blkd/backing.h"
#include "blkd/limiter.h"
#include "blkd/throttle.h"
#include "shm/doorbell.h"
#include "shm/gmem.h"
#include "shm/memfd.h"
#include "tests/property/world.h"
#include "tests/property/world_engine.h"

void
world_fail(const struct world *w, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "property: after %llu chains: ",
	    (unsigned long long)w->taken);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n  queue size %u of %u, features %#llx, memory "
	    "%#llx, %llu sectors%s%s%s%s\n", w->setup.num,
	    w->config.queue_size, (unsigned long long)w->setup.features,
	    (unsigned long long)w->config.memory,
	    (unsigned long long)w->config.sectors,
	    w->config.readonly ? ", readonly" : "",
	    w->config.shuffle ? ", shuffled" : "",
	    w->config.faults ? ", faults" : "",
	    w->config.throttle ? ", throttled" : "");
	abort();
}

/* Fill with what is easy to compute and nowhere the same. */
static void
fill(struct rng *rng, uint8_t *p, uint64_t bytes)
{
	uint64_t i, v;

	for (i = 0; i + 8 <= bytes; i += 8) {
		v = rng_next(rng);
		memcpy(p + i, &v, 8);
	}
}

/* --- memory ------------------------------------------------------------- */

static void
add_window(struct world *w, uint64_t gpa, uint64_t bytes)
{
	struct world_window *win = &w->window[w->nwindows++];

	*win = (struct world_window) { .gpa = gpa, .bytes = bytes,
	    .real = gmem_at(w->disk.gmem, gpa, bytes),
	    .copy = model_at(&w->model, gpa, bytes) };
	if (win->real == NULL || win->copy == NULL)
		world_fail(w, "no memory at %#llx", (unsigned long long)gpa);
	fill(w->rng, win->real, bytes);
	memcpy(win->copy, win->real, bytes);
}

static void
make_memory(struct world *w)
{
	uint64_t bytes = w->config.memory;

	w->gmemfd = memfd_make("gmem", bytes);
	w->disk.gmem = gmem_open(w->gmemfd, bytes);
	w->copy_bytes = bytes;
	w->model.mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (w->disk.gmem == NULL || w->model.mem == MAP_FAILED)
		world_fail(w, "no memory");
	w->model.low = bytes > GMEM_LOW_MAX ? GMEM_LOW_MAX : bytes;
	w->model.high = bytes - w->model.low;
	if (w->model.high == 0) {
		add_window(w, 0, bytes);
		return;
	}
	add_window(w, 0, WORLD_LOW);
	add_window(w, GMEM_LOW_MAX - WORLD_SLOT, WORLD_SLOT);
	add_window(w, GMEM_HIGH_BASE, w->model.high);
}

/* --- the disk ----------------------------------------------------------- */

static void
make_file(struct world *w)
{
	uint64_t bytes = w->config.sectors * 512;

	w->filefd = memfd_create("backing", MFD_CLOEXEC);
	w->model.file = calloc(1, bytes);
	w->file = calloc(1, bytes);
	if (w->filefd == -1 || w->model.file == NULL || w->file == NULL)
		world_fail(w, "no backing");
	w->model.file_bytes = w->config.file_bytes;
	fill(w->rng, w->model.file, w->config.file_bytes);
	if (pwrite(w->filefd, w->model.file, w->config.file_bytes, 0) !=
	    (ssize_t)w->config.file_bytes)
		world_fail(w, "no backing");
	w->disk.backing = backing_open(dup(w->filefd), w->config.readonly,
	    w->config.block_size);
	if (w->disk.backing == NULL)
		world_fail(w, "no backing");
}

static uint64_t
clock_of(void *arg)
{
	return ((struct world *)arg)->clock_ns;
}

static void
make_limiter(struct world *w)
{
	struct throttle_limits limits = {
		.ops = { .rate = 100, .burst = 200 },
		.bytes = { .rate = 100000, .burst = 150000 },
	};

	w->clock_ns = 1;
	w->disk.limiter = limiter_make(w->disk.state,
	    w->config.throttle ? &limits : NULL, clock_of, w);
	if (w->disk.limiter == NULL)
		world_fail(w, "no limiter");
}

static void
make_disk(struct world *w)
{
	struct disk *d = &w->disk;

	d->block_size = w->config.block_size;
	d->queues = 1;
	d->queue_size = w->config.queue_size;
	d->sectors = w->config.sectors;
	d->readonly = w->config.readonly;
	d->writeback = w->config.writeback;
	memcpy(d->name, "world", sizeof("world"));
	memcpy(d->serial, "serial-of-20-bytes..", PROTO_SERIAL_SIZE);
	w->statefd = state_make(1, d->queue_size);
	d->state = state_map(w->statefd, 1, d->queue_size);
	d->doorbell = calloc(1, sizeof(*d->doorbell));
	d->irqfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	d->kickfd[0] = -1;
	if (d->state == NULL || d->doorbell == NULL || d->irqfd == -1)
		world_fail(w, "no disk");
}

/* A blkd comes to life. */
static void
begin(struct world *w)
{
	w->condition = QUEUE_RUNNING;
	w->ran_last = -1;
	if (serve_init(&w->serve, &w->disk, 0, &w->condition) == -1)
		world_fail(w, "serve_init");
	world_engine_install(w);
}

void
world_make(struct world *w, struct rng *rng, const struct world_config *c)
{
	memset(w, 0, sizeof(*w));
	w->rng = rng;
	w->config = *c;
	make_disk(w);
	make_memory(w);
	make_file(w);
	make_limiter(w);
	w->model.sectors = c->sectors;
	w->model.queue_size = c->queue_size;
	w->model.readonly = c->readonly;
	w->model.desc = WORLD_DESC;
	memcpy(w->model.serial, w->disk.serial, sizeof(w->model.serial));
	memset(w->by_head, -1, sizeof(w->by_head));
	begin(w);
}

void
world_die(struct world *w)
{
	unsigned i;

	serve_free(&w->serve);
	begin(w);
	w->deaths++;
	for (i = 0; i < w->noffered; i++)
		w->offered[i].deaths++;
}

int
world_recover(struct world *w)
{
	return serve_set_up(&w->serve, &w->setup, true);
}

void
world_resync(struct world *w)
{
	const uint64_t *v = w->disk.state->queue[0].s_counters.s_value;
	eventfd_t irqs;
	ssize_t n;
	size_t i;

	for (i = 0; i < w->nwindows; i++)
		memcpy(w->window[i].copy, w->window[i].real,
		    w->window[i].bytes);
	memset(w->model.file, 0, w->config.sectors * 512);
	n = pread(w->filefd, w->model.file, w->config.sectors * 512, 0);
	if (n == -1)
		world_fail(w, "pread");
	w->model.file_bytes = (uint64_t)n;
	memcpy(w->expected, v, sizeof(w->expected));
	memcpy(w->seen, v, sizeof(w->seen));
	memset(w->by_head, -1, sizeof(w->by_head));
	w->noffered = 0;
	w->poison = false;
	(void)eventfd_read(w->disk.irqfd, &irqs);
	doorbell_clear(w->disk.doorbell);
}

void
world_free(struct world *w)
{
	serve_free(&w->serve);
	limiter_free(w->disk.limiter);
	backing_close(w->disk.backing);
	gmem_close(w->disk.gmem);
	state_unmap(w->disk.state);
	free(w->disk.doorbell);
	close(w->disk.irqfd);
	close(w->statefd);
	close(w->gmemfd);
	close(w->filefd);
	free(w->model.file);
	free(w->file);
	munmap(w->model.mem, w->copy_bytes);
}
