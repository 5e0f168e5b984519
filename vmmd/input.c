/* SPDX-License-Identifier: ISC */
/*
 * Kernel, initrd, memory and /dev/kvm.  Monitor, before anything is started.
 * Reads no byte of the files: the vm process does, in its sandbox.
 */
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shm/memfd.h"
#include "util/fd.h"
#include "util/log.h"
#include "vmmd/conf.h"
#include "vmmd/input.h"

#define KVM_PATH	"/dev/kvm"
#define KVM_API		12	/* the one that there has ever been */

void
input_init(struct input *in)
{
	*in = (struct input) { -1, -1, -1, -1 };
}

void
input_close(struct input *in)
{
	fd_close(&in->kvm_fd);
	fd_close(&in->gmem_fd);
	fd_close(&in->kernel_fd);
	fd_close(&in->initrd_fd);
}

static enum exitcode_reason
open_file(const char *what, const char *path, int *fd)
{
	struct stat st;

	/* Not to wait for the writer of a fifo. */
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd == -1 || fstat(*fd, &st) == -1) {
		log_error("vm: cannot open the %s %s: %s: correct %s = ...",
		    what, path, strerror(errno), what);
		return EXITCODE_NOINPUT;
	}
	if (!S_ISREG(st.st_mode) || st.st_size == 0) {
		log_error("vm: the %s %s is %s: correct %s = ...", what, path,
		    S_ISDIR(st.st_mode) ? "a directory" :
		    !S_ISREG(st.st_mode) ? "no regular file" : "empty", what);
		return EXITCODE_DATA;
	}
	return EXITCODE_NONE;
}

/* Bytes that the host can give without pushing others out; 0: unknown. */
static uint64_t
available_bytes(void)
{
	uint64_t kib, total = 0;
	char line[128];
	FILE *f;

	if ((f = fopen("/proc/meminfo", "re")) == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1 ||
		    sscanf(line, "SwapFree: %" SCNu64, &kib) == 1)
			total += kib << 10;
	}
	fclose(f);
	return total;
}

static enum exitcode_reason
make_memory(const struct conf_vm *conf, int *fd)
{
	uint64_t available = available_bytes();

	if (available != 0 && conf->memory > available) {
		log_error("vm: memory = %" PRIu64 "M is more than this host"
		    " can give, %" PRIu64 "M: lower it", conf->memory >> 20,
		    available >> 20);
		return EXITCODE_OS;
	}
	if ((*fd = memfd_make("guest-memory", conf->memory)) == -1) {
		log_error("vm: cannot make %" PRIu64 "M of memory: %s: lower"
		    " it", conf->memory >> 20, strerror(errno));
		return EXITCODE_OS;
	}
	return EXITCODE_NONE;
}

static enum exitcode_reason
open_kvm(int *fd)
{
	*fd = open(KVM_PATH, O_RDWR | O_CLOEXEC);
	if (*fd == -1) {
		log_error("cannot open " KVM_PATH ": %s: %s", strerror(errno),
		    errno == EACCES || errno == EPERM ?
		    "join the group that owns it (kvm)" :
		    "load the module kvm_intel or kvm_amd, and switch"
		    " virtualisation on in the firmware");
		return EXITCODE_NOKVM;
	}
	if (ioctl(*fd, KVM_GET_API_VERSION, 0) != KVM_API) {
		log_error(KVM_PATH " is not the KVM of Linux: see what made"
		    " it");
		return EXITCODE_NOKVM;
	}
	return EXITCODE_NONE;
}

static enum exitcode_reason
check_program(const char *blkd)
{
	if (access(blkd, X_OK) == 0)
		return EXITCODE_NONE;
	log_error("cannot execute %s: %s: install blkd, or name it with -b",
	    blkd, strerror(errno));
	return EXITCODE_INTERNAL;
}

enum exitcode_reason
input_open(struct input *in, const struct conf_vm *conf, const char *blkd)
{
	enum exitcode_reason reason;

	if ((reason = check_program(blkd)) != EXITCODE_NONE)
		return reason;
	reason = open_file("kernel", conf->kernel, &in->kernel_fd);
	if (reason != EXITCODE_NONE)
		return reason;
	if (conf->initrd[0] != '\0') {
		reason = open_file("initrd", conf->initrd, &in->initrd_fd);
		if (reason != EXITCODE_NONE)
			return reason;
	}
	if ((reason = make_memory(conf, &in->gmem_fd)) != EXITCODE_NONE)
		return reason;
	return open_kvm(&in->kvm_fd);
}
