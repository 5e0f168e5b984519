/* SPDX-License-Identifier: ISC */
/*
 * The start of a blkd behind vhost-user.  Runs in blkd (the inner process of
 * vhost_parent.h): opens and locks the file, shuts itself in, makes the
 * disk, and serves.  It believes its options.
 */
#include <sys/signalfd.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "blkd/attach.h"
#include "blkd/backing.h"
#include "blkd/disk.h"
#include "blkd/engine.h"
#include "blkd/filemap.h"
#include "blkd/limiter.h"
#include "blkd/options.h"
#include "blkd/seccomp_table.h"
#include "blkd/uring.h"
#include "blkd/vhost.h"
#include "blkd/vhost_door.h"
#include "blkd/vhost_fault.h"
#include "blkd/vhost_main.h"
#include "blkd/vhost_parent.h"
#include "config.h"
#include "shm/state.h"
#include "util/fd.h"
#include "util/imagelock.h"
#include "util/log.h"
#include "util/sandbox.h"

#define SEG_RING	128u	/* rings that seg_max is for: the usual ones */

/* A process that was killed takes so long to let go of its file. */
#define TRIES		1000
#define TRY_NS		5000000L

struct start {
	const struct options	*options;
	struct disk		 disk;
	struct vhost_door	 door;
	struct sandbox		*sandbox;
	struct uring_set	*rings;		/* NULL: none */
	int			 statefd;
	int			 file;
};

/* --- outside ------------------------------------------------------------ */

/*
 * SIGTERM and SIGINT end it cleanly, SIGUSR1 asks for statistics; the parent
 * may say the same.  A terminal's SIGINT comes to both.
 */
static int
open_signals(void)
{
	sigset_t signals;

	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) == -1)
		return -1;
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Both locks of an image: another blkd or a machine of vmmd has neither. */
static int
lock_file(int fd, bool shared)
{
	const struct timespec nap = { 0, TRY_NS };
	char holder[64];
	int i;

	for (i = 0; imagelock_take(fd, IMAGELOCK_OWNER, shared) == -1 ||
	    imagelock_take(fd, IMAGELOCK_FENCE, shared) == -1; i++) {
		if (errno != EAGAIN || i == TRIES) {
			imagelock_describe_holder(fd, holder, sizeof(holder));
			log_error("the image is in use by %s", holder);
			return -1;
		}
		nanosleep(&nap, NULL);
	}
	return 0;
}

static int
open_file(struct start *s)
{
	const struct options *o = s->options;

	s->file = open(o->file, (o->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC |
	    (o->direct ? O_DIRECT : 0));
	if (s->file == -1) {
		log_error("%s: cannot open: %s", o->file, strerror(errno));
		return EX_NOINPUT;
	}
	if (lock_file(s->file, o->readonly) == -1)
		return EX_UNAVAILABLE;
	return EX_OK;
}

static int
open_door(struct start *s)
{
	struct vhost_door *d = &s->door;

	close_range(VHOST_PARENT_PIPE + 1, ~0u, 0);
	d->listenfd = VHOST_PARENT_LISTEN;
	d->parentfd = VHOST_PARENT_PIPE;
	d->signalfd = open_signals();
	if (fcntl(d->listenfd, F_SETFD, FD_CLOEXEC) == -1 ||
	    fcntl(d->parentfd, F_SETFD, FD_CLOEXEC) == -1 ||
	    fd_set_nonblock(d->listenfd, 1) == -1 || d->signalfd == -1 ||
	    vhost_fault_install() == -1) {
		log_error("--inner is for blkd itself");
		return EX_USAGE;
	}
	return EX_OK;
}

static bool
is_in_memory(const struct start *s)
{
	struct statfs fs;

	return fstatfs(s->file, &fs) == 0 &&
	    (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* Page cache in memory never waits: a call is quicker than a ring. */
static bool
wants_uring(const struct start *s)
{
	switch (s->options->engine) {
	case PROTO_ENGINE_SYNC:
	case PROTO_ENGINE_MMAP:
		return false;
	case PROTO_ENGINE_URING:
		return true;
	case PROTO_ENGINE_AUTO:
		break;
	}
	return s->options->direct && !is_in_memory(s);
}

/* Unless everything is to be taken for slow. */
static unsigned
wanted_threads(const struct start *s)
{
	const struct options *o = s->options;

	return o->engine == PROTO_ENGINE_MMAP ||
	    (o->slow_us > 0 && is_in_memory(s)) ? 0 : o->threads;
}

/* Rings are made outside: io_uring_setup(2) is fatal inside. */
static int
make_rings(struct start *s)
{
	const struct options *o = s->options;
	int error;

	s->disk.threads = wanted_threads(s);
	s->disk.slow_us = o->slow_us;
	if (!wants_uring(s))
		return EX_OK;
	s->rings = uring_make(o->queues, o->queue_size);
	if ((error = uring_error(s->rings)) == 0) {
		s->disk.uring = s->rings;
		s->disk.engine = &engine_uring;
		s->disk.threads = 0;
		return EX_OK;
	}
	if (o->engine == PROTO_ENGINE_URING) {
		log_error("-e uring: io_uring cannot be had: %s: allow it, or"
		    " use -e sync", strerror(error));
		return EX_UNAVAILABLE;
	}
	log_warning("io_uring cannot be had: %s: engine sync takes its place",
	    strerror(error));
	return EX_OK;
}

static int
enter_sandbox(struct start *s)
{
	const struct options *o = s->options;
	struct sandbox_policy policy;
	char why[SANDBOX_WHY_MAX];
	uint32_t layers;

	seccomp_table_policy_vhost(&policy);
	policy.uid = o->uid;
	policy.gid = o->gid;
	if (s->disk.uring != NULL) {
		policy.sections = FILTER_URING;
		policy.threads += o->queues * URING_TASKS;
	} else
		policy.sections = FILTER_VECTORED;
	policy.threads += o->queues * s->disk.threads;
	policy.strict = o->sandbox == OPTIONS_SANDBOX_STRICT ||
	    (o->sandbox == OPTIONS_SANDBOX_DEFAULT && geteuid() == 0);
	if (sandbox_enter(&policy, &s->sandbox, &layers, why,
	    sizeof(why)) == -1) {
		log_error("cannot enter the sandbox: %s%s", why,
		    policy.strict ? " (-x best-effort goes on without)" : "");
		return EX_NOPERM;
	}
	if (sandbox_missing(layers) != 0)
		log_warning("the sandbox is not whole: %s", why);
	return EX_OK;
}

/* --- inside ------------------------------------------------------------- */

static void
configure(struct disk *d, const struct options *o)
{
	memcpy(d->name, o->name, sizeof(d->name));
	memcpy(d->serial, o->serial, sizeof(d->serial));
	memcpy(d->cpu, o->cpu, sizeof(d->cpu));
	d->readonly = o->readonly;
	d->block_size = o->block_size;
	d->queues = o->queues;
	d->queue_size = o->queue_size;
	d->seg_max = o->queue_size < SEG_RING ? 0 : SEG_RING - 2;
	d->poll_us = o->poll_us;
	d->writeback = 1;
}

/* 0, or a status after a word of why. */
static int
map_file(struct start *s, int64_t bytes)
{
	struct disk *d = &s->disk;

	if (s->options->engine != PROTO_ENGINE_MMAP)
		return EX_OK;
	if (backing_is_direct(d->backing))
		errno = EINVAL;
	else
		d->map = filemap_make(s->file, (uint64_t)bytes, d->readonly);
	if (d->map == NULL) {
		log_error("-e mmap: %s: cannot be mapped: %s%s",
		    s->options->file, strerror(errno),
		    s->options->direct ? ": leave out -D" : "");
		return EX_NOINPUT;
	}
	d->engine = &engine_mmap;
	return EX_OK;
}

/* The state is this process's own; front-ends keep journals (GET_INFLIGHT_FD). */
static int
make_disk(struct start *s)
{
	const struct options *o = s->options;
	struct disk *d = &s->disk;
	int64_t bytes;
	int status;

	configure(d, o);
	d->backing = backing_open(s->file, o->readonly, o->block_size);
	if (d->backing == NULL || (bytes = backing_size(d->backing)) == -1) {
		log_error("%s: must be a file or block device of at least one"
		    " block: %s", o->file, strerror(errno));
		return EX_NOINPUT;
	}
	/* The ring takes vectors; the calls beside it are few: enter_sandbox. */
	if (d->uring != NULL)
		backing_take_singly(d->backing);
	if ((status = map_file(s, bytes)) != EX_OK)
		return status;
	d->sectors = disk_sectors(d, bytes);
	s->statefd = state_make(d->queues, d->queue_size);
	if (s->statefd == -1 || (d->state = state_map(s->statefd, d->queues,
	    d->queue_size)) == NULL || (d->limiter = limiter_make(d->state,
	    &o->limits, NULL, NULL)) == NULL) {
		log_error("cannot make the state: %s", strerror(errno));
		return EX_OSERR;
	}
	return EX_OK;
}

/* The largest file: the image, or a journal in memory. */
static uint64_t
largest_file(const struct disk *d)
{
	uint64_t bytes = d->sectors * 512;

	return bytes > sizeof(struct state) ? bytes : sizeof(struct state);
}

static int
make_queues(struct start *s)
{
	s->door.disk = &s->disk;
	s->door.vhost = vhost_make(&s->disk);
	if (s->door.vhost == NULL) {
		log_error("cannot make the queues: %s", strerror(errno));
		return EX_OSERR;
	}
	if (sandbox_limit_file(largest_file(&s->disk)) == -1 ||
	    sandbox_narrow(s->sandbox) == -1) {
		log_error("the sandbox cannot be narrowed: %s",
		    strerror(errno));
		return EX_NOPERM;
	}
	return EX_OK;
}

/*
 * As a story: what is opened, shut in, made; then it serves.  What is made
 * goes with the process: its threads still use it.
 */
int
vhost_main_run(const struct options *o)
{
	static int (*const phases[])(struct start *) = {
		open_door, open_file, make_rings, enter_sandbox, make_disk,
		make_queues,
	};
	struct start s = { .options = o, .statefd = -1, .file = -1 };
	size_t i;
	int status;

	attach_init(&s.disk);
	log_open("blkd", LOG_TO_STDERR, LOG_LEVEL_INFO);
	for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
		if ((status = phases[i](&s)) != EX_OK)
			return status;
	log_info("%s: ready: %ju sectors, %u queues, engine %s", s.disk.name,
	    (uintmax_t)s.disk.sectors, s.disk.queues,
	    s.disk.engine != NULL ? s.disk.engine->name : engine_sync.name);
	return vhost_door_run(&s.door);
}
