/* SPDX-License-Identifier: ISC */
/*
 * What CPUID says in the guest.  Runs in the vm process; a pure function.
 */
#include <linux/kvm.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmmd/cpuid.h"

#define BITS(v, hi, lo)	(((v) & ((UINT32_C(2) << ((hi) - (lo))) - 1)) << (lo))
#define MASK(hi, lo)	BITS(UINT32_MAX, hi, lo)

/* Leaf 1 */
#define ECX_TSC_DEADLINE	(1u << 24)
#define ECX_HYPERVISOR		(1u << 31)
#define EDX_HTT			(1u << 28)
/* Leaf 0x80000001 */
#define ECX_CMP_LEGACY		(1u << 1)

#define LEVEL_THREAD	1
#define LEVEL_CORE	2

/* This vCPU in its machine. */
struct place {
	uint32_t	id;		/* local APIC */
	uint32_t	count;		/* of vCPUs */
	uint32_t	shift;		/* bits of an APIC id in a package */
	bool		tsc_deadline;
};

static void
leaf_1(struct kvm_cpuid_entry2 *e, const struct place *p)
{
	e->ebx &= ~MASK(31, 16);
	e->ebx |= BITS(p->id, 31, 24) | BITS(p->count, 23, 16);
	e->ecx |= ECX_HYPERVISOR;
	if (p->tsc_deadline)
		e->ecx |= ECX_TSC_DEADLINE;
	if (p->count > 1)
		e->edx |= EDX_HTT;
	else
		e->edx &= ~EDX_HTT;
}

/* Deterministic cache parameters: who shares a cache. */
static void
leaf_caches(struct kvm_cpuid_entry2 *e, const struct place *p)
{
	uint32_t type = e->eax & 31, level = e->eax >> 5 & 7;

	if (type == 0)
		return;
	e->eax &= ~MASK(25, 14);
	if (level >= 3)
		e->eax |= BITS((1u << p->shift) - 1, 25, 14);
	if (e->function == 4) {
		e->eax &= ~MASK(31, 26);
		e->eax |= BITS((1u << p->shift) - 1, 31, 26);
	}
}

/* Extended topology. */
static void
leaf_topology(struct kvm_cpuid_entry2 *e, const struct place *p)
{
	e->eax = e->ebx = e->ecx = 0;
	e->edx = p->id;
	if (e->index == 0) {
		e->ebx = 1;
		e->ecx = LEVEL_THREAD << 8;
	} else if (e->index == 1) {
		e->eax = p->shift;
		e->ebx = p->count;
		e->ecx = LEVEL_CORE << 8 | 1;
	}
}

static void
leaf_amd_features(struct kvm_cpuid_entry2 *e, const struct place *p)
{
	if (p->count > 1)
		e->ecx |= ECX_CMP_LEGACY;
	else
		e->ecx &= ~ECX_CMP_LEGACY;
}

static void
leaf_amd_cores(struct kvm_cpuid_entry2 *e, const struct place *p)
{
	e->ecx = BITS(p->count - 1, 7, 0) | BITS(p->shift, 15, 12);
}

static void
leaf_amd_topology(struct kvm_cpuid_entry2 *e, const struct place *p)
{
	e->eax = p->id;
	e->ebx = BITS(p->id, 7, 0);
	e->ecx = e->edx = 0;
}

static const struct {
	uint32_t	function;
	void		(*fix)(struct kvm_cpuid_entry2 *, const struct place *);
} leaves[] = {
	{ 0x00000001, leaf_1 },
	{ 0x00000004, leaf_caches },
	{ 0x80000001, leaf_amd_features },
	{ 0x80000008, leaf_amd_cores },
	{ 0x8000001d, leaf_caches },
	{ 0x8000001e, leaf_amd_topology },
};

static void
fix_entry(struct kvm_cpuid_entry2 *e, const struct place *p)
{
	size_t i;

	for (i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		if (leaves[i].function == e->function)
			leaves[i].fix(e, p);
	}
}

/* The topology leaves exist level by level: KVM may tell the first alone. */
static void
copy_topology(struct kvm_cpuid2 *c, const struct kvm_cpuid_entry2 *e,
    const struct place *p)
{
	struct kvm_cpuid_entry2 *to;
	uint32_t level;

	for (level = 0; level < 3; level++) {
		to = &c->entries[c->nent++];
		*to = *e;
		to->index = level;
		to->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		leaf_topology(to, p);
	}
}

struct kvm_cpuid2 *
cpuid_make(const struct kvm_cpuid2 *supported, uint32_t index, uint32_t count,
    bool tsc_deadline)
{
	struct place p = { index, count, 0, tsc_deadline };
	const struct kvm_cpuid_entry2 *e;
	struct kvm_cpuid2 *c;
	uint32_t i;

	if (supported->nent > CPUID_ENTRIES_MAX) {
		errno = E2BIG;
		return NULL;
	}
	while ((1u << p.shift) < count)
		p.shift++;
	/* Room for two topology leaves of three levels. */
	c = calloc(1, sizeof(*c) +
	    (supported->nent + 6) * sizeof(c->entries[0]));
	if (c == NULL)
		return NULL;
	for (i = 0; i < supported->nent; i++) {
		e = &supported->entries[i];
		if (e->function == 0xb || e->function == 0x1f) {
			if (e->index == 0)
				copy_topology(c, e, &p);
			continue;
		}
		c->entries[c->nent] = *e;
		fix_entry(&c->entries[c->nent++], &p);
	}
	return c;
}
