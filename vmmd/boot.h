/* SPDX-License-Identifier: ISC */
/*
 * Loading a kernel into a machine that has not run yet.
 *
 * The files are hostile: every offset, size and address in them is checked
 * before it is used, and they are read through pread(2), so that a file that
 * shrinks meanwhile is a short read and no fault.  Pure functions over the
 * descriptors and the memory; the fuzzers drive them.
 */
#ifndef VMMD_BOOT_H
#define VMMD_BOOT_H

#include <stddef.h>
#include <stdint.h>

#include "shm/gmem.h"
#include "vmmd/fail.h"

/* Selectors in the GDT at LAYOUT_GDT; the 64-bit boot protocol fixes two. */
#define BOOT_SELECTOR_CODE	0x10
#define BOOT_SELECTOR_DATA	0x18
#define BOOT_SELECTOR_TASK	0x20
#define BOOT_GDT_BYTES		48	/* the task's takes two */

enum boot_mode {
	BOOT_PROTECTED,		/* 32 bits, no paging: PVH */
	BOOT_LONG,		/* 64 bits, identity-mapped: bzImage */
};

/* Where the first vCPU starts, and the structure that it is told of. */
struct boot_entry {
	enum boot_mode	mode;
	uint64_t	rip;
	uint64_t	info;
};

/* A regular file and its size when it was opened. */
struct boot_file {
	int		fd;		/* -1: there is none */
	uint64_t	bytes;
	const char	*what;		/* for sentences */
};

/* What the loaders are given. */
struct boot_job {
	const struct gmem	*gmem;
	struct boot_file	 kernel;
	struct boot_file	 initrd;
	const char		*cmdline;
	uint64_t		 rsdp;	/* guest-physical */
};

/* A descriptor as a file; it stays the caller's.  -1: no regular file. */
int	boot_file_open(struct boot_file *, int fd, const char *what,
	    struct fail *);

/*
 * Load kernel and initrd, write the command line and what the boot protocol
 * wants, and say where to start.  0, or -1 and the failure.
 */
int	boot_load(const struct boot_job *, struct boot_entry *,
	    struct fail *);

/* --- for the loaders --------------------------------------------------- */

/*
 * Read exactly len bytes at an offset of the file.  -1 and EINVAL: past its
 * end; EIO and others: of pread(2).
 */
int	boot_file_read(const struct boot_file *, uint64_t offset, void *,
	    size_t len);
/* The same into guest memory.  -1 and EFAULT: that is no memory. */
int	boot_file_load(const struct boot_file *, uint64_t offset, uint64_t len,
	    const struct gmem *, uint64_t gpa);
/* Bytes into guest memory.  -1 and EFAULT. */
int	boot_put(const struct gmem *, uint64_t gpa, const void *, size_t len);

/* The first byte above the low memory. */
uint64_t	boot_low_end(const struct gmem *);

/*
 * Put the initrd, if there is one, as high as it goes in [from, to) of the
 * low memory; 0 and 0 if there is none.
 */
int	boot_load_initrd(const struct boot_job *, uint64_t from, uint64_t to,
	    uint64_t *gpa, struct fail *);
/* Write the command line, of at most max bytes without its NUL. */
int	boot_load_cmdline(const struct boot_job *, uint64_t max,
	    struct fail *);

/* The memory map of the machine, in the numbers of e820, which are PVH's. */
#define BOOT_RAM	1
#define BOOT_RESERVED	2
#define BOOT_ACPI	3
#define BOOT_RANGES_MAX	8

struct boot_range {
	uint64_t	gpa;
	uint64_t	bytes;
	uint32_t	type;
};

size_t	boot_memory_map(const struct gmem *,
	    struct boot_range [BOOT_RANGES_MAX]);

/* The loaders: 0, or -1 and the failure; ENOEXEC: not of this kind. */
int	boot_bzimage_load(const struct boot_job *, struct boot_entry *,
	    struct fail *);
int	boot_pvh_load(const struct boot_job *, struct boot_entry *,
	    struct fail *);

#endif /* VMMD_BOOT_H */
