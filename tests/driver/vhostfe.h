/* SPDX-License-Identifier: ISC */
/*
 * A vhost-user front-end with one queue: what a VMM says to a back-end such
 * as blkd(8), QEMU's storage daemon or SPDK, for programs that stand in for
 * one.
 *
 * Messages are in the order that back-ends in the wild want: the memory
 * table before the ring's addresses, CALL before KICK, ENABLE last.
 * Everything is answered or acknowledged where the back-end can do that, and
 * each wait is bounded.
 */
#ifndef DRIVER_VHOSTFE_H
#define DRIVER_VHOSTFE_H

#include <stdbool.h>
#include <stdint.h>

#define VHOSTFE_PATIENCE_S	10

enum vhostfe_type {
	VHOSTFE_GET_FEATURES		= 1,
	VHOSTFE_SET_FEATURES		= 2,
	VHOSTFE_SET_OWNER		= 3,
	VHOSTFE_SET_MEM_TABLE		= 5,
	VHOSTFE_SET_VRING_NUM		= 8,
	VHOSTFE_SET_VRING_ADDR		= 9,
	VHOSTFE_SET_VRING_BASE		= 10,
	VHOSTFE_GET_VRING_BASE		= 11,
	VHOSTFE_SET_VRING_KICK		= 12,
	VHOSTFE_SET_VRING_CALL		= 13,
	VHOSTFE_GET_PROTOCOL_FEATURES	= 15,
	VHOSTFE_SET_PROTOCOL_FEATURES	= 16,
	VHOSTFE_SET_VRING_ENABLE	= 18,
	VHOSTFE_GET_CONFIG		= 24,
	VHOSTFE_GET_INFLIGHT_FD		= 31,
	VHOSTFE_SET_INFLIGHT_FD		= 32,
};

#define VHOSTFE_F_PROTOCOL_FEATURES	30	/* in the device's features */
#define VHOSTFE_PROTOCOL_F_REPLY_ACK	3
#define VHOSTFE_PROTOCOL_F_CONFIG	9
#define VHOSTFE_PROTOCOL_F_INFLIGHT	12

struct vhostfe {
	int		fd;		/* the connection */
	uint64_t	offered;	/* features of the device */
	uint64_t	protocol;	/* protocol features in use */
	uint64_t	sectors;
	int		inflightfd;	/* -1: the back-end keeps no table */
};

/* Guest memory and the queue, as the front-end announces them. */
struct vhostfe_queue {
	uint64_t	features;	/* to negotiate */
	int		gmemfd;
	uint8_t		*gmem;		/* mapped, from GPA 0 */
	uint64_t	memory;		/* bytes */
	uint16_t	num;
	int		kickfd;
	int		callfd;
};

/*
 * Connect, waiting for the socket to be there, and learn what the device is;
 * with a table of requests in flight where asked for and offered.  Returns 0,
 * or -1 and errno; then close it too.
 */
int	vhostfe_connect(struct vhostfe *, const char *path, bool inflight);
/* Negotiate, announce, and start queue 0. */
int	vhostfe_start(struct vhostfe *, const struct vhostfe_queue *);
/* Stop queue 0; returns the index it would go on from, or -1 and errno. */
int	vhostfe_stop(struct vhostfe *);
void	vhostfe_close(struct vhostfe *);

#endif /* DRIVER_VHOSTFE_H */
