/* SPDX-License-Identifier: ISC */
/*
 * From ATTACH to a disk.  Runs in blkd, inside the sandbox, before there are
 * other threads.  The monitor is believed in what it wants, not in having got
 * it right: a wrong descriptor is answered, never used.
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "blkd/attach.h"
#include "blkd/backing.h"
#include "blkd/limiter.h"
#include "blkd/throttle.h"
#include "shm/doorbell.h"
#include "shm/gmem.h"
#include "shm/memfd.h"
#include "shm/state.h"
#include "util/fd.h"

struct attach {
	const struct proto_blk_attach	*m;
	struct disk			*disk;
	int				*mmio;
};

void
attach_fail(struct attach_failure *f, const char *fmt, ...)
{
	char what[PROTO_TEXT_MAX / 2 + 32];
	va_list ap;

	f->errnum = errno > 0 ? errno : EIO;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(f->text, sizeof(f->text), "%s: %s", what,
	    strerror(f->errnum));
}

/* --- what a descriptor must be ----------------------------------------- */

static int
check_writable(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1)
		return -1;
	if ((flags & O_ACCMODE) != O_RDWR || (flags & O_PATH) != 0) {
		errno = EACCES;
		return -1;
	}
	return 0;
}

/*
 * An eventfd has no name of its own.  It is an anonymous inode that takes
 * 8-byte writes, tried with an address that cannot be read, and refuses the
 * one value that a counter cannot hold.  Neither try changes anything.
 */
static int
check_eventfd(int fd)
{
	const void *volatile nowhere = NULL;
	const uint64_t too_much = UINT64_MAX;
	struct stat st;

	if (fstat(fd, &st) == -1 || check_writable(fd) == -1)
		return -1;
	if ((st.st_mode & S_IFMT) != 0 ||
	    write(fd, nowhere, sizeof(too_much)) != -1 || errno != EFAULT ||
	    write(fd, &too_much, sizeof(too_much)) != -1 || errno != EINVAL) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

static int
check_seqpacket(int fd)
{
	struct stat st;
	int type, domain;
	socklen_t size = sizeof(type);

	if (fstat(fd, &st) == -1)
		return -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = ENOTSOCK;
		return -1;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == -1)
		return -1;
	size = sizeof(domain);
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == -1)
		return -1;
	if (type != SOCK_SEQPACKET || domain != AF_UNIX) {
		errno = EPROTOTYPE;
		return -1;
	}
	return 0;
}

/* --- taking them: the descriptor is closed by the caller unless kept --- */

static int
take_gmem(struct attach *a, int *fd, size_t queue)
{
	(void)queue;
	if (check_writable(*fd) == -1)
		return -1;
	a->disk->gmem = gmem_open(*fd, a->m->m_memory);
	return a->disk->gmem != NULL ? 0 : -1;
}

static int
take_state(struct attach *a, int *fd, size_t queue)
{
	(void)queue;
	if (check_writable(*fd) == -1)
		return -1;
	a->disk->state = state_map(*fd, a->m->m_queues, a->m->m_queue_size);
	return a->disk->state != NULL ? 0 : -1;
}

static int
take_doorbell(struct attach *a, int *fd, size_t queue)
{
	(void)queue;
	if (check_writable(*fd) == -1 || memfd_check(*fd, DOORBELL_BYTES) == -1)
		return -1;
	a->disk->doorbell = memfd_map(*fd, DOORBELL_BYTES, true);
	return a->disk->doorbell != NULL ? 0 : -1;
}

static int
take_backing(struct attach *a, int *fd, size_t queue)
{
	struct disk *d = a->disk;
	int64_t bytes;

	(void)queue;
	d->backing = backing_open(*fd, d->readonly, d->block_size);
	if (d->backing == NULL)
		return -1;
	*fd = -1;
	if ((bytes = backing_size(d->backing)) == -1)
		return -1;
	d->sectors = disk_sectors(d, bytes);
	return 0;
}

static int
take_mmio(struct attach *a, int *fd, size_t queue)
{
	(void)queue;
	if (check_seqpacket(*fd) == -1)
		return -1;
	*a->mmio = fd_move(fd);
	return 0;
}

static int
take_irq(struct attach *a, int *fd, size_t queue)
{
	(void)queue;
	if (check_eventfd(*fd) == -1)
		return -1;
	a->disk->irqfd = fd_move(fd);
	return 0;
}

static int
take_kick(struct attach *a, int *fd, size_t queue)
{
	if (check_eventfd(*fd) == -1)
		return -1;
	a->disk->kickfd[queue] = fd_move(fd);
	return 0;
}

/* The descriptors of ATTACH, by enum proto_attach_fd; the last repeats. */
static const struct row {
	const char	*name;
	const char	*must;
	int		(*take)(struct attach *, int *fd, size_t queue);
} rows[] = {
	[PROTO_ATTACH_GMEM] = { "guest memory",
	    "a memfd of its size, sealed against resizing, read-write",
	    take_gmem },
	[PROTO_ATTACH_STATE] = { "the state",
	    "a sealed memfd of this version and shape, read-write",
	    take_state },
	[PROTO_ATTACH_DOORBELL] = { "the doorbell",
	    "a sealed memfd of one page, read-write", take_doorbell },
	[PROTO_ATTACH_BACKING] = { "the backing",
	    "a file or block device of at least one block, writable unless"
	    " the disk is read-only", take_backing },
	[PROTO_ATTACH_MMIO] = { "the MMIO channel",
	    "a Unix seqpacket socket", take_mmio },
	[PROTO_ATTACH_IRQ] = { "the interrupt", "an eventfd", take_irq },
	[PROTO_ATTACH_KICK] = { "a kick", "an eventfd", take_kick },
};

/* --- the whole --------------------------------------------------------- */

void
attach_init(struct disk *d)
{
	size_t i;

	memset(d, 0, sizeof(*d));
	d->irqfd = -1;
	for (i = 0; i < PROTO_QUEUES_MAX; i++)
		d->kickfd[i] = -1;
}

static void
take_configuration(struct disk *d, const struct proto_blk_attach *m)
{
	memcpy(d->name, m->m_name, sizeof(d->name));
	memcpy(d->serial, m->m_serial, sizeof(d->serial));
	memcpy(d->cpu, m->m_cpu, sizeof(d->cpu));
	d->readonly = (m->m_flags & PROTO_DISK_READONLY) != 0;
	d->block_size = m->m_block_size;
	d->queues = m->m_queues;
	d->queue_size = m->m_queue_size;
	d->poll_us = m->m_poll_us;
	d->threads = m->m_threads;
	d->slow_us = m->m_slow_us;
	d->writeback = 1;
}

void
attach_limits(const struct proto_limits *m, struct throttle_limits *limits)
{
	*limits = (struct throttle_limits) {
		.ops = { m->m_ops_rate, m->m_ops_burst },
		.bytes = { m->m_bytes_rate, m->m_bytes_burst },
		.iops_size = m->m_iops_size,
	};
}

static int
make_limiter(struct disk *d, const struct proto_blk_attach *m)
{
	struct throttle_limits limits;

	attach_limits(&m->m_limits, &limits);
	if (throttle_check(&limits) != NULL) {
		errno = EINVAL;
		return -1;
	}
	d->limiter = limiter_make(d->state, &limits, NULL, NULL);
	return d->limiter != NULL ? 0 : -1;
}

/* The page of a throttle group is behind the kicks. */
static int
join_group(struct disk *d, struct msg *msg, struct attach_failure *failure)
{
	const struct proto_blk_attach *m = &msg->attach;
	int fd;

	if ((m->m_flags & PROTO_DISK_GROUP) == 0)
		return 0;
	fd = msg_take_fd(msg, PROTO_ATTACH_KICK + m->m_queues);
	if (check_writable(fd) == 0 && memfd_check(fd, PROTO_GROUP_BYTES) == 0)
		d->group.page = memfd_map(fd, PROTO_GROUP_BYTES, true);
	if (d->group.page == NULL)
		attach_fail(failure, "the page of the throttle group must be"
		    " a sealed memfd of one page, read-write");
	fd_close(&fd);
	if (d->group.page == NULL)
		return -1;
	attach_limits(&m->m_group, &d->group.limits);
	d->group.epoch = m->m_group_epoch;
	d->group.slot = m->m_group_slot;
	limiter_join(d->limiter, &d->group);
	return 0;
}

/* Each descriptor in its turn; -1, errno and *failed: the row of the one. */
static int
take_descriptors(struct attach *a, struct msg *msg, size_t *failed)
{
	size_t i, queue, n = PROTO_ATTACH_KICK + a->m->m_queues;
	int error, fd;

	for (i = 0; i < n; i++) {
		queue = i < PROTO_ATTACH_KICK ? 0 : i - PROTO_ATTACH_KICK;
		fd = msg_take_fd(msg, i);
		error = rows[i - queue].take(a, &fd, queue);
		fd_close(&fd);
		if (error == -1) {
			*failed = i - queue;
			return -1;
		}
	}
	return 0;
}

int
attach_disk(struct msg *msg, struct disk *d, int *mmio,
    struct attach_failure *failure)
{
	struct attach a = { &msg->attach, d, mmio };
	size_t row;

	attach_init(d);
	*mmio = -1;
	take_configuration(d, &msg->attach);
	if (take_descriptors(&a, msg, &row) == -1) {
		attach_fail(failure, "descriptor %zu (%s) must be %s", row,
		    rows[row].name, rows[row].must);
		goto fail;
	}
	if (make_limiter(d, &msg->attach) == -1) {
		attach_fail(failure, "the limits cannot be set");
		goto fail;
	}
	if (join_group(d, msg, failure) == -1)
		goto fail;
	return 0;

fail:
	fd_close(mmio);
	attach_release(d);
	return -1;
}

void
attach_release(struct disk *d)
{
	limiter_free(d->limiter);
	if (d->group.page != NULL)
		memfd_unmap(d->group.page, PROTO_GROUP_BYTES);
	gmem_close(d->gmem);
	if (d->state != NULL)
		state_unmap(d->state);
	if (d->doorbell != NULL)
		memfd_unmap(d->doorbell, DOORBELL_BYTES);
	backing_close(d->backing);
	fd_close(&d->irqfd);
	fd_close_all(d->kickfd, PROTO_QUEUES_MAX);
	attach_init(d);
}
