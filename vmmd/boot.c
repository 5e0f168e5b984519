/* SPDX-License-Identifier: ISC */
/*
 * What both boot protocols need.  Runs in the vm process before the guest
 * does; trusts the descriptors to be open, and nothing that is in them.
 */
#include <sys/stat.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vmmd/boot.h"
#include "vmmd/layout.h"

#define PAGE	UINT64_C(4096)

int
boot_file_open(struct boot_file *f, int fd, const char *what,
    struct fail *fail)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return fail_errno(fail, "the %s", what);
	if (!S_ISREG(st.st_mode))
		return fail_set(fail, EINVAL, "the %s is no regular file",
		    what);
	if (st.st_size <= 0)
		return fail_set(fail, EINVAL, "the %s is empty", what);
	*f = (struct boot_file) { fd, (uint64_t)st.st_size, what };
	return 0;
}

static int
read_all(int fd, uint64_t offset, uint8_t *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = pread(fd, p, len, (off_t)offset);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0) {
			errno = EINVAL;		/* it has shrunk */
			return -1;
		}
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int
boot_file_read(const struct boot_file *f, uint64_t offset, void *p,
    size_t len)
{
	if (offset > f->bytes || len > f->bytes - offset) {
		errno = EINVAL;
		return -1;
	}
	return read_all(f->fd, offset, p, len);
}

int
boot_file_load(const struct boot_file *f, uint64_t offset, uint64_t len,
    const struct gmem *gmem, uint64_t gpa)
{
	void *p;

	if (len == 0)
		return 0;
	p = gmem_at(gmem, gpa, len);
	if (p == NULL) {
		errno = EFAULT;
		return -1;
	}
	return boot_file_read(f, offset, p, len);
}

int
boot_put(const struct gmem *gmem, uint64_t gpa, const void *from, size_t len)
{
	void *to = gmem_at(gmem, gpa, len);

	if (to == NULL) {
		errno = EFAULT;
		return -1;
	}
	memcpy(to, from, len);
	return 0;
}

uint64_t
boot_low_end(const struct gmem *gmem)
{
	return gmem_region(gmem, 0)->bytes;
}

int
boot_load_initrd(const struct boot_job *job, uint64_t from, uint64_t to,
    uint64_t *gpa, struct fail *fail)
{
	const struct boot_file *f = &job->initrd;
	uint64_t end = boot_low_end(job->gmem), at;

	*gpa = 0;
	if (f->fd == -1)
		return 0;
	if (to < end)
		end = to;
	if (end < from || f->bytes > end - from)
		goto too_big;
	at = (end - f->bytes) & ~(PAGE - 1);
	if (at < from)
		goto too_big;
	if (boot_file_load(f, 0, f->bytes, job->gmem, at) == -1)
		return fail_errno(fail, "the initrd cannot be read");
	*gpa = at;
	return 0;

too_big:
	return fail_set(fail, ENOMEM,
	    "the initrd of %ju KiB does not fit beside the kernel: give the"
	    " machine more memory", (uintmax_t)(f->bytes >> 10));
}

int
boot_load_cmdline(const struct boot_job *job, uint64_t max, struct fail *fail)
{
	size_t len = strlen(job->cmdline);

	if (len > max)
		return fail_set(fail, E2BIG,
		    "the command line has %zu bytes, the kernel takes %ju",
		    len, (uintmax_t)max);
	if (len >= LAYOUT_CMDLINE_MAX ||
	    boot_put(job->gmem, LAYOUT_CMDLINE, job->cmdline, len + 1) == -1)
		return fail_set(fail, E2BIG,
		    "the command line of %zu bytes is too long", len);
	return 0;
}

size_t
boot_memory_map(const struct gmem *gmem,
    struct boot_range map[BOOT_RANGES_MAX])
{
	const struct gmem_region *r;
	uint64_t acpi_end = LAYOUT_ACPI + LAYOUT_ACPI_BYTES;
	size_t n = 0, i;

	map[n++] = (struct boot_range) { 0, LAYOUT_LOW_END, BOOT_RAM };
	map[n++] = (struct boot_range) { LAYOUT_LOW_END,
	    LAYOUT_ACPI - LAYOUT_LOW_END, BOOT_RESERVED };
	map[n++] = (struct boot_range) { LAYOUT_ACPI, LAYOUT_ACPI_BYTES,
	    BOOT_ACPI };
	map[n++] = (struct boot_range) { acpi_end, LAYOUT_BIOS_END - acpi_end,
	    BOOT_RESERVED };
	map[n++] = (struct boot_range) { LAYOUT_BIOS_END,
	    boot_low_end(gmem) - LAYOUT_BIOS_END, BOOT_RAM };
	for (i = 1; n < BOOT_RANGES_MAX &&
	    (r = gmem_region(gmem, i)) != NULL; i++)
		map[n++] = (struct boot_range) { r->gpa, r->bytes, BOOT_RAM };
	return n;
}

static int
load_gdt(const struct gmem *gmem, enum boot_mode mode)
{
	/* 4 GiB each, as vcpu.c loads the segment registers. */
	const uint64_t gdt[BOOT_GDT_BYTES / sizeof(uint64_t)] = {
		[BOOT_SELECTOR_CODE / 8] = mode == BOOT_LONG ?
		    UINT64_C(0x00af9b000000ffff) :
		    UINT64_C(0x00cf9b000000ffff),
		[BOOT_SELECTOR_DATA / 8] = UINT64_C(0x00cf93000000ffff),
		[BOOT_SELECTOR_TASK / 8] = UINT64_C(0x00008b0000000067),
	};

	return boot_put(gmem, LAYOUT_GDT, gdt, sizeof(gdt));
}

int
boot_load(const struct boot_job *job, struct boot_entry *entry,
    struct fail *fail)
{
	int rc;

	if (boot_low_end(job->gmem) <= LAYOUT_KERNEL)
		return fail_set(fail, ENOMEM,
		    "the machine has too little memory for any kernel");
	rc = boot_pvh_load(job, entry, fail);
	if (rc == -1 && fail->errnum == ENOEXEC)
		rc = boot_bzimage_load(job, entry, fail);
	if (rc == -1 && fail->errnum == ENOEXEC)
		return fail_set(fail, ENOEXEC,
		    "the kernel is neither a bzImage nor a PVH ELF");
	if (rc == 0 && load_gdt(job->gmem, entry->mode) == -1)
		return fail_errno(fail, "the GDT");
	return rc;
}
