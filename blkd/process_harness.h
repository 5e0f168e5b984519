/* SPDX-License-Identifier: ISC */
/*
 * A real blkd process with a test in the place of the monitor, of the vm
 * process and of the guest's driver.  Tests only.
 *
 * What fails in here ends the test case (ATF_REQUIRE); each wait is bounded.
 */
#ifndef BLKD_PROCESS_HARNESS_H
#define BLKD_PROCESS_HARNESS_H

#include <sys/types.h>

#include <atf-c.h>
#include <linux/virtio_mmio.h>
#include <stdint.h>

#include "blkd/ring_harness.h"
#include "proto/msg.h"
#include "proto/proto.h"
#include "shm/doorbell.h"

#define PROCESS_QUEUE_SIZE	128
#define PROCESS_LIVE		0xf	/* status of a running device */

struct process {
	struct ring_harness	 ring;
	int			 doorbellfd;
	pid_t			 pid;		/* 0: none */
	int			 control;	/* our ends */
	int			 mmio;
	int			 mmio_blkd;	/* its end, until sent */
	int			 faultfd;	/* -1: no faults on purpose */
	bool			 no_rings;	/* whatever ATTACH asks for */
	struct proto_blk_attach	 attach;
	uint32_t		 sequence;
};

/* The memory and descriptors of a disk, and the ATTACH that fits them. */
void	process_make(struct process *);
/* End the process, if there is one, and give up the rest. */
void	process_free(struct process *);

/* Each blkd from now on gets the same memory for faults on purpose. */
void	process_allow_faults(struct process *);

/*
 * Each blkd from now on gets rings and is told to use them.  Skips the case
 * where there are none.
 */
void	process_want_uring(struct process *);
/* Each blkd from now on hands all I/O to threads beside the queue's. */
void	process_want_threads(struct process *);

/* Start a blkd on a new control channel; it waits for ATTACH. */
void	process_spawn(struct process *);
/* Send ATTACH with these descriptors as they are now. */
void	process_send_attach(struct process *, const int *fds, size_t nfds);
/* Its descriptors in order; returns how many. */
size_t	process_fds(const struct process *, int fds[PROTO_FDS_MAX]);
/* Spawn, attach, and wait for READY. */
void	process_attach(struct process *, struct proto_blk_ready *);
/* The same for a successor: the disk stays as it is. */
void	process_succeed(struct process *, struct proto_blk_ready *);

/* Send a message that is its type alone on the control channel. */
void	process_tell(struct process *, enum proto_type);
/* The next message on a channel, which must be of this type. */
void	process_expect(int channel, enum proto_type, struct msg *);
/* Is there none within `ms`? */
int	process_is_silent(int channel, int ms);

uint64_t process_read(struct process *, uint32_t offset, uint32_t size);
void	process_write(struct process *, uint32_t offset, uint32_t value);
/* Ask for a write, and do not wait for its answer. */
void	process_post(struct process *, uint32_t offset, uint32_t value);
/* As a driver does it: reset, negotiate, queue 0 on the ring, DRIVER_OK. */
void	process_go_live(struct process *);

/* Wait for the process to end; returns waitpid's status. */
int	process_wait(struct process *);
/* SIGKILL, and wait. */
void	process_kill(struct process *);

#endif /* BLKD_PROCESS_HARNESS_H */
