/* SPDX-License-Identifier: ISC */
/*
 * The ACPI tables: their chain and checksums, and what ACPICA's own
 * disassembler reads in the DSDT.
 */
#include "config.h"

#include <sys/wait.h>

#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmmd/acpi.h"
#include "vmmd/layout.h"

static uint8_t tables[LAYOUT_ACPI_BYTES];

static uint64_t
word(const uint8_t *p, size_t bytes)
{
	uint64_t v = 0;

	memcpy(&v, p, bytes);
	return v;
}

static uint8_t
sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n-- > 0)
		s = (uint8_t)(s + *p++);
	return s;
}

/* The table at a guest-physical address, checked. */
static const uint8_t *
table_at(uint64_t gpa, const char *signature)
{
	const uint8_t *t;

	ATF_REQUIRE(gpa >= LAYOUT_ACPI);
	ATF_REQUIRE(gpa < LAYOUT_ACPI + sizeof(tables));
	t = tables + (gpa - LAYOUT_ACPI);
	ATF_REQUIRE_EQ_MSG(0, memcmp(t, signature, 4), "%s", signature);
	ATF_CHECK_EQ_MSG(0, sum(t, word(t + 4, 4)), "%s", signature);
	return t;
}

static const uint8_t *
xsdt(void)
{
	ATF_REQUIRE_EQ(0, memcmp(tables, "RSD PTR ", 8));
	ATF_CHECK_EQ(0, sum(tables, 20));
	ATF_CHECK_EQ(0, sum(tables, 36));
	return table_at(word(tables + 24, 8), "XSDT");
}

ATF_TC_WITHOUT_HEAD(tables__chain_is_whole);
ATF_TC_BODY(tables__chain_is_whole, tc)
{
	const uint8_t *x, *fadt, *madt;

	(void)tc;
	ATF_REQUIRE(acpi_make(tables, sizeof(tables), LAYOUT_ACPI, 3, 2) > 0);
	x = xsdt();
	fadt = table_at(word(x + 36, 8), "FACP");
	madt = table_at(word(x + 44, 8), "APIC");
	(void)table_at(word(fadt + 140, 8), "DSDT");
	ATF_CHECK_EQ(276, word(fadt + 4, 4));
	/* hardware-reduced, with a reset register */
	ATF_CHECK_EQ(1u << 20 | 1u << 10,
	    word(fadt + 112, 4) & (1u << 20 | 1u << 10));
	ATF_CHECK_EQ(LAYOUT_RESET, word(fadt + 120, 8));
	ATF_CHECK_EQ(LAYOUT_SLEEP_CONTROL, word(fadt + 248, 8));
	ATF_CHECK_EQ(LAYOUT_SLEEP_STATUS, word(fadt + 260, 8));
	ATF_CHECK_EQ(LAYOUT_LAPIC, word(madt + 36, 4));
	/* 3 processors, an IOAPIC, the serial line, two disks */
	ATF_CHECK_EQ(44 + 3 * 8 + 12 + 3 * 10, word(madt + 4, 4));
}

ATF_TC_WITHOUT_HEAD(tables__largest_machine_fits);
ATF_TC_BODY(tables__largest_machine_fits, tc)
{
	size_t n;

	(void)tc;
	n = acpi_make(tables, sizeof(tables), LAYOUT_ACPI, PROTO_VCPUS_MAX,
	    PROTO_DISKS_MAX);
	ATF_CHECK(n > 0);
	/* One byte less is told, not written past. */
	memset(tables, 0xee, sizeof(tables));
	ATF_CHECK_EQ(0, acpi_make(tables, n - 1, LAYOUT_ACPI,
	    PROTO_VCPUS_MAX, PROTO_DISKS_MAX));
	ATF_CHECK_EQ(ENOSPC, errno);
	ATF_CHECK_EQ(0xee, tables[n - 1]);
}

static void
write_table(const char *path, const uint8_t *t)
{
	size_t n = word(t + 4, 4);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ATF_REQUIRE(fd != -1);
	ATF_REQUIRE_EQ((ssize_t)n, write(fd, t, n));
	close(fd);
}

static void
expect(const char *file, const char *pattern)
{
	static char text[65536];
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	regex_t regex;
	ssize_t n;

	ATF_REQUIRE(fd != -1);
	n = read(fd, text, sizeof(text) - 1);
	ATF_REQUIRE(n >= 0);
	text[n] = '\0';
	close(fd);
	ATF_REQUIRE_EQ(0, regcomp(&regex, pattern, REG_NEWLINE | REG_NOSUB));
	ATF_CHECK_MSG(regexec(&regex, text, 0, NULL, 0) == 0, "%s: no %s",
	    file, pattern);
	regfree(&regex);
}

/* Run a program, its output into "log"; its exit status, or -1. */
static int
run(const char *const argv[])
{
	pid_t pid;
	int fd, status;

	fflush(NULL);
	pid = fork();
	ATF_REQUIRE(pid != -1);
	if (pid == 0) {
		fd = open("log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	ATF_REQUIRE_EQ(pid, waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

ATF_TC_WITHOUT_HEAD(tables__iasl_reads_them);
ATF_TC_BODY(tables__iasl_reads_them, tc)
{
	const uint8_t *x, *fadt;
	char line[64];
	uint32_t i;

	(void)tc;
	if (run((const char *const []) { "iasl", "-v", NULL }) != 0)
		atf_tc_skip("iasl does not run (install: acpica-tools)");
	ATF_REQUIRE(acpi_make(tables, sizeof(tables), LAYOUT_ACPI, 2,
	    PROTO_DISKS_MAX) > 0);
	x = xsdt();
	fadt = table_at(word(x + 36, 8), "FACP");
	write_table("facp.dat", fadt);
	write_table("apic.dat", table_at(word(x + 44, 8), "APIC"));
	write_table("dsdt.dat", table_at(word(fadt + 140, 8), "DSDT"));
	ATF_REQUIRE_EQ(0, run((const char *const []) { "iasl", "-d",
	    "facp.dat", "apic.dat", "dsdt.dat", NULL }));
	ATF_REQUIRE_EQ(0, run((const char *const []) { "iasl", "dsdt.dsl",
	    NULL }));
	expect("log", "0 Errors, 0 Warnings");
	expect("facp.dsl", "Hardware Reduced .V5. : 1");
	expect("facp.dsl", "Reset Register Supported .V2. : 1");
	expect("dsdt.dsl", "PNP0501");
	expect("dsdt.dsl", "_S5");
	for (i = 0; i < PROTO_DISKS_MAX; i++) {
		snprintf(line, sizeof(line), "Device .BK%02X.", i);
		expect("dsdt.dsl", line);
		snprintf(line, sizeof(line), "0x%08X,  *// Address Base",
		    (unsigned)layout_disk_window(i));
		expect("dsdt.dsl", line);
		snprintf(line, sizeof(line), "^ *0x%08X,$",
		    layout_disk_gsi(i));
		expect("dsdt.dsl", line);
	}
	expect("dsdt.dsl", "LNRO0005");
	expect("dsdt.dsl",
	    "Interrupt .ResourceConsumer, Edge, ActiveHigh, Exclusive");
	expect("dsdt.dsl", "Memory32Fixed .ReadWrite");
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, tables__chain_is_whole);
	ATF_TP_ADD_TC(tp, tables__largest_machine_fits);
	ATF_TP_ADD_TC(tp, tables__iasl_reads_them);
	return atf_no_error();
}
