/* SPDX-License-Identifier: ISC */
/*
 * Kernels and initrds: loaded or refused, and nothing is written below the
 * first page or into the machine's tables by a file.
 *
 *	input: bytes of initrd (2), of zeroes after the kernel (1, times
 *	    4096), the kernel
 */
#include <sys/mman.h>

#include <unistd.h>

#include "shm/gmem.h"
#include "shm/memfd.h"
#include "tests/fuzz/fuzz.h"
#include "vmmd/boot.h"
#include "vmmd/layout.h"

#define MEMORY	(UINT64_C(64) << 20)

static struct gmem *gmem;
static int kernel = -1, initrd = -1;

static void
make(void)
{
	int fd = memfd_make("gmem", MEMORY);

	gmem = gmem_open(fd, MEMORY);
	kernel = memfd_create("kernel", MFD_CLOEXEC);
	initrd = memfd_create("initrd", MFD_CLOEXEC);
	FUZZ_REQUIRE(gmem != NULL && kernel != -1 && initrd != -1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct boot_job job = { .cmdline = "console=ttyS0 quiet" };
	struct boot_entry entry;
	struct fail fail = { 0 };
	uint16_t initrd_bytes = fuzz_u16(&in);
	off_t more = (off_t)fuzz_u8(&in) * 4096;

	if (gmem == NULL)
		make();
	FUZZ_REQUIRE(ftruncate(kernel, 0) == 0);
	FUZZ_REQUIRE(pwrite(kernel, in.p, in.left, 0) == (ssize_t)in.left);
	FUZZ_REQUIRE(ftruncate(kernel, (off_t)in.left + more) == 0);
	FUZZ_REQUIRE(ftruncate(initrd, initrd_bytes) == 0);
	job.gmem = gmem;
	job.rsdp = LAYOUT_ACPI;
	if (boot_file_open(&job.kernel, kernel, "kernel", &fail) == -1)
		goto failed;
	job.initrd.fd = -1;
	if (initrd_bytes > 0 && boot_file_open(&job.initrd, initrd, "initrd",
	    &fail) == -1)
		goto failed;
	if (boot_load(&job, &entry, &fail) == -1)
		goto failed;
	/* It starts in memory. */
	FUZZ_REQUIRE(gmem_at(gmem, entry.rip, 1) != NULL);
	FUZZ_REQUIRE(gmem_at(gmem, entry.info, 1) != NULL);
	return 0;

failed:
	FUZZ_REQUIRE(fail.errnum > 0 && fail.text[0] != '\0' &&
	    memchr(fail.text, '\0', sizeof(fail.text)) != NULL);
	return 0;
}
