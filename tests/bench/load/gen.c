/* SPDX-License-Identifier: ISC */
/*
 * The load itself.  Runs in the load generator; touches guest memory and the
 * two eventfds.  What the device says is checked before it is used: a wrong
 * head or a status other than OK is an error, never a figure.
 */
#include <linux/virtio_blk.h>
#include <sys/eventfd.h>

#include <err.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "tests/bench/load/backend.h"
#include "tests/bench/load/gen.h"
#include "tests/bench/load/verify.h"
#include "tests/driver/block.h"

#define SECTOR		512u
#define SPINS		512u	/* between two looks at the clock */
#define NS		1000000000u

enum phase {
	PHASE_FILL,		/* write every block once: verify */
	PHASE_WARM_UP,
	PHASE_MEASURE,
	PHASE_READ,		/* read every block once: verify */
	PHASE_END,
};

struct slot {
	uint64_t	put_ns;
	uint64_t	block;
	uint32_t	type;
	bool		busy;
	uint64_t	swept;		/* blocks of its piece, in this phase */
};

struct gen {
	const struct options *o;
	struct door	*door;
	struct driverq	*q;
	struct result	*r;
	struct verify	*verify;	/* NULL: data is not looked at */
	enum phase	 phase;
	uint64_t	 phase_end_ns;
	uint64_t	 phase_began_ns;
	uint64_t	 now_ns;
	uint64_t	 progress_ns;
	uint64_t	 seed;
	uint64_t	 blocks;	/* of the disk, or a slot's piece */
	uint64_t	 next;		/* in order */
	unsigned	 in_flight;
	double		 our_cpu, their_cpu;	/* as the phase began */
	struct slot	 slot[OPTIONS_DEPTH_MAX];
};

static uint64_t
clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}

static double
our_cpu(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- what is asked for -------------------------------------------------- */

static uint32_t
choose_type(struct gen *g, uint64_t random)
{
	switch (g->o->pattern) {
	case OPTIONS_READ:
		return VIRTIO_BLK_T_IN;
	case OPTIONS_WRITE:
		return VIRTIO_BLK_T_OUT;
	case OPTIONS_MIXED:
		return random % 10 < 7 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT;
	default:
		return VIRTIO_BLK_T_FLUSH;
	}
}

static uint64_t
choose_block(struct gen *g, uint64_t random)
{
	if (g->o->sequential)
		return g->next++ % g->blocks;
	/* 32 bits are enough for 16 TiB of 4 KiB blocks. */
	return (random >> 32) * g->blocks >> 32;
}

/* The next request of a slot; false: its part of this phase is done. */
static bool
choose(struct gen *g, unsigned index, struct slot *s)
{
	uint64_t random;

	if (g->phase == PHASE_FILL || g->phase == PHASE_READ) {
		if (s->swept == g->blocks)
			return false;
		s->type = g->phase == PHASE_FILL ? VIRTIO_BLK_T_OUT :
		    VIRTIO_BLK_T_IN;
		s->block = index * g->blocks + s->swept++;
		return true;
	}
	if (g->phase == PHASE_END)
		return false;
	random = block_random(&g->seed);
	s->type = choose_type(g, random);
	s->block = choose_block(g, random);
	if (g->verify != NULL)
		s->block += index * g->blocks;
	return true;
}

static void
put(struct gen *g, unsigned index)
{
	struct slot *s = &g->slot[index];
	uint64_t gpa = DRIVERQ_DATA_GPA + index * g->door->stride;
	struct driverq_request r;

	if (!choose(g, index, s))
		return;
	r = (struct driverq_request) {
		.type = s->type,
		.sector = s->block * (g->o->bytes / SECTOR),
		.gpa = gpa,
		.bytes = g->o->bytes,
	};
	if (s->type == VIRTIO_BLK_T_FLUSH)
		r.sector = r.bytes = 0;
	else if (g->verify != NULL && s->type == VIRTIO_BLK_T_OUT)
		verify_fill(g->verify, s->block, g->q->memory + gpa);
	else if (g->verify != NULL)
		verify_spoil(g->verify, g->q->memory + gpa);
	driverq_put(g->q, (uint16_t)(index * DOOR_SLOT_DESCS), index, &r);
	s->put_ns = g->now_ns;
	s->busy = true;
	g->in_flight++;
}

static int
show(struct gen *g)
{
	int kicks = driverq_show(g->q);

	if (kicks == -1) {
		warn("kick");
		return -1;
	}
	g->r->kicks += (unsigned)kicks;
	return 0;
}

/* --- what comes back ---------------------------------------------------- */

static void
check_data(struct gen *g, unsigned index)
{
	const struct slot *s = &g->slot[index];
	uint64_t gpa = DRIVERQ_DATA_GPA + index * g->door->stride;
	unsigned wrong;

	if (g->verify == NULL || s->type != VIRTIO_BLK_T_IN)
		return;
	wrong = verify_check(g->verify, s->block, g->q->memory + gpa);
	g->r->corrupt += wrong;
	g->r->checked += g->o->bytes / SECTOR - wrong;
}

static int
complete(struct gen *g, uint32_t head)
{
	unsigned index = head / DOOR_SLOT_DESCS;
	struct slot *s = &g->slot[index % OPTIONS_DEPTH_MAX];

	if (index >= g->o->depth || head % DOOR_SLOT_DESCS != 0 || !s->busy) {
		warnx("the device completes %u, which is not in flight", head);
		return -1;
	}
	s->busy = false;
	g->in_flight--;
	g->r->requests++;
	hist_add(&g->r->latency, g->now_ns - s->put_ns);
	if (driverq_status(g->q, index) != VIRTIO_BLK_S_OK)
		g->r->failed++;
	else
		check_data(g, index);
	put(g, index);
	return 0;
}

/* --- waiting ------------------------------------------------------------ */

static void
take_irqs(struct gen *g)
{
	eventfd_t n;

	if (eventfd_read(g->door->irqfd, &n) == 0)
		g->r->irqs += n;
}

/* Returns when there is something, or now and then. */
static void
wait_asleep(struct gen *g)
{
	struct pollfd irq = { .fd = g->door->irqfd, .events = POLLIN };

	if (driverq_irq_on(g->q))
		return;
	if (poll(&irq, 1, 100) == 1)
		take_irqs(g);
	driverq_irq_off(g->q);
}

static void
wait_awake(struct gen *g)
{
	unsigned i;

	for (i = 0; i < SPINS && driverq_ready(g->q) == 0; i++)
		;
}

/* What the device has finished; 0 now and then. */
static uint16_t
await(struct gen *g)
{
	uint16_t n = driverq_ready(g->q);

	if (n != 0)
		return n;
	if (g->o->wait)
		wait_asleep(g);
	else
		wait_awake(g);
	return driverq_ready(g->q);
}

/* --- phases ------------------------------------------------------------- */

static bool
is_over(const struct gen *g)
{
	switch (g->phase) {
	case PHASE_FILL:
	case PHASE_READ:
	case PHASE_END:
		return g->in_flight == 0;
	case PHASE_MEASURE:
		if (g->o->requests != 0 && g->r->requests >= g->o->requests)
			return true;
		break;
	default:
		break;
	}
	return g->now_ns >= g->phase_end_ns;
}

static void
put_all(struct gen *g)
{
	unsigned i;

	for (i = 0; i < g->o->depth; i++)
		if (!g->slot[i].busy)
			put(g, i);
}

/* What is counted begins, or has ended. */
static void
begin_measure(struct gen *g)
{
	struct result *r = g->r;

	*r = (struct result) { .failed = r->failed, .corrupt = r->corrupt,
		.checked = r->checked };
	take_irqs(g);
	r->irqs = 0;
	g->our_cpu = our_cpu();
	g->their_cpu = backend_cpu(g->door->pid);
	g->now_ns = g->phase_began_ns = clock_ns();
}

/* The figures are copied: what is in flight ends uncounted. */
static void
end_measure(struct gen *g, struct result *figures)
{
	take_irqs(g);
	g->r->seconds = (double)(g->now_ns - g->phase_began_ns) / NS;
	g->r->our_cpu = our_cpu() - g->our_cpu;
	g->r->their_cpu = backend_cpu(g->door->pid) - g->their_cpu;
	*figures = *g->r;
}

static void
enter(struct gen *g, enum phase phase)
{
	double seconds = phase == PHASE_WARM_UP ? g->o->warm_up :
	    g->o->seconds > 0 ? g->o->seconds : 3600;
	unsigned i;

	g->phase = phase;
	for (i = 0; i < g->o->depth; i++)
		g->slot[i].swept = 0;
	if (phase == PHASE_MEASURE)
		begin_measure(g);
	g->now_ns = clock_ns();
	g->phase_end_ns = g->now_ns + (uint64_t)(seconds * NS);
	put_all(g);
}

static int
run_phase(struct gen *g, enum phase phase)
{
	uint16_t n;

	enter(g, phase);
	g->progress_ns = g->now_ns;
	while (show(g) == 0) {
		n = await(g);
		g->now_ns = clock_ns();
		if (n > g->in_flight) {
			warnx("the device completes %u, %u are in flight", n,
			    g->in_flight);
			return -1;
		}
		if (n > 0)
			g->progress_ns = g->now_ns;
		else if (g->in_flight > 0 && g->now_ns - g->progress_ns >
		    (uint64_t)GEN_PATIENCE_S * NS) {
			warnx("nothing completes: %u are in flight",
			    g->in_flight);
			return -1;
		}
		while (n-- > 0)
			if (complete(g, driverq_take(g->q)) == -1)
				return -1;
		if (is_over(g))
			return show(g);
	}
	return -1;
}

static int
run_phases(struct gen *g, struct result *figures)
{
	driverq_irq_off(g->q);
	if (g->verify != NULL && run_phase(g, PHASE_FILL) == -1)
		return -1;
	if (run_phase(g, PHASE_WARM_UP) == -1 ||
	    run_phase(g, PHASE_MEASURE) == -1)
		return -1;
	end_measure(g, figures);
	if (run_phase(g, PHASE_END) == -1)
		return -1;
	if (g->verify != NULL && run_phase(g, PHASE_READ) == -1)
		return -1;
	figures->failed = g->r->failed;
	figures->corrupt = g->r->corrupt;
	figures->checked = g->r->checked;
	return 0;
}

int
gen_run(struct door *door, const struct options *o, struct result *figures)
{
	struct gen *g = calloc(1, sizeof(*g));
	struct result *r = calloc(1, sizeof(*r));
	uint64_t bytes = door->sectors * SECTOR;
	int status = -1;

	if (g == NULL || r == NULL)
		err(1, NULL);
	*g = (struct gen) { .o = o, .door = door, .q = &door->q, .r = r,
		.seed = o->seed };
	if (o->verify && bytes > VERIFY_BYTES_MAX)
		bytes = VERIFY_BYTES_MAX;
	g->blocks = bytes / o->bytes;
	if (o->verify) {
		g->blocks /= o->depth;
		g->verify = verify_make(g->blocks * o->depth, o->bytes);
	}
	if (g->blocks == 0)
		warnx("the disk is too small: %llu bytes",
		    (unsigned long long)bytes);
	else
		status = run_phases(g, figures);
	verify_free(g->verify);
	free(r);
	free(g);
	return status;
}
