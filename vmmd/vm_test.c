/* SPDX-License-Identifier: ISC */
/*
 * The vm process as a whole, with the test plays the monitor and blkd: real
 * KVM, the test guest, a machine channel.
 */
#include "config.h"

#include <sys/wait.h>

#include <atf-c.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "proto/chan.h"
#include "vmmd/vm_fixture.h"

/* --- ends of a guest --------------------------------------------------- */

static const struct {
	const char	*cmdline;
	uint32_t	 reason;
	uint32_t	 detail;
} ends[] = {
	{ "test=shutdown", PROTO_EXIT_POWEROFF, 0 },
	{ "test=reboot", PROTO_EXIT_RESET, 0 },
	{ "test=triplefault", PROTO_EXIT_CRASH, 0 },
	{ "test=nonsense", PROTO_EXIT_DEBUG, 2 },
};

ATF_TC_WITHOUT_HEAD(guest__each_end_has_its_reason);
ATF_TC_BODY(guest__each_end_has_its_reason, tc)
{
	struct vm_fixture f;
	struct msg m;
	size_t i;

	(void)tc;
	vm_require_kvm();
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		memset(&f, 0, sizeof(f));
		vm_run_guest(&f, ends[i].cmdline, &m);
		ATF_CHECK_EQ_MSG(ends[i].reason, m.vm_exit.m_reason, "%s",
		    ends[i].cmdline);
		ATF_CHECK_EQ_MSG(ends[i].detail, m.vm_exit.m_detail, "%s",
		    ends[i].cmdline);
		ATF_CHECK(m.vm_exit.m_text[0] != '\0');
	}
}

ATF_TC_WITHOUT_HEAD(guest__processors_start);
ATF_TC_BODY(guest__processors_start, tc)
{
	struct vm_fixture f = { .vcpus = 4 };
	struct msg m;

	(void)tc;
	vm_require_kvm();
	vm_run_guest(&f, "test=smp cpus=4", &m);
	ATF_CHECK_EQ(PROTO_EXIT_DEBUG, m.vm_exit.m_reason);
	ATF_CHECK_EQ(0, m.vm_exit.m_detail);
}

/* Ended from outside, while its vCPU sleeps in the kernel. */
ATF_TC_WITHOUT_HEAD(guest__stop_ends_a_sleeping_one);
ATF_TC_BODY(guest__stop_ends_a_sleeping_one, tc)
{
	struct vm_fixture f = { .vcpus = 2 };
	struct msg m;
	char byte;

	(void)tc;
	vm_require_kvm();
	vm_start(&f);
	vm_send_machine(&f, vm_guest_path(), NULL, "test=idle");
	vm_expect(&f, PROTO_VM_READY, &m);
	vm_send_empty(&f, PROTO_VM_RUN);
	ATF_REQUIRE_EQ(1, read(f.output, &byte, 1));
	vm_send_empty(&f, PROTO_VM_STOP);
	vm_expect(&f, PROTO_VM_EXIT, &m);
	ATF_CHECK_EQ(PROTO_EXIT_STOPPED, m.vm_exit.m_reason);
	vm_expect_end(&f, 0);
}

ATF_TC_WITHOUT_HEAD(guest__stop_before_run);
ATF_TC_BODY(guest__stop_before_run, tc)
{
	struct vm_fixture f = { .vcpus = 2 };
	struct msg m;

	(void)tc;
	vm_require_kvm();
	vm_start(&f);
	vm_send_machine(&f, vm_guest_path(), NULL, "test=idle");
	vm_expect(&f, PROTO_VM_READY, &m);
	vm_send_empty(&f, PROTO_VM_STOP);
	vm_expect(&f, PROTO_VM_EXIT, &m);
	ATF_CHECK_EQ(PROTO_EXIT_STOPPED, m.vm_exit.m_reason);
	vm_expect_end(&f, 0);
}

/* Nothing was ever said to it.  util/sandbox_test has the other layers. */
ATF_TC_WITHOUT_HEAD(start__shut_in_before_the_first_message);
ATF_TC_BODY(start__shut_in_before_the_first_message, tc)
{
	struct vm_fixture f = { .vcpus = 1 };
	char path[64], line[256];
	bool shut_in = false;
	FILE *status;
	int i;

	(void)tc;
	vm_require_kvm();
	vm_start(&f);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)f.pid);
	for (i = 0; i < 10000 && !shut_in; i++) {
		usleep(1000);
		ATF_REQUIRE((status = fopen(path, "re")) != NULL);
		while (fgets(line, sizeof(line), status) != NULL)
			shut_in |= strcmp(line, "Seccomp:\t2\n") == 0;
		fclose(status);
	}
	ATF_CHECK(shut_in);
	close(f.channel);
	vm_expect_end(&f, EX_SOFTWARE);
}

/* --- the monitor ------------------------------------------------------- */

ATF_TC_WITHOUT_HEAD(monitor__its_end_ends_the_guest);
ATF_TC_BODY(monitor__its_end_ends_the_guest, tc)
{
	struct vm_fixture f = { .vcpus = 1 };
	struct msg m;

	(void)tc;
	vm_require_kvm();
	vm_start(&f);
	vm_send_machine(&f, vm_guest_path(), NULL, "test=idle");
	vm_expect(&f, PROTO_VM_READY, &m);
	vm_send_empty(&f, PROTO_VM_RUN);
	close(f.channel);
	vm_expect_end(&f, EX_SOFTWARE);
}

ATF_TC_WITHOUT_HEAD(monitor__run_before_ready_ends_it);
ATF_TC_BODY(monitor__run_before_ready_ends_it, tc)
{
	struct vm_fixture f = { .vcpus = 1 };
	struct msg m;

	(void)tc;
	vm_start(&f);
	vm_send_empty(&f, PROTO_VM_RUN);
	ATF_CHECK_EQ(PROTO_E_EOF, chan_recv(f.channel, &m));
	vm_expect_end(&f, EX_SOFTWARE);
}

static void
expect_fail(const char *kernel, const char *initrd, const char *words)
{
	struct vm_fixture f = { .vcpus = 1 };
	struct msg m;

	vm_start(&f);
	vm_send_machine(&f, kernel, initrd, "");
	vm_expect(&f, PROTO_VM_FAIL, &m);
	ATF_CHECK_MSG(strstr(m.fail.m_text, words) != NULL, "%s",
	    m.fail.m_text);
	vm_expect_end(&f, EX_UNAVAILABLE);
}

ATF_TC_WITHOUT_HEAD(start__a_bad_file_is_a_sentence);
ATF_TC_BODY(start__a_bad_file_is_a_sentence, tc)
{
	(void)tc;
	vm_require_kvm();
	atf_utils_create_file("empty", "%s", "");
	atf_utils_create_file("text", "This is no kernel.\n");
	expect_fail("empty", NULL, "the kernel is empty");
	expect_fail("text", NULL, "neither a bzImage nor a PVH ELF");
	expect_fail("/dev/null", NULL, "the kernel is no regular file");
	expect_fail(vm_guest_path(), "empty", "the initrd is empty");
}

/* --- a disk ------------------------------------------------------------ */

/*
 * Be a device of zeroes until the vm process closes the channel.  Returns
 * how many accesses came.
 */
static int
serve(int channel)
{
	struct proto_mmio_data data = { .m_value = 0 };
	struct proto_empty ack;
	struct msg m;
	int n = 0;

	while (chan_recv(channel, &m) == PROTO_OK) {
		n++;
		if (m.hdr.m_type == PROTO_MMIO_READ) {
			chan_header(&data.m_hdr, PROTO_MMIO_DATA,
			    m.hdr.m_sequence);
			(void)chan_send(channel, &data, NULL, 0);
		} else {
			chan_header(&ack.m_hdr, PROTO_MMIO_ACK,
			    m.hdr.m_sequence);
			(void)chan_send(channel, &ack, NULL, 0);
		}
	}
	return n;
}

/* A device of zeroes is none, says the guest. */
static void
expect_no_device(struct vm_fixture *f)
{
	struct msg m;

	vm_expect(f, PROTO_VM_EXIT, &m);
	ATF_CHECK_EQ(PROTO_EXIT_DEBUG, m.vm_exit.m_reason);
	ATF_CHECK_EQ(1, m.vm_exit.m_detail);
	vm_expect_end(f, 0);
}

static void
start_with_disk(struct vm_fixture *f, struct vm_disk_fds *d)
{
	struct msg m;

	vm_require_kvm();
	f->disks = 1;
	f->flags = PROTO_MACHINE_MMIO_CMDLINE;
	vm_start(f);
	vm_send_machine(f, vm_guest_path(), NULL, "test=identify");
	vm_send_disk(f, 0, 0, d);
	vm_expect(f, PROTO_VM_READY, &m);
	vm_send_empty(f, PROTO_VM_RUN);
}

ATF_TC_WITHOUT_HEAD(disk__registers_are_read_by_message);
ATF_TC_BODY(disk__registers_are_read_by_message, tc)
{
	struct vm_fixture f = { .vcpus = 1 };
	struct vm_disk_fds d;

	(void)tc;
	start_with_disk(&f, &d);
	ATF_CHECK(serve(d.mmio) > 0);
	expect_no_device(&f);
}

/* The access that was not answered comes again to the successor. */
ATF_TC_WITHOUT_HEAD(disk__successor_gets_the_access_again);
ATF_TC_BODY(disk__successor_gets_the_access_again, tc)
{
	struct vm_fixture f = { .vcpus = 1 };
	struct vm_disk_fds d;
	struct msg first, again;
	int successor;

	(void)tc;
	start_with_disk(&f, &d);
	ATF_REQUIRE_EQ(PROTO_OK, chan_recv(d.mmio, &first));
	close(d.mmio);
	successor = vm_send_successor(&f, 0);
	ATF_REQUIRE_EQ(PROTO_OK, chan_recv(successor, &again));
	ATF_CHECK_EQ(first.length, again.length);
	ATF_CHECK_EQ(0, memcmp(&first.bytes, &again.bytes, first.length));
	close(successor);
	ATF_CHECK(serve(vm_send_successor(&f, 0)) > 0);
	expect_no_device(&f);
}

ATF_TC_WITHOUT_HEAD(disk__nonsense_is_reported_as_stuck);
ATF_TC_BODY(disk__nonsense_is_reported_as_stuck, tc)
{
	struct vm_fixture f = { .vcpus = 1 };
	struct vm_disk_fds d;
	struct msg m;

	(void)tc;
	start_with_disk(&f, &d);
	ATF_REQUIRE_EQ(PROTO_OK, chan_recv(d.mmio, &m));
	ATF_REQUIRE_EQ(8, write(d.mmio, "nonsense", 8));
	vm_expect(&f, PROTO_VM_STUCK, &m);
	ATF_CHECK_EQ(0, m.stuck.m_index);
	ATF_CHECK(serve(vm_send_successor(&f, 0)) > 0);
	expect_no_device(&f);
}

ATF_TC_WITHOUT_HEAD(disk__stop_ends_a_waiting_vcpu);
ATF_TC_BODY(disk__stop_ends_a_waiting_vcpu, tc)
{
	struct vm_fixture f = { .vcpus = 1 };
	struct vm_disk_fds d;
	struct msg m;

	(void)tc;
	start_with_disk(&f, &d);
	ATF_REQUIRE_EQ(PROTO_OK, chan_recv(d.mmio, &m));
	vm_send_empty(&f, PROTO_VM_STOP);
	vm_expect(&f, PROTO_VM_EXIT, &m);
	ATF_CHECK_EQ(PROTO_EXIT_STOPPED, m.vm_exit.m_reason);
	vm_expect_end(&f, 0);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, guest__each_end_has_its_reason);
	ATF_TP_ADD_TC(tp, guest__processors_start);
	ATF_TP_ADD_TC(tp, guest__stop_ends_a_sleeping_one);
	ATF_TP_ADD_TC(tp, guest__stop_before_run);
	ATF_TP_ADD_TC(tp, start__shut_in_before_the_first_message);
	ATF_TP_ADD_TC(tp, monitor__its_end_ends_the_guest);
	ATF_TP_ADD_TC(tp, monitor__run_before_ready_ends_it);
	ATF_TP_ADD_TC(tp, start__a_bad_file_is_a_sentence);
	ATF_TP_ADD_TC(tp, disk__registers_are_read_by_message);
	ATF_TP_ADD_TC(tp, disk__successor_gets_the_access_again);
	ATF_TP_ADD_TC(tp, disk__nonsense_is_reported_as_stuck);
	ATF_TP_ADD_TC(tp, disk__stop_ends_a_waiting_vcpu);
	return atf_no_error();
}
