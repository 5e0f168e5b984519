/* SPDX-License-Identifier: ISC */
/*
 * vhost-user messages as they lie on the wire, in the byte order of the
 * machine: the numbers, the payloads, the protocol features.
 *
 *	| request | flags | size | payload: `size` bytes |
 *
 * Descriptors come with the first byte of a message.  What a front-end may
 * send, and when, is in the table of vhost_messages.c.
 *
 * Fields carry the prefix m_: others have written them.
 */
#ifndef BLKD_VHOST_WIRE_H
#define BLKD_VHOST_WIRE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum vhost_request {
	VHOST_GET_FEATURES		= 1,
	VHOST_SET_FEATURES		= 2,
	VHOST_SET_OWNER			= 3,
	VHOST_RESET_OWNER		= 4,
	VHOST_SET_MEM_TABLE		= 5,
	VHOST_SET_LOG_BASE		= 6,
	VHOST_SET_LOG_FD		= 7,
	VHOST_SET_VRING_NUM		= 8,
	VHOST_SET_VRING_ADDR		= 9,
	VHOST_SET_VRING_BASE		= 10,
	VHOST_GET_VRING_BASE		= 11,
	VHOST_SET_VRING_KICK		= 12,
	VHOST_SET_VRING_CALL		= 13,
	VHOST_SET_VRING_ERR		= 14,
	VHOST_GET_PROTOCOL_FEATURES	= 15,
	VHOST_SET_PROTOCOL_FEATURES	= 16,
	VHOST_GET_QUEUE_NUM		= 17,
	VHOST_SET_VRING_ENABLE		= 18,
	VHOST_SEND_RARP			= 19,
	VHOST_NET_SET_MTU		= 20,
	VHOST_SET_BACKEND_REQ_FD	= 21,
	VHOST_IOTLB_MSG			= 22,
	VHOST_SET_VRING_ENDIAN		= 23,
	VHOST_GET_CONFIG		= 24,
	VHOST_SET_CONFIG		= 25,
	VHOST_CREATE_CRYPTO_SESSION	= 26,
	VHOST_CLOSE_CRYPTO_SESSION	= 27,
	VHOST_POSTCOPY_ADVISE		= 28,
	VHOST_POSTCOPY_LISTEN		= 29,
	VHOST_POSTCOPY_END		= 30,
	VHOST_GET_INFLIGHT_FD		= 31,
	VHOST_SET_INFLIGHT_FD		= 32,
	VHOST_GPU_SET_SOCKET		= 33,
	VHOST_RESET_DEVICE		= 34,
	VHOST_VRING_KICK		= 35,
	VHOST_GET_MAX_MEM_SLOTS		= 36,
	VHOST_ADD_MEM_REG		= 37,
	VHOST_REM_MEM_REG		= 38,
	VHOST_SET_STATUS		= 39,
	VHOST_GET_STATUS		= 40,
	VHOST_GET_SHARED_OBJECT		= 41,
	VHOST_SET_DEVICE_STATE_FD	= 42,
	VHOST_CHECK_DEVICE_STATE	= 43,
	VHOST_REQUESTS
};

/* What we send, on the channel of SET_BACKEND_REQ_FD. */
enum vhost_backend_request {
	VHOST_BACKEND_CONFIG_CHANGE	= 2,
};

/* Header flags. */
#define VHOST_VERSION		0x1u
#define VHOST_VERSION_MASK	0x3u
#define VHOST_REPLY		0x4u
#define VHOST_NEED_REPLY	0x8u

/* The bit of the device's features that stands for the next ones. */
#define VHOST_F_PROTOCOL_FEATURES	30

enum vhost_protocol_feature {
	VHOST_PROTOCOL_MQ			= 0,
	VHOST_PROTOCOL_REPLY_ACK		= 3,
	VHOST_PROTOCOL_BACKEND_REQ		= 5,
	VHOST_PROTOCOL_CONFIG			= 9,
	VHOST_PROTOCOL_INFLIGHT_SHMFD		= 12,
	VHOST_PROTOCOL_RESET_DEVICE		= 13,
	VHOST_PROTOCOL_CONFIGURE_MEM_SLOTS	= 15,
};
#define VHOST_PROTOCOL(f)	(UINT64_C(1) << (VHOST_PROTOCOL_##f))
#define VHOST_PROTOCOL_OFFERED	(VHOST_PROTOCOL(MQ) | \
	VHOST_PROTOCOL(REPLY_ACK) | VHOST_PROTOCOL(BACKEND_REQ) | \
	VHOST_PROTOCOL(CONFIG) | VHOST_PROTOCOL(INFLIGHT_SHMFD) | \
	VHOST_PROTOCOL(RESET_DEVICE) | VHOST_PROTOCOL(CONFIGURE_MEM_SLOTS))

struct vhost_header {
	uint32_t	m_request;
	uint32_t	m_flags;
	uint32_t	m_size;		/* of the payload */
};
static_assert(sizeof(struct vhost_header) == 12, "as on the wire");

/* SET_VRING_KICK, _CALL, _ERR: a ring, and whether a descriptor comes. */
#define VHOST_RING_MASK		UINT64_C(0xff)
#define VHOST_RING_NO_FD	UINT64_C(0x100)

struct vhost_vring_state {
	uint32_t	m_index;
	uint32_t	m_num;
};

/* Addresses are the front-end's own, not the guest's. */
struct vhost_vring_addr {
	uint32_t	m_index;
	uint32_t	m_flags;	/* 1: log writes; not offered */
	uint64_t	m_desc;
	uint64_t	m_used;
	uint64_t	m_avail;
	uint64_t	m_log;
};
static_assert(sizeof(struct vhost_vring_addr) == 40, "as on the wire");

struct vhost_mem_region {
	uint64_t	m_gpa;
	uint64_t	m_bytes;
	uint64_t	m_address;	/* in the front-end */
	uint64_t	m_offset;	/* in the descriptor */
};

#define VHOST_TABLE_REGIONS	8
struct vhost_mem_table {
	uint32_t		m_regions;
	uint32_t		m_pad;
	struct vhost_mem_region	m_region[VHOST_TABLE_REGIONS];
};

struct vhost_mem_single {
	uint64_t		m_pad;
	struct vhost_mem_region	m_region;
};

#define VHOST_CONFIG_MAX	256
struct vhost_config {
	uint32_t	m_offset;
	uint32_t	m_bytes;
	uint32_t	m_flags;	/* 1: migration */
	uint8_t		m_data[VHOST_CONFIG_MAX];
};
#define VHOST_CONFIG_HEAD	offsetof(struct vhost_config, m_data)

/* Front-ends send it with its padding, 24 bytes. */
struct vhost_inflight {
	uint64_t	m_bytes;
	uint64_t	m_offset;
	uint16_t	m_queues;
	uint16_t	m_queue_size;
	uint32_t	m_pad;
};
static_assert(sizeof(struct vhost_inflight) == 24, "as on the wire");

union vhost_payload {
	uint64_t			m_u64;
	struct vhost_vring_state	m_state;
	struct vhost_vring_addr		m_addr;
	struct vhost_mem_table		m_table;
	struct vhost_mem_single		m_single;
	struct vhost_config		m_config;
	struct vhost_inflight		m_inflight;
};

#define VHOST_FDS_MAX	VHOST_TABLE_REGIONS

#endif /* BLKD_VHOST_WIRE_H */
