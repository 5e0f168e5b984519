/* SPDX-License-Identifier: ISC */
/*
 * The messages of vmmd: numbers, shapes, limits.
 *
 * Every channel is a SOCK_SEQPACKET socketpair, and every message is one
 * packet: a header, a fixed-size body, and up to PROTO_FDS_MAX descriptors
 * by SCM_RIGHTS.  Integers are in host order: both ends are on one machine
 * and of one build (the version in the header says so).
 *
 *	control channel	monitor <-> blkd	1xx down, 2xx up
 *	MMIO channel	vm <-> blkd		3xx
 *	machine channel	monitor <-> vm		4xx down, 5xx up
 *
 * Numbers are never reused.  Fields that come from another process carry
 * the prefix m_; table.c has the facts of each type and checks them before
 * a handler sees the message.
 */
#ifndef PROTO_PROTO_H
#define PROTO_PROTO_H

#include <assert.h>
#include <stdint.h>

#define PROTO_MAGIC		0x646d6d76u	/* "vmmd", little-endian */
#define PROTO_VERSION		2

#define PROTO_FDS_MAX		16	/* descriptors in one packet */
#define PROTO_PACKET_MAX	4096	/* bytes, header included */

#define PROTO_NAME_MAX		32	/* a disk's or machine's name, with NUL */
#define PROTO_TEXT_MAX		224	/* a sentence, with NUL */
#define PROTO_SERIAL_SIZE	20	/* virtio 1.2, 5.2.6: not terminated */
#define PROTO_CMDLINE_MAX	2048	/* the kernel's, with NUL */
#define PROTO_QUEUES_MAX	8	/* virtqueues of one disk */
#define PROTO_QUEUE_SIZE_MAX	1024	/* entries of one virtqueue */
#define PROTO_POLL_US_MAX	1000
#define PROTO_THREADS_MAX	8
#define PROTO_SLOW_US_MAX	10000
#define PROTO_DISKS_MAX		16	/* disks of one machine */
#define PROTO_VCPUS_MAX		64
#define PROTO_ACCESS_MAX	8	/* bytes of one register access */
#define PROTO_CLIENTS_MAX	8	/* of the control socket, at a time */
#define PROTO_WORD_MAX		16	/* a word, with NUL */
#define PROTO_TTY_MAX		64	/* a terminal's name, with NUL */

enum proto_type {
	PROTO_BLK_ATTACH	= 100,
	PROTO_BLK_DETACH	= 101,
	PROTO_BLK_PAUSE		= 102,
	PROTO_BLK_RESUME	= 103,
	PROTO_BLK_PING		= 104,
	PROTO_BLK_LIMITS	= 105,
	PROTO_BLK_RESIZE	= 106,
	PROTO_BLK_FAULTS	= 107,
	PROTO_BLK_FAULT		= 108,
	PROTO_BLK_TAKE_OVER	= 109,

	PROTO_BLK_READY		= 200,
	PROTO_BLK_FAIL		= 201,
	PROTO_BLK_PAUSED	= 202,
	PROTO_BLK_RESUMED	= 203,
	PROTO_BLK_PONG		= 204,
	PROTO_BLK_REPLACE	= 205,
	PROTO_BLK_LIMITED	= 206,
	PROTO_BLK_RESIZED	= 207,
	PROTO_BLK_FAULTED	= 208,
	PROTO_BLK_STANDING	= 209,

	PROTO_MMIO_READ		= 300,
	PROTO_MMIO_DATA		= 301,
	PROTO_MMIO_WRITE	= 302,
	PROTO_MMIO_ACK		= 303,
	PROTO_MMIO_NOTIFY	= 304,

	PROTO_VM_MACHINE	= 400,
	PROTO_VM_DISK		= 401,
	PROTO_VM_RUN		= 402,
	PROTO_VM_STOP		= 403,
	PROTO_VM_CLIENT		= 404,
	PROTO_VM_ANSWER		= 405,

	PROTO_VM_READY		= 500,
	PROTO_VM_FAIL		= 501,
	PROTO_VM_EXIT		= 502,
	PROTO_VM_STUCK		= 503,
	PROTO_VM_ASK		= 504,
	PROTO_VM_CLIENT_GONE	= 505,
};

/* First in every packet. */
struct proto_header {
	uint32_t	m_magic;	/* PROTO_MAGIC */
	uint16_t	m_version;	/* PROTO_VERSION */
	uint16_t	m_type;		/* enum proto_type */
	uint32_t	m_length;	/* bytes of the packet, header included */
	uint32_t	m_sequence;	/* sender's; an answer repeats its question's */
};
static_assert(sizeof(struct proto_header) == 16, "header is 16 bytes");

/*
 * A message that is its type alone: DETACH, PAUSE, RESUME, PING, RESIZE,
 * FAULTS, LIMITED, STANDING, VM_RUN, VM_STOP, MMIO_ACK.
 */
struct proto_empty {
	struct proto_header	m_hdr;
};

/* --- control channel, monitor to blkd --------------------------------- */

enum proto_disk_flag {
	PROTO_DISK_READONLY	= 1u << 0,	/* offer VIRTIO_BLK_F_RO */
	PROTO_DISK_STRICT	= 1u << 1,	/* a missing layer is fatal */
	PROTO_DISK_DIRECT	= 1u << 2,	/* backing opened O_DIRECT */
	PROTO_DISK_PAUSED	= 1u << 3,	/* take nothing before RESUME */
	PROTO_DISK_GROUP	= 1u << 4,	/* a group's page is among the fds */
	PROTO_DISK_STANDBY	= 1u << 5,	/* wait for TAKE_OVER */
};
#define PROTO_DISK_FLAGS	(PROTO_DISK_READONLY | PROTO_DISK_STRICT | \
	PROTO_DISK_DIRECT | PROTO_DISK_PAUSED | PROTO_DISK_GROUP | \
	PROTO_DISK_STANDBY)

/*
 * Descriptors of ATTACH, in this order; m_queues kicks follow, and with
 * GROUP the memfd of its throttle group (blkd/group.h).
 */
enum proto_attach_fd {
	PROTO_ATTACH_GMEM,	/* memfd, sealed: guest memory, read-write */
	PROTO_ATTACH_STATE,	/* memfd, sealed: struct state, read-write */
	PROTO_ATTACH_DOORBELL,	/* memfd, sealed: struct doorbell, read-write */
	PROTO_ATTACH_BACKING,	/* regular file or block device */
	PROTO_ATTACH_MMIO,	/* SOCK_SEQPACKET: the MMIO channel */
	PROTO_ATTACH_IRQ,	/* eventfd: KVM_IRQFD of the interrupt line */
	PROTO_ATTACH_KICK,	/* eventfd a queue: KVM_IOEVENTFD of its kicks */
};
static_assert(PROTO_ATTACH_KICK + PROTO_QUEUES_MAX + 1 <= PROTO_FDS_MAX,
    "every kick of a disk fits into one packet");

/*
 * The limits of a disk's throttle.  A rate is tokens a second, 0: no limit;
 * a burst is tokens, 0: one second's worth; a burst needs a rate and is not
 * below it.
 */
#define PROTO_LIMIT_MAX	(UINT64_C(1) << 61)	/* of a rate, of a burst */

struct proto_limits {
	uint64_t	m_ops_rate;
	uint64_t	m_ops_burst;
	uint64_t	m_bytes_rate;
	uint64_t	m_bytes_burst;
	uint64_t	m_iops_size;	/* bytes an operation; 0: any size is one */
};
static_assert(sizeof(struct proto_limits) == 40, "no padding");

/*
 * A throttle group's memfd: slots of two 64-bit words, the operations and the
 * bytes that are spent since the epoch.  Each change of the limits takes the
 * next slot, so that who has not heard of it yet spends from the old one.
 */
#define PROTO_GROUP_BYTES	4096
#define PROTO_GROUP_SLOTS	(PROTO_GROUP_BYTES / 16)
#define PROTO_CPUS_MAX	1024		/* CPU numbers are below this */

/* How the I/O is done. */
enum proto_engine {
	PROTO_ENGINE_SYNC	= 0,
	PROTO_ENGINE_URING	= 1,	/* FAIL where it cannot be had */
	PROTO_ENGINE_AUTO	= 2,	/* URING; SYNC where it cannot be had */
	PROTO_ENGINE_MMAP	= 3,	/* FAIL where the file has O_DIRECT */
	PROTO_ENGINE_LAST	= PROTO_ENGINE_MMAP,
};

/*
 * "Become this disk."  Answered by READY or FAIL; with STANDBY, by STANDING
 * as soon as all that can be done beside a predecessor is done.
 */
struct proto_blk_attach {
	struct proto_header	m_hdr;
	char		m_name[PROTO_NAME_MAX];	/* for the log and the title */
	uint8_t		m_serial[PROTO_SERIAL_SIZE]; /* NUL-padded */
	uint32_t	m_flags;	/* enum proto_disk_flag */
	uint64_t	m_memory;	/* bytes of guest memory */
	uint32_t	m_queues;	/* 1..PROTO_QUEUES_MAX */
	uint32_t	m_queue_size;	/* QueueNumMax: a power of two */
	uint32_t	m_block_size;	/* 512 or 4096 */
	uint32_t	m_incarnation;	/* 0 for the first, +1 a respawn */
	struct proto_limits m_limits;
	/* Of each queue's thread: the CPU's number + 1; 0: any. */
	uint16_t	m_cpu[PROTO_QUEUES_MAX];
	struct proto_limits m_group;	/* with GROUP; else 0 */
	uint64_t	m_group_epoch;	/* CLOCK_MONOTONIC, ns */
	uint32_t	m_poll_us;	/* look at the ring so long; 0: sleep */
	uint32_t	m_engine;	/* enum proto_engine */
	uint32_t	m_group_slot;	/* < PROTO_GROUP_SLOTS */
	/* SYNC: threads a queue for what takes longer than m_slow_us. */
	uint16_t	m_threads;	/* <= PROTO_THREADS_MAX */
	uint16_t	m_slow_us;	/* <= PROTO_SLOW_US_MAX; 0: all */
};
static_assert(sizeof(struct proto_blk_attach) == 216, "no padding");

/*
 * "The predecessor is gone: recover what it left, and serve."  What may have
 * changed since ATTACH comes again.  Answered by READY or FAIL.
 */
struct proto_blk_take_over {
	struct proto_header	m_hdr;
	uint32_t	m_flags;	/* PROTO_DISK_PAUSED or 0 */
	uint32_t	m_incarnation;
	struct proto_limits m_limits;
};
static_assert(sizeof(struct proto_blk_take_over) == 64, "no padding");

/* "Other limits from now on."  Answered by LIMITED. */
struct proto_blk_limits {
	struct proto_header	m_hdr;
	struct proto_limits	m_limits;
	struct proto_limits	m_group;	/* as in ATTACH */
	uint64_t	m_group_epoch;
	uint32_t	m_group_slot;
	uint32_t	m_reserved;	/* 0 */
};
static_assert(sizeof(struct proto_blk_limits) == 112, "no padding");

/*
 * Faults on purpose.  FAULTS, before ATTACH and only where the configuration
 * allows faults, brings the memory (a sealed memfd of PROTO_FAULT_BYTES) in
 * which blkds keep rules, counts and held writes for their successors: what
 * is in it is theirs alone.
 */
#define PROTO_FAULT_BYTES	(4096u + (2u << 20) + (64u << 20))
#define PROTO_FAULTS_MAX	8	/* rules of one disk */
#define PROTO_FAULT_PPM		1000000	/* every time */
#define PROTO_FAULT_NS_MAX	(UINT64_C(60) * 1000000000)

enum proto_fault_action {
	PROTO_FAULT_LIST	= 1,	/* tell the rules; no rule itself */
	PROTO_FAULT_CLEAR	= 2,	/* forget m_id, 0: all; no rule itself */
	PROTO_FAULT_KILL	= 3,	/* blkd dies */
	PROTO_FAULT_STOP	= 4,	/* it hangs */
	PROTO_FAULT_EIO		= 5,	/* no I/O, an error */
	PROTO_FAULT_ENOSPC	= 6,
	PROTO_FAULT_DELAY	= 7,	/* the I/O waits for m_delay_ns */
	PROTO_FAULT_TORN	= 8,	/* the first sectors, then an error */
	PROTO_FAULT_SHORT	= 9,	/* the first sectors, then success */
	PROTO_FAULT_LOST_FLUSH	= 10,	/* in no file before a FLUSH */
	PROTO_FAULT_LAST	= PROTO_FAULT_LOST_FLUSH,
};
#define PROTO_FAULT_FIRST	PROTO_FAULT_KILL	/* of the rules */

enum proto_fault_op {
	PROTO_FAULT_READ	= 1u << 0,
	PROTO_FAULT_WRITE	= 1u << 1,
	PROTO_FAULT_FLUSH	= 1u << 2,
	PROTO_FAULT_DISCARD	= 1u << 3,	/* and WRITE_ZEROES */
};
#define PROTO_FAULT_OPS		((1u << 4) - 1)

struct proto_fault {
	uint32_t	m_id;		/* by the monitor, from 1 on */
	uint32_t	m_action;	/* enum proto_fault_action */
	uint32_t	m_ops;		/* enum proto_fault_op: which match */
	uint32_t	m_after;	/* 0; 1: KILL, STOP after the I/O */
	uint64_t	m_first;	/* 512-byte sectors that match, */
	uint64_t	m_last;		/* this one, too; UINT64_MAX: the end */
	uint64_t	m_skip;		/* matches that come first */
	uint64_t	m_every;	/* of the rest, one in so many */
	uint64_t	m_count;	/* strikes; 0: without end */
	uint64_t	m_seed;		/* of m_ppm and of where to cut */
	uint64_t	m_delay_ns;	/* DELAY */
	uint32_t	m_ppm;		/* strikes of a million; 1 or more */
	uint32_t	m_reserved;	/* 0 */
};
static_assert(sizeof(struct proto_fault) == 80, "no padding");

/* A rule of a list; m_id 0: there is none in this place. */
struct proto_fault_row {
	struct proto_fault m_fault;
	uint64_t	m_seen;		/* operations that matched */
	uint64_t	m_struck;
};
static_assert(sizeof(struct proto_fault_row) == 96, "no padding");

/* Answered by FAULTED.  A rule that is there already is not made again. */
struct proto_blk_fault {
	struct proto_header	m_hdr;
	struct proto_fault	m_fault;
};
static_assert(sizeof(struct proto_blk_fault) == 96, "no padding");

/* --- control channel, blkd to monitor --------------------------------- */

/* Layers of the sandbox, in the order in which they are entered. */
enum proto_layer {
	PROTO_LAYER_USERNS	= 1u << 0,
	PROTO_LAYER_NAMESPACES	= 1u << 1,	/* mount, pid, net, ipc, uts */
	PROTO_LAYER_ROOT	= 1u << 2,	/* empty root by pivot_root */
	PROTO_LAYER_CHROOT	= 1u << 3,	/* empty root by chroot */
	PROTO_LAYER_IDS		= 1u << 4,	/* own uid and gid */
	PROTO_LAYER_CAPS	= 1u << 5,	/* no capability in any set */
	PROTO_LAYER_NNP		= 1u << 6,	/* no_new_privs */
	PROTO_LAYER_NODUMP	= 1u << 7,	/* not dumpable */
	PROTO_LAYER_LANDLOCK	= 1u << 8,
	PROTO_LAYER_RLIMITS	= 1u << 9,
	PROTO_LAYER_MDWE	= 1u << 10,	/* memory-deny-write-execute */
	PROTO_LAYER_SECCOMP	= 1u << 11,
};
#define PROTO_LAYERS		((1u << 12) - 1)

struct proto_blk_ready {
	struct proto_header	m_hdr;
	uint32_t	m_layers;	/* enum proto_layer that hold */
	uint32_t	m_replayed;	/* requests of the predecessor run again */
	uint64_t	m_capacity;	/* 512-byte sectors */
	uint32_t	m_engine;	/* enum proto_engine, not AUTO */
	uint32_t	m_reserved;	/* 0 */
};
static_assert(sizeof(struct proto_blk_ready) == 40, "no padding");

/* FAIL, of a disk or of the machine: why the start cannot go on. */
struct proto_fail {
	struct proto_header	m_hdr;
	int32_t		m_errno;	/* > 0 */
	char		m_text[PROTO_TEXT_MAX];	/* a sentence, NUL-terminated */
};
static_assert(sizeof(struct proto_fail) == 244, "no padding");

/* Answer to RESIZE ("ask the backing for its size"). */
struct proto_blk_resized {
	struct proto_header	m_hdr;
	uint64_t	m_capacity;	/* 512-byte sectors, now */
};
static_assert(sizeof(struct proto_blk_resized) == 24, "no padding");

struct proto_blk_faulted {
	struct proto_header	m_hdr;
	int32_t		m_errno;	/* 0: done */
	uint32_t	m_reserved;	/* 0 */
	struct proto_fault_row m_row[PROTO_FAULTS_MAX];	/* the rules now */
};
static_assert(sizeof(struct proto_blk_faulted) == 792, "no padding");

enum proto_replace_reason {
	PROTO_REPLACE_RESET	= 1,	/* I/O outlived a reset by 1 s */
	PROTO_REPLACE_LAST	= PROTO_REPLACE_RESET,
};

/* "Kill me and attach a successor": what cannot be mended from inside. */
struct proto_blk_replace {
	struct proto_header	m_hdr;
	uint32_t	m_reason;	/* enum proto_replace_reason */
};
static_assert(sizeof(struct proto_blk_replace) == 20, "no padding");

/* --- MMIO channel ------------------------------------------------------ */

/* A register read by a vCPU; answered by DATA. */
struct proto_mmio_read {
	struct proto_header	m_hdr;
	uint32_t	m_offset;	/* in the 4 KiB window */
	uint32_t	m_size;		/* 1, 2, 4 or 8 bytes */
};
static_assert(sizeof(struct proto_mmio_read) == 24, "no padding");

struct proto_mmio_data {
	struct proto_header	m_hdr;
	uint64_t	m_value;	/* little-endian, m_size bytes count */
};
static_assert(sizeof(struct proto_mmio_data) == 24, "no padding");

/* A register write by a vCPU; answered by ACK. */
struct proto_mmio_write {
	struct proto_header	m_hdr;
	uint32_t	m_offset;
	uint32_t	m_size;
	uint64_t	m_value;
};
static_assert(sizeof(struct proto_mmio_write) == 32, "no padding");

/* A kick, where ioeventfd is switched off; not answered. */
struct proto_mmio_notify {
	struct proto_header	m_hdr;
	uint32_t	m_queue;	/* < PROTO_QUEUES_MAX */
};
static_assert(sizeof(struct proto_mmio_notify) == 20, "no padding");

/* --- machine channel, monitor to vm ------------------------------------ */

enum proto_machine_flag {
	PROTO_MACHINE_INITRD	= 1u << 0,	/* an initrd is among the fds */
	PROTO_MACHINE_STRICT	= 1u << 1,	/* a missing layer is fatal */
	/* name each disk on the command line: virtio_mmio.device= */
	PROTO_MACHINE_MMIO_CMDLINE = 1u << 2,
};
#define PROTO_MACHINE_FLAGS	(PROTO_MACHINE_INITRD | PROTO_MACHINE_STRICT | \
	PROTO_MACHINE_MMIO_CMDLINE)

/* Descriptors of MACHINE, in this order. */
enum proto_machine_fd {
	PROTO_MACHINE_KVM,		/* /dev/kvm */
	PROTO_MACHINE_GMEM,		/* memfd, sealed: guest memory */
	PROTO_MACHINE_KERNEL,		/* regular file, read-only */
	PROTO_MACHINE_SERIAL_IN,	/* the guest's keyboard */
	PROTO_MACHINE_SERIAL_OUT,	/* the guest's screen */
	PROTO_MACHINE_INITRD_FD,	/* regular file, read-only; optional */
};

/* "Be this machine."  The disks follow; READY or FAIL answers the last. */
struct proto_vm_machine {
	struct proto_header	m_hdr;
	char		m_name[PROTO_NAME_MAX];
	uint64_t	m_memory;	/* bytes: a multiple of 2 MiB */
	uint32_t	m_vcpus;	/* 1..PROTO_VCPUS_MAX */
	uint32_t	m_disks;	/* 0..PROTO_DISKS_MAX DISK messages follow */
	uint32_t	m_flags;	/* enum proto_machine_flag */
	uint32_t	m_reserved;	/* 0 */
	char		m_cmdline[PROTO_CMDLINE_MAX];	/* NUL-terminated */
};
static_assert(sizeof(struct proto_vm_machine) <= PROTO_PACKET_MAX,
    "a machine fits into one packet");

enum proto_vm_disk_flag {
	PROTO_VM_DISK_SUCCESSOR	= 1u << 0,	/* a new channel, all else kept */
	PROTO_VM_DISK_MESSAGE	= 1u << 1,	/* kicks by NOTIFY, no ioeventfd */
};
#define PROTO_VM_DISK_FLAGS	(PROTO_VM_DISK_SUCCESSOR | PROTO_VM_DISK_MESSAGE)

/*
 * Descriptors of DISK, in this order; m_queues kicks at the end.  With
 * SUCCESSOR the channel comes alone.
 */
enum proto_vm_disk_fd {
	PROTO_VM_DISK_MMIO,	/* SOCK_SEQPACKET: the MMIO channel */
	PROTO_VM_DISK_DOORBELL,	/* memfd, sealed: struct doorbell */
	PROTO_VM_DISK_IRQ,	/* eventfd */
	PROTO_VM_DISK_STATE,	/* memfd, sealed: struct state, read-only */
	PROTO_VM_DISK_KICK,	/* eventfd a queue */
};

/* A disk of the machine, or the new channel of one that was respawned. */
struct proto_vm_disk {
	struct proto_header	m_hdr;
	uint32_t	m_index;	/* < m_disks of MACHINE */
	uint32_t	m_flags;	/* enum proto_vm_disk_flag */
	uint32_t	m_queues;	/* 1..PROTO_QUEUES_MAX */
	uint32_t	m_queue_size;	/* QueueNumMax: a power of two */
	char		m_name[PROTO_NAME_MAX];
};
static_assert(sizeof(struct proto_vm_disk) == 64, "no padding");

/*
 * Somebody has connected to the control socket: the connection, which is
 * nonblocking.  Answered by CLIENT_GONE when it is closed.
 */
struct proto_vm_client {
	struct proto_header	m_hdr;
	uint32_t	m_client;	/* < PROTO_CLIENTS_MAX; free until now */
	uint32_t	m_reserved;	/* 0 */
};
static_assert(sizeof(struct proto_vm_client) == 24, "no padding");

/* What the monitor knows of a disk. */
struct proto_disk_status {
	int32_t		m_pid;		/* of its blkd; 0: none */
	uint32_t	m_layers;	/* enum proto_layer that hold */
	uint32_t	m_incarnation;	/* blkds attached so far */
	uint16_t	m_paused;	/* 0 or 1 */
	uint16_t	m_engine;	/* enum proto_engine, not AUTO */
	uint64_t	m_deaths;
	uint64_t	m_hangs;	/* deaths since it did not answer */
	uint64_t	m_capacity;	/* 512-byte sectors */
	struct proto_limits m_limits;
	struct proto_limits m_group;	/* of its throttle group */
	char		m_group_name[PROTO_NAME_MAX];	/* empty: in none */
	char		m_state[PROTO_WORD_MAX];
};
static_assert(sizeof(struct proto_disk_status) == 168, "no padding");

/* And of the machine. */
struct proto_machine_status {
	int32_t		m_monitor;	/* process ids */
	int32_t		m_vm;
	uint32_t	m_layers;	/* of the vm process */
	uint32_t	m_vcpus;
	uint64_t	m_memory;	/* bytes */
	char		m_name[PROTO_NAME_MAX];
	char		m_serial[PROTO_WORD_MAX];	/* pty, file, ... */
	char		m_terminal[PROTO_TTY_MAX];	/* of a pty */
};
static_assert(sizeof(struct proto_machine_status) == 136, "no padding");

/* Answer to ASK. */
struct proto_vm_answer {
	struct proto_header	m_hdr;
	uint32_t	m_client;	/* as in ASK */
	int32_t		m_errno;	/* 0: done */
	char		m_text[PROTO_TEXT_MAX];	/* else why not: a sentence */
	struct proto_disk_status m_disk;	/* the one of ASK, now */
	struct proto_machine_status m_machine;	/* for PROTO_VERB_MACHINE */
	struct proto_fault_row m_row[PROTO_FAULTS_MAX];	/* _VERB_FAULT */
};
static_assert(sizeof(struct proto_vm_answer) == 1320, "no padding");

/* --- machine channel, vm to monitor ------------------------------------ */

struct proto_vm_ready {
	struct proto_header	m_hdr;
	uint32_t	m_layers;	/* enum proto_layer that hold */
	uint32_t	m_reserved;	/* 0 */
};
static_assert(sizeof(struct proto_vm_ready) == 24, "no padding");

enum proto_exit_reason {
	PROTO_EXIT_POWEROFF	= 1,
	PROTO_EXIT_RESET	= 2,	/* i8042, ACPI reset register */
	PROTO_EXIT_CRASH	= 3,	/* triple fault */
	PROTO_EXIT_KVM		= 4,	/* KVM gave up: m_detail, m_rip */
	PROTO_EXIT_DEBUG	= 5,	/* debug-exit port: m_detail is the byte */
	PROTO_EXIT_STOPPED	= 6,	/* VM_STOP was obeyed */
	PROTO_EXIT_LAST		= PROTO_EXIT_STOPPED,
};

/* The guest has ended; the vm process ends next. */
struct proto_vm_exit {
	struct proto_header	m_hdr;
	uint32_t	m_reason;	/* enum proto_exit_reason */
	uint32_t	m_detail;	/* see the reasons */
	uint64_t	m_rip;		/* of the vCPU that ended it */
	char		m_text[PROTO_TEXT_MAX];	/* a sentence, NUL-terminated */
};
static_assert(sizeof(struct proto_vm_exit) == 256, "no padding");

/* A disk has not answered a register access within its time. */
struct proto_vm_stuck {
	struct proto_header	m_hdr;
	uint32_t	m_index;	/* of the disk */
};
static_assert(sizeof(struct proto_vm_stuck) == 20, "no padding");

/* What a client of the control socket wants done, or to know. */
enum proto_verb {
	PROTO_VERB_MACHINE	= 1,	/* the status of the machine */
	PROTO_VERB_DISK		= 2,	/* the status of a disk */
	PROTO_VERB_THROTTLE	= 3,	/* other limits: m_set, m_limits */
	PROTO_VERB_RESIZE	= 4,	/* ask the image for its size */
	PROTO_VERB_PAUSE	= 5,	/* done when nothing is in flight */
	PROTO_VERB_RESUME	= 6,
	PROTO_VERB_STOP		= 7,	/* the machine */
	PROTO_VERB_FAULT	= 8,	/* m_fault, whose id is the monitor's */
	PROTO_VERB_UPGRADE	= 9,	/* done when the new blkd serves */
	PROTO_VERB_LAST		= PROTO_VERB_UPGRADE,
};

enum proto_limit_bit {
	PROTO_LIMIT_OPS_RATE	= 1u << 0,
	PROTO_LIMIT_OPS_BURST	= 1u << 1,
	PROTO_LIMIT_BYTES_RATE	= 1u << 2,
	PROTO_LIMIT_BYTES_BURST	= 1u << 3,
	PROTO_LIMIT_IOPS_SIZE	= 1u << 4,
	PROTO_LIMIT_OF_GROUP	= 1u << 5,	/* not of the disk itself */
};
#define PROTO_LIMIT_BITS	((1u << 6) - 1)

/* A client's question; one a client at a time. */
struct proto_vm_ask {
	struct proto_header	m_hdr;
	uint32_t	m_client;
	uint32_t	m_verb;		/* enum proto_verb */
	uint32_t	m_disk;		/* its index; 0 where there is none */
	uint32_t	m_set;		/* enum proto_limit_bit: which change */
	struct proto_limits m_limits;
	struct proto_fault m_fault;
};
static_assert(sizeof(struct proto_vm_ask) == 152, "no padding");

/* The connection of a client is closed; its number is free again. */
struct proto_vm_client_gone {
	struct proto_header	m_hdr;
	uint32_t	m_client;
};
static_assert(sizeof(struct proto_vm_client_gone) == 20, "no padding");

#endif /* PROTO_PROTO_H */
