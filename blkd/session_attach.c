/* SPDX-License-Identifier: ISC */
/*
 * From ATTACH to a disk that serves, at once or after standing by.  Runs in
 * blkd, register thread, inside the sandbox, which is narrowed here; the
 * monitor is believed in what it wants (attach.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "blkd/attach.h"
#include "blkd/backing.h"
#include "blkd/engine.h"
#include "blkd/faults.h"
#include "blkd/fence.h"
#include "blkd/filemap.h"
#include "blkd/limiter.h"
#include "blkd/regs.h"
#include "blkd/session_impl.h"
#include "blkd/throttle.h"
#include "blkd/uring.h"
#include "shm/shared.h"
#include "shm/state.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sandbox.h"

/* Where the host gives no limits at all, that was said at the start. */
static int
limit_file(struct session *s)
{
	if (sandbox_limit_file(s->disk.sectors * 512) == 0)
		return 0;
	return (s->layers & PROTO_LAYER_RLIMITS) != 0 ? -1 : 0;
}

static int
choose_mmap(struct session *s, struct attach_failure *failure)
{
	const struct backing *b = s->disk.backing;
	int64_t bytes = backing_size(b);

	errno = backing_is_direct(b) ? EINVAL : errno;
	if (bytes != -1 && !backing_is_direct(b))
		s->disk.map = filemap_make(backing_fd(b), (uint64_t)bytes,
		    s->disk.readonly);
	if (s->disk.map == NULL) {
		attach_fail(failure, "engine = mmap: the image cannot be"
		    " mapped: set direct = no, or engine = sync");
		return -1;
	}
	s->disk.engine = &engine_mmap;
	return 0;
}

/* Faults on purpose have an engine of their own, which is synchronous. */
static int
choose_engine(struct session *s, uint32_t wanted,
    struct attach_failure *failure)
{
	int error = uring_error(s->uring);

	if (wanted == PROTO_ENGINE_SYNC || s->faults != NULL)
		return 0;
	if (wanted == PROTO_ENGINE_MMAP)
		return choose_mmap(s, failure);
	if (error == 0) {
		s->disk.uring = s->uring;
		s->disk.engine = &engine_uring;
		return 0;
	}
	errno = error;
	if (wanted == PROTO_ENGINE_AUTO) {
		log_warning("io_uring cannot be had: %s: engine sync takes its"
		    " place", strerror(errno));
		return 0;
	}
	attach_fail(failure, "engine = uring: allow io_uring here, or set"
	    " engine = sync");
	return -1;
}

/*
 * All of ATTACH that can be done beside a predecessor that serves: nothing
 * that it or the guest can see.  What fails leaves it to session_free.
 */
static int
prepare(struct session *s, struct msg *m, struct attach_failure *failure)
{
	uint32_t missing = sandbox_missing(s->layers);
	char names[SANDBOX_WHY_MAX];
	int mmio;

	if (m->attach.m_flags & PROTO_DISK_STRICT && missing != 0) {
		errno = EPERM;
		sandbox_layer_names(missing, names, sizeof(names));
		attach_fail(failure, "the sandbox is strict, and lacks %s",
		    names);
		return -1;
	}
	if (attach_disk(m, &s->disk, &mmio, failure) == -1)
		return -1;
	if ((s->fence = fence_prepare(&s->disk.state->fence[0])) == NULL)
		log_warning("no fence: %s", strerror(errno));
	s->disk.faults = s->faults;
	if (s->faults != NULL && faults_start(s->faults, s->eventfd) == -1) {
		attach_fail(failure, "faults cannot be injected");
		fd_close(&mmio);
		return -1;
	}
	s->mmio = peer_new(s->base, mmio, &session_mmio_role, s);
	if (choose_engine(s, m->attach.m_engine, failure) == -1)
		return -1;
	if (s->mmio == NULL ||
	    (s->regs = regs_make(&s->disk, s->eventfd)) == NULL) {
		attach_fail(failure, "the queues cannot be made");
		return -1;
	}
	if (limit_file(s) == -1 ||
	    sandbox_narrow(s->sandbox) == -1) {
		attach_fail(failure, "the sandbox cannot be narrowed");
		return -1;
	}
	return 0;
}

static void
send_fail(struct session *s, uint32_t sequence,
    const struct attach_failure *failure)
{
	struct proto_fail m = { .m_errno = failure->errnum };

	memcpy(m.m_text, failure->text, sizeof(m.m_text));
	/* For the monitor to say, once. */
	log_debug("cannot attach: %s", failure->text);
	(void)peer_answer(s->control, sequence, PROTO_BLK_FAIL, &m, NULL, 0);
}

static enum proto_engine
engine_now(const struct session *s)
{
	return s->disk.engine == &engine_uring ? PROTO_ENGINE_URING :
	    s->disk.engine == &engine_mmap ? PROTO_ENGINE_MMAP :
	    PROTO_ENGINE_SYNC;
}

/* The disk is ours: recover, serve, say so. */
static void
begin(struct session *s, uint32_t sequence, uint32_t flags,
    uint32_t incarnation)
{
	struct proto_blk_ready ready = { .m_layers = s->layers };

	fence_take(s->fence);
	regs_hold(s->regs);
	s->serves = true;
	if (flags & PROTO_DISK_PAUSED)
		regs_pause(s->regs);
	ready.m_replayed = regs_recover(s->regs, incarnation);
	ready.m_capacity = shared_load(&s->disk.sectors);
	ready.m_engine = engine_now(s);
	session_set_state(s, flags & PROTO_DISK_PAUSED ? PAUSED : RUNNING);
	(void)peer_answer(s->control, sequence, PROTO_BLK_READY, &ready,
	    NULL, 0);
	log_info("ready: %llu sectors, %u queues, %u requests run again",
	    (unsigned long long)ready.m_capacity, s->disk.queues,
	    ready.m_replayed);
}

void
session_on_attach(void *arg, struct msg *m)
{
	struct session *s = arg;
	struct attach_failure failure;
	bool standby = (m->attach.m_flags & PROTO_DISK_STANDBY) != 0;

	if (!standby)
		setproctitle("-blkd: %s", m->attach.m_name);
	if (prepare(s, m, &failure) == -1) {
		send_fail(s, m->hdr.m_sequence, &failure);
		session_end(s, EX_CONFIG);
	} else if (standby) {
		session_set_state(s, STANDING);
		session_answer(s->control, m->hdr.m_sequence, PROTO_BLK_STANDING);
	} else
		begin(s, m->hdr.m_sequence, m->attach.m_flags,
		    m->attach.m_incarnation);
}

/* What may have changed while it stood by is looked at again. */
void
session_on_take_over(void *arg, struct msg *m)
{
	struct session *s = arg;
	struct attach_failure failure;
	struct throttle_limits limits;
	int64_t bytes = backing_size(s->disk.backing);

	attach_limits(&m->take_over.m_limits, &limits);
	if (bytes == -1 || throttle_check(&limits) != NULL) {
		attach_fail(&failure, bytes == -1 ? "the backing has no size" :
		    "the limits cannot be set");
		send_fail(s, m->hdr.m_sequence, &failure);
		session_end(s, EX_CONFIG);
		return;
	}
	s->disk.sectors = disk_sectors(&s->disk, bytes);
	limiter_recover(s->disk.limiter, &limits);
	begin(s, m->hdr.m_sequence, m->take_over.m_flags,
	    m->take_over.m_incarnation);
	setproctitle("-blkd: %s", s->disk.name);
}

/* Faults on purpose: the memory in which a predecessor may have left some. */
void
session_on_faults(void *arg, struct msg *m)
{
	struct session *s = arg;
	struct attach_failure failure;
	int fd = msg_take_fd(m, 0);

	faults_close(s->faults);
	s->faults = faults_open(fd);
	if (s->faults == NULL) {
		attach_fail(&failure, "the memory of faults must be a sealed"
		    " memfd of its size");
		send_fail(s, m->hdr.m_sequence, &failure);
		session_end(s, EX_CONFIG);
	}
	fd_close(&fd);
}
