/* SPDX-License-Identifier: ISC */
/* A real blkd between the ends of its channels.  Tests only. */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blkd/process_harness.h"
#include "blkd/uring.h"
#include "proto/chan.h"
#include "shm/memfd.h"
#include "util/fd.h"
#include "util/sandbox.h"

#define PATIENCE_MS	10000
#define CONTROL_FD	3

void
process_make(struct process *p)
{
	struct disk *d;

	memset(p, 0, sizeof(*p));
	p->control = p->mmio = p->mmio_blkd = p->faultfd = -1;
	ring_harness_make(&p->ring, PROCESS_QUEUE_SIZE, RING_FEATURES);
	d = &p->ring.disk;
	free(d->doorbell);
	p->doorbellfd = memfd_make("doorbell", DOORBELL_BYTES);
	ATF_REQUIRE(p->doorbellfd != -1);
	d->doorbell = memfd_map(p->doorbellfd, DOORBELL_BYTES, true);
	ATF_REQUIRE(d->doorbell != NULL);
	p->attach = (struct proto_blk_attach) {
		.m_name = "test",
		.m_memory = RING_MEMORY,
		.m_queues = 1,
		.m_queue_size = PROCESS_QUEUE_SIZE,
		.m_block_size = 512,
		.m_poll_us = 50,
	};
	memcpy(p->attach.m_serial, d->serial, sizeof(p->attach.m_serial));
}

void
process_free(struct process *p)
{
	if (p->pid != 0)
		process_kill(p);
	fd_close(&p->control);
	fd_close(&p->mmio);
	fd_close(&p->mmio_blkd);
	fd_close(&p->doorbellfd);
	fd_close(&p->faultfd);
	memfd_unmap(p->ring.disk.doorbell, DOORBELL_BYTES);
	p->ring.disk.doorbell = NULL;
	ring_harness_free(&p->ring);
}

/* --- the process ------------------------------------------------------- */

static void
exec_blkd(const struct process *p, int control)
{
	const char *build = getenv("VMMD_BUILDDIR");
	char path[4096], rings[32], threads[16];
	char *argv[4] = { (char[]){ "blkd" }, threads };

	snprintf(path, sizeof(path), "%s/blkd/blkd",
	    build != NULL ? build : ".");
	if (control == CONTROL_FD)
		fcntl(control, F_SETFD, 0);
	else if (dup2(control, CONTROL_FD) == -1)
		_exit(126);
	snprintf(rings, sizeof(rings), "-r%u,%u", p->attach.m_queues,
	    p->attach.m_queue_size);
	snprintf(threads, sizeof(threads), "-t%u", p->attach.m_threads);
	if (p->attach.m_engine != PROTO_ENGINE_SYNC &&
	    p->attach.m_engine != PROTO_ENGINE_MMAP && !p->no_rings)
		argv[2] = rings;
	execv(path, argv);
	_exit(127);
}

void
process_want_uring(struct process *p)
{
	struct uring_set *set = uring_make(1, 1);
	int error = uring_error(set);

	uring_free(set);
	if (error == ENOSYS || error == EPERM)
		atf_tc_skip("no io_uring here: %s", strerror(error));
	p->attach.m_engine = PROTO_ENGINE_URING;
}

void
process_want_threads(struct process *p)
{
	p->attach.m_engine = PROTO_ENGINE_SYNC;
	p->attach.m_threads = PROTO_THREADS_MAX;
	p->attach.m_slow_us = 0;
}

void
process_spawn(struct process *p)
{
	int ends[2];

	fd_close(&p->control);
	ATF_REQUIRE(chan_pair(ends) == 0);
	p->pid = sandbox_fork();
	ATF_REQUIRE(p->pid != -1);
	if (p->pid == 0)
		exec_blkd(p, ends[1]);
	close(ends[1]);
	p->control = ends[0];
}

int
process_wait(struct process *p)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	int i, status;
	pid_t pid = 0;

	/* A pidfd cannot be polled under every kernel that runs tests. */
	for (i = 0; i < PATIENCE_MS && pid == 0; i++) {
		pid = waitpid(p->pid, &status, WNOHANG);
		if (pid == 0)
			nanosleep(&ms, NULL);
	}
	ATF_REQUIRE_EQ_MSG(p->pid, pid, "blkd does not end");
	p->pid = 0;
	return status;
}

void
process_kill(struct process *p)
{
	int status;

	kill(p->pid, SIGKILL);
	if (waitpid(p->pid, &status, 0) == p->pid)
		p->pid = 0;
}

/* --- messages ---------------------------------------------------------- */

int
process_is_silent(int channel, int ms)
{
	struct pollfd pfd = { .fd = channel, .events = POLLIN };

	return poll(&pfd, 1, ms) == 0;
}

void
process_expect(int channel, enum proto_type type, struct msg *m)
{
	enum proto_error error;

	ATF_REQUIRE_MSG(!process_is_silent(channel, PATIENCE_MS),
	    "no %s in time", proto_name((uint16_t)type));
	error = chan_recv_nowait(channel, m);
	ATF_REQUIRE_EQ_MSG(PROTO_OK, error, "waiting for %s: %s",
	    proto_name((uint16_t)type), proto_error(error));
	ATF_REQUIRE_EQ_MSG(type, m->hdr.m_type, "%s instead of %s: %s",
	    proto_name(m->hdr.m_type), proto_name((uint16_t)type),
	    m->hdr.m_type == PROTO_BLK_FAIL ? m->fail.m_text : "");
}

void
process_tell(struct process *p, enum proto_type type)
{
	struct proto_empty m;

	chan_header(&m.m_hdr, type, ++p->sequence);
	ATF_REQUIRE(chan_send(p->control, &m, NULL, 0) == 0);
}

size_t
process_fds(const struct process *p, int fds[PROTO_FDS_MAX])
{
	const struct ring_harness *h = &p->ring;

	fds[PROTO_ATTACH_GMEM] = h->gmemfd;
	fds[PROTO_ATTACH_STATE] = h->statefd;
	fds[PROTO_ATTACH_DOORBELL] = p->doorbellfd;
	fds[PROTO_ATTACH_BACKING] = h->backingfd;
	fds[PROTO_ATTACH_MMIO] = p->mmio_blkd;
	fds[PROTO_ATTACH_IRQ] = h->disk.irqfd;
	fds[PROTO_ATTACH_KICK] = h->disk.kickfd[0];
	return PROTO_ATTACH_KICK + 1;
}

void
process_send_attach(struct process *p, const int *fds, size_t nfds)
{
	chan_header(&p->attach.m_hdr, PROTO_BLK_ATTACH, ++p->sequence);
	ATF_REQUIRE(chan_send(p->control, &p->attach, fds, nfds) == 0);
}

void
process_allow_faults(struct process *p)
{
	p->faultfd = memfd_make("faults", PROTO_FAULT_BYTES);
	ATF_REQUIRE(p->faultfd != -1);
}

static void
send_faults(struct process *p)
{
	struct proto_empty m;

	chan_header(&m.m_hdr, PROTO_BLK_FAULTS, ++p->sequence);
	ATF_REQUIRE(chan_send(p->control, &m, &p->faultfd, 1) == 0);
}

void
process_attach(struct process *p, struct proto_blk_ready *ready)
{
	int ends[2], fds[PROTO_FDS_MAX];
	struct msg m;

	process_spawn(p);
	fd_close(&p->mmio);
	ATF_REQUIRE(chan_pair(ends) == 0);
	p->mmio = ends[0];
	p->mmio_blkd = ends[1];
	if (p->faultfd != -1)
		send_faults(p);
	process_send_attach(p, fds, process_fds(p, fds));
	fd_close(&p->mmio_blkd);
	process_expect(p->control, PROTO_BLK_READY, &m);
	ATF_CHECK_EQ(p->sequence, m.hdr.m_sequence);
	if (ready != NULL)
		*ready = m.ready;
}

void
process_succeed(struct process *p, struct proto_blk_ready *ready)
{
	p->attach.m_incarnation++;
	process_attach(p, ready);
}

/* --- registers --------------------------------------------------------- */

uint64_t
process_read(struct process *p, uint32_t offset, uint32_t size)
{
	struct proto_mmio_read q = { .m_offset = offset, .m_size = size };
	struct msg m;

	chan_header(&q.m_hdr, PROTO_MMIO_READ, ++p->sequence);
	ATF_REQUIRE(chan_send(p->mmio, &q, NULL, 0) == 0);
	process_expect(p->mmio, PROTO_MMIO_DATA, &m);
	ATF_CHECK_EQ(p->sequence, m.hdr.m_sequence);
	return m.mmio_data.m_value;
}

void
process_post(struct process *p, uint32_t offset, uint32_t value)
{
	struct proto_mmio_write q = {
		.m_offset = offset, .m_size = 4, .m_value = value
	};

	chan_header(&q.m_hdr, PROTO_MMIO_WRITE, ++p->sequence);
	ATF_REQUIRE(chan_send(p->mmio, &q, NULL, 0) == 0);
}

void
process_write(struct process *p, uint32_t offset, uint32_t value)
{
	struct msg m;

	process_post(p, offset, value);
	process_expect(p->mmio, PROTO_MMIO_ACK, &m);
	ATF_CHECK_EQ(p->sequence, m.hdr.m_sequence);
}

void
process_go_live(struct process *p)
{
	const struct queue_setup *s = &p->ring.setup;
	const struct {
		uint32_t	offset;
		uint32_t	value;
	} writes[] = {
		{ VIRTIO_MMIO_STATUS, 0 },
		{ VIRTIO_MMIO_STATUS, 1 },
		{ VIRTIO_MMIO_STATUS, 3 },
		{ VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0 },
		{ VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)s->features },
		{ VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1 },
		{ VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(s->features >> 32) },
		{ VIRTIO_MMIO_STATUS, 0xb },
		{ VIRTIO_MMIO_QUEUE_SEL, 0 },
		{ VIRTIO_MMIO_QUEUE_NUM, s->num },
		{ VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)s->desc },
		{ VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)s->driver },
		{ VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)s->device },
		{ VIRTIO_MMIO_QUEUE_READY, 1 },
		{ VIRTIO_MMIO_STATUS, PROCESS_LIVE },
	};
	size_t i;

	for (i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		process_write(p, writes[i].offset, writes[i].value);
	ATF_REQUIRE_EQ(PROCESS_LIVE, process_read(p, VIRTIO_MMIO_STATUS, 4));
}
