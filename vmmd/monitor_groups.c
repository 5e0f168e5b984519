/* SPDX-License-Identifier: ISC */
/*
 * The monitor's groups: limits that several disks share.  Each has a file
 * in which every blkd of the group writes down what is spent; here they
 * are made and written, and nothing in them is read.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shm/memfd.h"
#include "util/log.h"
#include "vmmd/monitor_impl.h"

static uint64_t
monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* A page of zeroes: nothing is spent. */
enum exitcode_reason
monitor_make_groups(struct monitor *mon)
{
	size_t i;

	for (i = 0; i < mon->conf->ngroups; i++) {
		mon->group[i].name = mon->conf->group[i].name;
		mon->group[i].limits = mon->conf->group[i].limits;
		mon->group[i].epoch = monotonic();
		mon->group[i].fd = memfd_make("vmmd-group",
		    PROTO_GROUP_BYTES);
		if (mon->group[i].fd == -1) {
			log_error("group %s: %s", mon->conf->group[i].name,
			    strerror(errno));
			return EXITCODE_OS;
		}
	}
	return EXITCODE_NONE;
}

static uint64_t
burst_of(uint64_t rate, uint64_t burst)
{
	return burst != 0 ? burst : rate;
}

/*
 * The next slot begins with all of the burst spent, so that a change gives
 * nothing away.  A debt of the old limits is forgotten.
 */
void
monitor_on_regroup(void *arg, unsigned index,
    const struct proto_limits *limits)
{
	struct monitor *mon = arg;
	struct disk_group *g = &mon->group[index];
	uint64_t spent[2] = {
		burst_of(limits->m_ops_rate, limits->m_ops_burst),
		burst_of(limits->m_bytes_rate, limits->m_bytes_burst),
	};
	uint32_t slot = (g->slot + 1) % PROTO_GROUP_SLOTS;
	size_t i;

	if (pwrite(g->fd, spent, sizeof(spent),
	    (off_t)(slot * sizeof(spent))) != (ssize_t)sizeof(spent))
		log_warning("group %s: %s: its burst is full", g->name,
		    strerror(errno));
	g->slot = slot;
	g->limits = *limits;
	g->epoch = monotonic();
	for (i = 0; i < mon->ndisks; i++)
		disk_tell_limits(mon->disk[i], index);
}
