/* SPDX-License-Identifier: ISC */
/*
 * Kill blkd at random instants, under full load, as often as is asked for.
 *
 * A program for tests: it is the monitor of one disk, with the product's own
 * code for its life (vmmd/disk_life.c, children.c, spawn.c) and the product's
 * blkd.  The guest's driver is a process of its own (driver.c); the vm
 * process is left out, registers are written from here (registers.c).
 *
 * Prints one line; exits 1 if anything was lost, duplicated or corrupt, or
 * failed for another reason than that it was in flight in three deaths; or,
 * with -O, if the outage was longer than that.
 */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "shm/memfd.h"
#include "shm/shared.h"
#include "shm/state.h"
#include "tests/driver/block.h"
#include "tests/torture/options.h"
#include "tests/torture/outage.h"
#include "tests/torture/registers.h"
#include "tests/torture/score.h"
#include "util/log.h"
#include "util/slice.h"
#include "vmmd/children.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"

#define LIMIT_S		60		/* without a step of any kind */
#define REST_US		60000		/* in real time: others have to live */
#define SOON_US		20000		/* a kill follows READY within this */
#define POISON_SECTORS	8		/* poison.c */
#define SPARE_MS	100		/* as the monitor's, for the pause */

struct torture {
	struct options		 o;
	struct event_base	*base;
	struct event		*timer;
	struct disk_host	 host;
	struct conf_disk	 conf;
	struct disk		*disk;
	const struct state	*state;
	struct score		*score;
	int			 channel;
	pid_t			 driver;
	uint64_t		 seed;
	uint64_t		 began_ns;
	uint64_t		 killed_ns;	/* 0: sampled */
	uint64_t		 ready_ns;	/* of the newest READY */
	uint64_t		 ready_issued;	/* requests until then */
	unsigned		 kills;
	unsigned		 again;		/* before the last had recovered */
	unsigned		 respawns;
	unsigned		 nsamples;
	uint64_t		*sample;	/* outages, ns */
	uint64_t		*wide;		/* and with what comes right after */
	bool			 rested;
	unsigned		 more;		/* kills since the sample, but one */
	bool			 ending;
	bool			 broken;
};

/* --- the driver's process ----------------------------------------------- */

static void
start_driver(struct torture *t)
{
	pid_t parent = getpid();
	struct disk_vm_part part;
	struct driver_setup setup;

	disk_describe(t->disk, &part);
	setup = (struct driver_setup) {
		.score = t->score,
		.gmem_fd = t->host.gmem_fd,
		.memory = t->o.memory,
		.queues = t->o.queues,
		.kick_fd = part.kick_fd,
		.irq_fd = part.irq_fd,
		.image = t->o.path,
		.sectors = t->o.image / BLOCK_BYTES,
		.seed = block_random(&t->seed),
		.poison = t->o.poisoned ? POISON_SECTORS : 0,
		.depth = t->o.depth,
		.request_sectors = t->o.block / BLOCK_BYTES,
		.unordered = t->o.unordered,
		.priority = t->o.hurry ? 2 : 0,
	};
	if ((t->driver = fork()) == -1)
		err(1, "torture: fork");
	if (t->driver > 0)
		return;
	slice_restore();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	_exit(driver_run(&setup));
}

/* Does it live?  Its end is everybody's. */
static bool
driver_lives(struct torture *t)
{
	int status;

	if (t->driver != 0 && waitpid(t->driver, &status, WNOHANG) ==
	    t->driver) {
		t->driver = 0;
		if (status != 0 || !t->ending)
			t->broken = true;
	}
	return t->driver != 0;
}

/* --- kills --------------------------------------------------------------- */

static void
arm(struct torture *t, uint64_t us)
{
	struct timeval tv = {
		(time_t)(us / 1000000), (suseconds_t)(us % 1000000)
	};

	event_add(t->timer, &tv);
}

/*
 * What the last kill has cost: the longest time without a completion until
 * the driver has gone on with a successor that is READY, and all that was in
 * flight has ended: what is in flight in three deaths is answered with an
 * error, and rightly.  False: not yet.
 */
static bool
take_sample(struct torture *t)
{
	uint64_t outage;

	if (t->killed_ns == 0)
		return true;
	if (t->ready_ns < t->killed_ns ||
	    shared_load(&t->score->progress_ns) <= t->ready_ns ||
	    shared_load(&t->score->oldest) < t->ready_issued)
		return false;
	outage = shared_load(&t->score->outage_ns);
	t->killed_ns = 0;
	t->wide[t->nsamples] = shared_load(&t->score->gap_ns);
	t->sample[t->nsamples++] = outage;
	if (t->o.touch)
		shared_store(&t->score->touch,
		    shared_load(&t->score->touch) + 1);
	if (t->o.verbose)
		fprintf(stderr, "kill %u: %.3f ms\n", t->kills,
		    (double)outage / 1e6);
	return true;
}

/* Seconds of the day in UTC, to be compared with other programs' logs. */
static void
stamp(const struct torture *t, const char *what)
{
	struct timespec ts;

	if (!t->o.verbose)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	fprintf(stderr, "%s at %lld.%06ld\n", what,
	    (long long)ts.tv_sec % 86400, ts.tv_nsec / 1000);
}

static void
kill_it(struct torture *t)
{
	struct proto_disk_status status;

	disk_status(t->disk, &status);
	if (status.m_pid <= 0)
		return;
	if (t->killed_ns != 0) {
		t->again++;
		t->more++;
	} else {
		t->more = 0;
		shared_store(&t->score->gap_ns, 0);
		shared_store(&t->score->outage_ns, 0);
	}
	shared_store(&t->score->until, UINT64_MAX);
	t->rested = false;
	t->killed_ns = score_clock();
	stamp(t, "killed");
	if (t->o.upgrade)
		disk_upgrade(t->disk);
	else
		kill((pid_t)status.m_pid, SIGKILL);
	t->kills++;
}

static void
finish(struct torture *t)
{
	t->ending = true;
	shared_store(&t->score->stop, 1);
}

static bool
is_enough(const struct torture *t)
{
	return t->kills >= t->o.kills || (t->o.seconds != 0 &&
	    score_clock() - t->began_ns >
	    t->o.seconds * UINT64_C(1000000000));
}

/* Is it time?  Now and then before the guest has gone on since the last. */
static bool
may_kill(struct torture *t)
{
	struct score *s = t->score;

	if (!take_sample(t))
		return t->more < t->o.again &&
		    block_random(&t->seed) % 256 == 0;
	if (t->o.touch && shared_load(&s->touched) != shared_load(&s->touch))
		return false;
	if (t->o.spare && !disk_has_spare(t->disk))
		return false;
	if (t->o.hurry && !t->rested) {
		t->rested = true;
		shared_store(&t->score->rest, 1);
		return false;
	}
	return true;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct torture *t = arg;

	(void)fd;
	(void)what;
	if (!driver_lives(t)) {
		disk_stop(t->disk);
		return;
	}
	if (shared_load(&t->score->rest) != 0) {
		shared_store(&t->score->rest, 0);
		arm(t, SOON_US / 2 + block_random(&t->seed) % SOON_US);
		return;
	}
	if (t->ending || !may_kill(t)) {
		arm(t, shared_load(&t->score->rest) != 0 ? REST_US : 300);
		return;
	}
	if (is_enough(t)) {
		finish(t);
		arm(t, 1000);
		return;
	}
	kill_it(t);
	arm(t, 1000);
}

static void
on_ready(void *ctx, struct disk *disk)
{
	struct torture *t = ctx;
	uint64_t us;

	t->ready_ns = score_clock();
	stamp(t, "ready");
	t->ready_issued = shared_load(&t->score->issued);
	shared_store(&t->score->until, t->ready_issued);
	if (t->channel != -1)
		close(t->channel);
	t->channel = disk_take_channel(disk);
	if (t->driver == 0 && !t->ending) {
		registers_go_live(t->channel, t->o.queues);
		start_driver(t);
	} else
		t->respawns++;
	if (registers_lost_status(t->channel))
		errx(1, "torture: the device has lost its status");
	if (t->ending)
		return;
	/* One in eight dies while it still replays; or many of them. */
	us = block_random(&t->seed);
	if (us % (t->o.again > 1 ? 2 : 8) == 0 && t->killed_ns != 0 &&
	    t->more < t->o.again && !t->o.spare && !t->o.touch &&
	    !is_enough(t))
		kill_it(t);
	arm(t, us % SOON_US);
}

static void
on_failed(void *ctx, struct disk *disk, enum exitcode_reason reason)
{
	struct torture *t = ctx;

	(void)reason;
	t->broken = true;
	disk_stop(disk);
}

static void
on_gone(void *ctx, struct disk *disk)
{
	struct torture *t = ctx;

	(void)disk;
	event_base_loopbreak(t->base);
}

static void
on_answered(void *ctx, struct disk *disk, const struct disk_asker *asker,
    int error, const char *text)
{
	(void)ctx;
	(void)disk;
	(void)asker;
	(void)error;
	(void)text;
}

/* --- the whole ------------------------------------------------------------ */

static void
make_image(const struct options *o)
{
	int flags = o->existing ? 0 : O_CREAT | O_TRUNC;
	int fd = open(o->path, O_RDWR | O_CLOEXEC | flags, 0600);
	uint8_t block[128 * BLOCK_BYTES];
	uint64_t sector, i;

	if (fd == -1)
		err(1, "torture: %s", o->path);
	for (sector = 0; sector < o->image / BLOCK_BYTES; sector += 128) {
		for (i = 0; i < 128; i++)
			block_fill(block + i * BLOCK_BYTES, sector + i, 0);
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			err(1, "torture: %s", o->path);
	}
	close(fd);
}

static void
make(struct torture *t)
{
	struct disk_vm_part part;

	t->channel = -1;
	t->seed = t->o.seed;
	t->sample = calloc(t->o.kills + 1, sizeof(*t->sample));
	t->wide = calloc(t->o.kills + 1, sizeof(*t->wide));
	t->score = mmap(NULL, sizeof(*t->score), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	t->base = event_base_new();
	if (t->sample == NULL || t->wide == NULL || t->score == MAP_FAILED ||
	    t->base == NULL)
		err(1, "torture");
	t->timer = evtimer_new(t->base, on_timer, t);
	make_image(&t->o);
	t->conf = (struct conf_disk) {
		.name = "torture", .queues = t->o.queues,
		.queue_size = SCORE_QUEUE_SIZE, .block_size = 512,
		.direct = t->o.direct,
		.engine = t->o.engine,
		.threads = t->o.threads,
	};
	snprintf(t->conf.path, sizeof(t->conf.path), "%s", t->o.path);
	t->host = (struct disk_host) {
		.base = t->base,
		.children = children_new(t->base),
		.blkd = t->o.blkd,
		.gmem_fd = memfd_make("gmem", t->o.memory),
		.memory = t->o.memory,
		.healthy_ms = 1,
		.spare_ms = t->o.spare ? SPARE_MS : 1,
		.hang_ms = 4000,
		.ctx = t,
		.ready = on_ready,
		.failed = on_failed,
		.gone = on_gone,
		.answered = on_answered,
	};
	if (t->timer == NULL || t->host.children == NULL ||
	    t->host.gmem_fd == -1)
		err(1, "torture");
	if (disk_new(&t->host, &t->conf, 0, &t->disk) != EXITCODE_NONE)
		errx(1, "torture: no disk");
	disk_describe(t->disk, &part);
	t->state = state_map_readonly(part.state_fd, t->o.queues,
	    SCORE_QUEUE_SIZE);
	if (t->state == NULL)
		err(1, "torture: state");
}

static uint64_t
counted(const struct torture *t, enum counter which)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < t->o.queues; i++)
		sum += shared_load(
		    &t->state->queue[i].s_counters.s_value[which]);
	return sum;
}

/* Was it as it has to be?  Says what was not, beside what was printed. */
static bool
judge(const struct torture *t, uint64_t replayed, uint64_t given_up)
{
	const struct score *s = t->score;
	/* Those that were run in three deaths may fail: we have seen to it. */
	bool killed_thrice = t->o.again > 1 || t->o.poisoned;

	if (t->broken || s->lost + s->duplicated + s->corrupt > 0 ||
	    s->failed + s->refused > given_up)
		return false;
	if (given_up > 0 && !killed_thrice) {
		puts("a request was given up, and was not killed thrice");
		return false;
	}
	/* A few at a time are in its hands only rarely. */
	if (t->kills > 10 && replayed == 0 && !t->o.upgrade &&
	    t->o.depth == SCORE_DEPTH) {
		puts("nothing was replayed: the kills came too late");
		return false;
	}
	return !t->o.aim.stated || outage_meets(t->sample, t->nsamples,
	    &t->o.aim);
}

/* Returns the exit status. */
static int
report(struct torture *t)
{
	const struct score *s = t->score;
	uint64_t replayed = counted(t, COUNTER_REPLAYED);
	uint64_t given_up = counted(t, COUNTER_GIVEN_UP);

	printf("kills %u, respawns %u, killed before the guest went on %u,"
	    " requests %llu, replayed %llu, lost %llu, duplicated %llu,"
	    " corrupt %llu, failed %llu, poisonous %llu, given up %llu",
	    t->kills, t->respawns, t->again, (unsigned long long)s->done,
	    (unsigned long long)replayed, (unsigned long long)s->lost,
	    (unsigned long long)s->duplicated, (unsigned long long)s->corrupt,
	    (unsigned long long)s->failed, (unsigned long long)s->refused,
	    (unsigned long long)given_up);
	outage_print("outage", t->sample, t->nsamples);
	outage_print("longest wait in the 20 ms from it", t->wide,
	    t->nsamples);
	putchar('\n');
	return judge(t, replayed, given_up) ? 0 : 1;
}

static void
release(struct torture *t)
{
	disk_free(t->disk);
	children_free(t->host.children);
	state_unmap(t->state);
	event_free(t->timer);
	event_base_free(t->base);
	close(t->host.gmem_fd);
	if (t->channel != -1)
		close(t->channel);
	munmap(t->score, sizeof(*t->score));
	free(t->sample);
	free(t->wide);
	if (!t->o.existing)
		unlink(t->o.path);
}

int
main(int argc, char **argv)
{
	struct torture t = { .kills = 0 };
	int status;

	options_parse(&t.o, argc, argv);
	log_open("torture", LOG_TO_STDERR, t.o.verbose ? LOG_LEVEL_DEBUG :
	    LOG_LEVEL_ERROR);
	printf("seed %llu\n", (unsigned long long)t.o.seed);
	fflush(stdout);
	/* As the monitor does; what it starts does not inherit it. */
	slice_shorten();
	if (t.o.hurry)
		score_hurry(1);
	make(&t);
	t.began_ns = score_clock();
	disk_start(t.disk);
	event_base_dispatch(t.base);
	status = report(&t);
	release(&t);
	return status;
}
