/* SPDX-License-Identifier: ISC */
/*
 * SIGBUS.  Runs in blkd, in whichever thread touched guest memory that is
 * gone (sigbus.h); makes system calls only.  Trusts the memory table, which does not
 * change while a queue runs.
 *
 * A signal handler is called without a context: this is the one object of
 * blkd that has a static place.
 */
#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "blkd/sigbus.h"
#include "blkd/vhost_fault.h"
#include "blkd/vhost_mem.h"
#include "shm/gmem.h"
#include "shm/shared.h"

static struct {
	const struct vhost_mem	*mem;	/* NULL: none */
	int			 eventfd;
	int			 nobody;	/* as large as memory can be */
	uint32_t		 happened;
} fault = { .eventfd = -1, .nobody = -1 };

static const struct vhost_mem_entry *
find(uintptr_t address)
{
	size_t i;

	for (i = 0; fault.mem != NULL && i < fault.mem->n; i++)
		if (address - (uintptr_t)fault.mem->entry[i].map <
		    fault.mem->entry[i].map_bytes)
			return &fault.mem->entry[i];
	return NULL;
}

/* In the handler. */
static bool
take_away(const siginfo_t *info)
{
	const struct vhost_mem_entry *e = find((uintptr_t)info->si_addr);
	const uint64_t one = 1;
	int saved = errno;

	/* The whole, as parts of huge pages cannot be replaced. */
	if (e == NULL || mmap(e->map, e->map_bytes, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fault.nobody, 0) ==
	    MAP_FAILED)
		return false;
	shared_store_release(&fault.happened, 1);
	(void)!write(fault.eventfd, &one, sizeof(one));
	errno = saved;
	return true;
}

int
vhost_fault_install(void)
{
	return sigbus_install(take_away);
}

int
vhost_fault_watch(const struct vhost_mem *mem, int eventfd)
{
	/* Without pages until somebody writes; huge ones want whole ones. */
	const off_t bytes = GMEM_BYTES_MAX << 1;

	if (fault.nobody == -1) {
		fault.nobody = memfd_create("nobody", MFD_CLOEXEC |
		    MFD_ALLOW_SEALING);
		if (fault.nobody == -1 ||
		    fallocate(fault.nobody, 0, bytes - 1, 1) == -1)
			return -1;
	}
	fault.mem = mem;
	fault.eventfd = eventfd;
	return 0;
}

bool
vhost_fault_happened(void)
{
	return shared_load_acquire(&fault.happened) != 0;
}

void
vhost_fault_forget(void)
{
	if (!vhost_fault_happened())
		return;
	shared_store(&fault.happened, 0);
	(void)fallocate(fault.nobody, FALLOC_FL_PUNCH_HOLE |
	    FALLOC_FL_KEEP_SIZE, 0, GMEM_BYTES_MAX << 1);
}
