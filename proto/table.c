/* SPDX-License-Identifier: ISC */
/*
 * The facts of each message type.  Runs in every process; pure functions
 * over bytes that a peer wrote and nothing is known of.
 */
#include <stdbool.h>
#include <string.h>

#include "proto/proto.h"
#include "proto/table.h"

#define KNOWN_BITS(v, bits)	(((v) & ~(uint32_t)(bits)) == 0)
#define IN_RANGE(v, lo, hi)	((v) >= (lo) && (v) <= (hi))

static bool
is_power_of_two(uint32_t v)
{
	return v != 0 && (v & (v - 1)) == 0;
}

/* Terminated within its field. */
static bool
is_string(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

/* A name: terminated, not empty. */
static bool
is_name(const char *s)
{
	return s[0] != '\0' && is_string(s, PROTO_NAME_MAX);
}

/* A register access: a width that x86 has, within its 4 KiB window. */
static bool
is_access(uint32_t offset, uint32_t size)
{
	return size <= PROTO_ACCESS_MAX && is_power_of_two(size) &&
	    offset < 4096 && size <= 4096 - offset;
}

/* A burst needs a rate, and is not below it. */
static bool
is_limit(uint64_t rate, uint64_t burst)
{
	return rate <= PROTO_LIMIT_MAX && burst <= PROTO_LIMIT_MAX &&
	    (burst == 0 || (rate != 0 && burst >= rate));
}

bool
proto_limits_valid(const struct proto_limits *l)
{
	return is_limit(l->m_ops_rate, l->m_ops_burst) &&
	    is_limit(l->m_bytes_rate, l->m_bytes_burst);
}

static bool
are_cpus(const uint16_t *cpu)
{
	size_t i;

	for (i = 0; i < PROTO_QUEUES_MAX; i++) {
		if (cpu[i] > PROTO_CPUS_MAX)
			return false;
	}
	return true;
}

static bool
valid_attach(const void *packet, size_t nfds)
{
	const struct proto_blk_attach *m = packet;
	bool group = (m->m_flags & PROTO_DISK_GROUP) != 0;

	return is_name(m->m_name) && KNOWN_BITS(m->m_flags, PROTO_DISK_FLAGS) &&
	    m->m_memory != 0 && IN_RANGE(m->m_queues, 1, PROTO_QUEUES_MAX) &&
	    nfds == PROTO_ATTACH_KICK + m->m_queues + (size_t)group &&
	    is_power_of_two(m->m_queue_size) &&
	    m->m_queue_size <= PROTO_QUEUE_SIZE_MAX &&
	    (m->m_block_size == 512 || m->m_block_size == 4096) &&
	    proto_limits_valid(&m->m_limits) &&
	    proto_limits_valid(&m->m_group) &&
	    m->m_group_slot < PROTO_GROUP_SLOTS && are_cpus(m->m_cpu) &&
	    m->m_poll_us <= PROTO_POLL_US_MAX &&
	    m->m_threads <= PROTO_THREADS_MAX &&
	    m->m_slow_us <= PROTO_SLOW_US_MAX &&
	    m->m_engine <= PROTO_ENGINE_LAST;
}

static bool
valid_take_over(const void *packet, size_t nfds)
{
	const struct proto_blk_take_over *m = packet;

	(void)nfds;
	return KNOWN_BITS(m->m_flags, PROTO_DISK_PAUSED) &&
	    proto_limits_valid(&m->m_limits);
}

static bool
valid_limits(const void *packet, size_t nfds)
{
	const struct proto_blk_limits *m = packet;

	(void)nfds;
	return proto_limits_valid(&m->m_limits) &&
	    proto_limits_valid(&m->m_group) &&
	    m->m_group_slot < PROTO_GROUP_SLOTS;
}

/* What each kind of fault can befall. */
static const uint32_t fault_ops[PROTO_FAULT_LAST + 1] = {
	[PROTO_FAULT_KILL] = PROTO_FAULT_OPS,
	[PROTO_FAULT_STOP] = PROTO_FAULT_OPS,
	[PROTO_FAULT_EIO] = PROTO_FAULT_OPS,
	[PROTO_FAULT_ENOSPC] = PROTO_FAULT_OPS,
	[PROTO_FAULT_DELAY] = PROTO_FAULT_OPS,
	[PROTO_FAULT_TORN] = PROTO_FAULT_WRITE,
	[PROTO_FAULT_SHORT] = PROTO_FAULT_READ | PROTO_FAULT_WRITE,
	[PROTO_FAULT_LOST_FLUSH] = PROTO_FAULT_WRITE,
};

uint32_t
proto_fault_ops(uint32_t action)
{
	return action <= PROTO_FAULT_LAST ? fault_ops[action] : 0;
}

static bool
is_rule(const struct proto_fault *f)
{
	bool dies = f->m_action == PROTO_FAULT_KILL ||
	    f->m_action == PROTO_FAULT_STOP;
	bool delays = f->m_action == PROTO_FAULT_DELAY;

	return f->m_id != 0 && f->m_ops != 0 &&
	    KNOWN_BITS(f->m_ops, proto_fault_ops(f->m_action)) &&
	    f->m_after <= (dies ? 1 : 0) && f->m_first <= f->m_last &&
	    f->m_skip <= INT64_MAX && f->m_count <= INT64_MAX &&
	    IN_RANGE(f->m_every, 1, INT64_MAX) &&
	    IN_RANGE(f->m_ppm, 1, PROTO_FAULT_PPM) &&
	    IN_RANGE(f->m_delay_ns, delays ? 1 : 0,
	    delays ? PROTO_FAULT_NS_MAX : 0);
}

bool
proto_fault_valid(const struct proto_fault *f)
{
	if (f->m_reserved != 0)
		return false;
	if (f->m_action == PROTO_FAULT_LIST ||
	    f->m_action == PROTO_FAULT_CLEAR)
		return true;
	return IN_RANGE(f->m_action, PROTO_FAULT_FIRST, PROTO_FAULT_LAST) &&
	    is_rule(f);
}

static bool
are_rows(const struct proto_fault_row *row)
{
	size_t i;

	for (i = 0; i < PROTO_FAULTS_MAX; i++) {
		if (row[i].m_fault.m_id != 0 &&
		    (row[i].m_fault.m_action < PROTO_FAULT_FIRST ||
		    !proto_fault_valid(&row[i].m_fault)))
			return false;
	}
	return true;
}

static bool
valid_fault(const void *packet, size_t nfds)
{
	const struct proto_blk_fault *m = packet;

	(void)nfds;
	return proto_fault_valid(&m->m_fault);
}

static bool
valid_faulted(const void *packet, size_t nfds)
{
	const struct proto_blk_faulted *m = packet;

	(void)nfds;
	return m->m_errno >= 0 && m->m_reserved == 0 && are_rows(m->m_row);
}

/* One that can be in use. */
static bool
is_engine(uint32_t engine)
{
	return engine <= PROTO_ENGINE_LAST && engine != PROTO_ENGINE_AUTO;
}

static bool
valid_ready(const void *packet, size_t nfds)
{
	const struct proto_blk_ready *m = packet;

	(void)nfds;
	return KNOWN_BITS(m->m_layers, PROTO_LAYERS) &&
	    is_engine(m->m_engine) && m->m_reserved == 0;
}

static bool
valid_fail(const void *packet, size_t nfds)
{
	const struct proto_fail *m = packet;

	(void)nfds;
	return m->m_errno > 0 && is_string(m->m_text, sizeof(m->m_text));
}

static bool
valid_replace(const void *packet, size_t nfds)
{
	const struct proto_blk_replace *m = packet;

	(void)nfds;
	return IN_RANGE(m->m_reason, 1, PROTO_REPLACE_LAST);
}

static bool
valid_mmio_read(const void *packet, size_t nfds)
{
	const struct proto_mmio_read *m = packet;

	(void)nfds;
	return is_access(m->m_offset, m->m_size);
}

static bool
valid_mmio_write(const void *packet, size_t nfds)
{
	const struct proto_mmio_write *m = packet;

	(void)nfds;
	return is_access(m->m_offset, m->m_size);
}

static bool
valid_notify(const void *packet, size_t nfds)
{
	const struct proto_mmio_notify *m = packet;

	(void)nfds;
	return m->m_queue < PROTO_QUEUES_MAX;
}

static bool
valid_machine(const void *packet, size_t nfds)
{
	const struct proto_vm_machine *m = packet;
	bool initrd = m->m_flags & PROTO_MACHINE_INITRD;

	return is_name(m->m_name) &&
	    KNOWN_BITS(m->m_flags, PROTO_MACHINE_FLAGS) &&
	    nfds == PROTO_MACHINE_INITRD_FD + (size_t)initrd &&
	    m->m_memory != 0 && m->m_memory % (UINT64_C(2) << 20) == 0 &&
	    IN_RANGE(m->m_vcpus, 1, PROTO_VCPUS_MAX) &&
	    m->m_disks <= PROTO_DISKS_MAX && m->m_reserved == 0 &&
	    is_string(m->m_cmdline, sizeof(m->m_cmdline));
}

static bool
valid_vm_disk(const void *packet, size_t nfds)
{
	const struct proto_vm_disk *m = packet;
	size_t want = PROTO_VM_DISK_KICK + (size_t)m->m_queues;

	if (m->m_flags & PROTO_VM_DISK_SUCCESSOR)
		want = PROTO_VM_DISK_MMIO + 1;
	return m->m_index < PROTO_DISKS_MAX &&
	    KNOWN_BITS(m->m_flags, PROTO_VM_DISK_FLAGS) &&
	    IN_RANGE(m->m_queues, 1, PROTO_QUEUES_MAX) && nfds == want &&
	    is_power_of_two(m->m_queue_size) &&
	    m->m_queue_size <= PROTO_QUEUE_SIZE_MAX && is_name(m->m_name);
}

static bool
valid_client(const void *packet, size_t nfds)
{
	const struct proto_vm_client *m = packet;

	(void)nfds;
	return m->m_client < PROTO_CLIENTS_MAX && m->m_reserved == 0;
}

static bool
valid_client_gone(const void *packet, size_t nfds)
{
	const struct proto_vm_client_gone *m = packet;

	(void)nfds;
	return m->m_client < PROTO_CLIENTS_MAX;
}

/*
 * Limits as a whole are checked when they are merged with those in force, a
 * fault when it has its number.
 */
static bool
valid_ask(const void *packet, size_t nfds)
{
	const struct proto_vm_ask *m = packet;

	(void)nfds;
	return m->m_client < PROTO_CLIENTS_MAX &&
	    IN_RANGE(m->m_verb, 1, PROTO_VERB_LAST) &&
	    m->m_disk < PROTO_DISKS_MAX &&
	    KNOWN_BITS(m->m_set, PROTO_LIMIT_BITS);
}

static bool
valid_answer(const void *packet, size_t nfds)
{
	const struct proto_vm_answer *m = packet;
	const struct proto_disk_status *d = &m->m_disk;
	const struct proto_machine_status *mc = &m->m_machine;

	(void)nfds;
	return m->m_client < PROTO_CLIENTS_MAX && m->m_errno >= 0 &&
	    is_string(m->m_text, sizeof(m->m_text)) &&
	    KNOWN_BITS(d->m_layers, PROTO_LAYERS) && d->m_paused <= 1 &&
	    is_engine(d->m_engine) &&
	    is_string(d->m_state, sizeof(d->m_state)) &&
	    KNOWN_BITS(mc->m_layers, PROTO_LAYERS) &&
	    is_string(mc->m_name, sizeof(mc->m_name)) &&
	    is_string(mc->m_serial, sizeof(mc->m_serial)) &&
	    is_string(mc->m_terminal, sizeof(mc->m_terminal)) &&
	    are_rows(m->m_row);
}

static bool
valid_vm_ready(const void *packet, size_t nfds)
{
	const struct proto_vm_ready *m = packet;

	(void)nfds;
	return KNOWN_BITS(m->m_layers, PROTO_LAYERS) && m->m_reserved == 0;
}

static bool
valid_vm_exit(const void *packet, size_t nfds)
{
	const struct proto_vm_exit *m = packet;

	(void)nfds;
	return IN_RANGE(m->m_reason, 1, PROTO_EXIT_LAST) &&
	    is_string(m->m_text, sizeof(m->m_text));
}

static bool
valid_vm_stuck(const void *packet, size_t nfds)
{
	const struct proto_vm_stuck *m = packet;

	(void)nfds;
	return m->m_index < PROTO_DISKS_MAX;
}

#define FACT(t, s, ...)	{ .type = PROTO_##t, .name = #t, \
	.size = sizeof(struct s), __VA_ARGS__ }
#define FDS(lo, hi)	.fds_min = (lo), .fds_max = (hi)

static const struct proto_fact facts[] = {
	FACT(BLK_ATTACH, proto_blk_attach, .valid = valid_attach,
	    FDS(PROTO_ATTACH_KICK + 1,
	    PROTO_ATTACH_KICK + PROTO_QUEUES_MAX + 1)),
	FACT(BLK_DETACH, proto_empty),
	FACT(BLK_PAUSE, proto_empty),
	FACT(BLK_RESUME, proto_empty),
	FACT(BLK_PING, proto_empty),
	FACT(BLK_LIMITS, proto_blk_limits, .valid = valid_limits),
	FACT(BLK_RESIZE, proto_empty),
	FACT(BLK_FAULTS, proto_empty, FDS(1, 1)),
	FACT(BLK_FAULT, proto_blk_fault, .valid = valid_fault),
	FACT(BLK_TAKE_OVER, proto_blk_take_over, .valid = valid_take_over),

	FACT(BLK_READY, proto_blk_ready, .valid = valid_ready),
	FACT(BLK_FAIL, proto_fail, .valid = valid_fail),
	FACT(BLK_PAUSED, proto_empty),
	FACT(BLK_RESUMED, proto_empty),
	FACT(BLK_PONG, proto_empty),
	FACT(BLK_REPLACE, proto_blk_replace, .valid = valid_replace),
	FACT(BLK_LIMITED, proto_empty),
	FACT(BLK_RESIZED, proto_blk_resized),
	FACT(BLK_FAULTED, proto_blk_faulted, .valid = valid_faulted),
	FACT(BLK_STANDING, proto_empty),

	FACT(MMIO_READ, proto_mmio_read, .valid = valid_mmio_read),
	FACT(MMIO_DATA, proto_mmio_data),
	FACT(MMIO_WRITE, proto_mmio_write, .valid = valid_mmio_write),
	FACT(MMIO_ACK, proto_empty),
	FACT(MMIO_NOTIFY, proto_mmio_notify, .valid = valid_notify),

	FACT(VM_MACHINE, proto_vm_machine, .valid = valid_machine,
	    FDS(PROTO_MACHINE_INITRD_FD, PROTO_MACHINE_INITRD_FD + 1)),
	FACT(VM_DISK, proto_vm_disk, .valid = valid_vm_disk,
	    FDS(1, PROTO_VM_DISK_KICK + PROTO_QUEUES_MAX)),
	FACT(VM_RUN, proto_empty),
	FACT(VM_STOP, proto_empty),
	FACT(VM_CLIENT, proto_vm_client, .valid = valid_client, FDS(1, 1)),
	FACT(VM_ANSWER, proto_vm_answer, .valid = valid_answer),

	FACT(VM_READY, proto_vm_ready, .valid = valid_vm_ready),
	FACT(VM_FAIL, proto_fail, .valid = valid_fail),
	FACT(VM_EXIT, proto_vm_exit, .valid = valid_vm_exit),
	FACT(VM_STUCK, proto_vm_stuck, .valid = valid_vm_stuck),
	FACT(VM_ASK, proto_vm_ask, .valid = valid_ask),
	FACT(VM_CLIENT_GONE, proto_vm_client_gone,
	    .valid = valid_client_gone),
};

#define NFACTS	(sizeof(facts) / sizeof(facts[0]))

const struct proto_fact *
proto_fact_at(size_t index)
{
	return index < NFACTS ? &facts[index] : NULL;
}

const struct proto_fact *
proto_fact(uint16_t type)
{
	size_t i;

	for (i = 0; i < NFACTS; i++) {
		if (facts[i].type == type)
			return &facts[i];
	}
	return NULL;
}

const char *
proto_name(uint16_t type)
{
	const struct proto_fact *fact = proto_fact(type);

	return fact != NULL ? fact->name : "unknown";
}

const char *
proto_engine_name(uint32_t engine)
{
	static const char *const names[] = {
		[PROTO_ENGINE_SYNC] = "sync",
		[PROTO_ENGINE_URING] = "uring",
		[PROTO_ENGINE_AUTO] = "auto",
		[PROTO_ENGINE_MMAP] = "mmap",
	};

	return engine <= PROTO_ENGINE_LAST ? names[engine] : "unknown";
}

enum proto_error
proto_check(const void *packet, size_t length, size_t nfds)
{
	const struct proto_header *h = packet;
	const struct proto_fact *fact;

	if (length < sizeof(*h))
		return PROTO_E_SHORT;
	if (h->m_magic != PROTO_MAGIC)
		return PROTO_E_MAGIC;
	if (h->m_version != PROTO_VERSION)
		return PROTO_E_VERSION;
	if ((fact = proto_fact(h->m_type)) == NULL)
		return PROTO_E_TYPE;
	if (length != fact->size || h->m_length != length)
		return PROTO_E_LENGTH;
	if (!IN_RANGE(nfds, fact->fds_min, fact->fds_max))
		return PROTO_E_FDS;
	if (fact->valid != NULL && !fact->valid(packet, nfds))
		return PROTO_E_VALUE;
	return PROTO_OK;
}

const char *
proto_error(enum proto_error error)
{
	static const char *const sentences[PROTO_E_COUNT] = {
		[PROTO_OK] = "no error",
		[PROTO_E_SYSTEM] = "the system call failed",
		[PROTO_E_AGAIN] = "nothing was received in time",
		[PROTO_E_EOF] = "the peer closed the channel",
		[PROTO_E_TRUNCATED] = "the packet is longer than any message",
		[PROTO_E_CTRUNCATED] =
		    "the packet has more descriptors than any message",
		[PROTO_E_SHORT] = "the packet is shorter than a header",
		[PROTO_E_MAGIC] = "the packet is not one of this protocol",
		[PROTO_E_VERSION] =
		    "the peer speaks another version: install vmmd and blkd"
		    " of one build",
		[PROTO_E_TYPE] = "there is no such message",
		[PROTO_E_LENGTH] = "the message has the wrong length",
		[PROTO_E_FDS] = "the message has the wrong descriptors",
		[PROTO_E_VALUE] = "a value of the message is out of range",
		[PROTO_E_ROLE] = "the message is not one for this process",
		[PROTO_E_STATE] = "the message is not allowed in this state",
		[PROTO_E_SEQUENCE] = "the answer is to another question",
	};

	if ((unsigned)error >= PROTO_E_COUNT)
		return "unknown error";
	return sentences[error];
}
