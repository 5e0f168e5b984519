/* SPDX-License-Identifier: ISC */
/*
 * Why a vCPU left the guest, and what is done about it.
 */
#ifndef VMMD_KVMEXIT_H
#define VMMD_KVMEXIT_H

#include "vmmd/end.h"
#include "vmmd/iobus.h"
#include "vmmd/mmiobus.h"

struct kvm_run;

struct kvmexit_buses {
	const struct iobus	*io;
	const struct mmiobus	*mmio;
};

/*
 * Do what the exit in the vCPU's shared page asks for.  Where that ends the
 * guest, the end is filled in; else it is left alone.  A vCPU thread.
 */
void	kvmexit_handle(const struct kvmexit_buses *, struct kvm_run *,
	    struct end *);

#endif /* VMMD_KVMEXIT_H */
