/* SPDX-License-Identifier: ISC */
/* Plays the monitor, for the tests of the vm process. */
#include "config.h"

#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <linux/kvm.h>

#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/chan.h"
#include "shm/doorbell.h"
#include "shm/memfd.h"
#include "shm/state.h"
#include "util/log.h"
#include "vmmd/vm.h"
#include "vmmd/vm_fixture.h"

void
vm_require_kvm(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm;

	if (kvm == -1)
		atf_tc_skip("/dev/kvm: %s", strerror(errno));
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm == -1)
		atf_tc_skip("/dev/kvm: KVM_CREATE_VM: %s", strerror(errno));
	close(vm);
	close(kvm);
}

const char *
vm_guest_path(void)
{
	static char path[4096];
	const char *build = getenv("VMMD_BUILDDIR");

	snprintf(path, sizeof(path), "%s/tests/guest/guest.elf",
	    build != NULL ? build : ".");
	if (access(path, R_OK) == -1)
		atf_tc_skip("%s: %s: build the tests first", path,
		    strerror(errno));
	return path;
}

void
vm_start(struct vm_fixture *f)
{
	struct timeval limit = { .tv_sec = VM_WAIT_S };
	int ends[2];

	if (f->memory == 0)
		f->memory = VM_MEMORY;
	if (f->vcpus == 0)
		f->vcpus = 1;
	f->input = f->output = -1;
	ATF_REQUIRE_EQ(0, chan_pair(ends));
	fflush(NULL);
	f->pid = fork();
	ATF_REQUIRE(f->pid != -1);
	if (f->pid == 0) {
		close(ends[0]);
		log_open("vm", LOG_TO_STDERR, LOG_LEVEL_DEBUG);
		exit(vm_main(ends[1], 0, 0));
	}
	close(ends[1]);
	f->channel = ends[0];
	ATF_REQUIRE_EQ(0, setsockopt(f->channel, SOL_SOCKET, SO_RCVTIMEO,
	    &limit, sizeof(limit)));
}

void
vm_send_machine(struct vm_fixture *f, const char *kernel, const char *initrd,
    const char *cmdline)
{
	struct proto_vm_machine m = {
		.m_name = "test", .m_memory = f->memory,
		.m_vcpus = f->vcpus, .m_disks = f->disks, .m_flags = f->flags,
	};
	int fds[PROTO_MACHINE_INITRD_FD + 1], in[2], out[2];
	size_t n = PROTO_MACHINE_INITRD_FD, i;

	ATF_REQUIRE_EQ(0, pipe2(in, O_CLOEXEC));
	ATF_REQUIRE_EQ(0, pipe2(out, O_CLOEXEC));
	f->gmem = memfd_make("gmem", f->memory);
	ATF_REQUIRE(f->gmem != -1);
	fds[PROTO_MACHINE_KVM] = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	fds[PROTO_MACHINE_GMEM] = f->gmem;
	fds[PROTO_MACHINE_KERNEL] = open(kernel, O_RDONLY | O_CLOEXEC);
	fds[PROTO_MACHINE_SERIAL_IN] = in[0];
	fds[PROTO_MACHINE_SERIAL_OUT] = out[1];
	if (initrd != NULL) {
		m.m_flags |= PROTO_MACHINE_INITRD;
		fds[n++] = open(initrd, O_RDONLY | O_CLOEXEC);
	}
	snprintf(m.m_cmdline, sizeof(m.m_cmdline), "%s", cmdline);
	chan_header(&m.m_hdr, PROTO_VM_MACHINE, 1);
	ATF_REQUIRE_EQ_MSG(0, chan_send(f->channel, &m, fds, n), "%s",
	    strerror(errno));
	for (i = 0; i < n; i++) {
		if (i != PROTO_MACHINE_GMEM)
			close(fds[i]);
	}
	f->input = in[1];
	f->output = out[0];
}

void
vm_send_disk(struct vm_fixture *f, uint32_t index, uint32_t flags,
    struct vm_disk_fds *d)
{
	struct proto_vm_disk m = {
		.m_index = index, .m_flags = flags, .m_queues = 1,
		.m_queue_size = VM_QUEUE_SIZE, .m_name = "test",
	};
	struct timeval limit = { .tv_sec = VM_WAIT_S };
	int ends[2], fds[PROTO_VM_DISK_KICK + 1];

	ATF_REQUIRE_EQ(0, chan_pair(ends));
	ATF_REQUIRE_EQ(0, setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO,
	    &limit, sizeof(limit)));
	d->mmio = ends[0];
	d->doorbell = memfd_make("doorbell", DOORBELL_BYTES);
	d->irq = eventfd(0, EFD_CLOEXEC);
	d->kick = eventfd(0, EFD_CLOEXEC);
	d->state = state_make(1, VM_QUEUE_SIZE);
	fds[PROTO_VM_DISK_MMIO] = ends[1];
	fds[PROTO_VM_DISK_DOORBELL] = d->doorbell;
	fds[PROTO_VM_DISK_IRQ] = d->irq;
	fds[PROTO_VM_DISK_STATE] = d->state;
	fds[PROTO_VM_DISK_KICK] = d->kick;
	chan_header(&m.m_hdr, PROTO_VM_DISK, 2);
	ATF_REQUIRE_EQ_MSG(0, chan_send(f->channel, &m, fds,
	    PROTO_VM_DISK_KICK + 1), "%s", strerror(errno));
	close(ends[1]);
}

int
vm_send_successor(struct vm_fixture *f, uint32_t index)
{
	struct proto_vm_disk m = {
		.m_index = index, .m_flags = PROTO_VM_DISK_SUCCESSOR,
		.m_queues = 1, .m_queue_size = VM_QUEUE_SIZE,
		.m_name = "test",
	};
	struct timeval limit = { .tv_sec = VM_WAIT_S };
	int ends[2];

	ATF_REQUIRE_EQ(0, chan_pair(ends));
	ATF_REQUIRE_EQ(0, setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO,
	    &limit, sizeof(limit)));
	chan_header(&m.m_hdr, PROTO_VM_DISK, 3);
	ATF_REQUIRE_EQ(0, chan_send(f->channel, &m, &ends[1], 1));
	close(ends[1]);
	return ends[0];
}

void
vm_send_empty(struct vm_fixture *f, enum proto_type type)
{
	struct proto_empty m;

	chan_header(&m.m_hdr, type, 9);
	ATF_REQUIRE_EQ(0, chan_send(f->channel, &m, NULL, 0));
}

void
vm_expect(struct vm_fixture *f, enum proto_type type, struct msg *m)
{
	enum proto_error error = chan_recv(f->channel, m);

	ATF_REQUIRE_MSG(error == PROTO_OK, "waiting for %s: %s",
	    proto_name((uint16_t)type), proto_error(error));
	if (m->hdr.m_type == PROTO_VM_FAIL)
		fprintf(stderr, "FAIL: %s\n", m->fail.m_text);
	ATF_REQUIRE_EQ_MSG((uint16_t)type, m->hdr.m_type, "%s came",
	    proto_name(m->hdr.m_type));
}

static void
print_output(struct vm_fixture *f)
{
	char buf[4096];
	ssize_t n;

	if (f->output == -1)
		return;
	while ((n = read(f->output, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)n, stderr);
}

void
vm_expect_end(struct vm_fixture *f, int code)
{
	int status;

	print_output(f);
	ATF_REQUIRE_EQ(f->pid, waitpid(f->pid, &status, 0));
	if (WIFSIGNALED(status))
		atf_tc_fail("the vm process died of signal %d",
		    WTERMSIG(status));
	ATF_CHECK_EQ(code, WEXITSTATUS(status));
}

void
vm_run_guest(struct vm_fixture *f, const char *cmdline, struct msg *exit_msg)
{
	struct msg m;

	vm_start(f);
	vm_send_machine(f, vm_guest_path(), NULL, cmdline);
	vm_expect(f, PROTO_VM_READY, &m);
	vm_send_empty(f, PROTO_VM_RUN);
	vm_expect(f, PROTO_VM_EXIT, exit_msg);
	fprintf(stderr, "EXIT %u detail %u rip 0x%jx: %s\n",
	    exit_msg->vm_exit.m_reason, exit_msg->vm_exit.m_detail,
	    (uintmax_t)exit_msg->vm_exit.m_rip, exit_msg->vm_exit.m_text);
	vm_expect_end(f, 0);
}
