/* SPDX-License-Identifier: ISC */
/*
 * A real blkd and its disk.  Runs in test programs, in the place of the
 * monitor and the vm process; touches the image that it is given.
 */
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/chan.h"
#include "shm/doorbell.h"
#include "shm/memfd.h"
#include "shm/state.h"
#include "tests/driver/blkdproc.h"
#include "tests/driver/driverq.h"
#include "tests/driver/mmiodrv.h"
#include "util/fd.h"
#include "util/sandbox.h"

#define CONTROL_FD	3

int
blkdproc_make(struct blkdproc *p, const struct blkdproc_disk *d)
{
	int flags = O_CLOEXEC;

	flags |= d->flags & PROTO_DISK_READONLY ? O_RDONLY : O_RDWR;
	flags |= d->flags & PROTO_DISK_DIRECT ? O_DIRECT : 0;
	*p = (struct blkdproc) { .control = -1, .mmio = -1,
		.memory = d->memory };
	p->backingfd = open(d->path, flags);
	p->gmemfd = memfd_make("gmem", d->memory);
	p->statefd = state_make(1, d->queue_size);
	p->doorbellfd = memfd_make("doorbell", DOORBELL_BYTES);
	p->irqfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->kickfd = eventfd(0, EFD_CLOEXEC);
	if (p->backingfd == -1 || p->gmemfd == -1 || p->statefd == -1 ||
	    p->doorbellfd == -1 || p->irqfd == -1 || p->kickfd == -1)
		return -1;
	p->gmem = memfd_map(p->gmemfd, d->memory, true);
	return p->gmem == NULL ? -1 : 0;
}

/* --- the process -------------------------------------------------------- */

/* The monitor's choice: vmmd.conf(5), engine. */
static uint32_t
engine_of(const struct blkdproc_disk *d)
{
	return d->engine == PROTO_ENGINE_AUTO &&
	    (d->flags & PROTO_DISK_DIRECT) == 0 ? PROTO_ENGINE_SYNC :
	    d->engine;
}

/* In the child: system calls only, until it is another program. */
static void
become_blkd(const struct blkdproc_disk *d, char *rings, int control, int null)
{
	char threads[] = "-t0";
	char *argv[4] = { (char[]){ "blkd" }, threads };
	cpu_set_t cpus;

	if (d->core >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET((size_t)d->core, &cpus);
		sched_setaffinity(0, sizeof(cpus), &cpus);
	}
	if (!d->loud)
		dup2(null, STDERR_FILENO);
	if (control == CONTROL_FD)
		fcntl(control, F_SETFD, 0);
	else if (dup2(control, CONTROL_FD) == -1)
		_exit(126);
	threads[2] = (char)(threads[2] + d->threads);
	if (engine_of(d) != PROTO_ENGINE_SYNC && d->engine != PROTO_ENGINE_MMAP)
		argv[2] = rings;
	execv(d->blkd, argv);
	_exit(127);
}

/* No answer in time is an error, never a hang. */
static int
bound(int channel)
{
	struct timeval patience = { .tv_sec = BLKDPROC_PATIENCE_S };

	return setsockopt(channel, SOL_SOCKET, SO_RCVTIMEO, &patience,
	    sizeof(patience));
}

int
blkdproc_spawn(struct blkdproc *p, const struct blkdproc_disk *d)
{
	char rings[32];
	int null, ends[2];

	snprintf(rings, sizeof(rings), "-r1,%u", d->queue_size);
	if ((null = open("/dev/null", O_WRONLY | O_CLOEXEC)) == -1)
		return -1;
	if (chan_pair(ends) == -1) {
		close(null);
		return -1;
	}
	p->pid = sandbox_fork();
	if (p->pid == 0)
		become_blkd(d, rings, ends[1], null);
	close(null);
	close(ends[1]);
	p->control = ends[0];
	if (p->pid != -1)
		return bound(p->control);
	p->pid = 0;
	return -1;
}

static int
send_attach(struct blkdproc *p, const struct blkdproc_disk *d, int mmio)
{
	struct proto_blk_attach attach = {
		.m_name = "bench",
		.m_flags = d->flags,
		.m_memory = d->memory,
		.m_queues = 1,
		.m_queue_size = d->queue_size,
		.m_block_size = 512,
		.m_poll_us = d->poll_us,
		.m_engine = engine_of(d),
		.m_threads = d->threads,
		.m_slow_us = d->slow_us,
	};
	const int fds[] = {
		[PROTO_ATTACH_GMEM] = p->gmemfd,
		[PROTO_ATTACH_STATE] = p->statefd,
		[PROTO_ATTACH_DOORBELL] = p->doorbellfd,
		[PROTO_ATTACH_BACKING] = p->backingfd,
		[PROTO_ATTACH_MMIO] = mmio,
		[PROTO_ATTACH_IRQ] = p->irqfd,
		[PROTO_ATTACH_KICK] = p->kickfd,
	};

	chan_header(&attach.m_hdr, PROTO_BLK_ATTACH, 1);
	return chan_send(p->control, &attach, fds,
	    sizeof(fds) / sizeof(fds[0]));
}

int
blkdproc_attach(struct blkdproc *p, const struct blkdproc_disk *d)
{
	struct msg m;
	int ends[2], sent;

	if (chan_pair(ends) == -1)
		return -1;
	p->mmio = ends[0];
	sent = send_attach(p, d, ends[1]);
	close(ends[1]);
	if (sent == -1 || bound(p->mmio) == -1)
		return -1;
	if (chan_recv(p->control, &m) != PROTO_OK) {
		errno = EPROTO;
		return -1;
	}
	if (m.hdr.m_type == PROTO_BLK_READY)
		p->layers = m.ready.m_layers;
	else if (m.hdr.m_type == PROTO_BLK_FAIL && d->loud)
		fprintf(stderr, "blkd: %s\n", m.fail.m_text);
	sent = m.hdr.m_type == PROTO_BLK_READY ? 0 : -1;
	msg_clear(&m);
	if (sent == -1)
		errno = EPROTO;
	return sent;
}

int
blkdproc_go_live(struct blkdproc *p, uint16_t num, uint64_t features)
{
	const struct mmiodrv_queue queue = {
		.num = num,
		.desc = DRIVERQ_DESC_GPA,
		.avail = DRIVERQ_AVAIL_GPA,
		.used = DRIVERQ_USED_GPA,
	};

	return mmiodrv_go_live(p->mmio, features, &queue, 1);
}

static void
end(struct blkdproc *p)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	pid_t pid = 0;
	int i;

	/* Its channels end, so it does. */
	fd_close(&p->control);
	fd_close(&p->mmio);
	for (i = 0; i < 1000 && pid == 0; i++) {
		pid = waitpid(p->pid, NULL, WNOHANG);
		if (pid == 0)
			nanosleep(&ms, NULL);
	}
	if (pid == 0) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	p->pid = 0;
}

void
blkdproc_free(struct blkdproc *p)
{
	if (p->pid != 0)
		end(p);
	memfd_unmap(p->gmem, p->memory);
	p->gmem = NULL;
	fd_close(&p->control);
	fd_close(&p->mmio);
	fd_close(&p->gmemfd);
	fd_close(&p->statefd);
	fd_close(&p->doorbellfd);
	fd_close(&p->backingfd);
	fd_close(&p->irqfd);
	fd_close(&p->kickfd);
}
