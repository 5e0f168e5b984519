/* SPDX-License-Identifier: ISC */
/*
 * vmmd.conf.
 *
 *	input: the file
 */
#include <sys/mman.h>

#include <unistd.h>

#include "shm/gmem.h"
#include "tests/fuzz/fuzz.h"
#include "vmmd/conf.h"

static void
check(const struct conf *c)
{
	size_t i;

	FUZZ_REQUIRE(c->vm.memory > 0 && c->vm.memory <= GMEM_BYTES_MAX);
	FUZZ_REQUIRE(c->vm.vcpus >= 1 && c->vm.vcpus <= PROTO_VCPUS_MAX);
	FUZZ_REQUIRE(c->ndisks <= PROTO_DISKS_MAX);
	FUZZ_REQUIRE(c->vm.name[0] != '\0' && c->vm.kernel[0] != '\0');
	for (i = 0; i < c->ndisks; i++) {
		const struct conf_disk *d = &c->disk[i];

		FUZZ_REQUIRE(d->name[0] != '\0' && d->path[0] != '\0');
		FUZZ_REQUIRE(d->queues >= 1 && d->queues <= PROTO_QUEUES_MAX);
		FUZZ_REQUIRE((d->queue_size & (d->queue_size - 1)) == 0 &&
		    d->queue_size <= PROTO_QUEUE_SIZE_MAX);
		FUZZ_REQUIRE(d->block_size == 512 || d->block_size == 4096);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char path[64];
	static struct conf conf;

	if (fd == -1) {
		fd = memfd_create("vmmd.conf", MFD_CLOEXEC);
		FUZZ_REQUIRE(fd != -1);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	FUZZ_REQUIRE(ftruncate(fd, 0) == 0);
	FUZZ_REQUIRE(pwrite(fd, data, size, 0) == (ssize_t)size);
	if (conf_read(path, &conf) == 0)
		check(&conf);
	return 0;
}
