/* SPDX-License-Identifier: ISC */
/*
 * What CPUID says in the guest: all that KVM supports, and the topology of
 * this machine: one package, a core a vCPU, one thread a core.
 */
#ifndef VMMD_CPUID_H
#define VMMD_CPUID_H

#include <stdbool.h>
#include <stdint.h>

#define CPUID_ENTRIES_MAX	256

struct kvm_cpuid2;

/*
 * The leaves of vCPU `index` of `count`, from those that KVM supports.  The
 * caller frees them.  NULL and errno.
 */
struct kvm_cpuid2	*cpuid_make(const struct kvm_cpuid2 *supported,
			    uint32_t index, uint32_t count, bool tsc_deadline);

#endif /* VMMD_CPUID_H */
