/* SPDX-License-Identifier: ISC */
/*
 * The vm's end of an MMIO channel, in test programs.  Believes the decoder of
 * proto/, and what the device says of itself.
 */
#include <linux/virtio_mmio.h>

#include <errno.h>
#include <stddef.h>

#include "proto/chan.h"
#include "tests/driver/mmiodrv.h"

/* The answer to one packet, of this type. */
static int
ask(int channel, const void *packet, enum proto_type type, struct msg *m)
{
	enum proto_error error;

	if (chan_send(channel, packet, NULL, 0) == -1) {
		if (errno == EPIPE)
			errno = ECONNRESET;
		return -1;
	}
	error = chan_recv(channel, m);
	if (error == PROTO_E_EOF)
		errno = ECONNRESET;
	else if (error != PROTO_OK && error != PROTO_E_SYSTEM)
		errno = EPROTO;
	if (error != PROTO_OK)
		return -1;
	if (m->hdr.m_type == type)
		return 0;
	msg_clear(m);
	errno = EPROTO;
	return -1;
}

int
mmiodrv_read(int channel, uint32_t offset, uint32_t size, uint64_t *value)
{
	struct proto_mmio_read q = { .m_offset = offset, .m_size = size };
	struct msg m;

	chan_header(&q.m_hdr, PROTO_MMIO_READ, 1);
	if (ask(channel, &q, PROTO_MMIO_DATA, &m) == -1)
		return -1;
	*value = m.mmio_data.m_value;
	return 0;
}

int
mmiodrv_write(int channel, uint32_t offset, uint32_t value)
{
	struct proto_mmio_write q = {
		.m_offset = offset, .m_size = 4, .m_value = value
	};
	struct msg m;

	chan_header(&q.m_hdr, PROTO_MMIO_WRITE, 1);
	return ask(channel, &q, PROTO_MMIO_ACK, &m);
}

int
mmiodrv_features(int channel, uint64_t *features)
{
	uint64_t low, high;

	if (mmiodrv_write(channel, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0) == -1 ||
	    mmiodrv_read(channel, VIRTIO_MMIO_DEVICE_FEATURES, 4, &low) == -1 ||
	    mmiodrv_write(channel, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1) == -1 ||
	    mmiodrv_read(channel, VIRTIO_MMIO_DEVICE_FEATURES, 4, &high) == -1)
		return -1;
	*features = high << 32 | low;
	return 0;
}

/* Offset and value, n of them. */
static int
write_all(int channel, const uint32_t (*writes)[2], size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (mmiodrv_write(channel, writes[i][0], writes[i][1]) == -1)
			return -1;
	return 0;
}

static int
negotiate(int channel, uint64_t features)
{
	const uint32_t writes[][2] = {
		{ VIRTIO_MMIO_STATUS, 0 },
		{ VIRTIO_MMIO_STATUS, 1 },
		{ VIRTIO_MMIO_STATUS, 3 },
		{ VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0 },
		{ VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features },
		{ VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1 },
		{ VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32) },
		{ VIRTIO_MMIO_STATUS, 0xb },
	};

	return write_all(channel, writes, sizeof(writes) / sizeof(writes[0]));
}

static int
set_up_queue(int channel, uint32_t index, const struct mmiodrv_queue *queue)
{
	const uint32_t writes[][2] = {
		{ VIRTIO_MMIO_QUEUE_SEL, index },
		{ VIRTIO_MMIO_QUEUE_NUM, queue->num },
		{ VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)queue->desc },
		{ VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)queue->avail },
		{ VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)queue->used },
		{ VIRTIO_MMIO_QUEUE_READY, 1 },
	};

	return write_all(channel, writes, sizeof(writes) / sizeof(writes[0]));
}

int
mmiodrv_go_live(int channel, uint64_t features,
    const struct mmiodrv_queue *queue, unsigned n)
{
	uint64_t status;
	unsigned i;

	if (negotiate(channel, features) == -1)
		return -1;
	for (i = 0; i < n; i++)
		if (set_up_queue(channel, i, &queue[i]) == -1)
			return -1;
	if (mmiodrv_write(channel, VIRTIO_MMIO_STATUS, MMIODRV_LIVE) == -1 ||
	    mmiodrv_read(channel, VIRTIO_MMIO_STATUS, 4, &status) == -1)
		return -1;
	if (status == MMIODRV_LIVE)
		return 0;
	errno = ENODEV;
	return -1;
}
