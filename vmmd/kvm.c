/* SPDX-License-Identifier: ISC */
/*
 * The machine as KVM sees it.  Runs in the vm process; trusts the kernel.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/kvm.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmmd/cpuid.h"
#include "vmmd/kvm.h"
#include "vmmd/layout.h"

#define MSR_MISC_ENABLE		0x1a0
#define MISC_FAST_STRING	(UINT64_C(1) << 0)
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MTRR_ENABLE		(UINT64_C(1) << 11)
#define MTRR_WRITE_BACK		UINT64_C(6)

struct kvm {
	int			 sys;
	int			 vm;
	size_t			 run_bytes;	/* of a vCPU's shared page */
	struct kvm_cpuid2	*cpuid;		/* as KVM supports it */
	bool			 tsc_deadline;
};

/* What this program cannot do without. */
static const struct {
	int		 number;
	const char	*name;
} capabilities[] = {
	{ KVM_CAP_IRQCHIP, "an interrupt controller" },
	{ KVM_CAP_PIT2, "a timer" },
	{ KVM_CAP_USER_MEMORY, "user memory" },
	{ KVM_CAP_EXT_CPUID, "CPUID" },
	{ KVM_CAP_IRQFD, "irqfd" },
	{ KVM_CAP_IOEVENTFD, "ioeventfd" },
	{ KVM_CAP_IMMEDIATE_EXIT, "immediate exit" },
	{ KVM_CAP_MP_STATE, "the state of a vCPU" },
};

static int
has_capability(const struct kvm *kvm, int number)
{
	return ioctl(kvm->sys, KVM_CHECK_EXTENSION, number) > 0;
}

static int
check_system(struct kvm *kvm, struct fail *fail)
{
	int version, bytes;
	size_t i;

	version = ioctl(kvm->sys, KVM_GET_API_VERSION, 0);
	if (version == -1)
		return fail_errno(fail, "/dev/kvm does not answer");
	if (version != KVM_API_VERSION)
		return fail_set(fail, ENOTSUP,
		    "/dev/kvm speaks version %d, not %d", version,
		    KVM_API_VERSION);
	for (i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++) {
		if (!has_capability(kvm, capabilities[i].number))
			return fail_set(fail, ENOTSUP,
			    "KVM of this host lacks %s", capabilities[i].name);
	}
	bytes = ioctl(kvm->sys, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (bytes < (int)sizeof(struct kvm_run))
		return fail_set(fail, ENOTSUP,
		    "KVM of this host has a vCPU page of %d bytes", bytes);
	kvm->run_bytes = (size_t)bytes;
	kvm->tsc_deadline = has_capability(kvm, KVM_CAP_TSC_DEADLINE_TIMER);
	return 0;
}

static int
get_cpuid(struct kvm *kvm, struct fail *fail)
{
	kvm->cpuid = calloc(1, sizeof(*kvm->cpuid) +
	    CPUID_ENTRIES_MAX * sizeof(kvm->cpuid->entries[0]));
	if (kvm->cpuid == NULL)
		return fail_errno(fail, "CPUID");
	kvm->cpuid->nent = CPUID_ENTRIES_MAX;
	if (ioctl(kvm->sys, KVM_GET_SUPPORTED_CPUID, kvm->cpuid) == -1)
		return fail_errno(fail, "KVM does not tell its CPUID");
	return 0;
}

static int
make_vm(struct kvm *kvm, struct fail *fail)
{
	uint64_t identity = LAYOUT_KVM_IDENTITY;

	do {
		kvm->vm = ioctl(kvm->sys, KVM_CREATE_VM, 0);
	} while (kvm->vm == -1 && errno == EINTR);
	if (kvm->vm == -1)
		return fail_errno(fail, "KVM makes no virtual machine");
	if (ioctl(kvm->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity) == -1 ||
	    ioctl(kvm->vm, KVM_SET_TSS_ADDR, LAYOUT_KVM_TSS) == -1)
		return fail_errno(fail, "KVM refuses its own memory");
	return 0;
}

struct kvm *
kvm_new(int sys, struct fail *fail)
{
	struct kvm *kvm = calloc(1, sizeof(*kvm));

	if (kvm == NULL) {
		fail_errno(fail, "KVM");
		close(sys);
		return NULL;
	}
	kvm->sys = sys;
	kvm->vm = -1;
	if (check_system(kvm, fail) == -1 || get_cpuid(kvm, fail) == -1 ||
	    make_vm(kvm, fail) == -1) {
		kvm_free(kvm);
		return NULL;
	}
	return kvm;
}

void
kvm_free(struct kvm *kvm)
{
	if (kvm == NULL)
		return;
	if (kvm->vm != -1)
		close(kvm->vm);
	close(kvm->sys);
	free(kvm->cpuid);
	free(kvm);
}

int
kvm_add_memory(struct kvm *kvm, const struct gmem *gmem, struct fail *fail)
{
	const struct gmem_region *r;
	struct kvm_userspace_memory_region slot;
	uint32_t i;

	for (i = 0; (r = gmem_region(gmem, i)) != NULL; i++) {
		slot = (struct kvm_userspace_memory_region) {
			.slot = i,
			.guest_phys_addr = r->gpa,
			.memory_size = r->bytes,
			.userspace_addr =
			    (uintptr_t)gmem_region_base(gmem, i),
		};
		if (ioctl(kvm->vm, KVM_SET_USER_MEMORY_REGION, &slot) == -1)
			return fail_errno(fail,
			    "KVM refuses %ju MiB of memory",
			    (uintmax_t)(r->bytes >> 20));
	}
	return 0;
}

int
kvm_add_interrupts(struct kvm *kvm, struct fail *fail)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

	if (ioctl(kvm->vm, KVM_CREATE_IRQCHIP, 0) == -1)
		return fail_errno(fail, "KVM makes no interrupt controller");
	if (ioctl(kvm->vm, KVM_CREATE_PIT2, &pit) == -1)
		return fail_errno(fail, "KVM makes no timer");
	return 0;
}

int
kvm_add_ioeventfd(struct kvm *kvm, uint64_t gpa, uint32_t match, int eventfd,
    struct fail *fail)
{
	struct kvm_ioeventfd io = {
		.datamatch = match, .addr = gpa, .len = 4, .fd = eventfd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	if (ioctl(kvm->vm, KVM_IOEVENTFD, &io) == -1)
		return fail_errno(fail, "KVM refuses a kick of queue %u",
		    match);
	return 0;
}

int
kvm_add_irqfd(struct kvm *kvm, uint32_t gsi, int eventfd, struct fail *fail)
{
	struct kvm_irqfd irq = { .fd = (uint32_t)eventfd, .gsi = gsi };

	if (ioctl(kvm->vm, KVM_IRQFD, &irq) == -1)
		return fail_errno(fail, "KVM refuses interrupt line %u", gsi);
	return 0;
}

void
kvm_set_line(struct kvm *kvm, uint32_t gsi, int level)
{
	struct kvm_irq_level irq = { .irq = gsi, .level = (uint32_t)level };

	/* Fails for a line that is none alone: ours are fixed. */
	(void)ioctl(kvm->vm, KVM_IRQ_LINE, &irq);
}

static int
set_cpuid(const struct kvm *kvm, int vcpu, uint32_t index, uint32_t count)
{
	struct kvm_cpuid2 *c;
	int rc;

	c = cpuid_make(kvm->cpuid, index, count, kvm->tsc_deadline);
	if (c == NULL)
		return -1;
	rc = ioctl(vcpu, KVM_SET_CPUID2, c);
	free(c);
	return rc;
}

/*
 * As firmware leaves them: memory is cached unless page tables say else.  A
 * processor without one of them does not need it.
 */
static void
set_msrs(int vcpu)
{
	static const struct kvm_msr_entry value[] = {
		{ .index = MSR_MISC_ENABLE, .data = MISC_FAST_STRING },
		{ .index = MSR_MTRR_DEF_TYPE,
		  .data = MTRR_ENABLE | MTRR_WRITE_BACK },
	};
	union {
		struct kvm_msrs	m;
		uint8_t		room[sizeof(struct kvm_msrs) +
				    sizeof(struct kvm_msr_entry)];
	} u;
	size_t i;

	for (i = 0; i < sizeof(value) / sizeof(value[0]); i++) {
		u.m = (struct kvm_msrs) { .nmsrs = 1 };
		u.m.entries[0] = value[i];
		(void)ioctl(vcpu, KVM_SET_MSRS, &u);
	}
}

int
kvm_add_vcpu(struct kvm *kvm, uint32_t index, uint32_t count,
    struct kvm_run **run, struct fail *fail)
{
	int fd = ioctl(kvm->vm, KVM_CREATE_VCPU, index);
	void *page;

	if (fd == -1)
		return fail_errno(fail, "KVM makes no vCPU %u", index);
	if (set_cpuid(kvm, fd, index, count) == -1) {
		fail_errno(fail, "KVM refuses the CPUID of vCPU %u", index);
		close(fd);
		return -1;
	}
	set_msrs(fd);
	page = mmap(NULL, kvm->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	if (page == MAP_FAILED) {
		fail_errno(fail, "the shared page of vCPU %u", index);
		close(fd);
		return -1;
	}
	*run = page;
	return fd;
}

void
kvm_unmap_run(struct kvm *kvm, struct kvm_run *run)
{
	if (run != NULL)
		munmap(run, kvm->run_bytes);
}
