/* SPDX-License-Identifier: ISC */
/*
 * The machine, put together.  Runs in the vm process, on the main thread.
 * What the monitor says is well formed; files are hostile.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/log.h"
#include "vmmd/acpi.h"
#include "vmmd/blkchan.h"
#include "vmmd/boot.h"
#include "vmmd/console.h"
#include "vmmd/gate.h"
#include "vmmd/guest.h"
#include "vmmd/i8042.h"
#include "vmmd/iobus.h"
#include "vmmd/kvm.h"
#include "vmmd/layout.h"
#include "vmmd/mmiobus.h"
#include "vmmd/power.h"
#include "vmmd/vcpu.h"

#define REG_QUEUE_NOTIFY	0x050	/* virtio 1.2, 4.2.2 */
#define DISK_ARGUMENT_MAX	48	/* " virtio_mmio.device=..." */
#define VCPU_STOP_SECONDS	1
#define CONSOLE_STOP_MS		1000

struct guest {
	uint64_t	 memory;
	uint32_t	 nvcpus;
	uint32_t	 ndisks;
	uint32_t	 flags;
	char		 cmdline[PROTO_CMDLINE_MAX +
			    PROTO_DISKS_MAX * DISK_ARGUMENT_MAX];
	struct notice	*notice;
	struct gmem	*gmem;
	struct kvm	*kvm;
	struct console	*console;
	struct i8042	 i8042;
	struct iobus	 io;
	struct mmiobus	 mmio;
	struct gate	*gate;
	struct vcpu	*vcpu[PROTO_VCPUS_MAX];
	size_t		 started;	/* threads that come to the gate */
	int		 kernel;
	int		 initrd;
};

static int
add_memory(struct guest *g, int fd, struct fail *fail)
{
	g->gmem = gmem_open(fd, g->memory);
	if (g->gmem == NULL)
		return fail_errno(fail, "the memory of %ju MiB",
		    (uintmax_t)(g->memory >> 20));
	return kvm_add_memory(g->kvm, g->gmem, fail);
}

static int
add_devices(struct guest *g, int *in, int *out, struct fail *fail)
{
	g->console = console_new(fd_move(in), fd_move(out), g->kvm,
	    LAYOUT_SERIAL_GSI, g->notice);
	if (g->console == NULL)
		return fail_errno(fail, "the serial line");
	if (console_attach(g->console, &g->io) == -1 ||
	    i8042_attach(&g->i8042, &g->io) == -1 ||
	    power_attach(&g->io) == -1)
		return fail_errno(fail, "the devices");
	return 0;
}

struct guest *
guest_new(const struct guest_setup *setup, struct fail *fail)
{
	int kvm = setup->kvm, gmem = setup->gmem;
	int in = setup->serial_in, out = setup->serial_out;
	struct guest *g = calloc(1, sizeof(*g));
	int rc = -1;

	if (g == NULL) {
		fail_errno(fail, "the machine");
		return NULL;
	}
	g->memory = setup->memory;
	g->nvcpus = setup->vcpus;
	g->ndisks = setup->disks;
	g->flags = setup->flags;
	g->notice = setup->notice;
	g->kernel = setup->kernel;
	g->initrd = setup->initrd;
	snprintf(g->cmdline, sizeof(g->cmdline), "%s", setup->cmdline);

	g->gate = gate_new();
	if (g->gate == NULL) {
		fail_errno(fail, "the machine");
		goto out;
	}
	g->kvm = kvm_new(fd_move(&kvm), fail);
	if (g->kvm == NULL || add_memory(g, gmem, fail) == -1 ||
	    kvm_add_interrupts(g->kvm, fail) == -1 ||
	    add_devices(g, &in, &out, fail) == -1)
		goto out;
	rc = 0;
out:
	fd_close(&kvm);
	fd_close(&gmem);
	fd_close(&in);
	fd_close(&out);
	if (rc == -1) {
		guest_free(g);
		g = NULL;
	}
	return g;
}

void
guest_free(struct guest *g)
{
	uint32_t i;

	if (g == NULL)
		return;
	for (i = 0; i < g->nvcpus; i++)
		vcpu_free(g->vcpu[i]);
	for (i = 0; i < g->ndisks; i++)
		blkchan_free(g->mmio.disk[i]);
	console_free(g->console);
	kvm_free(g->kvm);
	gmem_close(g->gmem);
	gate_free(g->gate);
	fd_close(&g->kernel);
	fd_close(&g->initrd);
	free(g);
}

uint32_t
guest_disks_missing(const struct guest *g)
{
	uint32_t i, missing = 0;

	for (i = 0; i < g->ndisks; i++)
		missing += g->mmio.disk[i] == NULL;
	return missing;
}

static int
connect_lines(struct guest *g, const struct guest_disk *d, struct fail *fail)
{
	uint64_t notify = layout_disk_window(d->index) + REG_QUEUE_NOTIFY;
	uint32_t i;

	if (kvm_add_irqfd(g->kvm, layout_disk_gsi(d->index), d->irq,
	    fail) == -1)
		return -1;
	if (d->flags & PROTO_VM_DISK_MESSAGE)
		return 0;
	for (i = 0; i < d->queues; i++) {
		if (kvm_add_ioeventfd(g->kvm, notify, i, d->kicks[i],
		    fail) == -1)
			return -1;
	}
	return 0;
}

int
guest_add_disk(struct guest *g, const struct guest_disk *d, struct fail *fail)
{
	const struct blkchan_setup setup = {
		.index = d->index, .queues = d->queues,
		.channel = d->channel, .doorbell = d->doorbell,
		.message = d->flags & PROTO_VM_DISK_MESSAGE,
		.timeout_ms = BLKCHAN_TIMEOUT_MS, .notice = g->notice,
	};

	if (d->index >= g->ndisks || g->mmio.disk[d->index] != NULL) {
		close(d->channel);
		return fail_set(fail, EINVAL,
		    "disk %u is one too many", d->index);
	}
	g->mmio.disk[d->index] = blkchan_new(&setup);
	if (g->mmio.disk[d->index] == NULL)
		return fail_errno(fail, "disk %u: doorbell", d->index);
	g->mmio.count = g->ndisks;
	return connect_lines(g, d, fail);
}

/* For kernels that do not find the disks by ACPI. */
static void
name_disks(struct guest *g)
{
	size_t used = strlen(g->cmdline);
	uint32_t i;

	if (!(g->flags & PROTO_MACHINE_MMIO_CMDLINE))
		return;
	for (i = 0; i < g->ndisks; i++)
		used += (size_t)snprintf(g->cmdline + used,
		    sizeof(g->cmdline) - used,
		    "%svirtio_mmio.device=4K@0x%jx:%u",
		    used == 0 ? "" : " ", (uintmax_t)layout_disk_window(i),
		    layout_disk_gsi(i));
}

static int
load(struct guest *g, struct boot_entry *entry, struct fail *fail)
{
	struct boot_job job = {
		.gmem = g->gmem, .cmdline = g->cmdline,
		.rsdp = LAYOUT_ACPI, .initrd = { .fd = -1 },
	};
	uint8_t *tables = gmem_at(g->gmem, LAYOUT_ACPI, LAYOUT_ACPI_BYTES);

	if (tables == NULL || acpi_make(tables, LAYOUT_ACPI_BYTES,
	    LAYOUT_ACPI, g->nvcpus, g->ndisks) == 0)
		return fail_set(fail, ENOMEM, "no room for the ACPI tables");
	if (boot_file_open(&job.kernel, g->kernel, "kernel", fail) == -1)
		return -1;
	if (g->initrd != -1 &&
	    boot_file_open(&job.initrd, g->initrd, "initrd", fail) == -1)
		return -1;
	if (boot_load(&job, entry, fail) == -1)
		return -1;
	fd_close(&g->kernel);
	fd_close(&g->initrd);
	return 0;
}

static int
start_threads(struct guest *g, const struct boot_entry *entry,
    struct fail *fail)
{
	struct vcpu_setup setup = {
		.kvm = g->kvm, .count = g->nvcpus, .notice = g->notice,
		.buses = { &g->io, &g->mmio },
	};

	if (vcpu_prepare_process(fail) == -1)
		return -1;
	for (setup.index = 0; setup.index < g->nvcpus; setup.index++) {
		g->vcpu[setup.index] = vcpu_new(&setup, fail);
		if (g->vcpu[setup.index] == NULL)
			return -1;
	}
	if (vcpu_set_entry(g->vcpu[0], entry, fail) == -1)
		return -1;
	if (console_start(g->console, g->gate) == -1)
		return fail_errno(fail, "the threads of the serial line");
	for (g->started = 0; g->started < g->nvcpus; g->started++) {
		if (vcpu_start(g->vcpu[g->started], g->gate, fail) == -1)
			return -1;
	}
	gate_wait(g->gate, g->started + CONSOLE_THREADS);
	return 0;
}

int
guest_start(struct guest *g, struct fail *fail)
{
	struct boot_entry entry;

	name_disks(g);
	if (load(g, &entry, fail) == -1)
		return -1;
	return start_threads(g, &entry, fail);
}

void
guest_run(struct guest *g)
{
	gate_open(g->gate);
}

int
guest_stop(struct guest *g)
{
	struct timespec until;
	uint32_t i;
	int rc = 0;

	for (i = 0; i < g->nvcpus; i++) {
		if (g->vcpu[i] != NULL)
			vcpu_stop(g->vcpu[i]);
	}
	for (i = 0; i < g->ndisks; i++) {
		if (g->mmio.disk[i] != NULL)
			blkchan_stop(g->mmio.disk[i]);
	}
	gate_open(g->gate);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += VCPU_STOP_SECONDS;
	for (i = 0; i < g->nvcpus; i++) {
		if (g->vcpu[i] != NULL && vcpu_join(g->vcpu[i], &until) == -1)
			rc = -1;
	}
	if (console_stop(g->console, CONSOLE_STOP_MS) == -1)
		rc = -1;
	return rc;
}

int
guest_replace_channel(struct guest *g, uint32_t disk, int channel)
{
	if (disk >= g->ndisks || g->mmio.disk[disk] == NULL) {
		close(channel);
		errno = EINVAL;
		return -1;
	}
	blkchan_attach(g->mmio.disk[disk], channel);
	return 0;
}
