/* SPDX-License-Identifier: ISC */
/*
 * The inflight buffer: a blkd that is killed under load, or whose front-end
 * goes away, and what the next one makes of it.  Nothing is lost, nothing
 * comes twice, and what was written is there.
 */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <linux/virtio_blk.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blkd/vhost_harness.h"
#include "shm/memfd.h"
#include "shm/shared.h"
#include "util/fd.h"

#define CASE(name)				\
	ATF_TC_WITHOUT_HEAD(name);		\
	ATF_TC_BODY(name, tc)

#define SLOTS		(HARNESS_NUM / RING_SLOT_DESCS)
#define BYTES		4096u
#define SECTORS		(BYTES / 512)

/* The driver's view: each slot writes its own blocks, over and over. */
struct load {
	struct vhost_harness	*h;
	bool			 busy[SLOTS];
	uint32_t		 generation[SLOTS];
	uint64_t		 done;
};

static void
issue(struct load *l, unsigned slot)
{
	struct ring_harness *r = &l->h->ring;
	uint32_t *word;
	size_t i;

	ring_harness_request(r, slot, VIRTIO_BLK_T_OUT, slot * SECTORS,
	    BYTES);
	l->generation[slot]++;
	word = (uint32_t *)(void *)ring_harness_data(r, slot);
	for (i = 0; i < BYTES / sizeof(*word); i++)
		word[i] = l->generation[slot];
	l->busy[slot] = true;
	ring_harness_offer(r, ring_harness_head(slot));
}

/* What the newest write of a slot left in the backing. */
static void
check_block(struct load *l, unsigned slot)
{
	uint32_t block[128];
	unsigned i;

	for (i = 0; i < SECTORS; i++) {
		ring_harness_sector(&l->h->ring, slot * SECTORS + i,
		    (uint8_t *)block);
		ATF_REQUIRE_EQ(l->generation[slot], block[0]);
		ATF_REQUIRE_EQ(l->generation[slot], block[127]);
	}
}

/* Take what is there: each completion is of a request in flight, once. */
static unsigned
reap(struct load *l)
{
	struct ring_harness *r = &l->h->ring;
	struct virtq_used_elem e;
	unsigned n = 0, slot;

	while (shared_load_acquire(&r->used->g_idx) != r->used_idx) {
		e = ring_harness_take_used(r);
		ATF_REQUIRE_EQ(0, e.g_id % RING_SLOT_DESCS);
		slot = e.g_id / RING_SLOT_DESCS;
		ATF_REQUIRE(slot < SLOTS);
		ATF_REQUIRE_MSG(l->busy[slot], "slot %u comes twice", slot);
		ATF_REQUIRE_EQ(VIRTIO_BLK_S_OK, ring_harness_status(r, slot));
		l->busy[slot] = false;
		check_block(l, slot);
		l->done++;
		n++;
	}
	return n;
}

static void
issue_all(struct load *l)
{
	unsigned slot;

	for (slot = 0; slot < SLOTS; slot++)
		if (!l->busy[slot])
			issue(l, slot);
	ring_harness_kick(&l->h->ring);
}

static void
wait_some(struct load *l)
{
	struct pollfd p = { .fd = l->h->ring.disk.irqfd, .events = POLLIN };

	while (reap(l) == 0) {
		ATF_REQUIRE_MSG(poll(&p, 1, 20000) == 1,
		    "nothing comes after %ju requests", (uintmax_t)l->done);
		(void)ring_harness_irqs(&l->h->ring);
	}
}

static void
wait_all(struct load *l)
{
	unsigned slot;

	for (slot = 0; slot < SLOTS; slot++)
		while (l->busy[slot])
			wait_some(l);
}

/*
 * As QEMU does after a broken connection: the base is the used index, and
 * the buffer tells the truth.
 */
static void
connect_again(struct vhost_harness *h)
{
	harness_connect(h);
	harness_negotiate(h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	if (h->inflightfd == -1)
		harness_get_inflight(h);
	harness_set_inflight(h);
	harness_memory(h);
	harness_ring(h, 0, shared_load(&h->ring.used->g_idx));
	harness_sync(h);
}

/* Somebody kills it, some time from now. */
static pid_t
send_killer(pid_t victim, long us)
{
	const struct timespec ts = { 0, us * 1000 };
	pid_t pid = fork();

	ATF_REQUIRE(pid != -1);
	if (pid == 0) {
		nanosleep(&ts, NULL);
		kill(victim, SIGKILL);
		_exit(0);
	}
	return pid;
}

/* Requests without a pause, until blkd is dead. */
static void
load_until_dead(struct load *l, long us)
{
	pid_t killer = send_killer(l->h->pid, us);
	int status;

	while (waitpid(l->h->pid, &status, WNOHANG) == 0) {
		issue_all(l);
		(void)reap(l);
	}
	harness_killed(l->h);
	ATF_REQUIRE_EQ(killer, waitpid(killer, &status, 0));
}

static void
kill_under_load(struct vhost_harness *h, const char *const *more,
    unsigned kills)
{
	struct load load = { .h = h };
	unsigned i, rounds;

	harness_spawn(h, more);
	connect_again(h);
	for (i = 0; i < kills; i++) {
		/* More than a ring of them, so that none sees three deaths. */
		for (rounds = 0; rounds < 20 + i % 7; rounds++) {
			issue_all(&load);
			wait_some(&load);
		}
		load_until_dead(&load, 100 + i * 37 % 1500);
		harness_spawn(h, more);
		connect_again(h);
	}
	wait_all(&load);
	issue_all(&load);
	wait_all(&load);
	printf("%ju requests, %u kills, some run again: %s\n",
	    (uintmax_t)load.done, kills,
	    harness_has_said("run again") ? "yes" : "no");
}

CASE(kill__under_load_sync)
{
	static const char *const more[] = { "-e", "sync", NULL };
	struct vhost_harness h;

	(void)tc;
	harness_make(&h);
	kill_under_load(&h, more, 60);
	harness_free(&h);
}

CASE(kill__under_load_threads)
{
	static const char *const more[] = { "-e", "sync", "-t", "8,0", NULL };
	struct vhost_harness h;

	(void)tc;
	harness_make(&h);
	kill_under_load(&h, more, 60);
	harness_free(&h);
}

CASE(kill__under_load_uring)
{
	static const char *const more[] = { "-e", "uring", NULL };
	struct vhost_harness h;

	(void)tc;
	harness_make(&h);
	kill_under_load(&h, more, 60);
	harness_free(&h);
}

CASE(kill__under_load_mmap)
{
	static const char *const more[] = { "-e", "mmap", NULL };
	struct vhost_harness h;

	(void)tc;
	harness_make(&h);
	kill_under_load(&h, more, 60);
	harness_free(&h);
}

/* Whoever keeps the socket starts the next one, as systemd would. */
CASE(kill__under_load_activated)
{
	struct vhost_harness h;

	(void)tc;
	harness_make(&h);
	harness_listen(&h, true);
	kill_under_load(&h, NULL, 20);
	harness_free(&h);
}

/* The connection goes and the process stays. */
CASE(connection__broken_under_load)
{
	struct vhost_harness h;
	struct load load = { .h = &h };
	unsigned i;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	connect_again(&h);
	for (i = 0; i < 25; i++) {
		issue_all(&load);
		wait_some(&load);
		issue_all(&load);
		harness_disconnect(&h);
		connect_again(&h);
	}
	wait_all(&load);
	harness_free(&h);
}

/* Stopped and started: GET_VRING_BASE says where to go on. */
CASE(ring__stopped_under_load)
{
	struct vhost_harness h;
	struct load load = { .h = &h };
	uint16_t base;
	unsigned i;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	connect_again(&h);
	for (i = 0; i < 25; i++) {
		issue_all(&load);
		wait_some(&load);
		issue_all(&load);
		base = harness_base(&h);
		/* Nothing is in flight: what was taken was answered. */
		ATF_CHECK_EQ(base, shared_load(&h.ring.used->g_idx));
		harness_ring(&h, 0, base);
	}
	wait_all(&load);
	harness_free(&h);
}

/* Memory comes and goes while the ring runs. */
CASE(memory__changes_under_load)
{
	struct vhost_mem_single s = { .m_region = { RING_MEMORY, 1 << 20,
	    HARNESS_ADDRESS + RING_MEMORY, 0 } };
	struct vhost_harness h;
	struct load load = { .h = &h };
	unsigned i;
	int fd;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	fd = memfd_make("more", 1 << 20);
	connect_again(&h);
	for (i = 0; i < 25; i++) {
		issue_all(&load);
		harness_send(&h, VHOST_ADD_MEM_REG, &s, sizeof(s), &fd, 1);
		issue_all(&load);
		wait_some(&load);
		harness_memory(&h);
		harness_send(&h, VHOST_ADD_MEM_REG, &s, sizeof(s), &fd, 1);
		issue_all(&load);
		harness_send(&h, VHOST_REM_MEM_REG, &s, sizeof(s), NULL, 0);
		harness_sync(&h);
	}
	wait_all(&load);
	close(fd);
	harness_free(&h);
}

/* A journal that lies: the ring is not served, all else is. */
CASE(inflight__hostile_journal)
{
	struct vhost_harness h;
	struct state *s;
	eventfd_t errors;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	harness_connect(&h);
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	harness_get_inflight(&h);
	s = memfd_map(h.inflightfd, h.inflight.m_bytes, true);
	ATF_REQUIRE(s != NULL);
	memset(&s->queue[0], 0xff, sizeof(s->queue[0]));
	s->queue[0].s_ready = 1;
	connect_again(&h);
	harness_wait_said("ring 0 is not served");
	ATF_CHECK_EQ(0, eventfd_read(h.errfd, &errors));
	/* Stopped, it starts afresh. */
	(void)harness_base(&h);
	harness_ring(&h, 0, 0);
	ring_harness_request(&h.ring, 0, VIRTIO_BLK_T_IN, 0, 512);
	ATF_CHECK_EQ(VIRTIO_BLK_S_OK, ring_harness_run(&h.ring, 0, NULL));
	memfd_unmap(s, h.inflight.m_bytes);
	harness_free(&h);
}

static unsigned
times_said(const char *what)
{
	static char text[1 << 20];
	int fd = open(HARNESS_LOG, O_RDONLY | O_CLOEXEC);
	unsigned times = 0;
	const char *at;
	ssize_t n;

	ATF_REQUIRE(fd != -1);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	for (at = text; (at = strstr(at, what)) != NULL; at++)
		times++;
	return times;
}

/* A journal says what it likes of deaths, and brings no line for each. */
CASE(inflight__journal_of_many_deaths)
{
	struct vhost_harness h;
	struct state *s;
	time_t began;
	unsigned i;

	(void)tc;
	harness_make(&h);
	harness_spawn(&h, NULL);
	harness_connect(&h);
	harness_negotiate(&h, HARNESS_FEATURES, VHOST_PROTOCOL_OFFERED);
	harness_get_inflight(&h);
	s = memfd_map(h.inflightfd, h.inflight.m_bytes, true);
	ATF_REQUIRE(s != NULL);
	for (i = 0; i < SLOTS; i++) {
		ring_harness_request(&h.ring, i, VIRTIO_BLK_T_IN, i, 512);
		ring_harness_offer(&h.ring, ring_harness_head(i));
		s->queue[0].s_inflight[ring_harness_head(i)] =
		    state_inflight_word(i + 1, 3, 1);
	}
	ring_harness_show(&h.ring);
	s->queue[0].s_ready = 1;
	began = time(NULL);
	connect_again(&h);
	ring_harness_wait_used(&h.ring, SLOTS);
	for (i = 0; i < SLOTS; i++)
		ATF_CHECK_EQ(VIRTIO_BLK_S_IOERR,
		    ring_harness_status(&h.ring, i));
	ATF_CHECK(times_said("in flight in 3 deaths") >= 1);
	ATF_CHECK(times_said("in flight in 3 deaths") <=
	    2 + (unsigned)(time(NULL) - began));
	memfd_unmap(s, h.inflight.m_bytes);
	harness_free(&h);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, kill__under_load_sync);
	ATF_TP_ADD_TC(tp, kill__under_load_threads);
	ATF_TP_ADD_TC(tp, kill__under_load_uring);
	ATF_TP_ADD_TC(tp, kill__under_load_mmap);
	ATF_TP_ADD_TC(tp, kill__under_load_activated);
	ATF_TP_ADD_TC(tp, connection__broken_under_load);
	ATF_TP_ADD_TC(tp, ring__stopped_under_load);
	ATF_TP_ADD_TC(tp, memory__changes_under_load);
	ATF_TP_ADD_TC(tp, inflight__hostile_journal);
	ATF_TP_ADD_TC(tp, inflight__journal_of_many_deaths);
	return atf_no_error();
}
