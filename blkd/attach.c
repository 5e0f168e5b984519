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
	/* A last, partial block does not count. */
	d->sectors = (uint64_t)bytes / d->block_size * (d->block_size / 512);
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
	d->readonly = (m->m_flags & PROTO_DISK_READONLY) != 0;
	d->block_size = m->m_block_size;
	d->queues = m->m_queues;
	d->queue_size = m->m_queue_size;
	d->writeback = 1;
}

int
attach_disk(struct msg *msg, struct disk *d, int *mmio,
    struct attach_failure *failure)
{
	struct attach a = { &msg->attach, d, mmio };
	const struct row *row;
	size_t i, n = PROTO_ATTACH_KICK + msg->attach.m_queues;
	int error, fd;

	attach_init(d);
	*mmio = -1;
	take_configuration(d, &msg->attach);
	for (i = 0; i < n; i++) {
		row = &rows[i < PROTO_ATTACH_KICK ? i : PROTO_ATTACH_KICK];
		fd = msg_take_fd(msg, i);
		error = row->take(&a, &fd,
		    i < PROTO_ATTACH_KICK ? 0 : i - PROTO_ATTACH_KICK);
		fd_close(&fd);
		if (error == -1)
			break;
	}
	if (i == n)
		return 0;
	attach_fail(failure, "descriptor %zu (%s) must be %s", i, row->name,
	    row->must);
	fd_close(mmio);
	attach_release(d);
	return -1;
}

void
attach_release(struct disk *d)
{
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
