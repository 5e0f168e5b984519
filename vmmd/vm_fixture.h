/* SPDX-License-Identifier: ISC */
/*
 * Plays the monitor: a real vm process at the other end of a machine
 * channel, with real KVM, a kernel file and pipes for its terminal.
 */
#ifndef VMMD_VM_FIXTURE_H
#define VMMD_VM_FIXTURE_H

#include <sys/types.h>

#include <stdint.h>

#include "proto/msg.h"

#define VM_MEMORY	(UINT64_C(64) << 20)
#define VM_WAIT_S	20		/* for any one message */
#define VM_QUEUE_SIZE	64

struct vm_disk_fds {
	int	mmio;			/* blkd's end */
	int	doorbell;
	int	irq;
	int	kick;
	int	state;
};

struct vm_fixture {
	pid_t	pid;
	int	channel;
	int	gmem;
	int	input;			/* write end: what the guest reads */
	int	output;			/* read end: what it writes */
	uint32_t disks;			/* announced in MACHINE */
	uint32_t flags;
	uint32_t vcpus;
	uint64_t memory;
};

/* Skips the test where there is no usable KVM, or no test guest. */
void	vm_require_kvm(void);
/* The path of the test guest. */
const char *vm_guest_path(void);

void	vm_start(struct vm_fixture *);
/* Send MACHINE with this kernel file; initrd may be NULL. */
void	vm_send_machine(struct vm_fixture *, const char *kernel,
	    const char *initrd, const char *cmdline);
/* Make and send a disk of one queue; its descriptors are the caller's. */
void	vm_send_disk(struct vm_fixture *, uint32_t index, uint32_t flags,
	    struct vm_disk_fds *);
/* Send the channel of a successor; returns blkd's end. */
int	vm_send_successor(struct vm_fixture *, uint32_t index);
void	vm_send_empty(struct vm_fixture *, enum proto_type);

/* Wait for a message of this type; anything else fails the test. */
void	vm_expect(struct vm_fixture *, enum proto_type, struct msg *);
/* The process ends with this code; also prints the guest's output. */
void	vm_expect_end(struct vm_fixture *, int code);
/* Run a guest without disks to its EXIT. */
void	vm_run_guest(struct vm_fixture *, const char *cmdline, struct msg *);

#endif /* VMMD_VM_FIXTURE_H */
