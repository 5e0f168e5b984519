/* SPDX-License-Identifier: ISC */
/*
 * Exit reasons of KVM and their actions, in one table.  Runs in the vm
 * process, on the vCPU threads.  The shared page is the kernel's word; what
 * it says about an access is the guest's.
 */
#include <linux/kvm.h>

#include <stddef.h>

#include "vmmd/kvmexit.h"

typedef void exit_action(const struct kvmexit_buses *, struct kvm_run *,
    struct end *);

static void
on_nothing(const struct kvmexit_buses *buses, struct kvm_run *run,
    struct end *end)
{
	(void)buses;
	(void)run;
	(void)end;
}

static void
on_io(const struct kvmexit_buses *buses, struct kvm_run *run, struct end *end)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	uint32_t i;

	for (i = 0; i < run->io.count && end->reason == 0; i++) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			iobus_write(buses->io, run->io.port, data,
			    run->io.size, end);
		else
			iobus_read(buses->io, run->io.port, data,
			    run->io.size);
		data += run->io.size;
	}
}

static void
on_mmio(const struct kvmexit_buses *buses, struct kvm_run *run,
    struct end *end)
{
	(void)end;
	if (run->mmio.is_write)
		mmiobus_write(buses->mmio, run->mmio.phys_addr,
		    run->mmio.data, run->mmio.len);
	else
		mmiobus_read(buses->mmio, run->mmio.phys_addr,
		    run->mmio.data, run->mmio.len);
}

static void
on_shutdown(const struct kvmexit_buses *buses, struct kvm_run *run,
    struct end *end)
{
	(void)buses;
	(void)run;
	end_set(end, PROTO_EXIT_CRASH, 0, "the guest crashed (triple fault)");
}

static void
on_fail_entry(const struct kvmexit_buses *buses, struct kvm_run *run,
    struct end *end)
{
	(void)buses;
	end_set(end, PROTO_EXIT_KVM, run->exit_reason,
	    "KVM cannot enter the guest (hardware reason 0x%llx)",
	    (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
}

static void
on_internal_error(const struct kvmexit_buses *buses, struct kvm_run *run,
    struct end *end)
{
	static const char *const what[] = {
		[KVM_INTERNAL_ERROR_EMULATION] =
		    ": an instruction that it cannot emulate",
		[KVM_INTERNAL_ERROR_SIMUL_EX] = ": simultaneous exceptions",
		[KVM_INTERNAL_ERROR_DELIVERY_EV] = ": event delivery",
		[KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] =
		    ": an unexpected exit",
	};
	uint32_t sub = run->internal.suberror;
	const char *words = NULL;

	(void)buses;
	if (sub < sizeof(what) / sizeof(what[0]))
		words = what[sub];
	end_set(end, PROTO_EXIT_KVM, run->exit_reason,
	    "KVM internal error, suberror %u%s", sub,
	    words != NULL ? words : "");
}

static void
on_system_event(const struct kvmexit_buses *buses, struct kvm_run *run,
    struct end *end)
{
	(void)buses;
	switch (run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		end_set(end, PROTO_EXIT_POWEROFF, 0, "the guest powered off");
		break;
	case KVM_SYSTEM_EVENT_RESET:
		end_set(end, PROTO_EXIT_RESET, 0, "the guest reset itself");
		break;
	default:
		end_set(end, PROTO_EXIT_CRASH, run->system_event.type,
		    "the guest reported a crash");
		break;
	}
}

static const struct {
	uint32_t	 reason;
	exit_action	*action;
} actions[] = {
	{ KVM_EXIT_IO, on_io },
	{ KVM_EXIT_MMIO, on_mmio },
	{ KVM_EXIT_INTR, on_nothing },		/* a signal: see vcpu.c */
	{ KVM_EXIT_IRQ_WINDOW_OPEN, on_nothing },
	{ KVM_EXIT_HLT, on_nothing },		/* the irqchip waits */
	{ KVM_EXIT_SHUTDOWN, on_shutdown },
	{ KVM_EXIT_SYSTEM_EVENT, on_system_event },
	{ KVM_EXIT_FAIL_ENTRY, on_fail_entry },
	{ KVM_EXIT_INTERNAL_ERROR, on_internal_error },
};

void
kvmexit_handle(const struct kvmexit_buses *buses, struct kvm_run *run,
    struct end *end)
{
	size_t i;

	for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (actions[i].reason == run->exit_reason) {
			actions[i].action(buses, run, end);
			return;
		}
	}
	end_set(end, PROTO_EXIT_KVM, run->exit_reason,
	    "KVM exit %u, which nothing here expects", run->exit_reason);
}
