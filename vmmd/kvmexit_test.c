/* SPDX-License-Identifier: ISC */
/*
 * Exits of KVM and what they do: the ports, the windows, the ends.  The
 * shared page is made by the test.
 */
#include "config.h"

#include <linux/kvm.h>

#include <atf-c.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmmd/i8042.h"
#include "vmmd/kvmexit.h"
#include "vmmd/layout.h"
#include "vmmd/power.h"

struct page {
	struct kvm_run	run;
	uint8_t		data[64];
};

struct machine {
	struct iobus		io;
	struct mmiobus		mmio;
	struct i8042		i8042;
	struct kvmexit_buses	buses;
	struct page		page;
	struct end		end;
};

static void
setup(struct machine *m)
{
	memset(m, 0, sizeof(*m));
	ATF_REQUIRE_EQ(0, power_attach(&m->io));
	ATF_REQUIRE_EQ(0, i8042_attach(&m->i8042, &m->io));
	m->buses = (struct kvmexit_buses) { &m->io, &m->mmio };
}

static void
port(struct machine *m, uint16_t number, int direction, uint8_t size,
    uint32_t count)
{
	m->page.run.exit_reason = KVM_EXIT_IO;
	m->page.run.io.direction = (uint8_t)direction;
	m->page.run.io.port = number;
	m->page.run.io.size = size;
	m->page.run.io.count = count;
	m->page.run.io.data_offset = offsetof(struct page, data);
	memset(&m->end, 0, sizeof(m->end));
	kvmexit_handle(&m->buses, &m->page.run, &m->end);
}

static uint32_t
out(struct machine *m, uint16_t number, uint8_t value)
{
	m->page.data[0] = value;
	port(m, number, KVM_EXIT_IO_OUT, 1, 1);
	return m->end.reason;
}

static uint8_t
in(struct machine *m, uint16_t number)
{
	port(m, number, KVM_EXIT_IO_IN, 1, 1);
	return m->page.data[0];
}

ATF_TC_WITHOUT_HEAD(port__ways_out);
ATF_TC_BODY(port__ways_out, tc)
{
	static const struct {
		uint16_t	port;
		uint8_t		value;
		uint32_t	reason;
		uint32_t	detail;
	} ways[] = {
		{ 0x600, 0x34, PROTO_EXIT_POWEROFF, 0 },  /* SLP_EN, S5 */
		{ 0x600, 0x14, 0, 0 },			/* not enabled */
		{ 0x600, 0x20, 0, 0 },			/* another state */
		{ 0x601, 0xff, 0, 0 },
		{ 0x602, 0x01, PROTO_EXIT_RESET, 0 },
		{ 0x602, 0x00, 0, 0 },
		{ 0x64, 0xfe, PROTO_EXIT_RESET, 0 },
		{ 0x64, 0xad, 0, 0 },
		{ 0x60, 0xfe, 0, 0 },
		{ 0xf4, 0x00, PROTO_EXIT_DEBUG, 0 },
		{ 0xf4, 0xab, PROTO_EXIT_DEBUG, 0xab },
		{ 0x80, 0xfe, 0, 0 },			/* nobody's */
	};
	struct machine m;
	size_t i;

	(void)tc;
	setup(&m);
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		ATF_CHECK_EQ_MSG(ways[i].reason,
		    out(&m, ways[i].port, ways[i].value), "0x%x = 0x%x",
		    ways[i].port, ways[i].value);
		ATF_CHECK_EQ(ways[i].detail, m.end.detail);
	}
}

ATF_TC_WITHOUT_HEAD(port__nobody_reads_as_ones);
ATF_TC_BODY(port__nobody_reads_as_ones, tc)
{
	static const uint8_t ones[12] = { 255, 255, 255, 255, 255, 255, 255,
	    255, 255, 255, 255, 255 };
	struct machine m;

	(void)tc;
	setup(&m);
	port(&m, 0xcfc, KVM_EXIT_IO_IN, 4, 3);
	ATF_CHECK_EQ(0, memcmp(m.page.data, ones, sizeof(ones)));
	/* a wide access past the last port does not come round */
	port(&m, 0xffff, KVM_EXIT_IO_IN, 4, 1);
	ATF_CHECK_EQ(0, memcmp(m.page.data, ones, 4));
}

ATF_TC_WITHOUT_HEAD(port__wide_write_is_bytes);
ATF_TC_BODY(port__wide_write_is_bytes, tc)
{
	struct machine m;

	(void)tc;
	setup(&m);
	/* 0x600: nothing; 0x601: nothing; 0x602: reset */
	memcpy(m.page.data, (const uint8_t []) { 0, 0, 1, 0 }, 4);
	port(&m, 0x600, KVM_EXIT_IO_OUT, 4, 1);
	ATF_CHECK_EQ(PROTO_EXIT_RESET, m.end.reason);
	/* a string: the second element ends it */
	memcpy(m.page.data, (const uint8_t []) { 0, 0x34, 1 }, 3);
	port(&m, 0x600, KVM_EXIT_IO_OUT, 1, 3);
	ATF_CHECK_EQ(PROTO_EXIT_POWEROFF, m.end.reason);
}

ATF_TC_WITHOUT_HEAD(i8042__answers_a_probe);
ATF_TC_BODY(i8042__answers_a_probe, tc)
{
	struct machine m;

	(void)tc;
	setup(&m);
	ATF_CHECK_EQ(0x04, in(&m, 0x64));
	out(&m, 0x64, 0xaa);
	ATF_CHECK_EQ(0x05, in(&m, 0x64));
	ATF_CHECK_EQ(0x55, in(&m, 0x60));
	ATF_CHECK_EQ(0x04, in(&m, 0x64));
	out(&m, 0x64, 0x60);
	out(&m, 0x60, 0x47);
	out(&m, 0x64, 0x20);
	ATF_CHECK_EQ(0x47, in(&m, 0x60));
	out(&m, 0x64, 0xab);
	ATF_CHECK_EQ(0x00, in(&m, 0x60));
}

static uint32_t
leave(struct machine *m, uint32_t reason)
{
	m->page.run.exit_reason = reason;
	memset(&m->end, 0, sizeof(m->end));
	kvmexit_handle(&m->buses, &m->page.run, &m->end);
	return m->end.reason;
}

ATF_TC_WITHOUT_HEAD(exit__reasons);
ATF_TC_BODY(exit__reasons, tc)
{
	struct machine m;

	(void)tc;
	setup(&m);
	ATF_CHECK_EQ(0, leave(&m, KVM_EXIT_INTR));
	ATF_CHECK_EQ(PROTO_EXIT_CRASH, leave(&m, KVM_EXIT_SHUTDOWN));
	m.page.run.internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
	ATF_CHECK_EQ(PROTO_EXIT_KVM, leave(&m, KVM_EXIT_INTERNAL_ERROR));
	ATF_CHECK(strstr(m.end.text, "cannot emulate") != NULL);
	m.page.run.internal.suberror = UINT32_MAX;
	ATF_CHECK_EQ(PROTO_EXIT_KVM, leave(&m, KVM_EXIT_INTERNAL_ERROR));
	m.page.run.fail_entry.hardware_entry_failure_reason = 0x80000021;
	ATF_CHECK_EQ(PROTO_EXIT_KVM, leave(&m, KVM_EXIT_FAIL_ENTRY));
	ATF_CHECK(strstr(m.end.text, "0x80000021") != NULL);
	ATF_CHECK_EQ(KVM_EXIT_FAIL_ENTRY, m.end.detail);
	ATF_CHECK_EQ(PROTO_EXIT_KVM, leave(&m, 12345));
	ATF_CHECK(strstr(m.end.text, "12345") != NULL);
	m.page.run.system_event.type = KVM_SYSTEM_EVENT_RESET;
	ATF_CHECK_EQ(PROTO_EXIT_RESET, leave(&m, KVM_EXIT_SYSTEM_EVENT));
}

/* Where no disk answers, and where an access is none of a window's. */
ATF_TC_WITHOUT_HEAD(mmio__outside_reads_as_ones);
ATF_TC_BODY(mmio__outside_reads_as_ones, tc)
{
	static const uint64_t gpa[] = {
		0, LAYOUT_MMIO - 1, LAYOUT_MMIO, LAYOUT_MMIO + 0xfff,
		LAYOUT_MMIO + PROTO_DISKS_MAX * LAYOUT_MMIO_WINDOW,
		UINT64_MAX - 3,
	};
	struct machine m;
	struct kvm_run *run = &m.page.run;
	uint64_t value;
	size_t i;

	(void)tc;
	setup(&m);
	m.mmio.count = 1;	/* of which there is none yet */
	for (i = 0; i < sizeof(gpa) / sizeof(gpa[0]); i++) {
		run->mmio.phys_addr = gpa[i];
		run->mmio.len = 8;
		run->mmio.is_write = 0;
		memset(run->mmio.data, 0, 8);
		ATF_CHECK_EQ(0, leave(&m, KVM_EXIT_MMIO));
		memcpy(&value, run->mmio.data, 8);
		ATF_CHECK_EQ_MSG(UINT64_MAX, value, "0x%jx",
		    (uintmax_t)gpa[i]);
		run->mmio.is_write = 1;
		ATF_CHECK_EQ(0, leave(&m, KVM_EXIT_MMIO));
	}
}

ATF_TC_WITHOUT_HEAD(bus__full_is_an_error);
ATF_TC_BODY(bus__full_is_an_error, tc)
{
	struct iobus bus = { .count = IOBUS_PORTS_MAX };
	struct iobus_port none = { .count = 1 };

	(void)tc;
	ATF_CHECK_EQ(-1, iobus_add(&bus, &none));
	ATF_CHECK_EQ(ENOSPC, errno);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, port__ways_out);
	ATF_TP_ADD_TC(tp, port__nobody_reads_as_ones);
	ATF_TP_ADD_TC(tp, port__wide_write_is_bytes);
	ATF_TP_ADD_TC(tp, i8042__answers_a_probe);
	ATF_TP_ADD_TC(tp, exit__reasons);
	ATF_TP_ADD_TC(tp, mmio__outside_reads_as_ones);
	ATF_TP_ADD_TC(tp, bus__full_is_an_error);
	return atf_no_error();
}
