/* SPDX-License-Identifier: ISC */
/*
 * A vCPU: its registers at the start, its thread, its end.
 */
#ifndef VMMD_VCPU_H
#define VMMD_VCPU_H

#include <stdint.h>
#include <time.h>

#include "vmmd/boot.h"
#include "vmmd/fail.h"
#include "vmmd/gate.h"
#include "vmmd/kvm.h"
#include "vmmd/kvmexit.h"
#include "vmmd/notice.h"

struct vcpu;

struct vcpu_setup {
	struct kvm		*kvm;
	uint32_t		 index;
	uint32_t		 count;		/* of the machine */
	struct kvmexit_buses	 buses;
	struct notice		*notice;	/* is told the end */
};

/*
 * Make one.  Before any: vcpu_prepare_process.  NULL and the failure.  With
 * index > 0 it waits for the guest to start it.
 */
struct vcpu	*vcpu_new(const struct vcpu_setup *, struct fail *);
/* After vcpu_join, or before vcpu_start.  NULL is fine. */
void		 vcpu_free(struct vcpu *);

/* Set the handler of the signal that takes threads out of the guest. */
int		 vcpu_prepare_process(struct fail *);

/* Where the first vCPU starts. */
int		 vcpu_set_entry(struct vcpu *, const struct boot_entry *,
		    struct fail *);
/* Make its thread, which runs the guest once the gate is open. */
int		 vcpu_start(struct vcpu *, struct gate *, struct fail *);
/* Ask it to leave the guest for good; any thread. */
void		 vcpu_stop(struct vcpu *);
/*
 * Wait for its thread until a time of CLOCK_MONOTONIC.  0, also where there
 * is none; -1 and errno ETIMEDOUT.
 */
int		 vcpu_join(struct vcpu *, const struct timespec *until);

#endif /* VMMD_VCPU_H */
