/* SPDX-License-Identifier: ISC */
/*
 * What a front-end may say.  Runs in blkd, main thread, inside the sandbox.
 * The size of a payload, the number of descriptors, the ring's number and
 * what must be at rest are checked by the table at the end before a handler
 * sees the message; it checks the values.
 */
#include <linux/virtio_blk.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "blkd/blkconfig.h"
#include "blkd/disk.h"
#include "blkd/features.h"
#include "blkd/vhost_impl.h"
#include "shm/shared.h"
#include "shm/state.h"
#include "util/fd.h"

int
vhost_messages_refuse(struct vhost *v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v->why, sizeof(v->why), fmt, ap);
	va_end(ap);
	return -1;
}

static int
reply_u64(struct vhost *v, uint64_t value)
{
	v->reply.wanted = true;
	v->reply.bytes = sizeof(value);
	v->reply.p.m_u64 = value;
	return 0;
}

/* --- features ----------------------------------------------------------- */

static uint64_t
offered(const struct vhost *v)
{
	return features_offered(v->disk) | FEATURE(VHOST_F_PROTOCOL_FEATURES);
}

static int
on_get_features(struct vhost *v, struct vhost_msg *m)
{
	(void)m;
	return reply_u64(v, offered(v));
}

/*
 * Without VIRTIO_F_VERSION_1 no ring starts: that the guest's driver is too
 * old is no fault of the front-end's.
 */
static int
on_set_features(struct vhost *v, struct vhost_msg *m)
{
	uint64_t features = m->p.m_u64;
	unsigned i;

	if ((features & ~offered(v)) != 0)
		return vhost_messages_refuse(v, "features %#jx were not"
		    " offered", (uintmax_t)(features & ~offered(v)));
	if (features != v->features)
		shared_store(&v->disk->writeback,
		    (features & FEATURE(VIRTIO_BLK_F_FLUSH)) != 0);
	v->features = features;
	for (i = 0; i < v->disk->queues; i++) {
		v->ring[i].broken = false;
		if ((features & FEATURE(VHOST_F_PROTOCOL_FEATURES)) == 0)
			v->ring[i].enabled = true;
	}
	return 0;
}

static int
on_get_protocol_features(struct vhost *v, struct vhost_msg *m)
{
	(void)m;
	return reply_u64(v, VHOST_PROTOCOL_OFFERED);
}

static int
on_set_protocol_features(struct vhost *v, struct vhost_msg *m)
{
	uint64_t features = m->p.m_u64;

	if ((features & ~VHOST_PROTOCOL_OFFERED) != 0)
		return vhost_messages_refuse(v, "protocol features %#jx were"
		    " not offered",
		    (uintmax_t)(features & ~VHOST_PROTOCOL_OFFERED));
	v->protocol = features;
	return 0;
}

static int
on_nothing(struct vhost *v, struct vhost_msg *m)
{
	(void)v;
	(void)m;
	return 0;
}

static int
on_get_queue_num(struct vhost *v, struct vhost_msg *m)
{
	(void)m;
	return reply_u64(v, v->disk->queues);
}

/* --- memory ------------------------------------------------------------- */

static int
refuse_memory(struct vhost *v)
{
	return vhost_messages_refuse(v, "%s", v->mem.why);
}

static int
on_set_mem_table(struct vhost *v, struct vhost_msg *m)
{
	uint32_t i;

	vhost_mem_clear(&v->mem);
	for (i = 0; i < m->p.m_table.m_regions; i++)
		if (vhost_mem_add(&v->mem, &m->p.m_table.m_region[i],
		    m->fd[i]) == -1)
			return refuse_memory(v);
	return vhost_set_memory(v);
}

static int
on_get_max_mem_slots(struct vhost *v, struct vhost_msg *m)
{
	(void)m;
	return reply_u64(v, GMEM_REGIONS_MAX);
}

static int
on_add_mem_reg(struct vhost *v, struct vhost_msg *m)
{
	if (vhost_mem_add(&v->mem, &m->p.m_single.m_region, m->fd[0]) == -1)
		return refuse_memory(v);
	return vhost_set_memory(v);
}

static int
on_rem_mem_reg(struct vhost *v, struct vhost_msg *m)
{
	if (vhost_mem_remove(&v->mem, &m->p.m_single.m_region) == -1)
		return refuse_memory(v);
	return vhost_set_memory(v);
}

/* --- rings -------------------------------------------------------------- */

/*
 * A front-end cannot ask how long a ring may be; one that is too long, and no
 * other bad length, would be its own mistake.
 */
static int
on_set_vring_num(struct vhost *v, struct vhost_msg *m)
{
	if (m->p.m_state.m_num > v->disk->queue_size)
		return vhost_messages_refuse(v, "a ring of %u entries; at most"
		    " %u are allowed (-q)", m->p.m_state.m_num,
		    v->disk->queue_size);
	v->ring[m->p.m_state.m_index].num = m->p.m_state.m_num;
	return 0;
}

static int
on_set_vring_addr(struct vhost *v, struct vhost_msg *m)
{
	const struct vhost_vring_addr *a = &m->p.m_addr;
	struct vhost_ring *r = &v->ring[a->m_index];

	if (a->m_flags != 0)
		return vhost_messages_refuse(v, "flags %#x: logging is not"
		    " offered", a->m_flags);
	r->desc = a->m_desc;
	r->avail = a->m_avail;
	r->used = a->m_used;
	r->addressed = true;
	r->broken = false;
	return 0;
}

static int
on_set_vring_base(struct vhost *v, struct vhost_msg *m)
{
	if (m->p.m_state.m_num > UINT16_MAX)
		return vhost_messages_refuse(v, "an avail index of %u",
		    m->p.m_state.m_num);
	v->ring[m->p.m_state.m_index].base = (uint16_t)m->p.m_state.m_num;
	return 0;
}

static int
on_get_vring_base(struct vhost *v, struct vhost_msg *m)
{
	unsigned i = m->p.m_state.m_index;

	vhost_ring_stop(v, i);
	v->reply.wanted = true;
	v->reply.bytes = sizeof(v->reply.p.m_state);
	v->reply.p.m_state = (struct vhost_vring_state) {
		.m_index = i, .m_num = v->ring[i].base,
	};
	return 0;
}

static int
refuse_eventfd(struct vhost *v)
{
	return vhost_messages_refuse(v, "the descriptor is no eventfd: %s",
	    strerror(errno));
}

static int
on_set_vring_kick(struct vhost *v, struct vhost_msg *m)
{
	if (vhost_ring_set_kick(v, m->p.m_u64 & VHOST_RING_MASK,
	    vhost_conn_take(&v->conn, 0)) == -1)
		return refuse_eventfd(v);
	return 0;
}

static int
on_set_vring_call(struct vhost *v, struct vhost_msg *m)
{
	if (vhost_ring_set_call(v, m->p.m_u64 & VHOST_RING_MASK,
	    vhost_conn_take(&v->conn, 0)) == -1)
		return refuse_eventfd(v);
	return 0;
}

static int
on_set_vring_err(struct vhost *v, struct vhost_msg *m)
{
	if (vhost_ring_set_err(v, m->p.m_u64 & VHOST_RING_MASK,
	    vhost_conn_take(&v->conn, 0)) == -1)
		return refuse_eventfd(v);
	return 0;
}

static int
on_set_vring_enable(struct vhost *v, struct vhost_msg *m)
{
	if (m->p.m_state.m_num > 1)
		return vhost_messages_refuse(v, "a ring is enabled by 1 and"
		    " disabled by 0, not by %u", m->p.m_state.m_num);
	v->ring[m->p.m_state.m_index].enabled = m->p.m_state.m_num == 1;
	return 0;
}

/* --- the device --------------------------------------------------------- */

/* An empty payload is how a back-end says that there is no such field. */
static int
on_get_config(struct vhost *v, struct vhost_msg *m)
{
	const struct vhost_config *c = &m->p.m_config;
	struct vhost_config *to = &v->reply.p.m_config;
	uint32_t i;

	if (m->h.m_size != VHOST_CONFIG_HEAD + c->m_bytes)
		return vhost_messages_refuse(v, "%u bytes are asked for with"
		    " room for %zu", c->m_bytes,
		    m->h.m_size - VHOST_CONFIG_HEAD);
	v->reply.wanted = true;
	*to = *c;
	to->m_bytes = 0;
	v->reply.bytes = VHOST_CONFIG_HEAD;
	if (c->m_offset > VHOST_CONFIG_MAX ||
	    c->m_bytes > VHOST_CONFIG_MAX - c->m_offset)
		return 0;
	to->m_bytes = c->m_bytes;
	v->reply.bytes += c->m_bytes;
	for (i = 0; i < c->m_bytes; i++)
		to->m_data[i] = (uint8_t)blkconfig_read(v->disk,
		    c->m_offset + i, 1);
	if (c->m_offset == 0 && c->m_bytes > 0) {
		v->capacity = shared_load(&v->disk->sectors);
		v->capacity_read = true;
	}
	return 0;
}

/*
 * One field can be written, `writeback`.  Other writes may be the guest's
 * own, handed on: they are dropped, as on a register.
 */
static int
on_set_config(struct vhost *v, struct vhost_msg *m)
{
	const uint32_t wce = offsetof(struct virtio_blk_config, wce);
	const struct vhost_config *c = &m->p.m_config;
	struct state *journal = v->disk->journal;
	uint32_t writeback;

	if (m->h.m_size != VHOST_CONFIG_HEAD + c->m_bytes)
		return vhost_messages_refuse(v, "%u bytes are written with"
		    " %zu", c->m_bytes, m->h.m_size - VHOST_CONFIG_HEAD);
	if (c->m_offset > wce || wce - c->m_offset >= c->m_bytes)
		return 0;
	if (!blkconfig_write(v->features, wce, 1,
	    c->m_data[wce - c->m_offset], &writeback))
		return 0;
	shared_store(&v->disk->writeback, writeback);
	if (journal != NULL)
		shared_store(&journal->device.s_writeback, writeback);
	return 0;
}

static int
on_reset_device(struct vhost *v, struct vhost_msg *m)
{
	unsigned i;

	(void)m;
	for (i = 0; i < v->disk->queues; i++) {
		vhost_ring_stop(v, i);
		vhost_ring_reset(v, i);
	}
	v->features = 0;
	shared_store(&v->disk->writeback, 1);
	return 0;
}

/* --- the table ---------------------------------------------------------- */

#define U64	sizeof(uint64_t), sizeof(uint64_t)
#define STATE	sizeof(struct vhost_vring_state), \
	sizeof(struct vhost_vring_state)
#define ADDR	sizeof(struct vhost_vring_addr), \
	sizeof(struct vhost_vring_addr)
#define SINGLE	sizeof(struct vhost_mem_single), \
	sizeof(struct vhost_mem_single)
#define TABLE	offsetof(struct vhost_mem_table, m_region), \
	sizeof(struct vhost_mem_table)
/* with its padding, or without */
#define INFLIGHT offsetof(struct vhost_inflight, m_pad), \
	sizeof(struct vhost_inflight)
#define CONFIG	VHOST_CONFIG_HEAD, sizeof(struct vhost_config)

#define ROW(n, h, ...)	[VHOST_##n] = { #n, h, __VA_ARGS__ }
#define NOT_OFFERED(n)	[VHOST_##n] = { .name = #n }

static const struct vhost_rule rules[VHOST_REQUESTS] = {
	ROW(GET_FEATURES, on_get_features, .least = 0),
	ROW(SET_FEATURES, on_set_features, U64, .still = VHOST_STILL_ALL),
	ROW(SET_OWNER, on_nothing, .least = 0),
	/* deprecated, and understood in two ways: ignored */
	ROW(RESET_OWNER, on_nothing, .least = 0),
	ROW(SET_MEM_TABLE, on_set_mem_table, TABLE, VHOST_FDS_TABLE,
	    .still = VHOST_STILL_ALL),
	ROW(SET_VRING_NUM, on_set_vring_num, STATE, .stopped = true,
	    .names = VHOST_NAMES_INDEX),
	ROW(SET_VRING_ADDR, on_set_vring_addr, ADDR,
	    .names = VHOST_NAMES_INDEX, .still = VHOST_STILL_RING),
	ROW(SET_VRING_BASE, on_set_vring_base, STATE, .stopped = true,
	    .names = VHOST_NAMES_INDEX),
	ROW(GET_VRING_BASE, on_get_vring_base, STATE,
	    .names = VHOST_NAMES_INDEX, .still = VHOST_STILL_RING),
	ROW(SET_VRING_KICK, on_set_vring_kick, U64, VHOST_FDS_RING,
	    VHOST_NAMES_U64),
	ROW(SET_VRING_CALL, on_set_vring_call, U64, VHOST_FDS_RING,
	    VHOST_NAMES_U64),
	ROW(SET_VRING_ERR, on_set_vring_err, U64, VHOST_FDS_RING,
	    VHOST_NAMES_U64),
	ROW(GET_PROTOCOL_FEATURES, on_get_protocol_features, .least = 0),
	ROW(SET_PROTOCOL_FEATURES, on_set_protocol_features, U64),
	ROW(GET_QUEUE_NUM, on_get_queue_num, .least = 0),
	ROW(SET_VRING_ENABLE, on_set_vring_enable, STATE,
	    .names = VHOST_NAMES_INDEX, .still = VHOST_STILL_RING),
	ROW(SET_BACKEND_REQ_FD, vhost_resize_set_channel, .least = 0,
	    .fds = VHOST_FDS_ONE, .needs = VHOST_PROTOCOL(BACKEND_REQ)),
	ROW(GET_CONFIG, on_get_config, CONFIG,
	    .needs = VHOST_PROTOCOL(CONFIG)),
	ROW(SET_CONFIG, on_set_config, CONFIG,
	    .needs = VHOST_PROTOCOL(CONFIG)),
	ROW(GET_INFLIGHT_FD, vhost_inflight_get, INFLIGHT,
	    .needs = VHOST_PROTOCOL(INFLIGHT_SHMFD)),
	ROW(SET_INFLIGHT_FD, vhost_inflight_set, INFLIGHT, VHOST_FDS_ONE,
	    .needs = VHOST_PROTOCOL(INFLIGHT_SHMFD)),
	ROW(RESET_DEVICE, on_reset_device, .still = VHOST_STILL_ALL,
	    .needs = VHOST_PROTOCOL(RESET_DEVICE)),
	ROW(GET_MAX_MEM_SLOTS, on_get_max_mem_slots,
	    .needs = VHOST_PROTOCOL(CONFIGURE_MEM_SLOTS)),
	ROW(ADD_MEM_REG, on_add_mem_reg, SINGLE, VHOST_FDS_ONE,
	    .still = VHOST_STILL_ALL,
	    .needs = VHOST_PROTOCOL(CONFIGURE_MEM_SLOTS)),
	/* some send a descriptor, which is closed unused */
	ROW(REM_MEM_REG, on_rem_mem_reg, SINGLE, VHOST_FDS_ONE_OR_NONE,
	    .still = VHOST_STILL_ALL,
	    .needs = VHOST_PROTOCOL(CONFIGURE_MEM_SLOTS)),

	NOT_OFFERED(SET_LOG_BASE),		/* LOG_SHMFD: migration */
	NOT_OFFERED(SET_LOG_FD),
	NOT_OFFERED(SEND_RARP),			/* for networks */
	NOT_OFFERED(NET_SET_MTU),
	NOT_OFFERED(IOTLB_MSG),			/* ACCESS_PLATFORM */
	NOT_OFFERED(SET_VRING_ENDIAN),		/* for legacy devices */
	NOT_OFFERED(CREATE_CRYPTO_SESSION),
	NOT_OFFERED(CLOSE_CRYPTO_SESSION),
	NOT_OFFERED(POSTCOPY_ADVISE),		/* PAGEFAULT: migration */
	NOT_OFFERED(POSTCOPY_LISTEN),
	NOT_OFFERED(POSTCOPY_END),
	NOT_OFFERED(GPU_SET_SOCKET),
	NOT_OFFERED(VRING_KICK),		/* INBAND_NOTIFICATIONS */
	NOT_OFFERED(SET_STATUS),		/* STATUS */
	NOT_OFFERED(GET_STATUS),
	NOT_OFFERED(GET_SHARED_OBJECT),
	NOT_OFFERED(SET_DEVICE_STATE_FD),	/* migration */
	NOT_OFFERED(CHECK_DEVICE_STATE),
};

const struct vhost_rule *
vhost_messages_rule(uint32_t request)
{
	if (request >= VHOST_REQUESTS || rules[request].name == NULL)
		return NULL;
	return &rules[request];
}
