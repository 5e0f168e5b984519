/* SPDX-License-Identifier: ISC */
/*
 * The machine: KVM, memory, devices, disks and vCPUs, put together, run and
 * ended.  All functions are the main thread's.
 */
#ifndef VMMD_GUEST_H
#define VMMD_GUEST_H

#include <stddef.h>
#include <stdint.h>

#include "proto/proto.h"
#include "vmmd/fail.h"
#include "vmmd/notice.h"

struct guest;

struct guest_setup {
	uint64_t	 memory;	/* bytes */
	uint32_t	 vcpus;
	uint32_t	 disks;		/* that will be added */
	uint32_t	 flags;		/* enum proto_machine_flag */
	const char	*cmdline;	/* copied */
	struct notice	*notice;	/* outlives the guest */
	/* Become the guest's, also on failure; -1: there is none. */
	int		 kvm;
	int		 gmem;
	int		 kernel;
	int		 initrd;
	int		 serial_in;
	int		 serial_out;
};

struct guest_disk {
	uint32_t	 index;
	uint32_t	 flags;		/* enum proto_vm_disk_flag */
	uint32_t	 queues;
	int		 channel;	/* becomes the guest's, also on failure */
	/* These stay the caller's. */
	int		 doorbell;
	int		 irq;
	const int	*kicks;		/* of each queue */
};

/* NULL and the failure. */
struct guest	*guest_new(const struct guest_setup *, struct fail *);
/* Before guest_start, or after a guest_stop that returned 0; or NULL. */
void		 guest_free(struct guest *);

/* Add one of the disks. */
int		 guest_add_disk(struct guest *, const struct guest_disk *,
		    struct fail *);
/* How many are missing. */
uint32_t	 guest_disks_missing(const struct guest *);

/*
 * Load the kernel, write the tables, make the vCPUs and all threads, which
 * wait; when this returns 0 they have come as far as that.
 */
int		 guest_start(struct guest *, struct fail *);
/* Let the threads run. */
void		 guest_run(struct guest *);
/*
 * End all threads.  0, or -1: some hang beyond their time, in the kernel;
 * nothing may be freed then.
 */
int		 guest_stop(struct guest *);

/* The channel of a successor becomes the guest's; -1: no such disk. */
int		 guest_replace_channel(struct guest *, uint32_t disk,
		    int channel);

#endif /* VMMD_GUEST_H */
