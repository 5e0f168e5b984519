/* SPDX-License-Identifier: ISC */
/*
 * The private side of the monitor: for monitor*.c alone.
 *
 *	monitor.c		the loop, the signals, beginning and end
 *	monitor_hosts.c		what disks, the machine and operators tell it
 *	monitor_groups.c	limits that several disks share
 */
#ifndef VMMD_MONITOR_IMPL_H
#define VMMD_MONITOR_IMPL_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/proto.h"
#include "vmmd/conf.h"
#include "vmmd/disk.h"
#include "vmmd/input.h"
#include "vmmd/listener.h"
#include "vmmd/machine.h"
#include "vmmd/monitor.h"
#include "vmmd/operator.h"
#include "vmmd/tty.h"
#include "vmmd/users.h"

struct children;
struct event;
struct event_base;

enum phase {
	PHASE_STARTING,
	PHASE_RUNNING,
	PHASE_ENDING,
};

#define NSIGNALS	3

struct monitor {
	const struct monitor_options *options;
	const struct conf	*conf;
	struct event_base	*base;
	struct event		*signals[NSIGNALS];
	struct children		*children;
	struct input		 input;		/* kernel, memory, KVM */
	struct tty		 tty;
	struct users		 users;
	struct disk_host	 disk_host;
	struct machine_host	 machine_host;
	struct disk_group	 group[PROTO_DISKS_MAX];
	struct disk		*disk[PROTO_DISKS_MAX];
	size_t			 ndisks;	/* made so far */
	struct machine		*machine;	/* NULL: not started */
	struct listener		 listener;
	pid_t			 sweeper;
	struct operator_host	 operator_host;
	struct operators	*operators;	/* NULL: no control socket */
	bool			 machine_ready;
	enum phase		 phase;
	struct monitor_result	 result;
};

/* The machine ends, for the first reason that was given. */
void	monitor_begin_end(struct monitor *, enum exitcode_reason,
	    uint32_t detail);

/* The end of the disks, once the guest needs them no more. */
void	monitor_stop_disks(struct monitor *);

/* Leave the loop if this is the end and no child is left. */
void	monitor_leave_when_gone(struct monitor *);

/* monitor_hosts.c: loop, users, input, terminal and listener are there. */
void	monitor_fill_hosts(struct monitor *);

/* monitor_groups.c; on_regroup is of struct disk_host. */
enum exitcode_reason monitor_make_groups(struct monitor *);
void	monitor_on_regroup(void *, unsigned index,
	    const struct proto_limits *);

#endif /* VMMD_MONITOR_IMPL_H */
