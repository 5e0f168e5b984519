/* SPDX-License-Identifier: ISC */
/*
 * The monitor's side of a blkd's control channel, over real channels: the
 * blkds of a disk (the one that serves, a spare, a corpse) send what the
 * input says, in any state of the disk's table.  The disk ends in order,
 * each question of an operator is answered once, no descriptor stays open.
 *
 *	input: steps: what (1 byte; see step), and what that needs
 */
#include <sys/socket.h>

#include <fcntl.h>
#include <unistd.h>

#include <event2/event.h>

#include "proto/chan.h"
#include "shm/memfd.h"
#include "tests/fuzz/doubles.h"
#include "tests/fuzz/fuzz.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"
#include "vmmd/disk_impl.h"

#define MEMORY		(UINT64_C(1) << 20)
#define STEPS_MAX	200u
#define ROUNDS_MAX	64u	/* to the end of a disk that was stopped */

/* --- the world ----------------------------------------------------------- */

struct world {
	struct fuzz_input	 in;
	struct children		 children;
	struct disk_host	 host;
	struct conf_disk	 conf;
	struct disk		*disk;
	unsigned		 asked, answered, gone;
};

static void
on_ready(void *ctx, struct disk *d)
{
	int fd = disk_take_channel(d);

	(void)ctx;
	if (fd != -1)
		close(fd);
}

/* As the monitor does: the machine ends. */
static void
on_failed(void *ctx, struct disk *d, enum exitcode_reason reason)
{
	(void)ctx;
	(void)reason;
	disk_stop(d);
}

static void
on_gone(void *ctx, struct disk *d)
{
	struct world *w = ctx;

	FUZZ_REQUIRE(disk_is_gone(d));
	w->gone++;
}

static void
on_answered(void *ctx, struct disk *d, const struct disk_asker *asker,
    int error, const char *text)
{
	struct world *w = ctx;

	(void)d;
	(void)asker;
	FUZZ_REQUIRE(error == 0 || text[0] != '\0');
	FUZZ_REQUIRE(strlen(text) < PROTO_TEXT_MAX);
	w->answered++;
}

/* What must hold between any two steps. */
static void
check(const struct world *w)
{
	const struct disk *d = w->disk;

	FUZZ_REQUIRE((unsigned)d->state < DISK_STATES);
	switch (d->state) {
	case DISK_OFF:
	case DISK_BACKOFF:
	case DISK_GONE:
		FUZZ_REQUIRE(d->child == NULL);
		break;
	default:
		FUZZ_REQUIRE(d->child != NULL);
		FUZZ_REQUIRE(peer_state(d->child->peer) ==
		    (unsigned)d->state);
	}
	FUZZ_REQUIRE(w->answered <= w->asked);
}

/* All that is ready on the loop, and the reaping. */
static void
settle(struct world *w)
{
	do {
		event_base_loop(w->host.base, EVLOOP_NONBLOCK);
	} while (doubles_sweep(&w->children));
	check(w);
}

/* --- steps --------------------------------------------------------------- */

/* What the monitor has said is dropped, with its descriptors. */
static uint32_t
drain(struct child *c)
{
	uint32_t sequence = 0;
	struct msg m;

	while (chan_recv_nowait(c->theirs, &m) == PROTO_OK) {
		sequence = m.hdr.m_sequence;
		msg_clear(&m);
	}
	return sequence;
}

static void
send_message(struct world *w, struct child *c)
{
	static const enum proto_type types[] = {
		PROTO_BLK_READY, PROTO_BLK_FAIL, PROTO_BLK_PONG,
		PROTO_BLK_REPLACE, PROTO_BLK_PAUSED, PROTO_BLK_RESUMED,
		PROTO_BLK_LIMITED, PROTO_BLK_RESIZED, PROTO_BLK_FAULTED,
	};
	uint8_t type = fuzz_u8(&w->in), n = fuzz_u8(&w->in), changes[255];
	const struct proto_fact *fact;
	uint32_t sequence = drain(c);
	struct msg m;
	unsigned i;

	fact = type < 0xe0 ? proto_fact(types[type % 9]) :
	    proto_fact_at(type % 20);
	n = type & 0x10 ? n : 0;
	fuzz_take(&w->in, changes, n);
	memset(&m, 0, sizeof(m));
	chan_header(&m.hdr, (enum proto_type)fact->type,
	    sequence != 0 ? sequence : w->disk->command.sequence);
	if (fact->type == PROTO_BLK_READY)
		m.ready.m_layers = PROTO_LAYERS;
	if (fact->type == PROTO_BLK_REPLACE)
		m.replace.m_reason = PROTO_REPLACE_RESET;
	for (i = 0; i < n; i++)
		m.bytes[(sizeof(m.hdr) + i) % fact->size] ^= changes[i];
	(void)send(c->theirs, m.bytes, fact->size,
	    MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
fire(struct event *timer)
{
	if (!event_pending(timer, EV_TIMEOUT, NULL))
		return;
	event_del(timer);
	event_active(timer, EV_TIMEOUT, 1);
}

static void
pass_time(struct disk *d, uint8_t which)
{
	struct event *timer[] = {
		d->timer, d->spare_timer, d->watch_timer, d->corpse_timer,
		d->command.timer,
	};

	fire(timer[which % 5]);
}

static void
ask(struct world *w)
{
	struct disk_asker asker = { .client = 1, .sequence = w->asked };
	struct proto_vm_ask a;

	memset(&a, 0, sizeof(a));
	/* THROTTLE to FAULT, as operator.c lets through; UPGRADE for STOP. */
	a.m_verb = PROTO_VERB_THROTTLE + fuzz_u8(&w->in) % 6u;
	if (a.m_verb == PROTO_VERB_STOP)
		a.m_verb = PROTO_VERB_UPGRADE;
	a.m_set = fuzz_u8(&w->in) & PROTO_LIMIT_BITS;
	a.m_fault.m_action = PROTO_FAULT_FIRST;
	w->asked++;
	disk_ask(w->disk, &a, &asker);
}

/* The children by age, the youngest first. */
static struct child *
child_at(const struct world *w, unsigned n)
{
	struct child *c = w->children.first;

	while (c != NULL && n-- > 0)
		c = c->next;
	return c;
}

static void
step(struct world *w)
{
	uint8_t what = fuzz_u8(&w->in), junk[64];
	struct child *c = child_at(w, what >> 4 & 3);
	struct fencewatch *f = w->disk->fence;

	if ((what & 0xf) < 8) {
		if (c != NULL && c->theirs != -1)
			send_message(w, c);
	} else if ((what & 0xf) < 10) {
		pass_time(w->disk, fuzz_u8(&w->in));
	} else if ((what & 0xf) == 10) {
		if (c != NULL && (c->killed || what & 0x40))
			doubles_die(c, c->killed ? 9 :
			    what & 0x80 ? 0 : 77 << 8);
	} else if ((what & 0xf) == 11) {
		if (f->waits) {
			f->waits = false;
			f->down(f->ctx);
		}
	} else if ((what & 0xf) == 12) {
		ask(w);
	} else if ((what & 0xf) == 13) {
		fuzz_take(&w->in, junk, sizeof(junk));
		if (c != NULL && c->theirs != -1)
			(void)send(c->theirs, junk, what >> 2, MSG_DONTWAIT |
			    MSG_NOSIGNAL);
	} else if ((what & 0xf) == 14) {
		if (c != NULL && c->theirs != -1)
			shutdown(c->theirs, SHUT_RDWR);
	} else if (what == 0xff) {
		disk_stop(w->disk);
	} else {
		disk_replace(w->disk, "a register access is stuck");
	}
	settle(w);
}

/* Stopped, and every blkd dies: nothing is left. */
static void
end(struct world *w)
{
	unsigned round, i;
	struct child *c;

	disk_stop(w->disk);
	for (round = 0; round < ROUNDS_MAX && !disk_is_gone(w->disk);
	    round++) {
		for (i = 0; i < 5; i++)
			pass_time(w->disk, (uint8_t)i);
		for (c = w->children.first; c != NULL; c = c->next)
			doubles_die(c, 9);
		settle(w);
	}
	FUZZ_REQUIRE(disk_is_gone(w->disk) && w->gone == 1);
	FUZZ_REQUIRE(w->children.first == NULL);
	FUZZ_REQUIRE(w->answered == w->asked);
}

static void
run(struct event_base *base, const char *image, const uint8_t *data,
    size_t size)
{
	struct world w = { .in = { data, size } };
	unsigned i;

	w.children.base = base;
	w.conf = (struct conf_disk) {
		.name = "vda", .queues = 2, .queue_size = 64,
		.block_size = 512, .faults = true,
	};
	snprintf(w.conf.path, sizeof(w.conf.path), "%s", image);
	w.host = (struct disk_host) {
		.base = base, .children = &w.children, .blkd = "blkd",
		.strict = size & 1,
		.gmem_fd = memfd_make("gmem", MEMORY), .memory = MEMORY,
		.attach_ms = 60000, .healthy_ms = 60000, .spare_ms = 60000,
		.hang_ms = 60000, .ctx = &w, .ready = on_ready,
		.failed = on_failed, .gone = on_gone,
		.answered = on_answered,
	};
	FUZZ_REQUIRE(disk_new(&w.host, &w.conf, 0, &w.disk) ==
	    EXITCODE_NONE);
	disk_start(w.disk);
	settle(&w);
	for (i = 0; i < STEPS_MAX && w.in.left > 0; i++)
		step(&w);
	end(&w);
	disk_free(w.disk);
	close(w.host.gmem_fd);
}

static int
lowest_free(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	static char image[64];
	int fd, lowest;

	if (base == NULL) {
		base = event_base_new();
		/* No name in a directory: opened again through /proc. */
		fd = memfd_make("image", 1 << 20);
		FUZZ_REQUIRE(base != NULL && fd != -1);
		snprintf(image, sizeof(image), "/proc/self/fd/%d", fd);
	}
	lowest = lowest_free();
	run(base, image, data, size);
	FUZZ_REQUIRE(lowest_free() == lowest);
	return 0;
}
