/* SPDX-License-Identifier: ISC */
/*
 * From a finished request to its interrupt.  Runs in blkd, queue thread;
 * writes status bytes, the used ring, the journal and the counters.
 */
#include <sys/eventfd.h>
#include <linux/virtio_blk.h>

#include <errno.h>
#include <string.h>
#include <time.h>

#include "blkd/backing.h"
#include "blkd/disk.h"
#include "blkd/exec.h"
#include "blkd/request.h"
#include "blkd/serve_impl.h"
#include "shm/doorbell.h"
#include "shm/shared.h"
#include "util/log.h"

/*
 * A finished request waits for others, to be published with one store and
 * one interrupt, but no longer than about this: as many are collected as
 * the last batch finished in that time.
 */
#define PATIENCE_NS	UINT64_C(50000)

/*
 * An interrupt costs the device some microseconds, and waking up takes the
 * driver some: it is sent when what is left to do lasts about as long, so that
 * the driver is there when it is done; but not later than INTERRUPT_NS.
 */
#define WAKE_NS		UINT64_C(12000)
#define INTERRUPT_NS	UINT64_C(50000)

#define LOG_EVERY_NS	UINT64_C(1000000000)

uint64_t
serve_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* A disk that fails, fails often, and a guest can make it. */
bool
serve_may_say(struct serve *s, uint64_t *said_ns)
{
	if (*said_ns != 0 && s->now_ns - *said_ns < LOG_EVERY_NS)
		return false;
	*said_ns = s->now_ns;
	return true;
}

void
serve_complain(struct serve *s, const char *what, int error)
{
	if (!serve_may_say(s, &s->logged_ns))
		return;
	log_warning("%s: %s: %s; the request is answered with an I/O error",
	    s->disk->name, what, strerror(error));
}

void
serve_fire(struct serve *s)
{
	int fd;

	serve_count(s, COUNTER_IRQS, 1);
	s->fire = s->owed = false;
	if (s->disk->doorbell != NULL)
		doorbell_raise(s->disk->doorbell, DOORBELL_USED);
	if ((fd = shared_load(s->callfd)) != -1)
		(void)eventfd_write(fd, 1);
}

/* How long what is there to do will take, as far as is known. */
static uint64_t
left_ns(const struct serve *s)
{
	unsigned ahead = virtq_ahead(&s->vq);

	return ((ahead < s->vq.num ? ahead : s->vq.num) + s->running) *
	    s->each_ns;
}

/* n elements were published: does the driver want to know, and now? */
static void
interrupt(struct serve *s, uint16_t n)
{
	bool wanted = s->fire || virtq_wants_irq(&s->vq, n);

	if (!wanted || s->owed)
		serve_count(s, COUNTER_IRQS_SUPPRESSED, 1);
	if (wanted && !s->owed) {
		s->owed = true;
		s->owed_ns = s->now_ns;
	}
	if (s->owed && (!s->taking || left_ns(s) <= WAKE_NS ||
	    s->now_ns - s->owed_ns >= INTERRUPT_NS))
		serve_fire(s);
}

void
serve_settle_interrupt(struct serve *s)
{
	/* After a recovery it may be the predecessor's: nobody waits for more. */
	if (s->owed || s->fire)
		serve_fire(s);
}

/* What an OK counts as; the row of a type. */
static const struct {
	uint32_t		type;
	enum counter		requests;
	enum counter		bytes;	/* COUNTER_COUNT: none */
	enum counter_latency	latency;
} account_row[] = {
	{ VIRTIO_BLK_T_IN, COUNTER_READS, COUNTER_READ_BYTES,
	    COUNTER_LATENCY_READ },
	{ VIRTIO_BLK_T_OUT, COUNTER_WRITES, COUNTER_WRITE_BYTES,
	    COUNTER_LATENCY_WRITE },
	{ VIRTIO_BLK_T_FLUSH, COUNTER_FLUSHES, COUNTER_COUNT,
	    COUNTER_LATENCY_FLUSH },
	{ VIRTIO_BLK_T_GET_ID, COUNTER_GET_IDS, COUNTER_COUNT,
	    COUNTER_LATENCY_COUNT },
	{ VIRTIO_BLK_T_DISCARD, COUNTER_DISCARDS, COUNTER_DISCARD_BYTES,
	    COUNTER_LATENCY_DISCARD },
	{ VIRTIO_BLK_T_WRITE_ZEROES, COUNTER_WRITE_ZEROES,
	    COUNTER_DISCARD_BYTES, COUNTER_LATENCY_DISCARD },
};

static void
account_ok(struct serve *s, const struct request *r)
{
	size_t i = 0;

	while (account_row[i].type != r->type)
		i++;
	serve_count(s, account_row[i].requests, 1);
	if (account_row[i].bytes != COUNTER_COUNT)
		serve_count(s, account_row[i].bytes, (int64_t)r->bytes);
	if (account_row[i].latency != COUNTER_LATENCY_COUNT)
		counter_latency(s->counters, account_row[i].latency,
		    s->now_ns - r->taken_ns);
}

static void
account(struct serve *s, const struct request *r)
{
	if (r->answer == VIRTIO_BLK_S_OK)
		account_ok(s, r);
	else if (r->answer == VIRTIO_BLK_S_UNSUPP)
		serve_count(s, COUNTER_UNSUPPORTED, 1);
	else
		serve_count(s, COUNTER_IO_ERRORS, 1);
}

/*
 * Without a write cache a write is stable before its used element is
 * published: one fdatasync a batch.  When that fails, so do the writes.
 */
static void
make_stable(struct serve *s)
{
	struct request *r;
	bool writes = false;
	int ret;

	if (shared_load(&s->disk->writeback))
		return;
	for (r = s->done; r != NULL; r = r->next)
		writes |= r->answer == VIRTIO_BLK_S_OK && exec_is_write(r);
	if (!writes)
		return;
	serve_beat(s, STATE_BEAT_IN_IO);
	ret = backing_flush(s->disk->backing);
	serve_beat(s, STATE_BEAT_RUNS);
	if (ret == 0)
		return;
	serve_complain(s, "making writes stable", errno);
	for (r = s->done; r != NULL; r = r->next)
		if (r->answer == VIRTIO_BLK_S_OK && exec_is_write(r))
			exec_answer(r, VIRTIO_BLK_S_IOERR);
}

/* How many of the like finish within our patience? */
static void
adapt(struct serve *s, uint64_t then_ns, unsigned n)
{
	uint64_t each = n == 0 ? 1 : (s->now_ns - then_ns) / n + 1;
	uint64_t max = PATIENCE_NS / each;

	s->each_ns = each;
	s->batch_max = max < 1 ? 1 :
	    max > SERVE_BATCH ? SERVE_BATCH : (unsigned)max;
}

void
serve_publish(struct serve *s)
{
	struct state_used batch[SERVE_BATCH_MAX];
	uint64_t then_ns = s->now_ns;
	struct request *r;
	uint16_t n = 0;

	if (s->done == NULL)
		return;
	make_stable(s);
	for (r = s->done; r != NULL; r = r->next) {
		shared_store(r->status, r->answer);
		batch[n++] = (struct state_used) {
			.s_id = r->head, .s_len = r->used_len,
		};
	}
	inflight_publish(&s->inflight, &s->vq, batch, n);
	s->now_ns = serve_clock();
	for (r = s->done; r != NULL; r = r->next)
		account(s, r);
	s->done = NULL;
	s->done_last = &s->done;
	s->ndone = 0;
	adapt(s, then_ns, n);
	interrupt(s, n);
}
