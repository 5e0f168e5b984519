/* SPDX-License-Identifier: ISC */
/*
 * The machine as KVM sees it: the descriptors, the memory, the interrupt
 * lines.  The only file, with vcpu.c, that speaks to KVM.
 */
#ifndef VMMD_KVM_H
#define VMMD_KVM_H

#include <stdint.h>

#include "shm/gmem.h"
#include "vmmd/fail.h"

struct kvm;
struct kvm_run;

/*
 * Make a virtual machine.  `sys` is /dev/kvm, and becomes ours, also on
 * failure.  NULL and the failure.  Then, in this order: kvm_add_memory,
 * kvm_add_interrupts, the rest.
 */
struct kvm	*kvm_new(int sys, struct fail *);
void		 kvm_free(struct kvm *);	/* NULL is fine */

/* Give it the memory, which must outlive it. */
int		 kvm_add_memory(struct kvm *, const struct gmem *,
		    struct fail *);
/*
 * Give it the interrupt controllers and a timer.  After the memory: KVM of
 * Linux 6.18 changes a machine's memory 4 ms faster while it has none.
 */
int		 kvm_add_interrupts(struct kvm *, struct fail *);
/* A 4-byte write of `match` to gpa signals the eventfd, and does not exit. */
int		 kvm_add_ioeventfd(struct kvm *, uint64_t gpa, uint32_t match,
		    int eventfd, struct fail *);
/* A signal of the eventfd is an edge on the interrupt line. */
int		 kvm_add_irqfd(struct kvm *, uint32_t gsi, int eventfd,
		    struct fail *);
/* Set the level of an interrupt line; any thread. */
void		 kvm_set_line(struct kvm *, uint32_t gsi, int level);

/*
 * Make vCPU `index` of `count`, with its CPUID and MSRs.  Returns the
 * descriptor, which is the caller's, and its shared page (kvm_unmap_run);
 * or -1 and the failure.
 */
int		 kvm_add_vcpu(struct kvm *, uint32_t index, uint32_t count,
		    struct kvm_run **, struct fail *);
void		 kvm_unmap_run(struct kvm *, struct kvm_run *);

#endif /* VMMD_KVM_H */
