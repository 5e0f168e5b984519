/* SPDX-License-Identifier: ISC */
/*
 * The 64-bit boot protocol of Linux (Documentation/arch/x86/boot.rst).  Runs
 * in the vm process before the guest does; the file is hostile.
 *
 *	file:	boot sector | setup_sects sectors | the kernel proper
 *			^ 0x1f1: setup_header
 *
 * The kernel proper goes to its preferred address, where it need not move
 * itself; entry is 0x200 bytes into it, in long mode with RSI pointing to
 * the zero page.
 */
#include <asm/bootparam.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "vmmd/boot.h"
#include "vmmd/layout.h"

#define SECTOR			512
#define BOOT_FLAG		0xaa55
#define HEADER_MAGIC		0x53726448	/* "HdrS" */
#define VERSION_MIN		0x020c		/* has xloadflags */
#define SETUP_SECTS_DEFAULT	4
#define ENTRY_64		0x200
#define LOADER_UNKNOWN		0xff
#define CMDLINE_DEFAULT		255

#define HEADER_OFFSET		offsetof(struct boot_params, hdr)

#define PT_PRESENT		UINT64_C(0x01)
#define PT_WRITE		UINT64_C(0x02)
#define PT_LARGE		UINT64_C(0x80)
#define PT_ENTRIES		512
#define PT_GIBS			4

/* Where everything goes. */
struct plan {
	uint64_t	offset;		/* of the kernel proper in the file */
	uint64_t	bytes;
	uint64_t	load;		/* guest-physical */
	uint64_t	end;		/* of what the kernel uses to start */
};

static int
read_header(const struct boot_job *job, struct setup_header *h,
    struct fail *fail)
{
	static const char *const none = "the kernel is no bzImage";

	if (boot_file_read(&job->kernel, HEADER_OFFSET, h, sizeof(*h)) == -1) {
		if (errno != EINVAL)
			return fail_errno(fail, "the kernel cannot be read");
		return fail_set(fail, ENOEXEC, "%s", none);
	}
	if (h->boot_flag != BOOT_FLAG || h->header != HEADER_MAGIC)
		return fail_set(fail, ENOEXEC, "%s", none);
	if (h->version < VERSION_MIN)
		return fail_set(fail, ENOTSUP,
		    "the kernel speaks boot protocol %u.%02u, older than 2.12",
		    h->version >> 8, h->version & 0xff);
	if (!(h->xloadflags & XLF_KERNEL_64))
		return fail_set(fail, ENOTSUP,
		    "the kernel has no 64-bit entry");
	return 0;
}

/* Can it lie at `load`, and has it room there to start? */
static bool
fits(const struct boot_job *job, const struct setup_header *h,
    struct plan *plan, uint64_t load)
{
	uint64_t room = h->init_size > plan->bytes ? h->init_size : plan->bytes;

	if (load < LAYOUT_KERNEL || gmem_at(job->gmem, load, room) == NULL ||
	    load >= boot_low_end(job->gmem))
		return false;
	plan->load = load;
	plan->end = load + room;
	return true;
}

static int
make_plan(const struct boot_job *job, const struct setup_header *h,
    struct plan *plan, struct fail *fail)
{
	uint64_t sects = h->setup_sects;

	if (sects == 0)
		sects = SETUP_SECTS_DEFAULT;
	plan->offset = (sects + 1) * SECTOR;
	if (plan->offset >= job->kernel.bytes)
		return fail_set(fail, EINVAL,
		    "the kernel is cut off: a header, and nothing after it");
	plan->bytes = job->kernel.bytes - plan->offset;
	if (plan->bytes <= ENTRY_64)
		return fail_set(fail, EINVAL,
		    "the kernel is cut off before its entry");
	if (fits(job, h, plan, h->pref_address))
		return 0;
	return fail_set(fail, ENOMEM,
	    "the kernel does not fit: it wants %ju KiB at 0x%jx, and the"
	    " machine has %ju KiB below 3 GiB",
	    (uintmax_t)h->init_size >> 10, (uintmax_t)h->pref_address,
	    (uintmax_t)boot_low_end(job->gmem) >> 10);
}

static int
put_page_tables(const struct gmem *gmem)
{
	uint64_t table[PT_ENTRIES], pt = LAYOUT_PAGE_TABLES;
	uint64_t flags = PT_PRESENT | PT_WRITE, gpa = 0;
	unsigned i, g;

	memset(table, 0, sizeof(table));
	table[0] = (pt + 4096) | flags;
	if (boot_put(gmem, pt, table, sizeof(table)) == -1)
		return -1;
	for (g = 0; g < PT_GIBS; g++)
		table[g] = (pt + (2 + (uint64_t)g) * 4096) | flags;
	if (boot_put(gmem, pt + 4096, table, sizeof(table)) == -1)
		return -1;
	for (g = 0; g < PT_GIBS; g++) {
		for (i = 0; i < PT_ENTRIES; i++, gpa += UINT64_C(2) << 20)
			table[i] = gpa | flags | PT_LARGE;
		if (boot_put(gmem, pt + (2 + (uint64_t)g) * 4096, table,
		    sizeof(table)) == -1)
			return -1;
	}
	return 0;
}

static int
put_zero_page(const struct boot_job *job, const struct setup_header *h,
    uint64_t initrd)
{
	struct boot_range map[BOOT_RANGES_MAX];
	struct boot_params zero;
	size_t i, n;

	memset(&zero, 0, sizeof(zero));
	zero.hdr = *h;
	zero.hdr.type_of_loader = LOADER_UNKNOWN;
	zero.hdr.cmd_line_ptr = (uint32_t)LAYOUT_CMDLINE;
	zero.hdr.setup_data = 0;
	zero.hdr.ramdisk_image = (uint32_t)initrd;
	zero.hdr.ramdisk_size =
	    initrd != 0 ? (uint32_t)job->initrd.bytes : 0;
	zero.acpi_rsdp_addr = job->rsdp;
	n = boot_memory_map(job->gmem, map);
	for (i = 0; i < n; i++) {
		zero.e820_table[i].addr = map[i].gpa;
		zero.e820_table[i].size = map[i].bytes;
		zero.e820_table[i].type = map[i].type;
	}
	zero.e820_entries = (uint8_t)n;
	return boot_put(job->gmem, LAYOUT_ZERO_PAGE, &zero, sizeof(zero));
}

int
boot_bzimage_load(const struct boot_job *job, struct boot_entry *entry,
    struct fail *fail)
{
	struct setup_header h;
	struct plan plan = { .load = 0 };
	uint64_t initrd;

	if (read_header(job, &h, fail) == -1 ||
	    make_plan(job, &h, &plan, fail) == -1)
		return -1;
	if (boot_file_load(&job->kernel, plan.offset, plan.bytes, job->gmem,
	    plan.load) == -1)
		return fail_errno(fail, "the kernel cannot be read");
	if (boot_load_initrd(job, plan.end,
	    (uint64_t)h.initrd_addr_max + 1, &initrd, fail) == -1 ||
	    boot_load_cmdline(job, h.cmdline_size != 0 ? h.cmdline_size :
	    CMDLINE_DEFAULT, fail) == -1)
		return -1;
	if (put_zero_page(job, &h, initrd) == -1 ||
	    put_page_tables(job->gmem) == -1)
		return fail_errno(fail, "the boot parameters");
	*entry = (struct boot_entry) {
		.mode = BOOT_LONG, .rip = plan.load + ENTRY_64,
		.info = LAYOUT_ZERO_PAGE,
	};
	return 0;
}
