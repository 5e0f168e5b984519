/* SPDX-License-Identifier: ISC */
/*
 * Tests of vmmd/disk_command.c: a disk with child_double for its blkd, which
 * confirms what it is told, or with the serial number "deaf" nothing.
 */
#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "shm/memfd.h"
#include "util/log.h"
#include "vmmd/children.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"

#define LIMIT_S		15
#define MEMORY		(UINT64_C(2) << 20)
#define IMAGE		"image"

struct world {
	struct event_base	*base;
	struct disk_host	 host;
	struct conf_disk	 conf;
	struct disk		*disk;
	struct proto_disk_status status;
	int			 ready;
	int			 gone;
	int			 answered;
	uint32_t		 client;	/* of the last answer */
	int			 error;
};

static bool allow_faults;	/* of the disk that set_up makes */

static void
on_ready(void *ctx, struct disk *disk)
{
	struct world *w = ctx;

	(void)disk;
	w->ready++;
}

static void
on_failed(void *ctx, struct disk *disk, enum exitcode_reason reason)
{
	(void)ctx;
	(void)disk;
	atf_tc_fail("failed: %d", (int)reason);
}

static void
on_gone(void *ctx, struct disk *disk)
{
	struct world *w = ctx;

	(void)disk;
	w->gone++;
}

static void
on_answered(void *ctx, struct disk *disk, const struct disk_asker *asker,
    int error, const char *text)
{
	struct world *w = ctx;

	(void)disk;
	ATF_CHECK_EQ_MSG(error == 0, text[0] == '\0', "%d: %s", error, text);
	w->answered++;
	w->client = asker->client;
	w->error = error;
}

static void
set_up(struct world *w, const char *serial)
{
	static char path[4096];
	int fd = open(IMAGE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	*w = (struct world) { .error = -1 };
	ATF_REQUIRE(fd != -1 && ftruncate(fd, 1 << 20) == 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/vmmd/child_double",
	    getenv("VMMD_BUILDDIR"));
	log_open("test", LOG_TO_STDERR, LOG_LEVEL_DEBUG);
	w->conf = (struct conf_disk) {
		.name = "vda", .path = IMAGE, .queues = 1, .queue_size = 64,
		.block_size = 512, .limits = { .m_ops_rate = 100 },
	};
	w->conf.faults = allow_faults;
	snprintf(w->conf.serial, sizeof(w->conf.serial), "%s", serial);
	ATF_REQUIRE((w->base = event_base_new()) != NULL);
	w->host = (struct disk_host) {
		.base = w->base, .children = children_new(w->base),
		.blkd = path, .gmem_fd = memfd_make("gmem", MEMORY),
		.memory = MEMORY, .ctx = w,
		.ready = on_ready, .failed = on_failed, .gone = on_gone,
		.answered = on_answered,
	};
	ATF_REQUIRE(w->host.children != NULL && w->host.gmem_fd != -1);
	ATF_REQUIRE_EQ(EXITCODE_NONE, disk_new(&w->host, &w->conf, 0,
	    &w->disk));
}

/* Until *what is n; LIMIT_S at the most. */
static void
until(struct world *w, const int *what, int n)
{
	struct timeval limit = { LIMIT_S, 0 };

	event_base_loopexit(w->base, &limit);
	while (*what < n && !event_base_got_exit(w->base))
		event_base_loop(w->base, EVLOOP_ONCE);
	ATF_REQUIRE_MSG(*what == n, "%d, not %d, in state %s", *what, n,
	    disk_state_name(w->disk));
}

static void
start(struct world *w)
{
	disk_start(w->disk);
	until(w, &w->ready, 1);
}

static void
tear_down(struct world *w)
{
	disk_stop(w->disk);
	until(w, &w->gone, 1);
	disk_free(w->disk);
	children_free(w->host.children);
	close(w->host.gmem_fd);
	event_base_free(w->base);
}

static void
ask(struct world *w, enum proto_verb verb, uint32_t client)
{
	struct proto_vm_ask ask = { .m_verb = verb };
	struct disk_asker asker = { client, 1 };

	disk_ask(w->disk, &ask, &asker);
}

static void
ask_limits(struct world *w, uint32_t set, const struct proto_limits *limits)
{
	struct proto_vm_ask ask = {
		.m_verb = PROTO_VERB_THROTTLE, .m_set = set,
		.m_limits = *limits,
	};
	struct disk_asker asker = { 0, 1 };

	disk_ask(w->disk, &ask, &asker);
}

static const struct proto_disk_status *
status(struct world *w)
{
	disk_status(w->disk, &w->status);
	return &w->status;
}

ATF_TC_WITHOUT_HEAD(command__is_answered_when_confirmed);
ATF_TC_BODY(command__is_answered_when_confirmed, tc)
{
	static const enum proto_verb verbs[] = {
		PROTO_VERB_RESIZE, PROTO_VERB_PAUSE, PROTO_VERB_PAUSE,
		PROTO_VERB_RESUME, PROTO_VERB_RESUME, PROTO_VERB_RESIZE,
	};
	struct world w;
	int i;

	set_up(&w, "good");
	start(&w);
	for (i = 0; i < (int)(sizeof(verbs) / sizeof(verbs[0])); i++) {
		ask(&w, verbs[i], (uint32_t)i);
		until(&w, &w.answered, i + 1);
		ATF_CHECK_EQ(0, w.error);
		ATF_CHECK_EQ((uint32_t)i, w.client);
		ATF_CHECK_EQ(i == 1 || i == 2, status(&w)->m_paused);
	}
	ATF_CHECK_EQ(4711, status(&w)->m_capacity);
	ATF_CHECK_EQ(0, status(&w)->m_deaths);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(command__waits_for_a_blkd);
ATF_TC_BODY(command__waits_for_a_blkd, tc)
{
	struct world w;

	set_up(&w, "good");
	ask(&w, PROTO_VERB_PAUSE, 3);
	ATF_CHECK_EQ(0, w.answered);
	disk_start(w.disk);
	until(&w, &w.answered, 1);
	ATF_CHECK_EQ(1, w.ready);
	ATF_CHECK_EQ(0, w.error);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(command__outlives_a_blkd);
ATF_TC_BODY(command__outlives_a_blkd, tc)
{
	struct world w;
	pid_t pid;

	set_up(&w, "good");
	start(&w);
	pid = status(&w)->m_pid;
	ATF_REQUIRE(pid > 0);
	/* Stopped, it cannot answer before it is killed. */
	kill(pid, SIGSTOP);
	ask(&w, PROTO_VERB_RESIZE, 1);
	kill(pid, SIGKILL);
	until(&w, &w.answered, 1);
	ATF_CHECK_EQ(0, w.error);
	ATF_CHECK_EQ(2, w.ready);
	ATF_CHECK_EQ(1, status(&w)->m_deaths);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(command__second_is_refused);
ATF_TC_BODY(command__second_is_refused, tc)
{
	struct world w;

	set_up(&w, "deaf");
	start(&w);
	ask(&w, PROTO_VERB_RESIZE, 1);
	ask(&w, PROTO_VERB_PAUSE, 2);
	ATF_CHECK_EQ(1, w.answered);
	ATF_CHECK_EQ(2, w.client);
	ATF_CHECK_EQ(EBUSY, w.error);
	ATF_CHECK_EQ(0, status(&w)->m_paused);
	tear_down(&w);
	/* The end answers what waited. */
	ATF_CHECK_EQ(2, w.answered);
	ATF_CHECK_EQ(1, w.client);
	ATF_CHECK_EQ(ESHUTDOWN, w.error);
}

ATF_TC_WITHOUT_HEAD(command__after_stop_is_refused);
ATF_TC_BODY(command__after_stop_is_refused, tc)
{
	struct world w;

	set_up(&w, "good");
	start(&w);
	disk_stop(w.disk);
	ask(&w, PROTO_VERB_PAUSE, 1);
	ATF_CHECK_EQ(1, w.answered);
	ATF_CHECK_EQ(ESHUTDOWN, w.error);
	tear_down(&w);
}

/* A blkd that is busy goes on; one that is deaf is replaced. */
ATF_TC_WITHOUT_HEAD(command__time_is_bounded);
ATF_TC_BODY(command__time_is_bounded, tc)
{
	struct world w;

	set_up(&w, "deaf");
	start(&w);
	ask(&w, PROTO_VERB_PAUSE, 1);
	until(&w, &w.answered, 1);
	ATF_CHECK_EQ(ETIMEDOUT, w.error);
	ATF_CHECK_EQ(0, status(&w)->m_paused);
	ATF_CHECK_EQ(1, w.ready);
	ask(&w, PROTO_VERB_RESIZE, 1);
	until(&w, &w.answered, 2);
	ATF_CHECK_EQ(ETIMEDOUT, w.error);
	until(&w, &w.ready, 2);
	tear_down(&w);
}

/* The RESUME that ends a pause too long is nobody's question. */
ATF_TC_WITHOUT_HEAD(command__late_pause_is_answered_once);
ATF_TC_BODY(command__late_pause_is_answered_once, tc)
{
	struct world w;

	set_up(&w, "busy");
	start(&w);
	ask(&w, PROTO_VERB_PAUSE, 1);
	until(&w, &w.answered, 1);
	ATF_CHECK_EQ(ETIMEDOUT, w.error);
	/* RESUMED comes before the end. */
	tear_down(&w);
	ATF_CHECK_EQ(1, w.answered);
}

ATF_TC_WITHOUT_HEAD(limits__merge_and_must_make_sense);
ATF_TC_BODY(limits__merge_and_must_make_sense, tc)
{
	static const struct {
		uint32_t		set;
		struct proto_limits	limits;
		int			error;
		struct proto_limits	after;
	} rows[] = {
		{ PROTO_LIMIT_OPS_BURST, { .m_ops_burst = 99 }, EINVAL,
		    { .m_ops_rate = 100 } },
		{ PROTO_LIMIT_OPS_BURST, { .m_ops_burst = 100 }, 0,
		    { .m_ops_rate = 100, .m_ops_burst = 100 } },
		{ PROTO_LIMIT_OPS_RATE, { .m_ops_rate = 101 }, EINVAL,
		    { .m_ops_rate = 100, .m_ops_burst = 100 } },
		{ PROTO_LIMIT_BYTES_BURST, { .m_bytes_burst = 1 }, EINVAL,
		    { .m_ops_rate = 100, .m_ops_burst = 100 } },
		{ PROTO_LIMIT_BYTES_RATE, { .m_bytes_rate = UINT64_MAX },
		    EINVAL, { .m_ops_rate = 100, .m_ops_burst = 100 } },
		/* No limit has no burst. */
		{ PROTO_LIMIT_OPS_RATE | PROTO_LIMIT_IOPS_SIZE,
		    { .m_iops_size = 4096 }, 0, { .m_iops_size = 4096 } },
	};
	struct world w;
	size_t i;

	set_up(&w, "good");
	start(&w);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask_limits(&w, rows[i].set, &rows[i].limits);
		until(&w, &w.answered, (int)i + 1);
		ATF_CHECK_EQ_MSG(rows[i].error, w.error, "%zu", i);
		ATF_CHECK_MSG(memcmp(&rows[i].after, &status(&w)->m_limits,
		    sizeof(rows[i].after)) == 0, "%zu", i);
	}
	tear_down(&w);
}

static void
ask_fault(struct world *w, const struct proto_fault *fault)
{
	struct proto_vm_ask ask = {
		.m_verb = PROTO_VERB_FAULT, .m_fault = *fault,
	};
	struct disk_asker asker = { 0, 1 };

	disk_ask(w->disk, &ask, &asker);
}

static const struct proto_fault a_fault = {
	.m_action = PROTO_FAULT_EIO, .m_ops = PROTO_FAULT_READ,
	.m_last = UINT64_MAX, .m_every = 1, .m_ppm = PROTO_FAULT_PPM,
};

ATF_TC_WITHOUT_HEAD(fault__only_where_it_is_allowed);
ATF_TC_BODY(fault__only_where_it_is_allowed, tc)
{
	struct world w;

	set_up(&w, "good");
	start(&w);
	ask_fault(&w, &a_fault);
	ATF_CHECK_EQ(1, w.answered);
	ATF_CHECK_EQ(EINVAL, w.error);
	tear_down(&w);
}

/* The vm process may say anything: only a fault that is one gets a number. */
ATF_TC_WITHOUT_HEAD(fault__gets_a_number);
ATF_TC_BODY(fault__gets_a_number, tc)
{
	struct proto_fault fault = a_fault;
	struct proto_fault_row row[PROTO_FAULTS_MAX];
	struct world w;

	allow_faults = true;
	set_up(&w, "good");
	start(&w);
	fault.m_id = 77;
	ask_fault(&w, &fault);
	until(&w, &w.answered, 1);
	ATF_CHECK_EQ(0, w.error);
	fault.m_ops = 0;
	ask_fault(&w, &fault);
	ATF_CHECK_EQ(2, w.answered);
	ATF_CHECK_EQ(EINVAL, w.error);
	ask_fault(&w, &a_fault);
	until(&w, &w.answered, 3);
	disk_faults(w.disk, row);
	ATF_CHECK_EQ(2, row[0].m_fault.m_id);
	fault.m_action = PROTO_FAULT_CLEAR;
	ask_fault(&w, &fault);
	until(&w, &w.answered, 4);
	ATF_CHECK_EQ(ENOENT, w.error);
	tear_down(&w);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, command__is_answered_when_confirmed);
	ATF_TP_ADD_TC(tp, command__waits_for_a_blkd);
	ATF_TP_ADD_TC(tp, command__outlives_a_blkd);
	ATF_TP_ADD_TC(tp, command__second_is_refused);
	ATF_TP_ADD_TC(tp, command__after_stop_is_refused);
	ATF_TP_ADD_TC(tp, command__time_is_bounded);
	ATF_TP_ADD_TC(tp, command__late_pause_is_answered_once);
	ATF_TP_ADD_TC(tp, limits__merge_and_must_make_sense);
	ATF_TP_ADD_TC(tp, fault__only_where_it_is_allowed);
	ATF_TP_ADD_TC(tp, fault__gets_a_number);
	return atf_no_error();
}
