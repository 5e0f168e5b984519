/* SPDX-License-Identifier: ISC */
/*
 * A real blkd with its disk's memory and descriptors, for programs that stand
 * in for the monitor and the vm process at once: the load generator, the
 * scale benchmark.  Nothing here needs a test framework.
 */
#ifndef DRIVER_BLKDPROC_H
#define DRIVER_BLKDPROC_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#define BLKDPROC_QUEUE_SIZE	1024u
#define BLKDPROC_PATIENCE_S	10

/* What of a disk one may choose. */
struct blkdproc_disk {
	const char	*blkd;		/* the program */
	const char	*path;		/* the image */
	uint32_t	 flags;		/* more of enum proto_disk_flag */
	uint64_t	 memory;	/* bytes of guest memory */
	uint16_t	 queue_size;
	uint32_t	 poll_us;
	uint32_t	 engine;	/* enum proto_engine */
	uint16_t	 threads;	/* 0 to 8, for slow I/O */
	uint16_t	 slow_us;
	int		 core;		/* of the process; -1: any */
	bool		 loud;		/* its log goes to our stderr */
};

struct blkdproc {
	pid_t	 pid;		/* 0: none */
	int	 control;	/* our ends */
	int	 mmio;
	int	 gmemfd, statefd, doorbellfd, backingfd, irqfd, kickfd;
	uint64_t memory;
	uint8_t	*gmem;		/* mapped, from GPA 0 */
	uint32_t layers;	/* READY's */
};

/* The image, memory and eventfds.  0, or -1 and errno; then free it too. */
int	blkdproc_make(struct blkdproc *, const struct blkdproc_disk *);
/* Start the process; it waits for ATTACH, as a spare does. */
int	blkdproc_spawn(struct blkdproc *, const struct blkdproc_disk *);
/*
 * ATTACH, and wait for READY.  Returns 0, or -1 and errno (EPROTO: blkd said
 * no, or something else; its log tells).
 */
int	blkdproc_attach(struct blkdproc *, const struct blkdproc_disk *);
/* Negotiate these features with a queue at driverq.h's places. */
int	blkdproc_go_live(struct blkdproc *, uint16_t num, uint64_t features);
/* End the process in order (a kill where it does not), and free the rest. */
void	blkdproc_free(struct blkdproc *);

#endif /* DRIVER_BLKDPROC_H */
