/* SPDX-License-Identifier: ISC */
/*
 * Tests of vmmd/machine.c: a machine with child_double for its vm process.
 * Nothing here sleeps: each step ends with a callback, or after LIMIT_S.
 */
#include <atf-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "shm/memfd.h"
#include "util/log.h"
#include "vmmd/children.h"
#include "vmmd/conf.h"
#include "vmmd/machine.h"

#define LIMIT_S		15
#define MEMORY		(UINT64_C(2) << 20)

struct world {
	struct event_base	*base;
	struct machine_host	 host;
	struct conf_vm		 conf;
	struct machine		*machine;
	bool			 ready;
	int			 ended;		/* the reason; -1: not yet */
	bool			 gone;
};

static void
on_ready(void *ctx)
{
	struct world *w = ctx;

	w->ready = true;
	event_base_loopbreak(w->base);
}

static void
on_ended(void *ctx, enum exitcode_reason reason, uint32_t detail)
{
	struct world *w = ctx;

	(void)detail;
	ATF_CHECK_EQ(-1, w->ended);
	w->ended = (int)reason;
}

static void
on_gone(void *ctx)
{
	struct world *w = ctx;

	w->gone = true;
	event_base_loopbreak(w->base);
}

/* What the double does not send is not heard. */
static void
set_up(struct world *w, const char *name, bool strict)
{
	static char path[4096];

	*w = (struct world) { .ended = -1 };
	ATF_REQUIRE(getenv("VMMD_BUILDDIR") != NULL);
	snprintf(path, sizeof(path), "%s/vmmd/child_double",
	    getenv("VMMD_BUILDDIR"));
	log_open("test", LOG_TO_STDERR, LOG_LEVEL_DEBUG);
	w->conf.memory = MEMORY;
	w->conf.vcpus = 1;
	snprintf(w->conf.name, sizeof(w->conf.name), "%s", name);
	ATF_REQUIRE((w->base = event_base_new()) != NULL);
	w->host = (struct machine_host) {
		.base = w->base, .children = children_new(w->base),
		.vmmd = path, .conf = &w->conf, .strict = strict,
		.gmem_fd = memfd_make("gmem", MEMORY), .initrd_fd = -1,
		.ctx = w, .ready = on_ready, .ended = on_ended,
		.gone = on_gone,
	};
	ATF_REQUIRE(w->host.children != NULL && w->host.gmem_fd != -1);
	w->host.kvm_fd = w->host.kernel_fd = w->host.gmem_fd;
	w->host.serial_in = w->host.serial_out = w->host.gmem_fd;
	w->machine = machine_start(&w->host, NULL, 0);
	ATF_REQUIRE(w->machine != NULL);
}

static void
step(struct world *w)
{
	struct timeval limit = { LIMIT_S, 0 };

	event_base_loopexit(w->base, &limit);
	event_base_dispatch(w->base);
	ATF_REQUIRE_MSG(w->ready || w->gone, "nothing in %d s", LIMIT_S);
}

static void
tear_down(struct world *w)
{
	children_free(w->host.children);
	machine_free(w->machine);
	close(w->host.gmem_fd);
	event_base_free(w->base);
}

/* The vm process refuses by itself; this is for one that does not. */
ATF_TC_WITHOUT_HEAD(strict__unboxed_does_not_start);
ATF_TC_BODY(strict__unboxed_does_not_start, tc)
{
	struct world w;

	(void)tc;
	set_up(&w, "bare", true);
	step(&w);
	ATF_CHECK(!w.ready);
	ATF_CHECK(w.gone && machine_is_gone(w.machine));
	ATF_CHECK_EQ(EXITCODE_SANDBOX, w.ended);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(strict__boxed_starts);
ATF_TC_BODY(strict__boxed_starts, tc)
{
	struct world w;

	(void)tc;
	set_up(&w, "good", true);
	step(&w);
	ATF_CHECK(w.ready);
	ATF_CHECK_EQ(-1, w.ended);
	tear_down(&w);
}

ATF_TC_WITHOUT_HEAD(best_effort__unboxed_starts);
ATF_TC_BODY(best_effort__unboxed_starts, tc)
{
	struct proto_machine_status status = { .m_layers = 0 };
	struct world w;

	(void)tc;
	set_up(&w, "bare", false);
	step(&w);
	ATF_CHECK(w.ready);
	machine_status(w.machine, &status);
	ATF_CHECK_EQ(PROTO_LAYERS & ~PROTO_LAYER_LANDLOCK, status.m_layers);
	tear_down(&w);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, strict__unboxed_does_not_start);
	ATF_TP_ADD_TC(tp, strict__boxed_starts);
	ATF_TP_ADD_TC(tp, best_effort__unboxed_starts);
	return atf_no_error();
}
