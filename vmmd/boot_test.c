/* SPDX-License-Identifier: ISC */
/*
 * The kernel loaders: golden files, and a table of malformed ones, each made
 * from the golden one by one change.
 */
#include "config.h"

#include <sys/mman.h>

#include <asm/bootparam.h>

#include <atf-c.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/memfd.h"
#include "vmmd/boot.h"
#include "vmmd/layout.h"

#define MIB		(UINT64_C(1) << 20)
#define MEMORY		(64 * MIB)
#define SETUP_SECTS	4
#define PROPER		((size_t)(SETUP_SECTS + 1) * 512)
#define BZ_BYTES	(PROPER + 8192)
#define ELF_BYTES	16384
#define ELF_LOAD	4096		/* file offset of the segment */
#define ELF_NOTE	8192

/* A file in memory, and the guest memory that it is loaded into. */
struct fixture {
	struct gmem	*gmem;
	struct boot_job	 job;
	struct fail	 fail;
	struct boot_entry entry;
};

static int
file_of(const void *bytes, size_t n)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	ATF_REQUIRE(fd != -1);
	ATF_REQUIRE_EQ((ssize_t)n, pwrite(fd, bytes, n, 0));
	return fd;
}

static void
setup(struct fixture *f, const void *kernel, size_t bytes, uint64_t memory)
{
	int fd = memfd_make("gmem", memory);

	memset(f, 0, sizeof(*f));
	ATF_REQUIRE(fd != -1);
	f->gmem = gmem_open(fd, memory);
	ATF_REQUIRE(f->gmem != NULL);
	close(fd);
	f->job.gmem = f->gmem;
	f->job.cmdline = "console=ttyS0";
	f->job.rsdp = LAYOUT_ACPI;
	f->job.initrd.fd = -1;
	fd = file_of(kernel, bytes);
	ATF_REQUIRE_EQ(0, boot_file_open(&f->job.kernel, fd, "kernel",
	    &f->fail));
}

static void
teardown(struct fixture *f)
{
	close(f->job.kernel.fd);
	if (f->job.initrd.fd != -1)
		close(f->job.initrd.fd);
	gmem_close(f->gmem);
}

static int
load(struct fixture *f)
{
	return boot_load(&f->job, &f->entry, &f->fail);
}

static void
add_initrd(struct fixture *f, size_t bytes)
{
	uint8_t *p = malloc(bytes);
	int fd;

	ATF_REQUIRE(p != NULL);
	memset(p, 0x5a, bytes);
	fd = file_of(p, bytes);
	free(p);
	ATF_REQUIRE_EQ(0, boot_file_open(&f->job.initrd, fd, "initrd",
	    &f->fail));
}

static const void *
at(const struct fixture *f, uint64_t gpa, size_t len)
{
	const void *p = gmem_at(f->gmem, gpa, len);

	ATF_REQUIRE(p != NULL);
	return p;
}

/* --- golden files ------------------------------------------------------ */

static struct setup_header *
bz_header(uint8_t *bz)
{
	return (struct setup_header *)(bz + offsetof(struct boot_params, hdr));
}

static void
make_bz(uint8_t bz[BZ_BYTES])
{
	struct setup_header *h = bz_header(bz);

	memset(bz, 0, BZ_BYTES);
	h->setup_sects = SETUP_SECTS;
	h->boot_flag = 0xaa55;
	h->header = 0x53726448;
	h->version = 0x020f;
	h->loadflags = LOADED_HIGH;
	h->xloadflags = XLF_KERNEL_64;
	h->initrd_addr_max = 0x7fffffff;
	h->cmdline_size = 2047;
	h->pref_address = 16 * MIB;
	h->init_size = 4 * MIB;
	memset(bz + PROPER, 0xc3, BZ_BYTES - PROPER);
}

struct elf32 {
	Elf32_Ehdr	ehdr;
	Elf32_Phdr	phdr[2];
};

struct note {
	Elf32_Nhdr	hdr;
	char		name[4];
	uint32_t	entry;
};

static void
make_elf(uint8_t elf[ELF_BYTES])
{
	struct elf32 *e = (struct elf32 *)elf;
	struct note *n = (struct note *)(elf + ELF_NOTE);

	memset(elf, 0, ELF_BYTES);
	e->ehdr = (Elf32_Ehdr) {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32,
		    ELFDATA2LSB },
		.e_machine = EM_386,
		.e_phoff = offsetof(struct elf32, phdr),
		.e_phentsize = sizeof(e->phdr[0]), .e_phnum = 2,
	};
	e->phdr[0] = (Elf32_Phdr) { .p_type = PT_LOAD, .p_offset = ELF_LOAD,
	    .p_paddr = 0x100000, .p_filesz = 4096, .p_memsz = 8192 };
	e->phdr[1] = (Elf32_Phdr) { .p_type = PT_NOTE, .p_offset = ELF_NOTE,
	    .p_filesz = sizeof(*n), .p_memsz = sizeof(*n), .p_align = 4 };
	n->hdr = (Elf32_Nhdr) { 4, 4, 18 };
	memcpy(n->name, "Xen", 4);
	n->entry = 0x100010;
	memset(elf + ELF_LOAD, 0xf4, 4096);
}

/* --- bzImage ----------------------------------------------------------- */

ATF_TC_WITHOUT_HEAD(bzimage__golden_is_placed);
ATF_TC_BODY(bzimage__golden_is_placed, tc)
{
	uint8_t bz[BZ_BYTES];
	struct fixture f;
	const struct boot_params *zero;

	(void)tc;
	make_bz(bz);
	setup(&f, bz, sizeof(bz), MEMORY);
	add_initrd(&f, 5000);
	ATF_REQUIRE_EQ_MSG(0, load(&f), "%s", f.fail.text);
	ATF_CHECK_EQ(BOOT_LONG, f.entry.mode);
	ATF_CHECK_EQ(16 * MIB + 0x200, f.entry.rip);
	ATF_CHECK_EQ(LAYOUT_ZERO_PAGE, f.entry.info);
	ATF_CHECK_EQ(0, memcmp(bz + PROPER, at(&f, 16 * MIB, 8192), 8192));
	zero = at(&f, LAYOUT_ZERO_PAGE, sizeof(*zero));
	ATF_CHECK_EQ(0xff, zero->hdr.type_of_loader);
	ATF_CHECK_EQ(LAYOUT_ACPI, zero->acpi_rsdp_addr);
	ATF_CHECK_STREQ("console=ttyS0",
	    (const char *)at(&f, zero->hdr.cmd_line_ptr, 16));
	ATF_CHECK_EQ(5000, zero->hdr.ramdisk_size);
	ATF_CHECK_EQ(MEMORY - 8192, zero->hdr.ramdisk_image);
	ATF_CHECK_EQ(0x5a, *(const uint8_t *)at(&f, MEMORY - 8192, 1));
	ATF_CHECK_EQ(5, zero->e820_entries);
	ATF_CHECK_EQ(LAYOUT_BIOS_END, zero->e820_table[4].addr);
	ATF_CHECK_EQ(MEMORY - LAYOUT_BIOS_END, zero->e820_table[4].size);
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(bzimage__initrd_stays_below_its_limit);
ATF_TC_BODY(bzimage__initrd_stays_below_its_limit, tc)
{
	uint8_t bz[BZ_BYTES];
	struct fixture f;
	const struct boot_params *zero;

	(void)tc;
	make_bz(bz);
	bz_header(bz)->initrd_addr_max = 32 * MIB - 1;
	setup(&f, bz, sizeof(bz), MEMORY);
	add_initrd(&f, 4096);
	ATF_REQUIRE_EQ_MSG(0, load(&f), "%s", f.fail.text);
	zero = at(&f, LAYOUT_ZERO_PAGE, sizeof(*zero));
	ATF_CHECK_EQ(32 * MIB - 4096, zero->hdr.ramdisk_image);
	teardown(&f);
}

static void no_magic(uint8_t *b) { bz_header(b)->header = 0; }
static void no_flag(uint8_t *b) { bz_header(b)->boot_flag = 0; }
static void old(uint8_t *b) { bz_header(b)->version = 0x020b; }
static void no_64(uint8_t *b) { bz_header(b)->xloadflags = 0; }
static void all_setup(uint8_t *b) { bz_header(b)->setup_sects = 255; }
static void too_low(uint8_t *b) { bz_header(b)->pref_address = 0x1000; }
static void too_high(uint8_t *b) { bz_header(b)->pref_address = MEMORY; }
static void wraps(uint8_t *b) { bz_header(b)->pref_address = UINT64_MAX; }
static void in_hole(uint8_t *b) { bz_header(b)->pref_address = 3ull << 30; }
static void too_big(uint8_t *b) { bz_header(b)->init_size = UINT32_MAX; }
static void short_line(uint8_t *b) { bz_header(b)->cmdline_size = 3; }
static void no_initrd(uint8_t *b) { bz_header(b)->initrd_addr_max = 0x1000; }

static const struct bad {
	const char	*name;
	void		(*change)(uint8_t *);
	size_t		 bytes;		/* 0: all of the file */
	const char	*words;		/* of the sentence */
} bad_bz[] = {
	{ "no magic", no_magic, 0, "neither a bzImage nor a PVH ELF" },
	{ "no boot flag", no_flag, 0, "neither a bzImage nor a PVH ELF" },
	{ "old protocol", old, 0, "2.11" },
	{ "no 64-bit entry", no_64, 0, "no 64-bit entry" },
	{ "setup past the end", all_setup, 0, "cut off" },
	{ "low address", too_low, 0, "does not fit" },
	{ "high address", too_high, 0, "does not fit" },
	{ "address that wraps", wraps, 0, "does not fit" },
	{ "address in the hole", in_hole, 0, "does not fit" },
	{ "size of 4 GiB", too_big, 0, "does not fit" },
	{ "short command line", short_line, 0, "the kernel takes 3" },
	{ "initrd limit too low", no_initrd, 0, "initrd" },
	{ "cut in the header", NULL, 0x1f5, "neither" },
	{ "cut after the header", NULL, PROPER, "cut off" },
	{ "cut before the entry", NULL, PROPER + 0x200, "cut off" },
	{ "one byte", NULL, 1, "neither" },
};

/* Each one is refused with its sentence, and never touches low memory. */
static void
check_bad(const struct bad *bad, uint8_t *file, size_t bytes)
{
	struct fixture f;

	if (bad->change != NULL)
		bad->change(file);
	setup(&f, file, bad->bytes != 0 ? bad->bytes : bytes, MEMORY);
	add_initrd(&f, 4096);
	ATF_CHECK_EQ_MSG(-1, load(&f), "%s", bad->name);
	ATF_CHECK_MSG(strstr(f.fail.text, bad->words) != NULL, "%s: %s",
	    bad->name, f.fail.text);
	ATF_CHECK(f.fail.errnum > 0);
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(bzimage__malformed_is_refused);
ATF_TC_BODY(bzimage__malformed_is_refused, tc)
{
	uint8_t bz[BZ_BYTES];
	size_t i;

	(void)tc;
	for (i = 0; i < sizeof(bad_bz) / sizeof(bad_bz[0]); i++) {
		make_bz(bz);
		check_bad(&bad_bz[i], bz, sizeof(bz));
	}
}

/* --- PVH --------------------------------------------------------------- */

ATF_TC_WITHOUT_HEAD(pvh__golden_is_placed);
ATF_TC_BODY(pvh__golden_is_placed, tc)
{
	uint8_t elf[ELF_BYTES];
	struct fixture f;
	const uint32_t *info;
	const uint64_t *module;

	(void)tc;
	make_elf(elf);
	setup(&f, elf, sizeof(elf), MEMORY);
	add_initrd(&f, 5000);
	ATF_REQUIRE_EQ_MSG(0, load(&f), "%s", f.fail.text);
	ATF_CHECK_EQ(BOOT_PROTECTED, f.entry.mode);
	ATF_CHECK_EQ(0x100010, f.entry.rip);
	ATF_CHECK_EQ(LAYOUT_PVH_INFO, f.entry.info);
	ATF_CHECK_EQ(0xf4, *(const uint8_t *)at(&f, 0x100000, 1));
	ATF_CHECK_EQ(0, *(const uint8_t *)at(&f, 0x101000, 1));
	info = at(&f, LAYOUT_PVH_INFO, 56);
	ATF_CHECK_EQ(0x336ec578, info[0]);
	ATF_CHECK_EQ(1, info[1]);
	ATF_CHECK_EQ(1, info[3]);
	ATF_CHECK_EQ(LAYOUT_CMDLINE, info[6]);
	ATF_CHECK_EQ(LAYOUT_ACPI, info[8]);
	ATF_CHECK_EQ(5, info[12]);
	module = at(&f, info[4], 16);
	ATF_CHECK_EQ(MEMORY - 8192, module[0]);
	ATF_CHECK_EQ(5000, module[1]);
	teardown(&f);
}

static struct elf32 *e32(uint8_t *b) { return (struct elf32 *)b; }
static struct note *nt(uint8_t *b) { return (struct note *)(b + ELF_NOTE); }

static void bad_class(uint8_t *b) { e32(b)->ehdr.e_ident[EI_CLASS] = 7; }
static void big_endian(uint8_t *b)
{
	e32(b)->ehdr.e_ident[EI_DATA] = ELFDATA2MSB;
}
static void arm(uint8_t *b) { e32(b)->ehdr.e_machine = EM_ARM; }
static void no_headers(uint8_t *b) { e32(b)->ehdr.e_phnum = 0; }
static void headers(uint8_t *b) { e32(b)->ehdr.e_phnum = 65535; }
static void entsize(uint8_t *b) { e32(b)->ehdr.e_phentsize = 1; }
static void far_headers(uint8_t *b) { e32(b)->ehdr.e_phoff = UINT32_MAX; }
static void end_headers(uint8_t *b) { e32(b)->ehdr.e_phoff = ELF_BYTES - 1; }
static void low(uint8_t *b) { e32(b)->phdr[0].p_paddr = 0x6000; }
static void high(uint8_t *b) { e32(b)->phdr[0].p_paddr = UINT32_MAX - 4095; }
static void bloated(uint8_t *b) { e32(b)->phdr[0].p_memsz = UINT32_MAX; }
static void shrunk(uint8_t *b) { e32(b)->phdr[0].p_memsz = 1; }
static void past_end(uint8_t *b) { e32(b)->phdr[0].p_offset = ELF_BYTES; }
static void no_note(uint8_t *b) { e32(b)->phdr[1].p_type = PT_NULL; }
static void long_note(uint8_t *b) { nt(b)->hdr.n_namesz = UINT32_MAX; }
static void long_desc(uint8_t *b) { nt(b)->hdr.n_descsz = UINT32_MAX; }
static void other_note(uint8_t *b) { nt(b)->hdr.n_type = 1; }
static void other_name(uint8_t *b) { nt(b)->name[0] = 'x'; }
static void far_entry(uint8_t *b) { nt(b)->entry = 0x200000; }
static void low_entry(uint8_t *b) { nt(b)->entry = 0x6000; }
static void notes_past(uint8_t *b) { e32(b)->phdr[1].p_offset = ELF_BYTES; }

static const struct bad bad_elf[] = {
	{ "class", bad_class, 0, "another machine" },
	{ "byte order", big_endian, 0, "another machine" },
	{ "machine", arm, 0, "another machine" },
	{ "no program headers", no_headers, 0, "malformed header" },
	{ "65535 program headers", headers, 0, "malformed header" },
	{ "size of a header", entsize, 0, "malformed header" },
	{ "headers far away", far_headers, 0, "malformed header" },
	{ "headers cut off", end_headers, 0, "cut off" },
	{ "segment in low memory", low, 0, "does not fit" },
	{ "segment past memory", high, 0, "does not fit" },
	{ "segment of 4 GiB", bloated, 0, "does not fit" },
	{ "segment smaller than its file", shrunk, 0, "malformed segment" },
	{ "segment past the file", past_end, 0, "cannot be read" },
	{ "no note", no_note, 0, "no Xen note" },
	{ "name of 4 GiB", long_note, 0, "no Xen note" },
	{ "descriptor of 4 GiB", long_desc, 0, "no Xen note" },
	{ "another note", other_note, 0, "no Xen note" },
	{ "another name", other_name, 0, "no Xen note" },
	{ "entry outside", far_entry, 0, "outside" },
	{ "entry in low memory", low_entry, 0, "outside" },
	{ "notes past the file", notes_past, 0, "cut off" },
	{ "cut in the header", NULL, 20, "cut off" },
};

ATF_TC_WITHOUT_HEAD(pvh__malformed_is_refused);
ATF_TC_BODY(pvh__malformed_is_refused, tc)
{
	uint8_t elf[ELF_BYTES];
	size_t i;

	(void)tc;
	for (i = 0; i < sizeof(bad_elf) / sizeof(bad_elf[0]); i++) {
		make_elf(elf);
		check_bad(&bad_elf[i], elf, sizeof(elf));
	}
}

/* Any one bit of the first KiB turned: an answer, and no crash. */
ATF_TC_WITHOUT_HEAD(loaders__survive_any_bit);
ATF_TC_BODY(loaders__survive_any_bit, tc)
{
	static uint8_t bz[BZ_BYTES], elf[ELF_BYTES];
	struct fixture f;
	size_t bit;

	(void)tc;
	make_bz(bz);
	make_elf(elf);
	setup(&f, bz, sizeof(bz), 32 * MIB);
	for (bit = (size_t)0x1f0 * 8; bit < (size_t)0x270 * 8; bit++) {
		bz[bit / 8] ^= 1u << bit % 8;
		ATF_REQUIRE(pwrite(f.job.kernel.fd, bz, 1024, 0) == 1024);
		(void)load(&f);
		bz[bit / 8] ^= 1u << bit % 8;
	}
	teardown(&f);
	setup(&f, elf, sizeof(elf), 32 * MIB);
	for (bit = 0; bit < sizeof(struct elf32) * 8; bit++) {
		elf[bit / 8] ^= 1u << bit % 8;
		ATF_REQUIRE(pwrite(f.job.kernel.fd, elf, 1024, 0) == 1024);
		(void)load(&f);
		elf[bit / 8] ^= 1u << bit % 8;
	}
	teardown(&f);
}

/* --- memory ------------------------------------------------------------ */

ATF_TC_WITHOUT_HEAD(file__that_shrinks_is_an_error);
ATF_TC_BODY(file__that_shrinks_is_an_error, tc)
{
	uint8_t bz[BZ_BYTES];
	struct fixture f;

	(void)tc;
	make_bz(bz);
	setup(&f, bz, sizeof(bz), MEMORY);
	ATF_REQUIRE_EQ(0, ftruncate(f.job.kernel.fd, PROPER + 1000));
	ATF_CHECK_EQ(-1, load(&f));
	ATF_CHECK(strstr(f.fail.text, "cannot be read") != NULL);
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(initrd__too_big_is_refused);
ATF_TC_BODY(initrd__too_big_is_refused, tc)
{
	uint8_t bz[BZ_BYTES];
	struct fixture f;

	(void)tc;
	make_bz(bz);
	setup(&f, bz, sizeof(bz), 24 * MIB);
	add_initrd(&f, 4 * MIB + 1);
	ATF_CHECK_EQ(-1, load(&f));
	ATF_CHECK_EQ(ENOMEM, f.fail.errnum);
	teardown(&f);
}

ATF_TC_WITHOUT_HEAD(map__high_memory_is_in_it);
ATF_TC_BODY(map__high_memory_is_in_it, tc)
{
	struct boot_range map[BOOT_RANGES_MAX];
	uint64_t memory = (UINT64_C(3) << 30) + 64 * MIB;
	struct fixture f;
	uint8_t bz[BZ_BYTES];

	(void)tc;
	make_bz(bz);
	setup(&f, bz, sizeof(bz), memory);
	ATF_REQUIRE_EQ(6, boot_memory_map(f.gmem, map));
	ATF_CHECK_EQ(GMEM_LOW_MAX, map[4].gpa + map[4].bytes);
	ATF_CHECK_EQ(GMEM_HIGH_BASE, map[5].gpa);
	ATF_CHECK_EQ(64 * MIB, map[5].bytes);
	ATF_CHECK_EQ(BOOT_RAM, map[5].type);
	teardown(&f);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, bzimage__golden_is_placed);
	ATF_TP_ADD_TC(tp, bzimage__initrd_stays_below_its_limit);
	ATF_TP_ADD_TC(tp, bzimage__malformed_is_refused);
	ATF_TP_ADD_TC(tp, pvh__golden_is_placed);
	ATF_TP_ADD_TC(tp, pvh__malformed_is_refused);
	ATF_TP_ADD_TC(tp, loaders__survive_any_bit);
	ATF_TP_ADD_TC(tp, file__that_shrinks_is_an_error);
	ATF_TP_ADD_TC(tp, initrd__too_big_is_refused);
	ATF_TP_ADD_TC(tp, map__high_memory_is_in_it);
	return atf_no_error();
}
