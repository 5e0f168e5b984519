/* SPDX-License-Identifier: ISC */
/*
 * The PVH boot protocol (Xen, docs/misc/pvh.pandoc): an ELF file of either
 * class with a note that tells the 32-bit entry.  Runs in the vm process
 * before the guest does; the file is hostile.
 *
 * EBX points to the start info, which points to the memory map, the command
 * line, the initrd ("module") and the RSDP.
 */
#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vmmd/boot.h"
#include "vmmd/layout.h"

#define SEGMENTS_MAX		64
#define NOTES_MAX		65536	/* bytes of a note segment */
#define NOTE_PHYS32_ENTRY	18

#define START_INFO_MAGIC	0x336ec578u
#define START_INFO_VERSION	1	/* has the memory map */

struct pvh_start_info {
	uint32_t	magic;
	uint32_t	version;
	uint32_t	flags;
	uint32_t	nr_modules;
	uint64_t	modlist_paddr;
	uint64_t	cmdline_paddr;
	uint64_t	rsdp_paddr;
	uint64_t	memmap_paddr;
	uint32_t	memmap_entries;
	uint32_t	reserved;
};
static_assert(sizeof(struct pvh_start_info) == 56, "as Xen has it");

struct pvh_module {
	uint64_t	paddr;
	uint64_t	size;
	uint64_t	cmdline_paddr;
	uint64_t	reserved;
};
static_assert(sizeof(struct pvh_module) == 32, "as Xen has it");

struct pvh_memmap {
	uint64_t	addr;
	uint64_t	size;
	uint32_t	type;
	uint32_t	reserved;
};
static_assert(sizeof(struct pvh_memmap) == 24, "as Xen has it");

/* All of it in one page at LAYOUT_PVH_INFO. */
struct pvh_page {
	struct pvh_start_info	info;
	struct pvh_module	module;
	struct pvh_memmap	map[BOOT_RANGES_MAX];
};
static_assert(LAYOUT_PVH_INFO + sizeof(struct pvh_page) <= LAYOUT_ZERO_PAGE,
    "the start info ends before the zero page");

/* A program header of either class. */
struct segment {
	uint32_t	type;
	uint64_t	offset;
	uint64_t	paddr;
	uint64_t	filesz;
	uint64_t	memsz;
	uint64_t	align;
};

struct elf {
	const struct boot_job	*job;
	bool			 wide;	/* ELFCLASS64 */
	uint64_t		 phoff;
	uint32_t		 phnum;
	uint64_t		 end;	/* of what was loaded */
	uint64_t		 entry;	/* 0: no note yet */
};

static int
read_at(const struct elf *elf, uint64_t offset, void *p, size_t len,
    struct fail *fail)
{
	if (boot_file_read(&elf->job->kernel, offset, p, len) == 0)
		return 0;
	if (errno == EINVAL)
		return fail_set(fail, EINVAL,
		    "the kernel is cut off: an ELF without its parts");
	return fail_errno(fail, "the kernel cannot be read");
}

static int
read_header(struct elf *elf, struct fail *fail)
{
	union {
		unsigned char	ident[EI_NIDENT];
		Elf32_Ehdr	e32;
		Elf64_Ehdr	e64;
	} h;
	uint32_t machine, phentsize, size;

	if (boot_file_read(&elf->job->kernel, 0, h.ident, EI_NIDENT) == -1 ||
	    memcmp(h.ident, ELFMAG, SELFMAG) != 0)
		return fail_set(fail, ENOEXEC, "the kernel is no ELF");
	elf->wide = h.ident[EI_CLASS] == ELFCLASS64;
	if ((!elf->wide && h.ident[EI_CLASS] != ELFCLASS32) ||
	    h.ident[EI_DATA] != ELFDATA2LSB)
		return fail_set(fail, EINVAL,
		    "the kernel is an ELF of another machine");
	size = elf->wide ? sizeof(h.e64) : sizeof(h.e32);
	if (read_at(elf, 0, &h, size, fail) == -1)
		return -1;
	machine = elf->wide ? h.e64.e_machine : h.e32.e_machine;
	phentsize = elf->wide ? h.e64.e_phentsize : h.e32.e_phentsize;
	elf->phoff = elf->wide ? h.e64.e_phoff : h.e32.e_phoff;
	elf->phnum = elf->wide ? h.e64.e_phnum : h.e32.e_phnum;
	size = elf->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	if (machine != EM_X86_64 && machine != EM_386)
		return fail_set(fail, EINVAL,
		    "the kernel is an ELF of another machine");
	if (phentsize != size || elf->phnum == 0 ||
	    elf->phnum > SEGMENTS_MAX ||
	    elf->phoff > elf->job->kernel.bytes)
		return fail_set(fail, EINVAL,
		    "the kernel is an ELF with a malformed header");
	return 0;
}

static int
read_segment(const struct elf *elf, uint32_t i, struct segment *s,
    struct fail *fail)
{
	Elf32_Phdr p32;
	Elf64_Phdr p64;

	if (elf->wide) {
		if (read_at(elf, elf->phoff + i * sizeof(p64), &p64,
		    sizeof(p64), fail) == -1)
			return -1;
		*s = (struct segment) { p64.p_type, p64.p_offset, p64.p_paddr,
		    p64.p_filesz, p64.p_memsz, p64.p_align };
	} else {
		if (read_at(elf, elf->phoff + i * sizeof(p32), &p32,
		    sizeof(p32), fail) == -1)
			return -1;
		*s = (struct segment) { p32.p_type, p32.p_offset, p32.p_paddr,
		    p32.p_filesz, p32.p_memsz, p32.p_align };
	}
	return 0;
}

/* The memory is new: what a segment has beyond its file bytes is zero. */
static int
load_segment(struct elf *elf, const struct segment *s, struct fail *fail)
{
	const struct gmem *gmem = elf->job->gmem;

	if (s->memsz == 0)
		return 0;
	if (s->filesz > s->memsz)
		return fail_set(fail, EINVAL,
		    "the kernel is an ELF with a malformed segment");
	if (s->paddr < LAYOUT_KERNEL || s->paddr >= boot_low_end(gmem) ||
	    gmem_at(gmem, s->paddr, s->memsz) == NULL)
		return fail_set(fail, ENOMEM,
		    "the kernel does not fit: it wants %ju bytes at 0x%jx, and"
		    " there is memory from 0x%jx to 0x%jx",
		    (uintmax_t)s->memsz, (uintmax_t)s->paddr,
		    (uintmax_t)LAYOUT_KERNEL,
		    (uintmax_t)boot_low_end(gmem));
	if (boot_file_load(&elf->job->kernel, s->offset, s->filesz, gmem,
	    s->paddr) == -1)
		return fail_errno(fail, "the kernel cannot be read");
	if (s->paddr + s->memsz > elf->end)
		elf->end = s->paddr + s->memsz;
	return 0;
}

/* `at` of `total`, rounded up; `total` where that would be past it. */
static size_t
note_align(size_t at, size_t total, size_t align)
{
	size_t up = (at + align - 1) & ~(align - 1);

	return up < total ? up : total;
}

/* Look for the entry among the notes, whose bytes are hostile. */
static void
scan_notes(struct elf *elf, const uint8_t *notes, size_t total, size_t align)
{
	size_t at = 0, name, desc;
	Elf32_Nhdr n;
	uint64_t entry;

	while (total - at >= sizeof(n)) {
		memcpy(&n, notes + at, sizeof(n));
		name = at + sizeof(n);
		if (n.n_namesz > total - name)
			return;
		desc = note_align(name + n.n_namesz, total, align);
		if (n.n_descsz > total - desc)
			return;
		entry = 0;
		if (n.n_type == NOTE_PHYS32_ENTRY && n.n_namesz == 4 &&
		    memcmp(notes + name, "Xen", 4) == 0 &&
		    (n.n_descsz == 4 || n.n_descsz == 8))
			memcpy(&entry, notes + desc, n.n_descsz);
		if (entry != 0)
			elf->entry = entry;
		at = note_align(desc + n.n_descsz, total, align);
	}
}

static int
read_notes(struct elf *elf, const struct segment *s, struct fail *fail)
{
	uint8_t *notes;
	int rc;

	if (s->filesz == 0 || s->filesz > NOTES_MAX)
		return 0;
	notes = malloc(s->filesz);
	if (notes == NULL)
		return fail_errno(fail, "the notes of the kernel");
	rc = read_at(elf, s->offset, notes, s->filesz, fail);
	if (rc == 0)
		scan_notes(elf, notes, s->filesz, s->align == 8 ? 8 : 4);
	free(notes);
	return rc;
}

static int
load_segments(struct elf *elf, struct fail *fail)
{
	struct segment s;
	uint32_t i;
	int rc = 0;

	for (i = 0; i < elf->phnum && rc == 0; i++) {
		rc = read_segment(elf, i, &s, fail);
		if (rc == 0 && s.type == PT_LOAD)
			rc = load_segment(elf, &s, fail);
		else if (rc == 0 && s.type == PT_NOTE)
			rc = read_notes(elf, &s, fail);
	}
	if (rc == -1)
		return -1;
	if (elf->entry == 0)
		return fail_set(fail, EINVAL,
		    "the kernel is an ELF without a PVH entry (no Xen note)");
	if (elf->entry < LAYOUT_KERNEL || elf->entry >= elf->end)
		return fail_set(fail, EINVAL,
		    "the PVH entry of the kernel, 0x%jx, is outside of it",
		    (uintmax_t)elf->entry);
	return 0;
}

static int
put_start_info(const struct boot_job *job, uint64_t initrd)
{
	struct boot_range map[BOOT_RANGES_MAX];
	uint64_t base = LAYOUT_PVH_INFO;
	struct pvh_page page;
	size_t i, n;

	memset(&page, 0, sizeof(page));
	n = boot_memory_map(job->gmem, map);
	for (i = 0; i < n; i++) {
		page.map[i] = (struct pvh_memmap) {
			map[i].gpa, map[i].bytes, map[i].type, 0,
		};
	}
	page.info = (struct pvh_start_info) {
		.magic = START_INFO_MAGIC, .version = START_INFO_VERSION,
		.cmdline_paddr = LAYOUT_CMDLINE, .rsdp_paddr = job->rsdp,
		.memmap_paddr = base + offsetof(struct pvh_page, map),
		.memmap_entries = (uint32_t)n,
	};
	if (initrd != 0) {
		page.module.paddr = initrd;
		page.module.size = job->initrd.bytes;
		page.info.nr_modules = 1;
		page.info.modlist_paddr = base +
		    offsetof(struct pvh_page, module);
	}
	return boot_put(job->gmem, base, &page, sizeof(page));
}

int
boot_pvh_load(const struct boot_job *job, struct boot_entry *entry,
    struct fail *fail)
{
	struct elf elf = { .job = job };
	uint64_t initrd;

	if (read_header(&elf, fail) == -1 || load_segments(&elf, fail) == -1 ||
	    boot_load_initrd(job, elf.end, UINT64_MAX, &initrd, fail) == -1 ||
	    boot_load_cmdline(job, LAYOUT_CMDLINE_MAX - 1, fail) == -1)
		return -1;
	if (put_start_info(job, initrd) == -1)
		return fail_errno(fail, "the start info");
	*entry = (struct boot_entry) {
		.mode = BOOT_PROTECTED, .rip = elf.entry,
		.info = LAYOUT_PVH_INFO,
	};
	return 0;
}
