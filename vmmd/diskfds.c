/* SPDX-License-Identifier: ISC */
/* What outlives a blkd.  Monitor; maps none of it. */
#include <sys/eventfd.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "proto/peer.h"
#include "shm/doorbell.h"
#include "shm/memfd.h"
#include "shm/state.h"
#include "util/fd.h"
#include "util/log.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"
#include "vmmd/diskfds.h"

void
diskfds_init(struct diskfds *fds)
{
	size_t i;

	image_init(&fds->image);
	fds->state = fds->state_readonly = fds->doorbell = fds->irq =
	    fds->faults = -1;
	for (i = 0; i < PROTO_QUEUES_MAX; i++)
		fds->kick[i] = -1;
}

void
diskfds_close(struct diskfds *fds)
{
	image_close(&fds->image);
	fd_close(&fds->state);
	fd_close(&fds->state_readonly);
	fd_close(&fds->doorbell);
	fd_close(&fds->irq);
	fd_close(&fds->faults);
	fd_close_all(fds->kick, PROTO_QUEUES_MAX);
}

/* What is opened for reading cannot be mapped for writing. */
static int
open_readonly(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int
make(struct diskfds *fds, const struct conf_disk *conf)
{
	size_t i;

	fds->state = state_make((unsigned)conf->queues,
	    (unsigned)conf->queue_size);
	fds->doorbell = memfd_make("doorbell", DOORBELL_BYTES);
	fds->irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fds->state == -1 || fds->doorbell == -1 || fds->irq == -1)
		return -1;
	if ((fds->state_readonly = open_readonly(fds->state)) == -1)
		return -1;
	if (conf->faults &&
	    (fds->faults = memfd_make("faults", PROTO_FAULT_BYTES)) == -1)
		return -1;
	for (i = 0; i < conf->queues; i++) {
		fds->kick[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fds->kick[i] == -1)
			return -1;
	}
	return 0;
}

enum exitcode_reason
diskfds_open(struct diskfds *fds, const struct conf_disk *conf)
{
	enum exitcode_reason reason = image_open(&fds->image, conf);

	if (reason != EXITCODE_NONE)
		return reason;
	if (make(fds, conf) == 0)
		return EXITCODE_NONE;
	log_error("disk %s: cannot make its state and eventfds: %s: see"
	    " ulimit -n", conf->name, strerror(errno));
	return EXITCODE_OS;
}

/*
 * A disk process that looks at its ring takes a CPU from the guest that is
 * to write to it, unless there is another one.
 */
static bool
has_cpus(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) == -1 ||
	    CPU_COUNT(&cpus) > 1;
}

int
diskfds_send_attach(const struct diskfds *fds, const struct disk_host *host,
    const struct conf_disk *conf, struct peer *peer,
    const struct diskfds_attach *one)
{
	struct proto_blk_attach attach = {
		.m_flags = (conf->readonly ? PROTO_DISK_READONLY : 0) |
		    (conf->direct ? PROTO_DISK_DIRECT : 0) |
		    (host->strict ? PROTO_DISK_STRICT : 0) |
		    (one->paused ? PROTO_DISK_PAUSED : 0) |
		    (one->standby ? PROTO_DISK_STANDBY : 0),
		.m_memory = host->memory,
		.m_queues = (uint32_t)conf->queues,
		.m_queue_size = (uint32_t)conf->queue_size,
		.m_block_size = (uint32_t)conf->block_size,
		.m_incarnation = one->incarnation,
		.m_engine = one->engine,
		.m_threads = (uint16_t)one->threads,
		.m_slow_us = (uint16_t)conf->slow_us,
		.m_poll_us = has_cpus() ? (uint32_t)conf->poll_us : 0,
		.m_limits = *one->limits,
	};
	int sent[PROTO_FDS_MAX] = {
		[PROTO_ATTACH_GMEM] = host->gmem_fd,
		[PROTO_ATTACH_STATE] = fds->state,
		[PROTO_ATTACH_DOORBELL] = fds->doorbell,
		[PROTO_ATTACH_BACKING] = one->backing,
		[PROTO_ATTACH_MMIO] = one->mmio,
		[PROTO_ATTACH_IRQ] = fds->irq,
	};
	size_t i, n = PROTO_ATTACH_KICK + conf->queues;
	struct proto_empty faults;

	if (conf->group[0] != '\0') {
		attach.m_flags |= PROTO_DISK_GROUP;
		const struct disk_group *g = &host->group[conf->group_index];

		attach.m_group = g->limits;
		attach.m_group_epoch = g->epoch;
		attach.m_group_slot = g->slot;
		sent[n++] = g->fd;
	}
	for (i = 0; i < conf->queues && conf->cpus.n > 0; i++)
		attach.m_cpu[i] = (uint16_t)
		    (conf->cpus.cpu[i % conf->cpus.n] + 1);
	memcpy(attach.m_name, conf->name, sizeof(attach.m_name));
	memcpy(attach.m_serial, conf->serial, sizeof(attach.m_serial));
	memcpy(&sent[PROTO_ATTACH_KICK], fds->kick,
	    conf->queues * sizeof(int));
	if (fds->faults != -1 && peer_send(peer, PROTO_BLK_FAULTS, &faults,
	    &fds->faults, 1) == 0)
		return -1;
	return peer_send(peer, PROTO_BLK_ATTACH, &attach, sent, n) == 0 ? -1 : 0;
}
