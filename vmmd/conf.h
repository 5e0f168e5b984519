/* SPDX-License-Identifier: ISC */
/*
 * The configuration: vmmd.conf as checked values.  Monitor, before anything
 * else is started.
 */
#ifndef VMMD_CONF_H
#define VMMD_CONF_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/proto.h"

#define CONF_USER_MAX	32
#define CONF_CONTROL_MAX 108	/* bytes of a socket's path: unix(7) */

enum conf_serial_kind {
	CONF_SERIAL_STDIO,
	CONF_SERIAL_PTY,
	CONF_SERIAL_FILE,
	CONF_SERIAL_NONE,
};

enum conf_sandbox {
	CONF_SANDBOX_DEFAULT,		/* strict as root, else best-effort */
	CONF_SANDBOX_STRICT,
	CONF_SANDBOX_BEST_EFFORT,
};

enum conf_notify {
	CONF_NOTIFY_IOEVENTFD,
	CONF_NOTIFY_MESSAGE,
};

struct conf_serial {
	enum conf_serial_kind	kind;
	char			path[PATH_MAX];	/* CONF_SERIAL_FILE */
};

struct conf_vm {
	char			name[PROTO_NAME_MAX];
	uint64_t		memory;		/* bytes */
	uint64_t		vcpus;
	char			kernel[PATH_MAX];
	char			initrd[PATH_MAX];	/* empty: none */
	char			cmdline[PROTO_CMDLINE_MAX];
	bool			mmio_cmdline;
	struct conf_serial	serial;
	int			sandbox;	/* enum conf_sandbox */
	char			user[CONF_USER_MAX];	/* empty: default */
	char			disk_user[CONF_USER_MAX];
	char			control[CONF_CONTROL_MAX]; /* empty: default */
	uint64_t		control_mode;
	char			control_group[CONF_USER_MAX];
};

/* CPUs of the threads of the queues, in turn. */
struct conf_cpus {
	unsigned		n;		/* 0: any */
	uint16_t		cpu[PROTO_QUEUES_MAX];
};

struct conf_disk {
	char			name[PROTO_NAME_MAX];
	char			path[PATH_MAX];
	bool			readonly;
	bool			direct;
	bool			faults;		/* on purpose: allowed */
	char			serial[PROTO_SERIAL_SIZE + 1];
	int			notify;		/* enum conf_notify */
	int			engine;		/* enum proto_engine */
	uint64_t		queues;
	uint64_t		queue_size;
	uint64_t		poll_us;
	uint64_t		threads;
	uint64_t		slow_us;
	int			block_size;
	struct proto_limits	limits;
	struct conf_cpus	cpus;
	char			group[PROTO_NAME_MAX];	/* empty: none */
	unsigned		group_index;	/* in struct conf */
};

struct conf_group {
	char			name[PROTO_NAME_MAX];
	struct proto_limits	limits;
};

struct conf {
	struct conf_vm		vm;
	size_t			ndisks;
	struct conf_disk	disk[PROTO_DISKS_MAX];
	size_t			ngroups;
	struct conf_group	group[PROTO_DISKS_MAX];
};

/*
 * Read and check a file.  What is wrong is logged as one line that names
 * file, line and reason.  Returns 0, or -1.
 */
int	conf_read(const char *file, struct conf *);

/* The keys, for the test that compares them with vmmd.conf(5). */
struct conf_key_name {
	const char	*section;	/* "vm", "disk" or "group" */
	const char	*key;
	const char	*fallback;	/* NULL: must be given */
};
/* Returns -1 past the last. */
int	conf_key_at(size_t index, struct conf_key_name *);

#endif /* VMMD_CONF_H */
